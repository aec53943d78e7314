/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The encodings of a layer: plain tar, gzip, zstd.
 *
 * The media type alone chooses; the bytes are never asked. In-process
 * libraries only, no external program.
 *
 *	layer_encoding_of(media_type, &encoding, err);
 *	CLEANUP(decompressor_freep) struct decompressor *d =
 *	    decompressor_new(encoding, read_blob, blob);
 *	while ((n = decompressor_read(d, buf, sizeof(buf), err)) > 0) …
 *
 * Sources: OCI image-spec media-types.md; Docker "Image Manifest
 * Version 2, Schema 2"; RFC 1952 (gzip); RFC 8878 (zstd).
 */
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

enum layer_encoding { LAYER_PLAIN, LAYER_GZIP, LAYER_ZSTD };

/*
 * Fills buf with up to max bytes: their number, 0 at the end, -1 with
 * err. May block; must come back when the work was cancelled.
 */
typedef ssize_t (*layer_read_fn)(void *arg, void *buf, size_t max,
				 struct skiff_error *err);

/* SKIFF_UNSUPPORTED_MEDIA_TYPE for anything that is not a tar layer. */
int layer_encoding_of(const char *media_type, enum layer_encoding *ret_encoding,
		      struct skiff_error *err);

struct decompressor;

struct decompressor *decompressor_new(enum layer_encoding encoding,
				      layer_read_fn read, void *arg);
/*
 * Fills the whole of buf unless the stream ends: bytes, 0 at the end, or
 * -1. Faulty data is SKIFF_INVALID_ARGUMENT, reason image_invalid_layer:
 * a wrong checksum, a cut stream, bytes behind the last gzip member or
 * zstd frame, a zstd window above 128 MiB.
 */
ssize_t decompressor_read(struct decompressor *decompressor, void *buf,
			  size_t max, struct skiff_error *err);
void decompressor_free(struct decompressor *decompressor);
DEFINE_CLEANUP(struct decompressor *, decompressor_free)
