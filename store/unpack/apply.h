/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Unpacking of a layer into a directory of an overlay file system.
 *
 *	struct layer_source source = { .read = read_blob, .arg = blob };
 *	struct layer_options options = { .media_type = type,
 *					 .diff_id = &expected };
 *	CLEANUP(layer_result_done) struct layer_result result = { 0 };
 *
 *	if (layer_apply(dirfd, &source, &options, &result, err) < 0)
 *		… fs_remove_tree() …
 *	layer_fix_implied_parents(dirfd, &result.implied, lower_fds, n, err);
 *
 * The layer is hostile until proven otherwise. Nothing outside dirfd is
 * read or written, whatever the archive's names and links say. Nothing is
 * synced: the caller does that once per image, before its commit.
 *
 * Sources: OCI image-spec layer.md; kernel Documentation/filesystems/
 * overlayfs.rst for whiteouts (character device 0:0) and opaque
 * directories (trusted.overlay.opaque=y).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/strv.h"
#include "store/unpack/compress.h"

/*
 * The compressed bytes. read is called in a thread of the unpacker's; it
 * must come back in finite time once the work is cancelled.
 */
struct layer_source {
	layer_read_fn read;
	void *arg;
};

/* 0 is the default. Above a limit: SKIFF_TOO_LARGE, reason layer_limit. */
struct layer_limits {
	uint64_t max_entries;	 /* 1,000,000, implied directories too */
	uint64_t max_bytes;	 /* 64 GiB: of the stream, and of all files'
				    apparent sizes */
	uint64_t max_trailing;	 /* 64 MiB behind the archive's end */
	uint64_t min_free_bytes; /* none: what the file system must keep */
};

struct layer_options {
	const char *media_type;
	struct layer_limits limits;
	const struct digest *diff_id; /* expected, or NULL */
	/* Asked at each entry and block; may be NULL. */
	bool (*is_cancelled)(void *arg);
	void *cancel_arg;
};

struct layer_result {
	struct digest diff_id;
	uint64_t stream_bytes; /* uncompressed, all of them */
	uint64_t file_bytes;   /* written as content */
	uint64_t n_entries;
	uint64_t n_skipped_devices;
	uint64_t n_dropped_xattrs;
	/* The layer hides all below it; overlay itself ignores the mark. */
	bool is_root_opaque;
	/* Directories that the archive did not list, outermost first. */
	struct strv implied;
};

/*
 * dirfd: an empty directory that nobody else uses.
 *
 * SKIFF_UNSUPPORTED_MEDIA_TYPE; SKIFF_INVALID_ARGUMENT (reason
 * image_invalid_layer) names the entry and the rule; SKIFF_TOO_LARGE
 * (layer_limit); SKIFF_DATA_LOSS (digest_mismatch) names both digests;
 * SKIFF_INSUFFICIENT_STORAGE; SKIFF_CANCELLED; the source's own errors.
 * A failure leaves what was unpacked so far: the caller removes it.
 */
int layer_apply(int dirfd, const struct layer_source *source,
		const struct layer_options *options,
		struct layer_result *ret_result, struct skiff_error *err);
void layer_result_done(struct layer_result *result);

/*
 * Gives implied directories owner, mode, time and attributes of the
 * directory that they stand for, the uppermost one in lower_fds (top
 * first; whiteouts and opaque directories respected). One that no lower
 * layer has stays 0755 and the process's own.
 */
int layer_fix_implied_parents(int dirfd, const struct strv *implied,
			      const int *lower_fds, size_t n_lowers,
			      struct skiff_error *err);
