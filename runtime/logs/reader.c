/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a task's output through its index, one record after the other.
 *
 * A record is written after its data and whole, so everything below the
 * index's size may be read at any time. What a power cut left (records of
 * zeros, records that reach behind the end of the data) is skipped.
 */
#include "config.h"

#include "runtime/logs/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/logs/reader_internal.h"

#define BLOCK_SIZE 4096
/* Records of no interest that one call passes over: about a millisecond. */
#define SKIP_MAX 2048
#define RECORDS_AT_ONCE 64

unsigned int
log_stream_bit(uint8_t stream)
{
	return stream == SHIM_STDOUT   ? LOG_READ_STDOUT
	       : stream == SHIM_STDERR ? LOG_READ_STDERR
				       : 0;
}

static bool
is_gap(const struct shim_log_record *record)
{
	return (record->flags & SHIM_LOG_GAP) != 0;
}

bool
log_reader_wants(const struct log_reader *reader,
		 const struct shim_log_record *record)
{
	if (record->length == 0 ||
	    !(log_stream_bit(record->stream) & reader->options.streams))
		return false;
	return reader->options.until_ns == 0 ||
	       record->time_ns <= reader->options.until_ns;
}

/* 0 while there is no log yet. */
static int
open_first(struct log_reader *reader, struct skiff_error *err)
{
	if (reader->segment.number > 0)
		return 1;
	if (log_reader_seek(reader, err) < 0)
		return -1;
	return reader->segment.number > 0;
}

int
log_reader_open(int dir_fd, const struct log_options *options,
		struct log_reader **ret_reader, struct skiff_error *err)
{
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;

	reader = xcalloc(1, sizeof(*reader));
	reader->options = *options;
	if (reader->options.streams == 0)
		reader->options.streams = LOG_READ_STDOUT | LOG_READ_STDERR;
	reader->segment = LOG_SEGMENT_CLOSED;
	reader->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (reader->dir_fd < 0)
		return err_errno(err, errno, "open the log");
	if (open_first(reader, err) < 0)
		return -1;
	*ret_reader = STEAL_PTR(reader);
	return 0;
}

void
log_reader_free(struct log_reader *reader)
{
	if (!reader)
		return;
	log_segment_close(&reader->segment);
	closep(&reader->dir_fd);
	free(reader);
}

static void
next_record(struct log_reader *reader)
{
	reader->record++;
	reader->within = 0;
}

/*
 * At the end of an index: 1 when another file goes on, which is open now,
 * 0 when this is the end for now. What rotation took in between is lost.
 */
static int
next_segment(struct log_reader *reader, struct skiff_error *err)
{
	struct log_segment next = LOG_SEGMENT_CLOSED;
	struct shim_log_record record;
	int r;

	if (log_segment_is_newest(reader->dir_fd, &reader->segment))
		return 0;
	/* Nothing is added any more; but something may have been. */
	if (log_segment_record(&reader->segment, reader->record, &record))
		return 1;
	if (reader->record > reader->segment.first &&
	    log_segment_record(&reader->segment, reader->record - 1, &record))
		reader->offset = log_record_end(&record);
	r = log_segment_next(reader->dir_fd, reader->segment.number, &next,
			     err);
	if (r <= 0)
		return r;
	log_segment_close(&reader->segment);
	reader->segment = next;
	reader->record = next.first;
	reader->within = 0;
	if (next.base > reader->offset) {
		reader->lost_from = reader->offset;
		reader->lost_to = next.base;
	}
	reader->offset = next.base;
	return 1;
}

/* 1 with a record that is wanted and not read, 0 at the end for now. */
static int
find_wanted(struct log_reader *reader, struct shim_log_record *ret_record,
	    struct skiff_error *err)
{
	struct shim_log_record record;
	int n_left = SKIP_MAX;
	int r = open_first(reader, err);

	reader->is_behind = false;
	while (r > 0 && reader->lost_to == 0) {
		if (!log_segment_record(&reader->segment, reader->record,
					&record)) {
			r = next_segment(reader, err);
			continue;
		}
		if (n_left-- == 0) {
			reader->is_behind = true;
			return 0;
		}
		if (reader->options.until_ns > 0 &&
		    record.time_ns > reader->options.until_ns)
			reader->is_past_until = true;
		if (log_reader_wants(reader, &record) &&
		    reader->within < record.length &&
		    (is_gap(&record) ||
		     log_segment_available(&reader->segment,
					   record.offset + reader->within) >
			 0)) {
			*ret_record = record;
			return 1;
		}
		next_record(reader);
	}
	return r;
}

