/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reads a task's output: the data file `log` through its index `log.idx`
 * (runtime/shim_proto.h), from any place, in the order it was written.
 *
 *	struct log_options options = { .tail_lines = 10 };
 *	log_reader_open(task_fd, &options, &reader, err);
 *	while ((n = log_reader_text(reader, buf, sizeof(buf), err)) > 0)
 *		send(buf, n);
 *
 * Nothing blocks and nothing is kept between calls but a position, so a
 * reader serves one follower for days: read to 0, wait until the index
 * grows (inotify IN_MODIFY on log.idx, or a timer), read again. The log is
 * complete when the task's exit record was there before a read gave 0.
 * One thread at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct log_reader;

#define LOG_READ_STDOUT 0x1
#define LOG_READ_STDERR 0x2
#define LOG_TAIL_ALL INT64_C(-1)

struct log_options {
	unsigned int streams; /* LOG_READ_*; 0 is both */
	/* Where to begin; at most one of the three, else all. */
	bool has_tail;
	int64_t tail_lines;  /* with has_tail; LOG_TAIL_ALL: from the start */
	uint64_t offset;     /* byte offset in the data file */
	int64_t since_ns;    /* records made at or after; 0: all */
	int64_t until_ns;    /* no record made after; 0: all */
	bool has_timestamps; /* log_reader_text(): RFC 3339 before each line */
};

struct log_chunk {
	size_t len;	     /* bytes given, all of one stream */
	unsigned int stream; /* LOG_READ_STDOUT or LOG_READ_STDERR */
	int64_t time_ns;
	uint64_t offset;     /* of the first byte; offset + len is the next */
	uint64_t lost_bytes; /* > 0: a gap, and len is 0 */
};

/* A log that is not there yet reads as empty. */
int log_reader_open(int task_fd, const struct log_options *options,
		    struct log_reader **ret_reader, struct skiff_error *err);
void log_reader_free(struct log_reader *reader);
DEFINE_CLEANUP(struct log_reader *, log_reader_free)

/* 1: a chunk of at most cap bytes; 0: the end for now; -1: error. */
int log_reader_next(struct log_reader *reader, struct log_chunk *ret_chunk,
		    void *buf, size_t cap, struct skiff_error *err);

/*
 * Output as text, with timestamps when they were asked for; a gap is a
 * line of its own. Bytes given (more than 0), 0 at the end for now, -1.
 * cap is at least 1024.
 */
ssize_t log_reader_text(struct log_reader *reader, char *buf, size_t cap,
			struct skiff_error *err);
/*
 * True when the last call gave 0 only because it had passed over enough
 * that was not asked for: read again, now or later. What one call of the
 * two above does is bounded; log_reader_open() may read the whole log.
 */
bool log_reader_is_behind(const struct log_reader *reader);
/*
 * Nothing will be added: the exit record is there, or the task is gone.
 * Asked before a read, it makes that read's 0 the end.
 */
bool log_is_complete(int task_fd);
/* Where the next byte comes from; a later reader may begin there. */
uint64_t log_reader_offset(const struct log_reader *reader);
