/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Inside of the reader: reader.c goes on from a place, seek.c finds it.
 */
#include "runtime/logs/reader.h"
#include "runtime/logs/segment.h"

struct log_reader {
	struct log_options options;
	int dir_fd;
	struct log_segment segment; /* closed until the log is there */
	uint64_t record;	    /* the next one, or the one being read */
	uint64_t within;	    /* bytes of it already given */
	uint64_t offset;
	uint64_t lost_from; /* rotation took [lost_from, lost_to) */
	uint64_t lost_to;
	bool is_behind;		/* the last call stopped at SKIP_MAX */
	bool is_past_until;	/* a record behind until was seen */
	bool is_inside_line[3]; /* by stream */
};

unsigned int log_stream_bit(uint8_t stream);
bool log_reader_wants(const struct log_reader *reader,
		      const struct shim_log_record *record);
/* segment is the newest one. Moves to where the options say. */
int log_reader_seek(struct log_reader *reader, struct skiff_error *err);
