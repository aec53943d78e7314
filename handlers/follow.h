/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Follows the log of a process as pieces of its files: what /output and
 * /attach send.
 */
#include "handlers/process.h"
#include "http/relay.h"
#include "runtime/logs/reader.h"

#define FRAME_HEADER_SIZE 8
/* Of docker's clients: some read a frame whole. */
#define FRAME_MAX 32768
#define STREAM_TYPE_RAW "application/vnd.docker.raw-stream"
#define STREAM_TYPE_FRAMED "application/vnd.docker.multiplexed-stream"

struct follow {
	bool is_framed;
	bool does_follow;
	bool is_stopping;
	int dir_fd;
	uint64_t left; /* of the bytes that were promised */
	struct log_reader *reader;
	struct log_watch *watch;
	struct waker *waker;
	char memory[64]; /* a frame's header, and perhaps a notice */
};

struct follow_wishes {
	unsigned int streams;
	uint64_t offset;
	bool is_framed;
	bool does_follow;
};

/* Takes dir_fd in any case. On -1 follow_done() is due all the same. */
int follow_init(struct follow *follow, struct services *services,
		struct request *request, int dir_fd,
		const struct follow_wishes *wishes, struct skiff_error *err);
void follow_done(struct follow *follow);
/* relay_ops.output and .is_lost of one whose arg is the follow. */
int follow_output(void *arg, struct relay_piece *ret_piece);
bool follow_is_lost(void *arg);

/* Whether ?offset is a number at all. */
int check_offset(struct request *request, struct skiff_error *err);
/*
 * ?offset, checked: SKIFF_OUT_OF_RANGE with the nearest offset that there
 * is. Without one, the oldest byte that is left, or (from_end) the end.
 */
int take_offset(struct request *request, int dir_fd, bool from_end,
		uint64_t *ret_offset, uint64_t *ret_end,
		struct skiff_error *err);
