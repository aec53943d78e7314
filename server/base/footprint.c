/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds on malloc, and the end of pages that only start-up needed.
 */
#include "config.h"

#include "base/footprint.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENAS_MAX 2

void
footprint_limit(void)
{
	(void)mallopt(M_ARENA_MAX, ARENAS_MAX);
}

/* Only what was never writable: its pages are those of the file. */
static void
drop_segment(uintptr_t base, const ElfW(Phdr) * header, uintptr_t page)
{
	uintptr_t start = (base + header->p_vaddr) & ~(page - 1);
	uintptr_t end =
	    (base + header->p_vaddr + header->p_memsz) & ~(page - 1);

	if (header->p_type != PT_LOAD || (header->p_flags & PF_W) ||
	    end <= start)
		return;
	/* A hint: what it refuses stays as it is. */
	(void)madvise((void *)start, end - start, MADV_DONTNEED);
}

static int
drop_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const uintptr_t *page = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		drop_segment(info->dlpi_addr, &info->dlpi_phdr[i], *page);
	return 0;
}

void
footprint_trim(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)malloc_trim(0);
	(void)dl_iterate_phdr(drop_object, &page);
}
