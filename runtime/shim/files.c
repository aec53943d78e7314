/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files, read and replaced without allocation.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NAME_SIZE (SHIM_DIR_SIZE + 32)

int
shim_replace_file(struct shim *shim, const char *dir, const char *name,
		  const char *text, size_t len, struct skiff_error *err)
{
	cleanup_close int fd = -1;
	char temporary[NAME_SIZE];
	char path[NAME_SIZE];

	(void)snprintf(path, sizeof(path), "%s%s", dir, name);
	(void)snprintf(temporary, sizeof(temporary), "%s%s.new", dir, name);
	fd =
	    openat(shim->task_fd, temporary,
		   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, errno, "create %s", temporary);
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0)
			return err_errno(err, errno, "write %s", temporary);
		done += (size_t)n;
	}
	if (renameat(shim->task_fd, temporary, shim->task_fd, path) < 0)
		return err_errno(err, errno, "rename %s", temporary);
	return 0;
}

int
shim_read_small(int dirfd, const char *path, char *buf, size_t cap,
		struct skiff_error *err)
{
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	while (len < cap - 1 && (n = read(fd, buf + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return err_errno(err, errno, "read %s", path);
	buf[len] = '\0';
	return 0;
}

const char *
shim_next_word(const char **p, const char *end)
{
	const char *word = *p;
	const char *nul;

	if (word >= end)
		return NULL;
	nul = memchr(word, '\0', (size_t)(end - word));
	if (!nul)
		return NULL;
	*p = nul + 1;
	return word;
}

int
shim_read_list(struct shim *shim, const char *name, const char **ret_end,
	       struct skiff_error *err)
{
	cleanup_close int fd = -1;
	size_t len = 0;
	ssize_t n;

	fd = openat(shim->task_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open %s", name);
	while ((n = read(fd, shim_scratch + len, SHIM_SCRATCH_SIZE - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return err_errno(err, errno, "read %s", name);
	if (len == SHIM_SCRATCH_SIZE)
		return err_set(err, SKIFF_TOO_LARGE, "%s is too large", name);
	*ret_end = (const char *)shim_scratch + len;
	return 0;
}

int
shim_start_time(pid_t pid, uint64_t *ret_ticks, struct skiff_error *err)
{
	char path[32];
	char text[1024];
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (shim_read_small(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -1;
	/* Field 22; the name in field 2 may hold spaces. */
	p = strrchr(text, ')');
	for (int i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	if (!p)
		return err_set(err, SKIFF_INTERNAL, "%s: unexpected form",
			       path);
	*ret_ticks = strtoull(p + 1, NULL, 10);
	return 0;
}
