/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to begin: the latest of the places that tail, offset and since
 * name. Each walks back from the newest file as far as it must.
 */
#include "config.h"

#include <unistd.h>

#include "runtime/logs/reader_internal.h"

#define BLOCK_SIZE 4096

struct place {
	struct log_segment segment;
	uint64_t record;
	uint64_t within;
	uint64_t offset;
};

static void
place_done(struct place *place)
{
	log_segment_close(&place->segment);
}

/* 1 and the place moved to the file before it, 0 when there is none. */
static int
go_back(const struct log_reader *reader, struct log_segment *segment,
	struct skiff_error *err)
{
	struct log_segment older = LOG_SEGMENT_CLOSED;
	int r = 0;

	if (segment->number > 1)
		r = log_segment_open(reader->dir_fd, segment->number - 1,
				     &older, err);
	if (r > 0) {
		log_segment_close(segment);
		*segment = older;
	}
	return r;
}

/* 1 and moved to the file behind it, 0 when it is the newest. */
static int
go_on(const struct log_reader *reader, struct log_segment *segment,
      struct skiff_error *err)
{
	struct log_segment next = LOG_SEGMENT_CLOSED;
	int r = log_segment_next(reader->dir_fd, segment->number, &next, err);

	if (r > 0) {
		log_segment_close(segment);
		*segment = next;
	}
	return r;
}

/* The offset of a place: that of the next byte, if there is any yet. */
static void
set_offset(struct place *place)
{
	const struct log_segment *segment = &place->segment;
	struct shim_log_record record;

	place->offset = segment->base;
	if (log_segment_record(segment, place->record, &record))
		place->offset = record.offset + place->within;
	else if (place->record > segment->first &&
		 log_segment_record(segment, place->record - 1, &record))
		place->offset = log_record_end(&record);
}

/* The first record for which is_before() no longer holds. */
typedef bool (*before_fn)(const struct log_reader *reader,
			  const struct shim_log_record *record);

static uint64_t
find_first(const struct log_reader *reader, const struct log_segment *segment,
	   before_fn is_before)
{
	uint64_t low = segment->first;
	uint64_t high = log_segment_count(segment);

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		struct shim_log_record record;

		if (!log_segment_record(segment, middle, &record))
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
	return log_record_end(record) <= reader->options.offset;
}

static bool
is_older(const struct log_reader *reader, const struct shim_log_record *record)
{
	return record->time_ns < reader->options.since_ns;
}

static int
seek_first(const struct log_reader *reader, struct place *place,
	   before_fn is_before, struct skiff_error *err)
{
	struct log_segment *segment = &place->segment;
	struct shim_log_record record;
	int r = 1;

	/* Back while even the first record of a file is too late. */
	while (r > 0 &&
	       (!log_segment_record(segment, segment->first, &record) ||
		!is_before(reader, &record)))
		r = go_back(reader, segment, err);
	place->within = 0;
	do {
		place->record = find_first(reader, segment, is_before);
		r = r < 0 ? -1
		    : place->record < log_segment_count(segment)
			? 0
			: go_on(reader, segment, err);
	} while (r > 0);
	return r;
}

static int
seek_offset(const struct log_reader *reader, struct place *place,
	    struct skiff_error *err)
{
	struct shim_log_record record;

	if (seek_first(reader, place, ends_before_offset, err) < 0)
		return -1;
	if (log_segment_record(&place->segment, place->record, &record) &&
	    record.offset < reader->options.offset)
		place->within = reader->options.offset - record.offset;
	return 0;
}

/*
 * Goes back through one record until n_lines lines begin in it or behind.
 * The very last byte ends a line and begins none.
 */
static bool
find_line(struct place *place, const struct shim_log_record *record,
	  int64_t *n_lines, bool *is_last_byte)
{
	char buf[BLOCK_SIZE];
	uint64_t end = record->length;

	while (end > 0) {
		size_t len = end > sizeof(buf) ? sizeof(buf) : (size_t)end;
		uint64_t at = record->offset - place->segment.base + end - len;

		if (pread(place->segment.data_fd, buf, len, (off_t)at) !=
		    (ssize_t)len)
			return false;
		for (size_t i = len; i > 0; i--) {
			bool is_end = buf[i - 1] == '\n' && !*is_last_byte;

			*is_last_byte = false;
			if (!is_end || --*n_lines > 0)
				continue;
			place->within = end - len + i;
			return true;
		}
		end -= len;
	}
	return false;
}

static int
seek_tail(const struct log_reader *reader, struct place *place,
	  struct skiff_error *err)
{
	int64_t n_lines = reader->options.tail_lines;
	struct log_segment *segment = &place->segment;
	struct shim_log_record record;
	bool is_last_byte = true;
	int r = 1;

	place->within = 0;
	place->record = log_segment_count(segment);
	while (n_lines > 0 && r > 0) {
		while (place->record > segment->first) {
			place->record--;
			if (log_segment_record(segment, place->record,
					       &record) &&
			    log_reader_wants(reader, &record) &&
			    !(record.flags & SHIM_LOG_GAP) &&
			    find_line(place, &record, &n_lines, &is_last_byte))
				return 0;
		}
		r = go_back(reader, segment, err);
		if (r > 0)
			place->record = log_segment_count(segment);
	}
	return r < 0 ? -1 : 0;
}

static int
seek_oldest(const struct log_reader *reader, struct place *place,
	    struct skiff_error *err)
{
	int r;

	do {
		r = go_back(reader, &place->segment, err);
	} while (r > 0);
	place->record = place->segment.first;
	place->within = 0;
	return r;
}

typedef int (*seek_fn)(const struct log_reader *reader, struct place *place,
		       struct skiff_error *err);

static int
seek_since(const struct log_reader *reader, struct place *place,
	   struct skiff_error *err)
{
	return seek_first(reader, place, is_older, err);
}

/* Moves the reader there, unless it is at a later place already. */
static int
seek_by(struct log_reader *reader, seek_fn seek, bool is_only,
	struct skiff_error *err)
{
	CLEANUP(place_done)
	struct place place = { .segment = LOG_SEGMENT_CLOSED };
	int r =
	    log_segment_open(reader->dir_fd, LOG_NEWEST, &place.segment, err);

	if (r <= 0 || seek(reader, &place, err) < 0)
		return r < 0 ? -1 : r;
	set_offset(&place);
	if (!is_only && place.offset < reader->offset)
		return 0;
	log_segment_close(&reader->segment);
	reader->segment = place.segment;
	place.segment = LOG_SEGMENT_CLOSED;
	reader->record = place.record;
	reader->within = place.within;
	reader->offset = place.offset;
	return 0;
}

int
log_reader_seek(struct log_reader *reader, struct skiff_error *err)
{
	const struct log_options *options = &reader->options;
	bool has_tail =
	    options->has_tail && options->tail_lines != LOG_TAIL_ALL;
	bool is_first = true;

	if (has_tail) {
		if (seek_by(reader, seek_tail, is_first, err) < 0)
			return -1;
		is_first = false;
	}
	if (options->since_ns > 0) {
		if (seek_by(reader, seek_since, is_first, err) < 0)
			return -1;
		is_first = false;
	}
	if (options->has_offset || options->offset > 0) {
		if (seek_by(reader, seek_offset, is_first, err) < 0)
			return -1;
		if (is_first && reader->offset > options->offset) {
			reader->lost_from = options->offset;
			reader->lost_to = reader->offset;
		}
		is_first = false;
	}
	return is_first ? seek_by(reader, seek_oldest, true, err) : 0;
}