/* What rotation took, as a gap of its own. */
static void
tell_lost(const struct log_reader *reader, struct log_chunk *ret_chunk)
{
	*ret_chunk = (struct log_chunk){
		.time_ns = clock_realtime_ns(),
		.offset = reader->lost_from,
		.next_offset = reader->lost_to,
		.lost_bytes = reader->lost_to - reader->lost_from,
	};
}

/* Like log_reader_next(), but stays where it is until consume(). */
static int
peek(struct log_reader *reader, struct shim_log_record *ret_record,
     struct log_chunk *ret_chunk, void *buf, size_t cap,
     struct skiff_error *err)
{
	struct shim_log_record *record = ret_record;
	int r = find_wanted(reader, record, err);
	uint64_t left;
	ssize_t n = 0;

	if (r > 0 && reader->lost_to > 0) {
		tell_lost(reader, ret_chunk);
		return 1;
	}
	if (r <= 0)
		return r;
	if (!is_gap(record)) {
		left = record->length - reader->within;
		n = pread(reader->segment.data_fd, buf, left < cap ? left : cap,
			  (off_t)(record->offset - reader->segment.base +
				  reader->within));
		if (n < 0)
			return err_errno(err, errno, "read the log");
	}
	*ret_chunk = (struct log_chunk){
		.len = (size_t)n,
		.stream = log_stream_bit(record->stream),
		.time_ns = record->time_ns,
		.offset = record->offset + (n ? reader->within : 0),
		.lost_bytes = is_gap(record) ? record->length : 0,
	};
	ret_chunk->next_offset = ret_chunk->offset + ret_chunk->len;
	return 1;
}

static void
consume(struct log_reader *reader, const struct shim_log_record *record,
	size_t n)
{
	if (reader->lost_to > 0) {
		reader->lost_to = 0;
		return;
	}
	if (is_gap(record)) {
		next_record(reader);
		return;
	}
	reader->within += n;
	reader->offset = record->offset + reader->within;
	if (reader->within >= record->length)
		next_record(reader);
}

int
log_reader_next(struct log_reader *reader, struct log_chunk *ret_chunk,
		void *buf, size_t cap, struct skiff_error *err)
{
	struct shim_log_record record = { 0 };
	int r = peek(reader, &record, ret_chunk, buf, cap, err);

	if (r > 0)
		consume(reader, &record, ret_chunk->len);
	return r;
}

/*
 * Copies lines from in to out with a time before each; gives what it
 * wrote, and in *ret_used what it took.
 */
static size_t
stamp_lines(struct log_reader *reader, const struct shim_log_record *record,
	    const char *in, size_t len, char *out, size_t cap, size_t *ret_used)
{
	bool *is_inside = &reader->is_inside_line[record->stream];
	char time[RFC3339_SIZE];
	size_t used = 0;
	size_t n = 0;

	(void)rfc3339_format(record->time_ns, time);
	while (used < len && n + RFC3339_SIZE + 1 < cap) {
		const char *end = memchr(in + used, '\n', len - used);
		size_t part = end ? (size_t)(end - in) + 1 - used : len - used;

		if (!*is_inside)
			n += (size_t)snprintf(out + n, cap - n, "%s ", time);
		if (part > cap - n)
			part = cap - n;
		memcpy(out + n, in + used, part);
		n += part;
		used += part;
		*is_inside = in[used - 1] != '\n';
	}
	*ret_used = used;
	return n;
}

ssize_t
log_reader_text(struct log_reader *reader, char *buf, size_t cap,
		struct skiff_error *err)
{
	bool has_time = reader->options.has_timestamps;
	struct shim_log_record record = { 0 };
	struct log_chunk chunk;
	char block[BLOCK_SIZE];
	size_t used;
	size_t n;
	int r;

