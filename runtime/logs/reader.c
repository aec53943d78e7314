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
#include "runtime/shim_proto.h"

#define BLOCK_SIZE 4096
/* Records of no interest that one call passes over: about a millisecond. */
#define SKIP_MAX 2048

struct log_reader {
	struct log_options options;
	int task_fd;
	int data_fd; /* -1 until the log is there */
	int index_fd;
	uint64_t record; /* the next one, or the one being read */
	uint64_t within; /* bytes of it already given */
	uint64_t offset;
	bool is_behind;		/* the last call stopped at SKIP_MAX */
	bool is_inside_line[3]; /* by stream */
};

static unsigned int
stream_bit(uint8_t stream)
{
	return stream == SHIM_STDOUT   ? LOG_READ_STDOUT
	       : stream == SHIM_STDERR ? LOG_READ_STDERR
				       : 0;
}

/* False behind the end of the index. */
static bool
load_record(const struct log_reader *reader, uint64_t i,
	    struct shim_log_record *ret_record)
{
	unsigned char buf[SHIM_LOG_RECORD_SIZE];

	if (pread(reader->index_fd, buf, sizeof(buf),
		  (off_t)(i * sizeof(buf))) != sizeof(buf))
		return false;
	shim_log_record_decode(buf, ret_record);
	return true;
}

static bool
is_gap(const struct shim_log_record *record)
{
	return (record->flags & SHIM_LOG_GAP) != 0;
}

static bool
is_wanted(const struct log_reader *reader, const struct shim_log_record *record)
{
	if (record->length == 0 ||
	    !(stream_bit(record->stream) & reader->options.streams))
		return false;
	return reader->options.until_ns == 0 ||
	       record->time_ns <= reader->options.until_ns;
}

static uint64_t
count_records(const struct log_reader *reader)
{
	struct stat st;

	if (fstat(reader->index_fd, &st) < 0)
		return 0;
	return (uint64_t)st.st_size / SHIM_LOG_RECORD_SIZE;
}

/* The first record for which is_before() no longer holds. */
typedef bool (*before_fn)(const struct log_reader *reader,
			  const struct shim_log_record *record);

static uint64_t
find_first(const struct log_reader *reader, before_fn is_before)
{
	uint64_t low = 0;
	uint64_t high = count_records(reader);

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		struct shim_log_record record;

		if (!load_record(reader, middle, &record))
			return low;
		if (is_before(reader, &record))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
ends_before_offset(const struct log_reader *reader,
		   const struct shim_log_record *record)
{
	uint64_t length = is_gap(record) ? 0 : record->length;

	return record->offset + length <= reader->options.offset;
}

static bool
is_older(const struct log_reader *reader, const struct shim_log_record *record)
{
	return record->time_ns < reader->options.since_ns;
}

/*
 * Goes back through one record until n_lines lines begin in it or behind.
 * The very last byte ends a line and begins none.
 */
static bool
find_line(struct log_reader *reader, const struct shim_log_record *record,
	  int64_t *n_lines, bool *is_last_byte)
{
	char buf[BLOCK_SIZE];
	uint64_t end = record->length;

	while (end > 0) {
		size_t len = end > sizeof(buf) ? sizeof(buf) : (size_t)end;

		if (pread(reader->data_fd, buf, len,
			  (off_t)(record->offset + end - len)) != (ssize_t)len)
			return false;
		for (size_t i = len; i > 0; i--) {
			bool is_end = buf[i - 1] == '\n' && !*is_last_byte;

			*is_last_byte = false;
			if (!is_end || --*n_lines > 0)
				continue;
			reader->within = end - len + i;
			return true;
		}
		end -= len;
	}
	return false;
}

static void
seek_tail(struct log_reader *reader)
{
	int64_t n_lines = reader->options.tail_lines;
	struct shim_log_record record;
	bool is_last_byte = true;

	reader->record = count_records(reader);
	while (n_lines > 0 && reader->record > 0) {
		reader->record--;
		if (load_record(reader, reader->record, &record) &&
		    is_wanted(reader, &record) && !is_gap(&record) &&
		    find_line(reader, &record, &n_lines, &is_last_byte))
			return;
	}
}

static void
seek_start(struct log_reader *reader)
{
	struct shim_log_record record;

	if (reader->options.has_tail &&
	    reader->options.tail_lines != LOG_TAIL_ALL) {
		seek_tail(reader);
	} else if (reader->options.offset > 0) {
		reader->record = find_first(reader, ends_before_offset);
		if (load_record(reader, reader->record, &record) &&
		    record.offset < reader->options.offset)
			reader->within = reader->options.offset - record.offset;
	} else if (reader->options.since_ns > 0) {
		reader->record = find_first(reader, is_older);
	}
	if (load_record(reader, reader->record, &record))
		reader->offset = record.offset + reader->within;
	else if (reader->record > 0 &&
		 load_record(reader, reader->record - 1, &record))
		reader->offset =
		    record.offset + (is_gap(&record) ? 0 : record.length);
}

/* 0 while there is no log yet. */
static int
open_files(struct log_reader *reader, struct skiff_error *err)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

	if (reader->index_fd >= 0)
		return 1;
	if (reader->data_fd < 0)
		reader->data_fd = openat(reader->task_fd, SHIM_FILE_LOG, flags);
	if (reader->data_fd >= 0)
		reader->index_fd =
		    openat(reader->task_fd, SHIM_FILE_LOG_INDEX, flags);
	if (reader->index_fd >= 0) {
		seek_start(reader);
		return 1;
	}
	return errno == ENOENT ? 0 : err_errno(err, errno, "open the log");
}

