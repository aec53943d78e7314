/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encodings of a layer: ISA-L inflates gzip (twice zlib's speed),
 * libzstd the rest.
 */
#include "config.h"

#include "store/unpack/compress.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "base/alloc.h"

#define INPUT_SIZE ((size_t)256 * 1024)
#define ZSTD_WINDOW_LOG_MAX 27 /* 128 MiB */

static const struct {
	const char *media_type;
	enum layer_encoding encoding;
} media_types[] = {
#define OCI "application/vnd.oci.image.layer.v1.tar"
#define OCI_FOREIGN "application/vnd.oci.image.layer.nondistributable.v1.tar"
#define DOCKER "application/vnd.docker.image.rootfs.diff.tar"
#define DOCKER_FOREIGN "application/vnd.docker.image.rootfs.foreign.diff.tar"
	{ OCI, LAYER_PLAIN },
	{ OCI "+gzip", LAYER_GZIP },
	{ OCI "+zstd", LAYER_ZSTD },
	{ OCI_FOREIGN, LAYER_PLAIN },
	{ OCI_FOREIGN "+gzip", LAYER_GZIP },
	{ OCI_FOREIGN "+zstd", LAYER_ZSTD },
	{ DOCKER, LAYER_PLAIN },
	{ DOCKER ".gzip", LAYER_GZIP },
	{ DOCKER ".zstd", LAYER_ZSTD },
	{ DOCKER_FOREIGN, LAYER_PLAIN },
	{ DOCKER_FOREIGN ".gzip", LAYER_GZIP },
	{ DOCKER_FOREIGN ".zstd", LAYER_ZSTD },
};

struct decompressor {
	enum layer_encoding encoding;
	layer_read_fn read;
	void *arg;
	bool at_end;	 /* the source said so */
	bool in_member;	 /* a gzip member or zstd frame is open */
	bool had_member; /* at least one was complete */
	unsigned char *input;
	size_t used;
	size_t filled;
	struct inflate_state *gzip;
	ZSTD_DCtx *zstd;
};

int
layer_encoding_of(const char *media_type, enum layer_encoding *ret_encoding,
		  struct skiff_error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(media_types); i++) {
		if (strcmp(media_types[i].media_type, media_type) == 0) {
			*ret_encoding = media_types[i].encoding;
			return 0;
		}
	}
	return err_set(err, SKIFF_UNSUPPORTED_MEDIA_TYPE,
		       "media type \"%.200s\" is not that of a tar layer "
		       "(plain, gzip or zstd)",
		       media_type);
}

static int
bad_data(struct skiff_error *err, const char *encoding, const char *rule)
{
	(void)err_set(err, SKIFF_INVALID_ARGUMENT, "layer: %s: %s", encoding,
		      rule);
	return err_reason(err, "image_invalid_layer");
}

struct decompressor *
decompressor_new(enum layer_encoding encoding, layer_read_fn read, void *arg)
{
	struct decompressor *d = xcalloc(1, sizeof(*d));

	d->encoding = encoding;
	d->read = read;
	d->arg = arg;
	if (encoding == LAYER_PLAIN)
		return d;
	d->input = xmalloc(INPUT_SIZE);
	if (encoding == LAYER_GZIP) {
		d->gzip = xmalloc(sizeof(*d->gzip));
		isal_inflate_init(d->gzip);
		return d;
	}
	d->zstd = ZSTD_createDCtx();
	assert(d->zstd);
	(void)ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax,
				     ZSTD_WINDOW_LOG_MAX);
	return d;
}

void
decompressor_free(struct decompressor *d)
{
	if (!d)
		return;
	free(d->input);
	free(d->gzip);
	(void)ZSTD_freeDCtx(d->zstd);
	free(d);
}

