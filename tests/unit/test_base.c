/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foundation: errors, numbers, times, identifiers, digests, JSON.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/id.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/proc.h"
#include "tests/unit/tap.h"

static void
an_error_reads_outermost_first(void)
{
	struct skiff_error err = ERROR_INIT;

	CHECK(err_errno(&err, ENOENT, "open %s", "x") == -1);
	CHECK(err_wrap(&err, "pull %s", "alpine") == -1);
	CHECK_STR(err.text, "pull alpine: open x: No such file or directory");
	CHECK(err.code == SKIFF_NOT_FOUND && err.sys_errno == ENOENT);
	CHECK_STR(err_code_name(err.code), "not_found");
	CHECK(err_code_status(err.code) == 404);
	CHECK(err_code_from_name("locked") == SKIFF_LOCKED);
}

static void
numbers_take_the_whole_text_or_fail(void)
{
	static const char *const bad[] = {
		"", "-1", "+1", "1 ", "0x1", "1e3", "18446744073709551616"
	};
	struct skiff_error err = ERROR_INIT;
	uint64_t value = 0;

	CHECK(parse_u64("18446744073709551615", UINT64_MAX, &value, &err) == 0);
	CHECK(value == UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(parse_u64(bad[i], UINT64_MAX, &value, &err) < 0);
	CHECK(parse_u64("11", 10, &value, &err) < 0);
}

static void
durations_are_seconds_or_go_style(void)
{
	struct skiff_error err = ERROR_INIT;
	int64_t ns = 0;

	CHECK(parse_duration("1.5", &ns, &err) == 0 && ns == 1500000000);
	CHECK(parse_duration("1m30s", &ns, &err) == 0 && ns == 90000000000);
	CHECK(parse_duration("250ms", &ns, &err) == 0 && ns == 250000000);
	CHECK(parse_duration("", &ns, &err) < 0);
	CHECK(parse_duration("-1", &ns, &err) < 0);
	CHECK(parse_duration("1x", &ns, &err) < 0);
	CHECK(parse_duration("99999999999h", &ns, &err) < 0);
}

static void
times_survive_a_round_trip(void)
{
	char text[RFC3339_SIZE];
	int64_t ns = 0;

	CHECK_STR(rfc3339_format(1500000000123456789, text),
		  "2017-07-14T02:40:00.123456789Z");
	CHECK(rfc3339_parse(text, &ns) && ns == 1500000000123456789);
	CHECK(rfc3339_parse("2017-07-14T04:40:00+02:00", &ns));
	CHECK(ns == 1500000000000000000);
	CHECK(!rfc3339_parse("2017-07-14", &ns));
	CHECK(!rfc3339_parse("2017-07-14T02:40:00", &ns));
}

static void
identifiers_follow_containerds_rule(void)
{
	static const char *const good[] = { "a", "A", "0", "a.b-c_d" };
	static const char *const bad[] = { "",	   "-a",   "a-",  "a--b",
					   "a..b", "a._b", "a/b", ".",
					   "..",   "a b",  "é" };
	struct skiff_error err = ERROR_INIT;
	char longest[ID_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK(id_check("container", good[i], &err) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(id_check("container", bad[i], &err) < 0);
	memset(longest, 'a', sizeof(longest));
	longest[ID_MAX + 1] = '\0';
	CHECK(id_check("container", longest, &err) < 0);
	longest[ID_MAX] = '\0';
	CHECK(id_check("container", longest, &err) == 0);
}

static void
digests_are_strict(void)
{
	struct skiff_error err = ERROR_INIT;
	struct digest digest;

	digest_of("", 0, &digest);
	CHECK_STR(digest.text, "sha256:e3b0c44298fc1c149afbf4c8996fb924"
			       "27ae41e4649b934ca495991b7852b855");
	CHECK(digest_parse(digest.text, &digest, &err) == 0);
	CHECK(digest_parse("sha256:../../x", &digest, &err) < 0);
	CHECK(digest_parse("sha256:E3B0C44298FC1C149AFBF4C8996FB924"
			   "27AE41E4649B934CA495991B7852B855",
			   &digest, &err) < 0);
	CHECK(digest_parse("md5:00", &digest, &err) < 0);
}

static void
json_strings_are_quoted_and_measured(void)
{
	static const char text[] = "a\"\\/\b\f\n\r\t\x1f\x7f\xc3\xa4";
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

	json_quote(text, sizeof(text), &out); /* its NUL, too */
	CHECK_STR(out.buf, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\x7f\xc3\xa4"
			   "\\u0000\"");
	CHECK(json_quoted_len(text, sizeof(text)) == out.len);
	strbuf_reset(&out);
	base64_encode("abcd", 4, &out);
	CHECK_STR(out.buf, "YWJjZA==");
	CHECK(base64_len(4) == out.len);
}

static void
percent_escapes_decode_strictly(void)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

	CHECK(percent_decode("a%2Fb", 5, &out));
	CHECK_STR(out.buf, "a/b");
	CHECK(!percent_decode("a%00", 4, &out));
	CHECK(!percent_decode("a%4", 3, &out));
	CHECK(!percent_decode("%zz", 3, &out));
}

static void
utf8_refuses_overlong_forms_and_surrogates(void)
{
	CHECK(is_utf8("a\xc3\xa9\xf0\x9f\x98\x80", 7));
	CHECK(!is_utf8("\xc0\xaf", 2));
	CHECK(!is_utf8("\xed\xa0\x80", 3));
	CHECK(!is_utf8("\xc3", 1));
}

struct sample {
	char *name;
	int64_t size;
	bool is_set;
	struct strv args;
};

static const struct json_field sample_fields[] = {
	JSON_TEXT(struct sample, name, "name", JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_INT(struct sample, size, "size", 0, 100, 0),
	JSON_BOOL(struct sample, is_set, "set", 0),
	JSON_STRV(struct sample, args, "args", 0),
};

static json_t *
faults_of(const char *text)
{
	struct json_faults faults = JSON_FAULTS_INIT;
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *json = NULL;
	struct sample sample = { 0 };

	CHECK(json_parse(text, strlen(text), &json, &err) == 0);
	json_decode(json, "", sample_fields, ARRAY_SIZE(sample_fields), &sample,
		    &faults);
	json_release(sample_fields, ARRAY_SIZE(sample_fields), &sample);
	return faults.list;
}

static void
a_body_tells_all_its_faults_by_pointer(void)
{
	cleanup_json json_t *faults =
	    faults_of("{\"size\":101,\"a/b\":1,\"args\":[\"x\",2]}");

	CHECK(json_array_size(faults) == 4);
	CHECK_STR(json_get_text(json_array_get(faults, 0), "field"), "/size");
	CHECK_STR(json_get_text(json_array_get(faults, 1), "field"), "/a~1b");
	CHECK_STR(json_get_text(json_array_get(faults, 2), "field"), "/args/1");
	CHECK_STR(json_get_text(json_array_get(faults, 3), "field"), "/name");
	CHECK(faults_of("{\"name\":\"x\"}") == NULL);
}

static void
a_body_of_faults_alone_is_not_told_in_full(void)
{
	CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;
	cleanup_json json_t *faults = NULL;

	strbuf_adds(&body, "{\"name\":\"x\",\"args\":[0");
	for (int i = 0; i < 1000; i++)
		strbuf_adds(&body, ",0");
	strbuf_adds(&body, "]}");
	faults = faults_of(body.buf);
	CHECK(json_array_size(faults) == JSON_FAULTS_MAX);
}

static void
an_error_is_utf8_wherever_it_is_cut(void)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	struct skiff_error err = ERROR_INIT;
	char text[4000];

	/* Two bytes a character, beginning at an odd place. */
	for (size_t i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[0] = 'x';
	text[sizeof(text) - 1] = '\0';
	for (size_t shift = 0; shift < 2; shift++) {
		(void)err_set(&err, SKIFF_INTERNAL, "%s", text + shift);
		CHECK(is_utf8(err.text, strlen(err.text)));
		(void)err_object(&err, "image", text + shift);
		CHECK(is_utf8(err.id, strlen(err.id)));
		(void)err_field(&err, text + shift);
		CHECK(is_utf8(err.field, strlen(err.field)));
		(void)err_wrap(&err, "%s", "\xff");
		CHECK(strncmp(err.text, "?: ", 3) == 0);
		json_fault(&faults, "/a", "%.64s", text + shift);
		CHECK(json_array_size(faults.list) == shift + 1);
	}
}

static void
json_refuses_duplicates_and_deep_nesting(void)
{
	struct skiff_error err = ERROR_INIT;
	char deep[JSON_DEPTH_MAX + 2];
	json_t *json;

	memset(deep, '[', sizeof(deep));
	CHECK(json_parse(deep, sizeof(deep), &json, &err) < 0);
	CHECK(json_parse("{\"a\":1,\"a\":2}", 13, &json, &err) < 0);
	CHECK(json_parse("{} x", 4, &json, &err) < 0);
}

/* Where and in which order they lie must not matter. */
static void
a_child_gets_the_descriptors_it_was_passed(void)
{
	char name[] = "sh";
	char flag[] = "-c";
	char script[] = "echo a >&3; echo b >&4; ls /proc/self/fd >&5";
	char *argv[] = { name, flag, script, NULL };
	int passed[] = { 513, 512, 514 };
	struct skiff_error err = ERROR_INIT;
	int ends[3][2];
	int status = -1;
	int pidfd;
	pid_t pid;

	for (int i = 0; i < 3; i++)
		CHECK(pipe2(ends[i], O_CLOEXEC) == 0 &&
		      dup3(ends[i][1], passed[i], O_CLOEXEC) == passed[i] &&
		      close(ends[i][1]) == 0);
	CHECK(proc_spawn(&(struct proc_options){ .path = "/bin/sh",
						 .argv = argv,
						 .pass_fds = passed,
						 .n_pass_fds = 3 },
			 &pid, &pidfd, &err) == 0);
	CHECK(proc_wait(pidfd, DEADLINE_NEVER, &status, &err) == 0);
	CHECK(status == 0);
	for (int i = 0; i < 3; i++) {
		static const char *const expected[] = {
			"a\n", "b\n", "0\n1\n2\n3\n4\n5\n6\n"
		};
		char text[64] = "";

		CHECK(close(passed[i]) == 0);
		CHECK(read(ends[i][0], text, sizeof(text) - 1) > 0);
		CHECK_STR(text, expected[i]);
		CHECK(close(ends[i][0]) == 0);
	}
	(void)close(pidfd);
}

static void
a_child_is_refused_when_descriptors_run_out(void)
{
	char name[] = "true";
	char *argv[] = { name, NULL };
	struct skiff_error err = ERROR_INIT;
	struct rlimit limit;
	int fd;
	int pidfd;
	pid_t pid;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)limit.rlim_cur - 1);
	CHECK(fd >= 0);
	CHECK(proc_spawn(&(struct proc_options){ .path = "/bin/true",
						 .argv = argv,
						 .pass_fds = &fd,
						 .n_pass_fds = 1 },
			 &pid, &pidfd, &err) < 0);
	CHECK(err.sys_errno == EMFILE);
	(void)close(fd);
}

TESTS(TEST(an_error_reads_outermost_first),
      TEST(numbers_take_the_whole_text_or_fail),
      TEST(durations_are_seconds_or_go_style), TEST(times_survive_a_round_trip),
      TEST(identifiers_follow_containerds_rule), TEST(digests_are_strict),
      TEST(json_strings_are_quoted_and_measured),
      TEST(percent_escapes_decode_strictly),
      TEST(utf8_refuses_overlong_forms_and_surrogates),
      TEST(a_body_tells_all_its_faults_by_pointer),
      TEST(a_body_of_faults_alone_is_not_told_in_full),
      TEST(an_error_is_utf8_wherever_it_is_cut),
      TEST(json_refuses_duplicates_and_deep_nesting),
      TEST(a_child_gets_the_descriptors_it_was_passed),
      TEST(a_child_is_refused_when_descriptors_run_out))
