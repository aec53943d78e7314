/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the log of a process as pieces of its files.
 *
 * Raw bytes have no word for what is missing: where rotation took some,
 * the body is broken off, and asking again from there gives 416 with the
 * oldest offset. Frames say it in a line of stderr. What no disk took never
 * had an offset, and is no hole between the bytes.
 */
#include "config.h"

#include "handlers/follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/logs/watch.h"
#include "runtime/task.h"

/* One piece; a sendfile(2) moves so much without a rest. */
#define PIECE_MAX (4U << 20)

int
follow_init(struct follow *follow, struct services *services,
	    struct request *request, int dir_fd,
	    const struct follow_wishes *wishes, struct skiff_error *err)
{
	struct log_options options = {
		.streams = wishes->streams,
		.offset = wishes->offset,
		.has_offset = true,
		.has_joined_streams = !wishes->is_framed,
	};

	*follow = (struct follow){
		.dir_fd = dir_fd,
		.is_framed = wishes->is_framed,
		.does_follow = wishes->does_follow,
		.left = RELAY_TO_THE_END,
		.waker = request_waker(request),
	};
	if (follow->does_follow &&
	    log_watch_add(tasks_log_watches(services->tasks), dir_fd,
			  wake_waker, follow->waker, &follow->watch, err) < 0)
		return -1;
	return log_reader_open(dir_fd, &options, &follow->reader, err);
}

void
follow_done(struct follow *follow)
{
	log_watch_remove(follow->watch);
	waker_unref(follow->waker);
	log_reader_free(follow->reader);
	closep(&follow->dir_fd);
}

static void
put_header(struct follow *follow, unsigned int stream, uint64_t len)
{
	unsigned char *header = (unsigned char *)follow->memory;

	memset(header, 0, FRAME_HEADER_SIZE);
	header[0] = stream == LOG_READ_STDERR ? 2 : 1;
	header[4] = (unsigned char)(len >> 24);
	header[5] = (unsigned char)(len >> 16);
	header[6] = (unsigned char)(len >> 8);
	header[7] = (unsigned char)len;
}

static void
put_notice(struct follow *follow, uint64_t lost_bytes,
	   struct relay_piece *piece)
{
	char *text = follow->memory + FRAME_HEADER_SIZE;
	int n = snprintf(text, sizeof(follow->memory) - FRAME_HEADER_SIZE,
			 "[%" PRIu64 " bytes of output lost]\n", lost_bytes);

	put_header(follow, LOG_READ_STDERR, (uint64_t)n);
	piece->data = follow->memory;
	piece->data_len = FRAME_HEADER_SIZE + (size_t)n;
}

static void
put_span(struct follow *follow, const struct log_span *span,
	 struct relay_piece *piece)
{
	piece->fd = span->fd;
	piece->offset = span->at;
	piece->len = span->len;
	if (follow->is_framed) {
		put_header(follow, span->stream, span->len);
		piece->data = follow->memory;
		piece->data_len = FRAME_HEADER_SIZE;
	}
}

/* 1 with a piece, 0 at the end for now, -1, -2. */
static int
next_piece(struct follow *follow, struct relay_piece *piece)
{
	uint64_t max = follow->is_framed ? FRAME_MAX : PIECE_MAX;
	struct skiff_error err = ERROR_INIT;
	struct log_span span;
	int r;

	if (follow->left < max)
		max = follow->left;
	while (max > 0 &&
	       (r = log_reader_span(follow->reader, max, &span, &err)) > 0) {
		if (span.lost_bytes > 0 && follow->is_framed) {
			put_notice(follow, span.lost_bytes, piece);
			return 1;
		}
		if (span.is_rotated)
			return -2;
		if (span.len == 0)
			continue;
		put_span(follow, &span, piece);
		if (follow->left != RELAY_TO_THE_END)
			follow->left -= span.len;
		return 1;
	}
	if (max == 0)
		return -1;
	if (r < 0)
		log_failure(LOG_WARN, &err, "read output");
	return r < 0 ? -2 : 0;
}

int
follow_output(void *arg, struct relay_piece *ret_piece)
{
	struct follow *follow = arg;
	/* Asked before the read, so that its end is the log's end. */
	bool is_last = !follow->does_follow || log_is_complete(follow->dir_fd);
	int r;

	*ret_piece = (struct relay_piece){ .fd = -1 };
	r = next_piece(follow, ret_piece);
	if (r == 0 && log_reader_is_behind(follow->reader)) {
		/* Others of this loop first. */
		waker_wake(follow->waker);
		return 0;
	}
	if (r != 0 || !is_last)
		return r;
	return follow->left == RELAY_TO_THE_END ? -1 : -2;
}

bool
follow_is_lost(void *arg)
{
	const struct follow *follow = arg;

	return log_reader_is_removed(follow->reader);
}

int
check_offset(struct request *request, struct skiff_error *err)
{
	uint64_t ignored;

	return request_query_u64(request, "offset", INT64_MAX, 0, &ignored,
				 err);
}

int
take_offset(struct request *request, int dir_fd, bool from_end,
	    uint64_t *ret_offset, uint64_t *ret_end, struct skiff_error *err)
{
	const char *text = request_query(request, "offset");
	uint64_t oldest;
	uint64_t end;

	if (log_bounds(dir_fd, &oldest, &end, err) < 0 ||
	    request_query_u64(request, "offset", INT64_MAX,
			      from_end ? end : oldest, ret_offset, err) < 0)
		return -1;
	*ret_end = end;
	if (!text || (*ret_offset >= oldest && *ret_offset <= end))
		return 0;
	(void)err_set(err, SKIFF_OUT_OF_RANGE,
		      *ret_offset < oldest
			  ? "what lay at offset %" PRIu64
			    " is rotated away; the oldest is %" PRIu64
			  : "offset %" PRIu64 " is behind the end, %" PRIu64,
		      *ret_offset, *ret_offset < oldest ? oldest : end);
	(void)err_reason(err, *ret_offset < oldest ? "output_rotated"
						   : "offset_behind_end");
	return err_offset(err, *ret_offset < oldest ? oldest : end);
}
