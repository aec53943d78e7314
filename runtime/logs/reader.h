/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reads the output of a process: the files of its log through their
 * indexes (runtime/logs/segment.h), from any place, in the order it was
 * written. The directory is the task's, or the exec's.
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
	/* Where to begin: the latest of the three; else the oldest. */
	bool has_tail;
	bool has_offset;     /* offset may be 0: what is lost is told */
	int64_t tail_lines;  /* with has_tail; LOG_TAIL_ALL: from the start */
	uint64_t offset;     /* of the first byte */
	int64_t since_ns;    /* records made at or after; 0: all */
	int64_t until_ns;    /* no record made after; 0: all */
	bool has_timestamps; /* log_reader_text(): RFC 3339 before each line */
	bool has_joined_streams; /* log_reader_span(): of both in one */
};

struct log_chunk {
	size_t len;	     /* bytes given, all of one stream */
	unsigned int stream; /* LOG_READ_STDOUT or LOG_READ_STDERR */
	int64_t time_ns;
	uint64_t offset;      /* of the first byte */
	uint64_t next_offset; /* where the next chunk begins, or later */
	/*
	 * > 0: a gap, and len is 0. What no disk took never had an offset;
	 * what rotation took (stream is 0) had offset to next_offset.
	 */
	uint64_t lost_bytes;
};

/* Bytes of a file, to be sent from there. */
struct log_span {
	int fd;	     /* the reader's, until the next call */
	uint64_t at; /* in the file */
	uint64_t len;
	uint64_t offset;     /* as in log_chunk */
	unsigned int stream; /* of the first, with has_joined_streams */
	uint64_t lost_bytes; /* > 0: a gap, and len is 0 */
	bool is_rotated;     /* rotation took them */
};

/* A log that is not there yet reads as empty. */
int log_reader_open(int dir_fd, const struct log_options *options,
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
 * At most max bytes that follow each other in a file. As log_reader_next();
 * len may be 0 after a power cut.
 */
int log_reader_span(struct log_reader *reader, uint64_t max,
		    struct log_span *ret_span, struct skiff_error *err);
/* The file being read is removed: to go on reading keeps its space. */
bool log_reader_is_removed(const struct log_reader *reader);
/* Output behind until has been seen: nothing wanted will follow. */
bool log_reader_is_past_until(const struct log_reader *reader);
/* The first byte that is left, and the end. 0 and 0 without a log. */
int log_bounds(int dir_fd, uint64_t *ret_oldest, uint64_t *ret_end,
	       struct skiff_error *err);
/*
 * True when the last call gave 0 only because it had passed over enough
 * that was not asked for: read again, now or later. What one call of the
 * two above does is bounded; log_reader_open() may read the whole log.
 */
bool log_reader_is_behind(const struct log_reader *reader);
/*
 * Nothing will be added: the exit record is there and no file that says
 * that another run follows (runtime/restart.h), or the task is gone. Asked
 * before a read, it makes that read's 0 the end.
 */
#define LOG_FILE_AGAIN "again"
bool log_is_complete(int dir_fd);
/* Where the next byte comes from; a later reader may begin there. */
uint64_t log_reader_offset(const struct log_reader *reader);