	r = has_time ? peek(reader, &record, &chunk, block, sizeof(block), err)
		     : peek(reader, &record, &chunk, buf, cap, err);
	if (r <= 0)
		return r;
	if (chunk.lost_bytes > 0) {
		n = (size_t)snprintf(buf, cap,
				     "[%" PRIu64 " bytes of output lost]\n",
				     chunk.lost_bytes);
		used = 0;
	} else if (has_time) {
		n = stamp_lines(reader, &record, block, chunk.len, buf, cap,
				&used);
	} else {
		n = used = chunk.len;
	}
	consume(reader, &record, used);
	return (ssize_t)n;
}

/* Appends what lies behind it in the file, of the same kind. */
static void
extend(struct log_reader *reader, const struct shim_log_record *record,
       uint64_t max, struct log_span *span)
{
	unsigned int kind = reader->options.has_joined_streams
				? reader->options.streams
				: log_stream_bit(record->stream);
	struct shim_log_record more[RECORDS_AT_ONCE];
	size_t n = RECORDS_AT_ONCE;

	while (n == RECORDS_AT_ONCE) {
		n = log_segment_records(&reader->segment, reader->record, more,
					RECORDS_AT_ONCE);
		for (size_t i = 0; i < n; i++, next_record(reader)) {
			const struct shim_log_record *m = &more[i];

			if (is_gap(m) || !(log_stream_bit(m->stream) & kind) ||
			    m->offset != span->offset + span->len ||
			    span->len + m->length > max ||
			    !log_reader_wants(reader, m))
				return;
			span->len += m->length;
		}
	}
}

int
log_reader_span(struct log_reader *reader, uint64_t max,
		struct log_span *ret_span, struct skiff_error *err)
{
	struct shim_log_record record;
	uint64_t available;
	uint64_t left;
	int r = find_wanted(reader, &record, err);

	if (r <= 0)
		return r;
	*ret_span = (struct log_span){ .fd = reader->segment.data_fd };
	if (reader->lost_to > 0 || is_gap(&record)) {
		ret_span->lost_bytes = reader->lost_to > 0
					   ? reader->lost_to - reader->lost_from
					   : record.length;
		ret_span->is_rotated = reader->lost_to > 0;
		consume(reader, &record, 0);
		return 1;
	}
	left = record.length - reader->within;
	ret_span->offset = record.offset + reader->within;
	ret_span->len = left < max ? left : max;
	ret_span->stream = log_stream_bit(record.stream);
	consume(reader, &record, ret_span->len);
	if (ret_span->len == left)
		extend(reader, &record, max, ret_span);
	available = log_segment_available(&reader->segment, ret_span->offset);
	if (ret_span->len > available)
		ret_span->len = available;
	ret_span->at = ret_span->offset - reader->segment.base;
	reader->offset = ret_span->offset + ret_span->len;
	return 1;
}

bool
log_reader_is_removed(const struct log_reader *reader)
{
	return log_segment_is_removed(&reader->segment);
}

bool
log_reader_is_past_until(const struct log_reader *reader)
{
	return reader->is_past_until;
}

bool
log_reader_is_behind(const struct log_reader *reader)
{
	return reader->is_behind;
}

uint64_t
log_reader_offset(const struct log_reader *reader)
{
	return reader->offset;
}

int
log_bounds(int dir_fd, uint64_t *ret_oldest, uint64_t *ret_end,
	   struct skiff_error *err)
{
	struct log_segment segment = LOG_SEGMENT_CLOSED;
	struct shim_log_record record;
	uint64_t n;
	int r = log_segment_next(dir_fd, 0, &segment, err);

	*ret_oldest = r > 0 ? segment.base : 0;
	log_segment_close(&segment);
	if (r > 0)
		r = log_segment_open(dir_fd, LOG_NEWEST, &segment, err);
	if (r < 0)
		return -1;
	*ret_end = *ret_oldest;
	if (r == 0)
		return 0;
	*ret_end = segment.base;
	n = log_segment_count(&segment);
	if (n > segment.first && log_segment_record(&segment, n - 1, &record))
		*ret_end = log_record_end(&record);
	log_segment_close(&segment);
	return 0;
}

bool
log_is_complete(int task_fd)
{
	struct stat st;

	if (fstat(task_fd, &st) < 0 || st.st_nlink == 0)
		return true;
	return faccessat(task_fd, SHIM_FILE_EXIT, F_OK, 0) == 0 &&
	       faccessat(task_fd, LOG_FILE_AGAIN, F_OK, 0) < 0;
}
