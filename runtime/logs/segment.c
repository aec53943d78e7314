/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a log, one at a time.
 */
#include "config.h"

#include "runtime/logs/segment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define RECORDS_AT_ONCE 64

/* 1, 0 when it is not there, -1. */
static int
open_file(int dir_fd, const char *name, int *ret_fd, struct skiff_error *err)
{
	int fd = openat(dir_fd, name,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0
				       : err_errno(err, errno, "open %s", name);
	*ret_fd = fd;
	return 1;
}

/* Number and base out of the index. */
static void
read_beginning(struct log_segment *segment)
{
	struct shim_log_record record;

	segment->number = 1;
	segment->base = 0;
	segment->first = 0;
	if (!log_segment_record(segment, 0, &record) ||
	    !(record.flags & SHIM_LOG_BEGIN))
		return;
	segment->number = record.length;
	segment->base = record.offset;
	segment->first = 1;
}

static int
open_numbered(int dir_fd, uint32_t number, struct log_segment *segment,
	      struct skiff_error *err)
{
	char index[SHIM_LOG_NAME_SIZE];
	char data[SHIM_LOG_NAME_SIZE];
	int r;

	shim_log_name(number, data, index);
	r = open_file(dir_fd, index, &segment->index_fd, err);
	if (r > 0)
		r = open_file(dir_fd, data, &segment->data_fd, err);
	if (r > 0)
		read_beginning(segment);
	return r;
}

/*
 * The index says its number. While "log.NUMBER" is not there, "log" is the
 * data that belongs to it; asked again after the open, since a rotation
 * may have come in between.
 */
static int
open_newest(int dir_fd, struct log_segment *segment, struct skiff_error *err)
{
	char index[SHIM_LOG_NAME_SIZE];
	char data[SHIM_LOG_NAME_SIZE];
	int r = open_file(dir_fd, SHIM_FILE_LOG_INDEX, &segment->index_fd, err);
	int numbered = -1;

	if (r <= 0)
		return r;
	read_beginning(segment);
	r = open_file(dir_fd, SHIM_FILE_LOG, &segment->data_fd, err);
	if (r <= 0)
		return r;
	shim_log_name(segment->number, data, index);
	r = open_file(dir_fd, data, &numbered, err);
	if (r > 0) {
		closep(&segment->data_fd);
		segment->data_fd = numbered;
	}
	return r < 0 ? -1 : 1;
}

int
log_segment_open(int dir_fd, uint32_t number, struct log_segment *ret_segment,
		 struct skiff_error *err)
{
	struct log_segment segment = LOG_SEGMENT_CLOSED;
	int r;

	if (number == LOG_NEWEST) {
		r = open_newest(dir_fd, &segment, err);
	} else {
		r = open_numbered(dir_fd, number, &segment, err);
		if (r == 0) {
			log_segment_close(&segment);
			r = open_newest(dir_fd, &segment, err);
			if (r > 0 && segment.number != number)
				r = 0;
		}
	}
	if (r > 0)
		*ret_segment = segment;
	else
		log_segment_close(&segment);
	return r;
}

void
log_segment_close(struct log_segment *segment)
{
	closep(&segment->data_fd);
	closep(&segment->index_fd);
	*segment = LOG_SEGMENT_CLOSED;
}

int
log_segment_next(int dir_fd, uint32_t number, struct log_segment *ret_segment,
		 struct skiff_error *err)
{
	struct log_segment found = LOG_SEGMENT_CLOSED;
	int r = log_segment_open(dir_fd, number + 1, ret_segment, err);

	if (r != 0)
		return r;
	/* Removed while we were slow: back from the newest one. */
	r = log_segment_open(dir_fd, LOG_NEWEST, &found, err);
	if (r > 0 && found.number <= number)
		r = 0;
	while (r > 0 && found.number > number + 1) {
		struct log_segment older = LOG_SEGMENT_CLOSED;

		r = log_segment_open(dir_fd, found.number - 1, &older, err);
		if (r == 0) {
			r = 1;
			break;
		}
		log_segment_close(&found);
		found = older;
	}
	if (r > 0)
		*ret_segment = found;
	else
		log_segment_close(&found);
	return r;
}

bool
log_segment_is_newest(int dir_fd, const struct log_segment *segment)
{
	struct stat newest;
	struct stat own;

	return fstatat(dir_fd, SHIM_FILE_LOG_INDEX, &newest,
		       AT_SYMLINK_NOFOLLOW) < 0 ||
	       fstat(segment->index_fd, &own) < 0 ||
	       (newest.st_ino == own.st_ino && newest.st_dev == own.st_dev);
}

bool
log_segment_is_removed(const struct log_segment *segment)
{
	struct stat st;

	return segment->data_fd >= 0 && fstat(segment->data_fd, &st) == 0 &&
	       st.st_nlink == 0;
}

size_t
log_segment_records(const struct log_segment *segment, uint64_t i,
		    struct shim_log_record *ret_records, size_t n)
{
	unsigned char buf[RECORDS_AT_ONCE * SHIM_LOG_RECORD_SIZE];
	ssize_t len;

	assert(n <= RECORDS_AT_ONCE);
	len = pread(segment->index_fd, buf, n * SHIM_LOG_RECORD_SIZE,
		    (off_t)(i * SHIM_LOG_RECORD_SIZE));
	n = len > 0 ? (size_t)len / SHIM_LOG_RECORD_SIZE : 0;
	for (size_t k = 0; k < n; k++)
		shim_log_record_decode(buf + k * SHIM_LOG_RECORD_SIZE,
				       &ret_records[k]);
	return n;
}

bool
log_segment_record(const struct log_segment *segment, uint64_t i,
		   struct shim_log_record *ret_record)
{
	return log_segment_records(segment, i, ret_record, 1) == 1;
}

uint64_t
log_segment_count(const struct log_segment *segment)
{
	struct stat st;

	if (fstat(segment->index_fd, &st) < 0)
		return 0;
	return (uint64_t)st.st_size / SHIM_LOG_RECORD_SIZE;
}

uint64_t
log_segment_available(const struct log_segment *segment, uint64_t offset)
{
	struct stat st;
	uint64_t at = offset - segment->base;

	if (fstat(segment->data_fd, &st) < 0 || (uint64_t)st.st_size <= at)
		return 0;
	return (uint64_t)st.st_size - at;
}
