/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A layer's uncompressed bytes, made ahead by a thread of their own.
 *
 * The thread pulls compressed bytes, inflates and hashes; the caller gets
 * blocks of 256 KiB, a bounded number of them ahead. The source's read
 * function is called in that thread only.
 *
 *	layer_stream_open(&options, &stream, err);
 *	while ((r = layer_stream_next(stream, &data, &len, err)) > 0) …
 *	layer_stream_digest(stream, &diff_id);
 */
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "store/unpack/compress.h"

struct layer_stream;

struct layer_stream_options {
	enum layer_encoding encoding;
	layer_read_fn read;
	void *arg;
};

int layer_stream_open(const struct layer_stream_options *options,
		      struct layer_stream **ret_stream,
		      struct skiff_error *err);
/*
 * 1 and a block (borrowed until the next call), 0 at the end, -1. An
 * error comes again with every further call.
 */
int layer_stream_next(struct layer_stream *stream, const void **ret_data,
		      size_t *ret_len, struct skiff_error *err);
/* SHA-256 of all bytes; only after layer_stream_next() said 0. */
void layer_stream_digest(const struct layer_stream *stream,
			 struct digest *ret_digest);
/* Stops and joins: waits for a read that is under way. */
void layer_stream_free(struct layer_stream *stream);
DEFINE_CLEANUP(struct layer_stream *, layer_stream_free)
