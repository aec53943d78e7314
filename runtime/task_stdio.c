/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process's three streams lead.
 */
#include "config.h"

#include "runtime/task_stdio.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"

static const char *const mode_names[] = {
	[STDIO_LOG] = "log",
	[STDIO_NULL] = "null",
	[STDIO_FILE] = "file",
	[STDIO_FIFO] = "fifo",
};

struct wire {
	char *mode;
	json_t *stdin_value;
	char *stdout_path;
	char *stderr_path;
	json_t *log;
};

static const struct json_field wire_fields[] = {
	JSON_TEXT(struct wire, mode, "mode", 0),
	JSON_ANY(struct wire, stdin_value, "stdin", 0),
	JSON_TEXT(struct wire, stdout_path, "stdout", 0),
	JSON_TEXT(struct wire, stderr_path, "stderr", 0),
	JSON_OBJECT(struct wire, log, "log", 0),
};

static const struct json_field log_fields[] = {
	JSON_INT(struct task_stdio, log_max_size, "max_size", LOG_SIZE_MIN,
		 LOG_SIZE_MAX, 0),
	JSON_INT(struct task_stdio, log_max_files, "max_files", 1,
		 LOG_FILES_MAX, 0),
};

const char *
stdio_mode_name(enum stdio_mode mode)
{
	return mode_names[mode];
}

bool
stdio_has_log(const json_t *stdio)
{
	const char *mode = json_get_text(stdio, "mode");

	return strcmp(mode, mode_names[STDIO_NULL]) != 0 &&
	       strcmp(mode, mode_names[STDIO_FILE]) != 0;
}

static void
fault(struct json_faults *faults, const char *prefix, const char *name,
      const char *text)
{
	CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;

	strbuf_adds(&pointer, prefix);
	json_pointer_add(&pointer, name);
	json_fault(faults, pointer.buf, "%s", text);
}

static bool
take_mode(const char *name, enum stdio_mode *ret_mode)
{
	*ret_mode = STDIO_LOG;
	for (size_t i = 0; name && i < ARRAY_SIZE(mode_names); i++) {
		*ret_mode = (enum stdio_mode)i;
		if (strcmp(mode_names[i], name) == 0)
			return true;
	}
	return !name;
}

static void
take_stdin(const json_t *value, const char *prefix, struct task_stdio *stdio,
	   struct json_faults *faults)
{
	if (json_is_boolean(value))
		stdio->has_stdin = json_is_true(value);
	else if (json_is_string(value))
		stdio->stdin_path = xstrdup(json_string_value(value));
	else if (value)
		fault(faults, prefix, "stdin", "must be true, false or a path");
}

static void
check_path(const char *path, const char *prefix, const char *name,
	   const struct task_stdio *stdio, struct json_faults *faults)
{
	if (!path)
		return;
	if (stdio->mode != STDIO_FILE && stdio->mode != STDIO_FIFO)
		fault(faults, prefix, name,
		      "a path needs the mode file or fifo");
	else if (path[0] != '/' || strlen(path) >= PATH_MAX)
		fault(faults, prefix, name, "must be an absolute path");
}

static void
check(const struct task_stdio *stdio, const char *prefix,
      struct json_faults *faults)
{
	check_path(stdio->stdin_path, prefix, "stdin", stdio, faults);
	check_path(stdio->stdout_path, prefix, "stdout", stdio, faults);
	check_path(stdio->stderr_path, prefix, "stderr", stdio, faults);
	if (stdio->mode == STDIO_FILE && !stdio->stdout_path)
		fault(faults, prefix, "stdout", "the mode file needs a path");
	if (stdio->mode == STDIO_FIFO && !stdio->stdin_path &&
	    !stdio->stdout_path && !stdio->stderr_path)
		fault(faults, prefix, "stdout", "the mode fifo needs a path");
}

void
task_stdio_check_terminal(const struct task_stdio *stdio, const char *prefix,
			  struct json_faults *faults)
{
	if (stdio->stderr_path)
		fault(faults, prefix, "stderr",
		      "a terminal has one output, which is stdout");
}

void
task_stdio_decode(const json_t *json, const char *prefix,
		  struct task_stdio *ret_stdio, struct json_faults *faults)
{
	CLEANUP(strbuf_done) struct strbuf log_prefix = STRBUF_INIT;
	struct wire wire = { 0 };
	bool is_known;

	*ret_stdio = (struct task_stdio){ 0 };
	if (!json)
		return;
	json_decode(json, prefix, wire_fields, ARRAY_SIZE(wire_fields), &wire,
		    faults);
	take_stdin(wire.stdin_value, prefix, ret_stdio, faults);
	is_known = take_mode(wire.mode, &ret_stdio->mode);
	if (!is_known)
		fault(faults, prefix, "mode",
		      "must be log, null, file or fifo");
	ret_stdio->stdout_path = STEAL_PTR(wire.stdout_path);
	ret_stdio->stderr_path = STEAL_PTR(wire.stderr_path);
	strbuf_addf(&log_prefix, "%s/log", prefix);
	if (wire.log)
		json_decode(wire.log, log_prefix.buf, log_fields,
			    ARRAY_SIZE(log_fields), ret_stdio, faults);
	json_release(wire_fields, ARRAY_SIZE(wire_fields), &wire);
	if (is_known)
		check(ret_stdio, prefix, faults);
}

json_t *
task_stdio_json(const struct task_stdio *stdio)
{
	json_t *json = json_object();
	json_t *log = NULL;

	json_set_text(json, "mode", mode_names[stdio->mode]);
	if (stdio->stdin_path)
		json_set_text(json, "stdin", stdio->stdin_path);
	else if (stdio->has_stdin)
		json_set_bool(json, "stdin", true);
	json_set_text(json, "stdout", stdio->stdout_path);
	json_set_text(json, "stderr", stdio->stderr_path);
	if (stdio->log_max_size || stdio->log_max_files)
		log = json_object();
	if (stdio->log_max_size)
		json_set_int(log, "max_size", stdio->log_max_size);
	if (stdio->log_max_files)
		json_set_int(log, "max_files", stdio->log_max_files);
	if (log)
		(void)json_object_set_new(json, "log", log);
	return json;
}

void
task_stdio_done(struct task_stdio *stdio)
{
	free(stdio->stdin_path);
	free(stdio->stdout_path);
	free(stdio->stderr_path);
	*stdio = (struct task_stdio){ 0 };
}
