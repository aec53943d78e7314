/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The other way round of store/unpack/apply.h: a layer (an uncompressed
 * tar) from the upper directory of an overlay, which holds just what
 * differs from the directories below it.
 *
 *	struct diff_sink sink = { .write = write_blob, .arg = ingest };
 *	struct diff_result result;
 *
 *	if (layer_diff(upper_fd, &sink, &result, err) < 0)
 *		…
 *
 * Entries come in the order of their names, each directory before what it
 * holds; the same tree gives the same bytes. Whiteouts (character devices
 * 0:0) become ".wh.name", opaque directories hold ".wh..wh..opq". Hard links
 * and holes of files are kept, user.* and security.capability attributes
 * too; sockets are left out. What layer_apply() makes of it is the tree
 * again.
 *
 * Nobody should change the tree meanwhile; if somebody does, each file is
 * still as long as its header says, and nothing outside the tree is read.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct diff_sink {
	/* 0 or -1; may block. */
	int (*write)(void *arg, const void *data, size_t len,
		     struct skiff_error *err);
	/* Asked at each entry and block; may be NULL. */
	bool (*is_cancelled)(void *arg);
	void *arg;
};

struct diff_result {
	uint64_t n_entries;
	uint64_t n_skipped_sockets;
	uint64_t stream_bytes;
};

/*
 * SKIFF_FAILED_PRECONDITION, reason "layer_unrepresentable": a name that
 * means a whiteout in a layer, a path that no layer may have, a directory
 * that overlay redirected. SKIFF_CANCELLED; the sink's own errors.
 */
int layer_diff(int upper_fd, const struct diff_sink *sink,
	       struct diff_result *ret_result, struct skiff_error *err);
