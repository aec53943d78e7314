/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One file of a log with its index. A log is a row of them: the newest is
 * "log", those before it "log.N", numbered from 1 without holes; the
 * oldest are removed (docs/SHIM_PROTOCOL.md, "The log").
 *
 * A file is given its number's name before another takes the name "log",
 * so there is no moment in which one that exists cannot be opened.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "runtime/shim_proto.h"

#define LOG_NEWEST 0

struct log_segment {
	uint32_t number; /* 0: closed */
	uint64_t base;	 /* offset of the data file's first byte */
	uint64_t first;	 /* the first record that is one of output */
	int data_fd;
	int index_fd;
};

#define LOG_SEGMENT_CLOSED                                                     \
	((struct log_segment){ .data_fd = -1, .index_fd = -1 })

/* 1; 0 when there is none of that number (or none at all); -1. */
int log_segment_open(int dir_fd, uint32_t number,
		     struct log_segment *ret_segment, struct skiff_error *err);
void log_segment_close(struct log_segment *segment);

/* The one after it, or the oldest one after it that is left. As above. */
int log_segment_next(int dir_fd, uint32_t number,
		     struct log_segment *ret_segment, struct skiff_error *err);

/* False once another has taken its place as the newest. */
bool log_segment_is_newest(int dir_fd, const struct log_segment *segment);
/* The file is removed, and only we hold its space. */
bool log_segment_is_removed(const struct log_segment *segment);

/* False behind the end of the index. */
bool log_segment_record(const struct log_segment *segment, uint64_t i,
			struct shim_log_record *ret_record);
/* Up to n records from i on; how many there were. */
size_t log_segment_records(const struct log_segment *segment, uint64_t i,
			   struct shim_log_record *ret_records, size_t n);
uint64_t log_segment_count(const struct log_segment *segment);
/* Bytes of data that are there from offset on. */
uint64_t log_segment_available(const struct log_segment *segment,
			       uint64_t offset);

/* Where the bytes of a record end. */
static inline uint64_t
log_record_end(const struct shim_log_record *record)
{
	return record->offset +
	       (record->flags & SHIM_LOG_GAP ? 0 : record->length);
}
