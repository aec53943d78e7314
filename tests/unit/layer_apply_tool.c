/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks the layer on stdin into a directory and says in JSON what came
 * of it; for tests/integration/unpack_*.py and for measuring.
 *
 *	layer_apply_tool MEDIA_TYPE DIRECTORY [OPTION=VALUE]...
 *
 * Options: diff_id=, max_entries=, max_bytes=, max_trailing=, cancel=N
 * (true from the N-th question on), chunk=N (bytes a read), lower=DIR
 * (top first; implied directories are fixed from these).
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/parse.h"
#include "store/unpack/apply.h"

#define LOWERS_MAX 8

struct run {
	struct layer_options options;
	struct digest diff_id;
	size_t chunk;
	uint64_t cancel_at;
	uint64_t n_questions;
	int lower_fds[LOWERS_MAX];
	size_t n_lowers;
};

static ssize_t
read_stdin(void *arg, void *buf, size_t max, struct skiff_error *err)
{
	const struct run *run = arg;
	ssize_t n;

	if (run->chunk && max > run->chunk)
		max = run->chunk;
	n = read(STDIN_FILENO, buf, max);
	return n < 0 ? err_errno(err, errno, "read") : n;
}

static bool
is_cancelled(void *arg)
{
	struct run *run = arg;

	return ++run->n_questions >= run->cancel_at;
}

static int
set_number(struct run *run, const char *name, const char *value,
	   struct skiff_error *err)
{
	uint64_t number;

	if (parse_u64(value, UINT64_MAX, &number, err) < 0)
		return -1;
	if (!strcmp(name, "max_entries"))
		run->options.limits.max_entries = number;
	else if (!strcmp(name, "max_bytes"))
		run->options.limits.max_bytes = number;
	else if (!strcmp(name, "max_trailing"))
		run->options.limits.max_trailing = number;
	else if (!strcmp(name, "cancel"))
		run->cancel_at = number;
	else if (!strcmp(name, "chunk"))
		run->chunk = (size_t)number;
	else
		return err_set(err, SKIFF_INVALID_ARGUMENT, "option %s", name);
	return 0;
}

static int
set_option(struct run *run, char *option, struct skiff_error *err)
{
	const char *name = strsep(&option, "=");

	if (!option)
		return err_set(err, SKIFF_INVALID_ARGUMENT, "option %s", name);
	if (!strcmp(name, "diff_id")) {
		run->options.diff_id = &run->diff_id;
		return digest_parse(option, &run->diff_id, err);
	}
	if (!strcmp(name, "lower")) {
		assert(run->n_lowers < LOWERS_MAX);
		return fs_open_dir(AT_FDCWD, option, /* create= */ false, 0,
				   &run->lower_fds[run->n_lowers++], err);
	}
	return set_number(run, name, option, err);
}

static int
run_tool(int argc, char **argv, json_t *answer, struct skiff_error *err)
{
	CLEANUP(layer_result_done)
	struct layer_result result = { .implied = STRV_INIT };
	struct run run = { .options = { .media_type = argv[1] } };
	struct layer_source source = { .read = read_stdin, .arg = &run };
	cleanup_close int dirfd = -1;

	if (fault_setup(err) < 0 ||
	    fs_open_dir(AT_FDCWD, argv[2], /* create= */ false, 0, &dirfd,
			err) < 0)
		return -1;
	for (int i = 3; i < argc; i++)
		if (set_option(&run, argv[i], err) < 0)
			return -1;
	if (run.cancel_at) {
		run.options.is_cancelled = is_cancelled;
		run.options.cancel_arg = &run;
	}
	if (layer_apply(dirfd, &source, &run.options, &result, err) < 0 ||
	    layer_fix_implied_parents(dirfd, &result.implied, run.lower_fds,
				      run.n_lowers, err) < 0)
		return -1;
	json_set_text(answer, "diff_id", result.diff_id.text);
	json_set_int(answer, "stream_bytes", (int64_t)result.stream_bytes);
	json_set_int(answer, "file_bytes", (int64_t)result.file_bytes);
	json_set_int(answer, "entries", (int64_t)result.n_entries);
	json_set_int(answer, "skipped_devices",
		     (int64_t)result.n_skipped_devices);
	json_set_int(answer, "dropped_xattrs",
		     (int64_t)result.n_dropped_xattrs);
	json_set_bool(answer, "root_opaque", result.is_root_opaque);
	json_set_int(answer, "implied", (int64_t)result.implied.n);
	return 0;
}

int
main(int argc, char **argv)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *answer = json_object();
	cleanup_free char *text = NULL;

	if (argc < 3) {
		(void)fprintf(stderr,
			      "usage: %s MEDIA_TYPE DIRECTORY "
			      "[OPTION=VALUE]...\n",
			      argv[0]);
		return 2;
	}
	if (run_tool(argc, argv, answer, &err) < 0) {
		json_set_text(answer, "code", err_code_name(err.code));
		json_set_text(answer, "reason", err.reason);
		json_set_text(answer, "text", err.text);
	}
	text = json_text(answer);
	(void)printf("%s\n", text);
	return err.code != SKIFF_OK;
}
