/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a process's three streams lead: the "stdio" of a task, an exec or
 * a container, in JSON
 *
 *	{mode?, stdin?, stdout?, stderr?, log?: {max_size?, max_files?}}
 *
 * mode log (the default): output to the log, stdin true to be fed through
 * the API, else empty. null: output is discarded. file: stdout and stderr
 * name files that are appended to (stderr alone may be left out: the same
 * as stdout), stdin one to be read. fifo: any of the three names a FIFO
 * that exists; output goes to the log first, and on from there, so that
 * nobody has to read it. With a terminal, what stdin names is typed at it.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

enum stdio_mode { STDIO_LOG, STDIO_NULL, STDIO_FILE, STDIO_FIFO };

struct task_stdio {
	enum stdio_mode mode;
	bool has_stdin; /* mode log and null: to be fed */
	char *stdin_path;
	char *stdout_path;
	char *stderr_path;
	int64_t log_max_size; /* 0: the daemon's own */
	int64_t log_max_files;
};

#define LOG_SIZE_MIN 4096
#define LOG_SIZE_MAX (INT64_C(1) << 40)
#define LOG_FILES_MAX 1000

/* json NULL gives the default. Faults are told below prefix ("/stdio"). */
void task_stdio_decode(const json_t *json, const char *prefix,
		       struct task_stdio *ret_stdio,
		       struct json_faults *faults);
/* What a record says of it: a new object. */
json_t *task_stdio_json(const struct task_stdio *stdio);
void task_stdio_done(struct task_stdio *stdio);
const char *stdio_mode_name(enum stdio_mode mode);
/*
 * What a terminal cannot have: it has one output, which is its stdout.
 */
void task_stdio_check_terminal(const struct task_stdio *stdio,
			       const char *prefix, struct json_faults *faults);
static inline bool
stdio_mode_has_log(enum stdio_mode mode)
{
	return mode == STDIO_LOG || mode == STDIO_FIFO;
}
/* Whether there is a log to be read. */
bool stdio_has_log(const json_t *stdio);
