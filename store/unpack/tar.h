/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The entries of a layer's tar stream, read by libarchive and nothing but
 * its tar reader.
 *
 *	tar_open(stream, &tar, err);
 *	while ((r = tar_next(tar, &entry, err)) > 0)
 *		while ((r = tar_data(tar, &data, &len, &offset, err)) > 0) …
 *
 * Names are the bytes of the archive, in no character set. One thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/unpack/stream.h"

enum tar_type {
	TAR_FILE,
	TAR_DIRECTORY,
	TAR_SYMLINK,
	TAR_HARDLINK,
	TAR_CHARACTER_DEVICE,
	TAR_BLOCK_DEVICE,
	TAR_FIFO,
};

/* Borrowed until the next tar_next(). */
struct tar_entry {
	enum tar_type type;
	const char *path;   /* never NULL */
	const char *target; /* of links; never NULL */
	mode_t mode;	    /* the low 12 bits */
	int64_t uid;
	int64_t gid;
	int64_t mtime_s;
	int64_t mtime_ns;
	int64_t size; /* apparent */
	unsigned int major;
	unsigned int minor;
};

struct tar;

/* Hold for what is skipped, too. */
struct tar_limits {
	uint64_t max_bytes; /* uncompressed, from the first to the last */
	bool (*is_cancelled)(void *arg); /* or NULL */
	void *cancel_arg;
};

int tar_open(struct layer_stream *stream, const struct tar_limits *limits,
	     struct tar **ret_tar, struct skiff_error *err);
/* 1, or 0 behind the last entry. Skips what is left of the one before. */
int tar_next(struct tar *tar, struct tar_entry *ret_entry,
	     struct skiff_error *err);
/* The file's next piece and its place: 1, 0 at the end, -1. */
int tar_data(struct tar *tar, const void **ret_data, size_t *ret_len,
	     int64_t *ret_offset, struct skiff_error *err);
/* The entry's next extended attribute: 1, or 0 when there is none. */
int tar_xattr(struct tar *tar, const char **ret_name, const void **ret_value,
	      size_t *ret_len);
/* Reads on to the end of the stream, at most max bytes. */
int tar_drain(struct tar *tar, uint64_t max, struct skiff_error *err);
/* Uncompressed bytes taken so far. */
uint64_t tar_bytes(const struct tar *tar);
void tar_free(struct tar *tar);
DEFINE_CLEANUP(struct tar *, tar_free)
