/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints without criu: whose they are, and whether they fit.
 */
#include "config.h"

#include <string.h>

#include "base/json.h"
#include "runtime/checkpoint/criu.h"
#include "runtime/checkpoint/criu_trial.h"
#include "runtime/checkpoint/dump_options.h"
#include "runtime/checkpoint/rights.h"
#include "runtime/checkpoint/seal.h"
#include "runtime/shim_proto.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static json_t *
parse(const char *text)
{
	struct skiff_error err = ERROR_INIT;
	json_t *json = NULL;

	CHECK(json_parse(text, strlen(text), &json, &err) == 0);
	CHECK_STR(err.text, "");
	return json;
}

/* "" when both may run the same processes, else where they differ. */
static void
compare(const char *was, const char *is, const char *where)
{
	cleanup_json json_t *a = parse(was);
	cleanup_json json_t *b = parse(is);
	struct skiff_error err = ERROR_INIT;
	int r = checkpoint_compare_specs(a, b, &err);

	CHECK(r == (*where ? -1 : 0));
	if (!*where)
		return;
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.reason, "checkpoint_mismatch");
	CHECK_STR(strrchr(err.text, ' ') + 1, where);
}

static void
a_spec_with_the_same_rights_fits(void)
{
	compare("{}", "{}", "");
	compare("{\"hostname\": \"a\", \"process\": {\"args\": [\"x\"]},"
		" \"linux\": {\"resources\": {\"memory\": 1}},"
		" \"mounts\": [{\"destination\": \"/m\", \"source\": \"/a\"}]}",
		"{\"annotations\": {}, \"process\": {\"args\": [], "
		"\"env\": [\"A=b\"], \"terminal\": true}, \"linux\": "
		"{\"cgroupsPath\": \"/x\"},"
		" \"mounts\": [{\"destination\": \"/m\", \"source\": \"/b\"}]}",
		"");
}

static void
the_first_difference_in_rights_is_named(void)
{
	compare("{\"process\": {\"capabilities\": {\"bounding\": [\"A\"]}}}",
		"{\"process\": {\"capabilities\": {\"bounding\": []}}}",
		"/process/capabilities/bounding");
	compare("{\"process\": {}}",
		"{\"process\": {\"noNewPrivileges\": true}}",
		"/process/noNewPrivileges");
	compare("{\"linux\": {\"seccomp\": {\"defaultAction\": \"A\"}}}",
		"{\"linux\": {\"seccomp\": {\"defaultAction\": \"B\"}}}",
		"/linux/seccomp/defaultAction");
	compare("{\"linux\": {\"seccomp\": {}}}", "{\"linux\": {}}",
		"/linux/seccomp");
	compare("{\"mounts\": [{\"options\": [\"rw\"]}]}",
		"{\"mounts\": [{\"options\": [\"ro\"]}]}",
		"/mounts/0/options/0");
	compare("{\"mounts\": [{\"destination\": \"/source\"}]}",
		"{\"mounts\": [{\"destination\": \"/other\"}]}",
		"/mounts/0/destination");
	compare("{\"process\": {\"user\": {\"uid\": 0}}}",
		"{\"process\": {\"user\": {\"uid\": 1}}}", "/process/user/uid");
	compare("{\"a\": 1}", "{\"a\": \"1\"}", "/a");
}

static void
a_seal_is_of_one_root_and_one_text(void)
{
	struct skiff_error err = ERROR_INIT;
	char *root = scratch_make();
	char *other = scratch_make();
	struct digest seal;
	struct digest again;
	struct digest others;

	CHECK(!checkpoint_is_sealed(root, "text", "sha256:00"));
	CHECK(checkpoint_seal(root, "text", &seal, &err) == 0);
	CHECK(checkpoint_seal(root, "text", &again, &err) == 0);
	CHECK(checkpoint_seal(other, "text", &others, &err) == 0);
	CHECK_STR(seal.text, again.text);
	CHECK(strcmp(seal.text, others.text) != 0);
	CHECK(checkpoint_is_sealed(root, "text", seal.text));
	CHECK(!checkpoint_is_sealed(root, "tex", seal.text));
	CHECK(!checkpoint_is_sealed(other, "text", seal.text));
	CHECK(!checkpoint_is_sealed(root, "text", ""));
	scratch_write(root, "checkpoint.key", "short");
	CHECK(checkpoint_seal(root, "text", &again, &err) < 0);
	CHECK(err.code == SKIFF_DATA_LOSS);
	scratch_remove(root);
	scratch_remove(other);
}

/* RFC 4231, test case 2. */
static void
the_seal_s_hash_is_the_standard_one(void)
{
	static const char text[] = "what do ya want for nothing?";
	struct digest hash;

	digest_hmac("Jefe", 4, text, sizeof(text) - 1, &hash);
	CHECK_STR(hash.text, "sha256:5bdcc146bf60754e6a042426089575c7"
			     "5a003f089d2739839dec58b964ec3843");
	CHECK(digest_is_same(&hash, &hash));
}