int
log_reader_open(int task_fd, const struct log_options *options,
		struct log_reader **ret_reader, struct skiff_error *err)
{
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;

	reader = xcalloc(1, sizeof(*reader));
	reader->options = *options;
	if (reader->options.streams == 0)
		reader->options.streams = LOG_READ_STDOUT | LOG_READ_STDERR;
	reader->data_fd = -1;
	reader->index_fd = -1;
	reader->task_fd = fcntl(task_fd, F_DUPFD_CLOEXEC, 3);
	if (reader->task_fd < 0)
		return err_errno(err, errno, "open the log");
	if (open_files(reader, err) < 0)
		return -1;
	*ret_reader = STEAL_PTR(reader);
	return 0;
}

void
log_reader_free(struct log_reader *reader)
{
	if (!reader)
		return;
	closep(&reader->task_fd);
	closep(&reader->data_fd);
	closep(&reader->index_fd);
	free(reader);
}

static void
next_record(struct log_reader *reader)
{
	reader->record++;
	reader->within = 0;
}

/* Like log_reader_next(), but stays where it is until consume(). */
static int
peek(struct log_reader *reader, struct shim_log_record *ret_record,
     struct log_chunk *ret_chunk, void *buf, size_t cap,
     struct skiff_error *err)
{
	struct shim_log_record record;
	int r = open_files(reader, err);
	int n_left = SKIP_MAX;

	reader->is_behind = false;
	for (; r > 0 && load_record(reader, reader->record, &record);
	     next_record(reader)) {
		uint64_t left = record.length - reader->within;
		ssize_t n = 0;

		if (n_left-- == 0) {
			reader->is_behind = true;
			return 0;
		}
		if (!is_wanted(reader, &record) ||
		    reader->within >= record.length)
			continue;
		if (!is_gap(&record)) {
			n = pread(reader->data_fd, buf, left < cap ? left : cap,
				  (off_t)(record.offset + reader->within));
			if (n < 0)
				return err_errno(err, errno, "read the log");
			if (n == 0)
				continue;
		}
		*ret_record = record;
		*ret_chunk = (struct log_chunk){
			.len = (size_t)n,
			.stream = stream_bit(record.stream),
			.time_ns = record.time_ns,
			.offset = record.offset + (n ? reader->within : 0),
			.lost_bytes = is_gap(&record) ? record.length : 0,
		};
		return 1;
	}
	return r > 0 ? 0 : r;
}

static void
consume(struct log_reader *reader, const struct shim_log_record *record,
	size_t n)
{
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
	struct shim_log_record record;
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
	struct shim_log_record record;
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

bool
log_is_complete(int task_fd)
{
	struct stat st;

	if (fstat(task_fd, &st) < 0 || st.st_nlink == 0)
		return true;
	return faccessat(task_fd, SHIM_FILE_EXIT, F_OK, 0) == 0;
}
