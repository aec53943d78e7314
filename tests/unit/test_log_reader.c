/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task's output, read from any place, whole or torn.
 */
#include "config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "runtime/logs/reader.h"
#include "runtime/shim_proto.h"
#include "tests/unit/tap.h"

struct fixture {
	char dir[32];
	int fd;
	uint64_t offset;
	uint64_t base; /* of the newest file */
	uint64_t n_records;
	uint32_t number;
	int64_t time_ns;
};

static void
fixture_done(struct fixture *f)
{
	struct skiff_error err = ERROR_INIT;

	(void)close(f->fd);
	(void)fs_remove_tree(AT_FDCWD, f->dir, &err);
}

static void
fixture_init(struct fixture *f)
{
	*f = (struct fixture){ .dir = "/tmp/skiff-log.XXXXXX",
			       .time_ns = 1000,
			       .number = 1 };
	CHECK(mkdtemp(f->dir) != NULL);
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(f->fd >= 0);
}

static void
put_at(struct fixture *f, const char *name, uint64_t offset, const void *data,
       size_t len)
{
	cleanup_close int fd =
	    openat(f->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(pwrite(fd, data, len, (off_t)offset) == (ssize_t)len);
}

static void
put_record(struct fixture *f, uint8_t stream, uint32_t length, uint8_t flags)
{
	struct shim_log_record record = { .offset = f->offset,
					  .time_ns = f->time_ns++,
					  .length = length,
					  .stream = stream,
					  .flags = flags };
	unsigned char buf[SHIM_LOG_RECORD_SIZE];

	shim_log_record_encode(&record, buf);
	put_at(f, SHIM_FILE_LOG_INDEX, f->n_records++ * sizeof(buf), buf,
	       sizeof(buf));
}

static void
put(struct fixture *f, uint8_t stream, const char *text)
{
	uint32_t len = (uint32_t)strlen(text);

	put_at(f, SHIM_FILE_LOG, f->offset - f->base, text, len);
	put_record(f, stream, len, 0);
	f->offset += len;
}

/* As the shim does it, and without the last step when is_torn. */
static void
rotate(struct fixture *f, bool is_torn)
{
	char index[SHIM_LOG_NAME_SIZE];
	char data[SHIM_LOG_NAME_SIZE];
	struct shim_log_record begin = { .offset = f->offset,
					 .length = f->number + 1,
					 .flags = SHIM_LOG_BEGIN };
	unsigned char buf[SHIM_LOG_RECORD_SIZE];

	shim_log_name(f->number, data, index);
	shim_log_record_encode(&begin, buf);
	put_at(f, "log.new", 0, "", 0);
	put_at(f, "log.idx.new", 0, buf, sizeof(buf));
	CHECK(linkat(f->fd, "log", f->fd, data, 0) == 0);
	CHECK(linkat(f->fd, "log.idx", f->fd, index, 0) == 0);
	CHECK(renameat(f->fd, "log.new", f->fd, "log") == 0);
	if (is_torn)
		return;
	CHECK(renameat(f->fd, "log.idx.new", f->fd, "log.idx") == 0);
	f->base = f->offset;
	f->number++;
	f->n_records = 1;
}

static void
forget(struct fixture *f, uint32_t number)
{
	char index[SHIM_LOG_NAME_SIZE];
	char data[SHIM_LOG_NAME_SIZE];

	shim_log_name(number, data, index);
	CHECK(unlinkat(f->fd, data, 0) == 0);
	CHECK(unlinkat(f->fd, index, 0) == 0);
}

/* All that a reader gives now, in a buffer of the smallest size. */
static const char *
all(struct log_reader *reader)
{
	static char text[65536];
	struct skiff_error err = ERROR_INIT;
	size_t len = 0;
	ssize_t n;

	while ((n = log_reader_text(reader, text + len, 1024, &err)) > 0)
		len += (size_t)n;
	CHECK(n == 0);
	text[len] = '\0';
	return text;
}

static void
expect(struct fixture *f, struct log_options options, const char *text)
{
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;
	struct skiff_error err = ERROR_INIT;

	CHECK(log_reader_open(f->fd, &options, &reader, &err) == 0);
	if (reader)
		CHECK_STR(all(reader), text);
}

static void
a_log_is_read_from_every_kind_of_place(void)
{
	CLEANUP(fixture_done) struct fixture f;

	fixture_init(&f);
	put(&f, SHIM_STDOUT, "one\ntw");
	put(&f, SHIM_STDERR, "bad\n");
	put(&f, SHIM_STDOUT, "o\nthree\n");
	expect(&f, (struct log_options){ 0 }, "one\ntwbad\no\nthree\n");
	expect(&f, (struct log_options){ .streams = LOG_READ_STDOUT },
	       "one\ntwo\nthree\n");
	expect(&f, (struct log_options){ .streams = LOG_READ_STDERR }, "bad\n");
	expect(&f, (struct log_options){ .offset = 5 }, "wbad\no\nthree\n");
	expect(&f, (struct log_options){ .offset = 6 }, "bad\no\nthree\n");
	expect(&f, (struct log_options){ .offset = 999 }, "");
	expect(&f, (struct log_options){ .since_ns = 1001 }, "bad\no\nthree\n");
	expect(&f, (struct log_options){ .until_ns = 1001 }, "one\ntwbad\n");
	expect(&f,
	       (struct log_options){ .has_tail = true,
				     .tail_lines = 2,
				     .streams = LOG_READ_STDOUT },
	       "two\nthree\n");
	expect(&f, (struct log_options){ .has_tail = true, .tail_lines = 1 },
	       "three\n");
	expect(&f, (struct log_options){ .has_tail = true, .tail_lines = 0 },
	       "");
	expect(&f,
	       (struct log_options){ .has_tail = true,
				     .tail_lines = LOG_TAIL_ALL },
	       "one\ntwbad\no\nthree\n");
}

static void
a_time_stands_before_each_line(void)
{
	CLEANUP(fixture_done) struct fixture f;

	fixture_init(&f);
	put(&f, SHIM_STDOUT, "a\nb");
	put(&f, SHIM_STDOUT, "c\nd");
	expect(&f, (struct log_options){ .has_timestamps = true },
	       "1970-01-01T00:00:00.000001000Z a\n"
	       "1970-01-01T00:00:00.000001000Z bc\n"
	       "1970-01-01T00:00:00.000001001Z d");
}

static void
many_empty_lines_get_their_times_in_small_buffers(void)
{
	CLEANUP(fixture_done) struct fixture f;
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;
	struct log_options options = { .has_timestamps = true };
	struct skiff_error err = ERROR_INIT;
	char lines[1001];

	fixture_init(&f);
	memset(lines, '\n', 1000);
	lines[1000] = '\0';
	put(&f, SHIM_STDOUT, lines);
	CHECK(log_reader_open(f.fd, &options, &reader, &err) == 0);
	CHECK(strlen(all(reader)) == 1000 * 32);
}

static void
a_follower_goes_on_where_it_was(void)
{
	CLEANUP(fixture_done) struct fixture f;
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;
	struct log_options options = { .streams = 0 };
	struct skiff_error err = ERROR_INIT;

	fixture_init(&f);
	CHECK(log_reader_open(f.fd, &options, &reader, &err) == 0);
	CHECK_STR(all(reader), "");
	put(&f, SHIM_STDOUT, "first\n");
	CHECK_STR(all(reader), "first\n");
	CHECK(log_reader_offset(reader) == 6);
	CHECK_STR(all(reader), "");
	put(&f, SHIM_STDERR, "second\n");
	CHECK_STR(all(reader), "second\n");
	CHECK(log_reader_offset(reader) == 13);
}

static void
a_torn_tail_is_skipped_and_a_gap_told(void)
{
	CLEANUP(fixture_done) struct fixture f;
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;
	struct log_options options = { .streams = 0 };
	struct skiff_error err = ERROR_INIT;
	struct log_chunk chunk = { 0 };
	char buf[16];

	fixture_init(&f);
	put(&f, SHIM_STDOUT, "a\n");
	put_record(&f, SHIM_STDOUT, 500, SHIM_LOG_GAP);
	put(&f, SHIM_STDOUT, "b\n");
	put_record(&f, SHIM_STDOUT, 100, 0); /* its data never came */
	put_record(&f, 0, 0, 0);
	put_at(&f, SHIM_FILE_LOG_INDEX, f.n_records * SHIM_LOG_RECORD_SIZE,
	       "half", 4);
	expect(&f, options, "a\n[500 bytes of output lost]\nb\n");
	expect(&f, (struct log_options){ .has_tail = true, .tail_lines = 1 },
	       "[500 bytes of output lost]\nb\n");
	CHECK(log_reader_open(f.fd, &options, &reader, &err) == 0);
	CHECK(log_reader_next(reader, &chunk, buf, 1, &err) == 1);
	CHECK(chunk.len == 1 && chunk.offset == 0 && buf[0] == 'a');
	CHECK(log_reader_next(reader, &chunk, buf, 16, &err) == 1);
	CHECK(chunk.len == 1 && chunk.offset == 1);
	CHECK(log_reader_next(reader, &chunk, buf, 16, &err) == 1);
	CHECK(chunk.len == 0 && chunk.lost_bytes == 500);
}

/* What a thread that serves many would otherwise spend on one reader. */
static void
what_was_not_asked_for_is_passed_over_in_parts(void)
{
	CLEANUP(fixture_done) struct fixture f;
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;
	struct log_options options = { .streams = LOG_READ_STDERR };
	struct skiff_error err = ERROR_INIT;
	char text[1024];
	int n_turns = 0;
	ssize_t n;

	fixture_init(&f);
	for (int i = 0; i < 5000; i++)
		put(&f, SHIM_STDOUT, "x");
	put(&f, SHIM_STDERR, "found");
	CHECK(log_reader_open(f.fd, &options, &reader, &err) == 0);
	while ((n = log_reader_text(reader, text, sizeof(text), &err)) == 0 &&
	       log_reader_is_behind(reader) && n_turns < 100)
		n_turns++;
	CHECK(n_turns > 1 && n_turns < 10);
	CHECK(n == 5 && memcmp(text, "found", 5) == 0);
	CHECK(log_reader_text(reader, text, sizeof(text), &err) == 0);
	CHECK(!log_reader_is_behind(reader));
}

static void
offsets_go_on_from_file_to_file(void)
{
	CLEANUP(fixture_done) struct fixture f;
	uint64_t oldest;
	uint64_t end;
	struct skiff_error err = ERROR_INIT;

	fixture_init(&f);
	put(&f, SHIM_STDOUT, "one\n");
	put(&f, SHIM_STDERR, "two\nthr");
	rotate(&f, false);
	rotate(&f, false);
	put(&f, SHIM_STDERR, "ee\n");
	put(&f, SHIM_STDOUT, "four\n");
	rotate(&f, false);
	expect(&f, (struct log_options){ 0 }, "one\ntwo\nthree\nfour\n");
	expect(&f, (struct log_options){ .offset = 6 }, "o\nthree\nfour\n");
	expect(&f, (struct log_options){ .offset = 12 }, "e\nfour\n");
	expect(&f, (struct log_options){ .offset = 11, .has_offset = true },
	       "ee\nfour\n");
	expect(&f, (struct log_options){ .since_ns = 1001 },
	       "two\nthree\nfour\n");
	expect(&f, (struct log_options){ .since_ns = 1003 }, "four\n");
	expect(&f, (struct log_options){ .since_ns = 9999 }, "");
	expect(&f, (struct log_options){ .has_tail = true, .tail_lines = 2 },
	       "three\nfour\n");
	expect(&f, (struct log_options){ .has_tail = true, .tail_lines = 3 },
	       "two\nthree\nfour\n");
	expect(&f,
	       (struct log_options){
		   .has_tail = true, .tail_lines = 3, .since_ns = 1002 },
	       "ee\nfour\n");
	CHECK(log_bounds(f.fd, &oldest, &end, &err) == 0);
	CHECK(oldest == 0);
	CHECK(end == f.offset);
}

static void
a_follower_goes_on_over_rotations_and_hears_what_they_took(void)
{
	CLEANUP(fixture_done) struct fixture f;
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;
	CLEANUP(log_reader_freep) struct log_reader *late = NULL;
	struct log_options options = { .offset = 2 };
	struct skiff_error err = ERROR_INIT;
	struct log_chunk chunk;
	struct log_span span;
	uint64_t oldest;
	uint64_t end;
	char buf[64];

	fixture_init(&f);
	put(&f, SHIM_STDOUT, "aaa");
	CHECK(log_reader_open(f.fd, &(struct log_options){ 0 }, &reader,
			      &err) == 0);
	CHECK_STR(all(reader), "aaa");
	put(&f, SHIM_STDOUT, "bb");
	rotate(&f, false);
	put(&f, SHIM_STDOUT, "cc");
	CHECK_STR(all(reader), "bbcc");
	for (int i = 0; i < 3; i++) {
		put(&f, SHIM_STDERR, "dd");
		rotate(&f, false);
	}
	for (uint32_t i = 1; i <= 3; i++)
		forget(&f, i);
	/* It still holds the second file, and misses the third. */
	CHECK(log_reader_is_removed(reader));
	CHECK(log_reader_span(reader, 64, &span, &err) == 1);
	CHECK(span.len == 2 && span.offset == 7 && span.at == 2);
	CHECK(log_reader_span(reader, 64, &span, &err) == 1);
	CHECK(span.lost_bytes == 2 && span.is_rotated && span.len == 0);
	CHECK_STR(all(reader), "dd");
	CHECK(log_reader_offset(reader) == 13);

	CHECK(log_bounds(f.fd, &oldest, &end, &err) == 0);
	CHECK(oldest == 11);
	CHECK(end == 13);
	CHECK(log_reader_open(f.fd, &options, &late, &err) == 0);
	CHECK(log_reader_next(late, &chunk, buf, sizeof(buf), &err) == 1);
	CHECK(chunk.lost_bytes == 9 && chunk.offset == 2 &&
	      chunk.next_offset == 11);
	CHECK(log_reader_next(late, &chunk, buf, sizeof(buf), &err) == 1);
	CHECK(chunk.len == 2 && chunk.offset == 11);
	CHECK(log_reader_next(late, &chunk, buf, sizeof(buf), &err) == 0);
}

static void
a_rotation_in_its_midst_hides_nothing(void)
{
	CLEANUP(fixture_done) struct fixture f;

	fixture_init(&f);
	put(&f, SHIM_STDOUT, "all of it\n");
	rotate(&f, true);
	expect(&f, (struct log_options){ 0 }, "all of it\n");
	expect(&f, (struct log_options){ .offset = 4 }, "of it\n");
}

static void
pieces_that_lie_together_are_one_span(void)
{
	CLEANUP(fixture_done) struct fixture f;
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;
	CLEANUP(log_reader_freep) struct log_reader *joined = NULL;
	struct log_options options = { .offset = 1 };
	struct skiff_error err = ERROR_INIT;
	struct log_span span;

	fixture_init(&f);
	for (int i = 0; i < 200; i++)
		put(&f, SHIM_STDOUT, "ab");
	put(&f, SHIM_STDERR, "cde");
	CHECK(log_reader_open(f.fd, &options, &reader, &err) == 0);
	CHECK(log_reader_span(reader, 1000, &span, &err) == 1);
	CHECK(span.len == 399 && span.offset == 1 &&
	      span.stream == LOG_READ_STDOUT);
	CHECK(log_reader_span(reader, 1000, &span, &err) == 1);
	CHECK(span.len == 3 && span.offset == 400 &&
	      span.stream == LOG_READ_STDERR);
	CHECK(log_reader_span(reader, 1000, &span, &err) == 0);
	options.has_joined_streams = true;
	CHECK(log_reader_open(f.fd, &options, &joined, &err) == 0);
	CHECK(log_reader_span(joined, 100, &span, &err) == 1);
	CHECK(span.len == 99);
	CHECK(log_reader_span(joined, 1000, &span, &err) == 1);
	CHECK(span.len == 303 && span.offset == 100);
}

TESTS(TEST(a_log_is_read_from_every_kind_of_place),
      TEST(a_time_stands_before_each_line),
      TEST(many_empty_lines_get_their_times_in_small_buffers),
      TEST(a_follower_goes_on_where_it_was),
      TEST(a_torn_tail_is_skipped_and_a_gap_told),
      TEST(what_was_not_asked_for_is_passed_over_in_parts),
      TEST(offsets_go_on_from_file_to_file),
      TEST(a_follower_goes_on_over_rotations_and_hears_what_they_took),
      TEST(a_rotation_in_its_midst_hides_nothing),
      TEST(pieces_that_lie_together_are_one_span))
