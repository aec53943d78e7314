/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Follows the headers of one tar entry beside libarchive.
 *
 * libarchive takes an unknown type of entry for a file, ignores faulty
 * pax records and does not tell the type byte. So the blocks of each
 * entry's headers (pax and GNU extensions, then the entry's own) go
 * through here first, and what Skiff does not accept never reaches
 * libarchive.
 *
 * Sources: POSIX pax interchange format; GNU tar manual, "Basic Tar
 * Format".
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

#define TAR_BLOCK 512
#define TAR_EXTENSION_MAX ((size_t)1024 * 1024)

struct header_scan {
	bool is_active; /* more blocks are wanted */
	bool is_end;	/* a block of zeros was there instead */
	char type;	/* the entry's, once !is_active && !is_end */
	char extension; /* type of the extension being read, or 0 */
	size_t have;	/* bytes in block */
	size_t skip;	/* bytes of the extension yet to come */
	size_t body;	/* of them, without padding */
	struct strbuf pax;
	unsigned char block[TAR_BLOCK];
};

void header_scan_begin(struct header_scan *scan);
/* SKIFF_INVALID_ARGUMENT or SKIFF_TOO_LARGE; takes nothing once inactive. */
int header_scan_feed(struct header_scan *scan, const void *data, size_t len,
		     struct skiff_error *err);
void header_scan_done(struct header_scan *scan);