/* Makes at least one byte of input ready, or sets at_end. */
static int
refill(struct decompressor *d, struct skiff_error *err)
{
	ssize_t n;

	if (d->used < d->filled || d->at_end)
		return 0;
	n = d->read(d->arg, d->input, INPUT_SIZE, err);
	if (n < 0)
		return -1;
	d->used = 0;
	d->filled = (size_t)n;
	d->at_end = n == 0;
	return 0;
}

static ssize_t
read_plain(struct decompressor *d, void *buf, size_t max,
	   struct skiff_error *err)
{
	size_t len = 0;

	while (len < max && !d->at_end) {
		ssize_t n = d->read(d->arg, (char *)buf + len, max - len, err);

		if (n < 0)
			return -1;
		d->at_end = n == 0;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static const char *
gzip_fault(int code)
{
	switch (code) {
	case ISAL_INCORRECT_CHECKSUM:
		return "wrong checksum";
	case ISAL_INVALID_WRAPPER:
		return "not a gzip header";
	case ISAL_UNSUPPORTED_METHOD:
		return "compression method is not deflate";
	case ISAL_NEED_DICT:
		return "needs a dictionary";
	default:
		return "broken deflate data";
	}
}

/* One call of the inflater; members follow each other (RFC 1952 §2.2). */
static int
step_gzip(struct decompressor *d, struct skiff_error *err)
{
	struct inflate_state *state = d->gzip;
	uint32_t room = state->avail_out;
	int r;

	if (!d->in_member && d->had_member && d->input[d->used] != 0x1f)
		return bad_data(err, "gzip", "junk behind the last member");
	if (!d->in_member) {
		isal_inflate_reset(state);
		state->crc_flag = ISAL_GZIP;
		d->in_member = true;
	}
	state->next_in = d->input + d->used;
	state->avail_in = (uint32_t)(d->filled - d->used);
	r = isal_inflate(state);
	d->used = d->filled - state->avail_in;
	if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT)
		return bad_data(err, "gzip", gzip_fault(r));
	if (state->block_state == ISAL_BLOCK_FINISH) {
		d->in_member = false;
		d->had_member = true;
	} else if (d->at_end && state->avail_out == room) {
		return bad_data(err, "gzip", "the stream is cut");
	}
	return 0;
}

static ssize_t
read_gzip(struct decompressor *d, void *buf, size_t max,
	  struct skiff_error *err)
{
	d->gzip->next_out = buf;
	d->gzip->avail_out = (uint32_t)max;
	while (d->gzip->avail_out > 0) {
		if (refill(d, err) < 0)
			return -1;
		if (d->at_end && d->had_member && !d->in_member)
			break;
		if (step_gzip(d, err) < 0)
			return -1;
	}
	return (ssize_t)(max - d->gzip->avail_out);
}

static ssize_t
read_zstd(struct decompressor *d, void *buf, size_t max,
	  struct skiff_error *err)
{
	ZSTD_outBuffer out = { .dst = buf, .size = max };

	while (out.pos < out.size) {
		ZSTD_inBuffer in = { .src = d->input };
		size_t before = out.pos;
		size_t r;

		if (refill(d, err) < 0)
			return -1;
		if (d->at_end && d->had_member && !d->in_member)
			break;
		in.pos = d->used;
		in.size = d->filled;
		r = ZSTD_decompressStream(d->zstd, &out, &in);
		d->used = in.pos;
		if (ZSTD_isError(r))
			return bad_data(err, "zstd", ZSTD_getErrorName(r));
		d->in_member = r != 0;
		d->had_member |= r == 0;
		if (d->at_end && d->in_member && out.pos == before)
			return bad_data(err, "zstd", "the stream is cut");
	}
	return (ssize_t)out.pos;
}

ssize_t
decompressor_read(struct decompressor *d, void *buf, size_t max,
		  struct skiff_error *err)
{
	switch (d->encoding) {
	case LAYER_GZIP:
		return read_gzip(d, buf, max, err);
	case LAYER_ZSTD:
		return read_zstd(d, buf, max, err);
	case LAYER_PLAIN:
		break;
	}
	return read_plain(d, buf, max, err);
}