static void
options_of_a_dump_come_back_from_their_bits(void)
{
	struct json_faults faults = JSON_FAULTS_INIT;
	cleanup_json json_t *json =
	    parse("{\"tcp_established\": true, \"file_locks\": true, "
		  "\"empty_namespaces\": [\"network\"], "
		  "\"cgroups_mode\": \"full\"}");
	uint32_t flags = dump_options_decode(json, "", &faults);
	cleanup_json json_t *back = dump_options_json(flags);
	cleanup_json json_t *odd = parse("{\"cgroups_mode\": \"none\"}");

	CHECK(flags != 0 && !faults.list);
	CHECK(dump_options_decode(back, "", &faults) == flags);
	CHECK(dump_options_decode(odd, "/options", &faults) == 0);
	CHECK(json_array_size(faults.list) == 1);
	json_faults_done(&faults);
}

static void
errors_of_a_log_end_up_in_the_text(void)
{
	struct skiff_error err = ERROR_INIT;

	(void)err_set(&err, SKIFF_INTERNAL, "dump");
	(void)criu_explain("(00.1) fine\n(00.2) Error (a.c:1): one\n"
			   "(00.3) Error (b.c:2): two",
			   &err);
	CHECK_STR(err.text, "dump: Error (a.c:1): one; Error (b.c:2): two");
	(void)criu_explain("nothing of note\n", &err);
	(void)criu_explain(NULL, &err);
	CHECK_STR(err.text, "dump: Error (a.c:1): one; Error (b.c:2): two");
}

/* The caller frees the path. */
static char *
make_script(const char *root, const char *text)
{
	char *path = xasprintf("%s/criu", root);

	scratch_write(root, "criu", text);
	CHECK(chmod(path, 0700) == 0);
	return path;
}

/* "criu" in root, which notes what it is asked, and says yes or no. */
static struct criu *
make_criu(const char *root, const char *answer)
{
	cleanup_free char *script =
	    xasprintf("#!/bin/sh\necho \"$1 $3\" >>%s/asked\n"
		      "[ \"$3\" != mem_dirty_track ] || %s\n",
		      root, answer);
	cleanup_free char *path = make_script(root, script);
	cleanup_free char *dir = xasprintf("%s/trial", root);

	return criu_new(path, dir);
}

static int
times_asked(const char *root, const char *what)
{
	cleanup_free char *path = xasprintf("%s/asked", root);
	cleanup_free char *text = NULL;
	struct skiff_error err = ERROR_INIT;
	const char *at;
	int n = 0;

	CHECK(fs_read_file(AT_FDCWD, path, 4096, &text, NULL, &err) == 0);
	for (at = text; at && (at = strstr(at, what)) != NULL; n++)
		at += strlen(what);
	return n;
}

static void
criu_is_asked_once(void)
{
	static const char *const answers[] = { "true", "false" };

	for (int no = 0; no < 2; no++) {
		struct skiff_error err = ERROR_INIT;
		char *root = scratch_make();
		struct criu *criu = make_criu(root, answers[no]);

		for (int i = 0; i < 3; i++) {
			CHECK(criu_need(criu, &err) == 0);
			CHECK(criu_need_tracking(criu, &err) == -no);
		}
		if (no)
			CHECK_STR(err.reason, "criu_unavailable");
		CHECK(times_asked(root, "check \n") == 1);
		CHECK(times_asked(root, "check mem_dirty_track\n") == 1);
		criu_free(criu);
		scratch_remove(root);
	}
}

/* It notes what there is before, and leaves something. */
static void
a_trial_needs_no_path_and_leaves_nothing(void)
{
	char *root = scratch_make();
	cleanup_free char *script =
	    xasprintf("#!/bin/sh\necho \"$PATH\" \"$5\"/* >%s/asked\n"
		      ": >\"$5\"/image\n",
		      root);
	cleanup_free char *path = make_script(root, script);
	cleanup_free char *dir = xasprintf("%s/trial", root);
	cleanup_free char *asked = xasprintf("%s/asked", root);
	cleanup_free char *expected = xasprintf(SHIM_PATH " %s/*\n", dir);
	cleanup_free char *search = xstrdup(getenv("PATH"));
	cleanup_free char *text = NULL;
	struct skiff_error err = ERROR_INIT;

	CHECK(mkdir(dir, 0700) == 0);
	scratch_write(dir, "left", "by a crash");
	CHECK(unsetenv("PATH") == 0);
	CHECK(criu_try(path, dir) == CRIU_ENDS);
	CHECK(setenv("PATH", search, 1) == 0);
	CHECK(fs_read_file(AT_FDCWD, asked, 4096, &text, NULL, &err) == 0);
	CHECK_STR(text, expected);
	CHECK(!scratch_has(root, "trial"));
	scratch_remove(root);
}

TESTS(TEST(a_spec_with_the_same_rights_fits),
      TEST(the_first_difference_in_rights_is_named),
      TEST(a_seal_is_of_one_root_and_one_text),
      TEST(the_seal_s_hash_is_the_standard_one),
      TEST(options_of_a_dump_come_back_from_their_bits),
      TEST(errors_of_a_log_end_up_in_the_text), TEST(criu_is_asked_once),
      TEST(a_trial_needs_no_path_and_leaves_nothing))
