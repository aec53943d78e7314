/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process of an exec: out of wishes and the container's own.
 */
#include "config.h"

#include "runtime/spec/process.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/spec/host.h"
#include "runtime/spec/spec_internal.h"
#include "runtime/spec/user.h"
#include "runtime/spec/wishes.h"
#include "runtime/task_stdio.h"

/* The kernel's MAX_ARG_STRLEN, with the NUL. */
#define TEXT_MAX 131072
/* execve(2): a quarter of the stack's limit, within these. */
#define STACK_DEFAULT (INT64_C(8) << 20)
#define ARGUMENTS_MIN (INT64_C(128) << 10)
#define ARGUMENTS_MAX (INT64_C(6) << 20)
/* Of that, for the program's name, the auxiliary vector and a page. */
#define ARGUMENTS_KEPT 16384

static const struct json_field fields[] = {
	JSON_TEXT(struct exec_wishes, id, "id", JSON_NOT_EMPTY),
	JSON_STRV(struct exec_wishes, args, "args",
		  JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_STRV(struct exec_wishes, env, "env", 0),
	JSON_TEXT(struct exec_wishes, cwd, "cwd", 0),
	JSON_TEXT(struct exec_wishes, user, "user", 0),
	JSON_BOOL(struct exec_wishes, terminal, "terminal", 0),
	JSON_BOOL(struct exec_wishes, privileged, "privileged", 0),
	JSON_OBJECT(struct exec_wishes, stdio, "stdio", 0),
	JSON_OBJECT(struct exec_wishes, labels, "labels", 0),
};

/* A text that execve(2) would not take. */
static void
check_length(const char *field, const struct strv *texts,
	     struct json_faults *faults)
{
	for (size_t i = 0; i < texts->n; i++) {
		cleanup_free char *pointer = xasprintf("/%s/%zu", field, i);

		if (strlen(texts->items[i]) >= TEXT_MAX)
			json_fault(faults, pointer,
				   "is longer than %d bytes, which is the "
				   "most that the kernel takes",
				   TEXT_MAX - 1);
	}
}

static void
check_env(const struct strv *env, struct json_faults *faults)
{
	for (size_t i = 0; i < env->n; i++) {
		cleanup_free char *pointer = xasprintf("/env/%zu", i);
		const char *equals = strchr(env->items[i], '=');

		if (!equals || equals == env->items[i])
			json_fault(faults, pointer, "must be NAME=VALUE");
	}
}

void
exec_wishes_decode(const json_t *body, struct exec_wishes *ret_wishes,
		   struct json_faults *faults)
{
	struct exec_wishes *wishes = ret_wishes;
	struct task_stdio stdio;

	json_decode(body, "", fields, ARRAY_SIZE(fields), wishes, faults);
	if (wishes->args.n && !*wishes->args.items[0])
		json_fault(faults, "/args/0", "must not be empty");
	check_length("args", &wishes->args, faults);
	check_length("env", &wishes->env, faults);
	check_env(&wishes->env, faults);
	if (wishes->cwd && cwd_fault(wishes->cwd))
		json_fault(faults, "/cwd", "%s", cwd_fault(wishes->cwd));
	task_stdio_decode(wishes->stdio, "/stdio", &stdio, faults);
	if (wishes->terminal)
		task_stdio_check_terminal(&stdio, "/stdio", faults);
	task_stdio_done(&stdio);
}

void
exec_wishes_done(struct exec_wishes *wishes)
{
	json_release(fields, ARRAY_SIZE(fields), wishes);
}

static bool
has_env(const struct strv *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->items[i], name, len) == 0 &&
		    env->items[i][len] == '=')
			return true;
	return false;
}

/* The container's, which may be absent, to be changed. */
static json_t *
own_env(json_t *process)
{
	json_t *env = json_object_get(process, "env");

	if (json_is_array(env))
		return env;
	env = json_array();
	(void)json_object_set_new(process, "env", env);
	return env;
}

static int
set_user(json_t *process, const char *text, struct rootfs_view *view,
	 bool keeps_home, struct skiff_error *err)
{
	const json_t *umask =
	    json_object_get(json_object_get(process, "user"), "umask");
	CLEANUP(user_done) struct user user = { 0 };
	cleanup_free char *home = NULL;
	json_t *object;

	if (user_resolve(view, text, &user, err) < 0)
		return -1;
	object = spec_user(&user);
	if (umask)
		(void)json_object_set(object, "umask", (json_t *)umask);
	(void)json_object_set_new(process, "user", object);
	home = xasprintf("HOME=%s", user.home);
	if (!keeps_home)
		spec_set_env(own_env(process), home);
	return 0;
}

/* The container's seccomp filter is no part of the process, and stays. */
static void
set_privileged(json_t *process, const struct host *host)
{
	(void)json_object_set_new(process, "capabilities",
				  spec_capabilities(host->capabilities));
	json_set_bool(process, "noNewPrivileges", false);
}

static int64_t
stack_limit(const json_t *process)
{
	const json_t *rlimits = json_object_get(process, "rlimits");
	json_t *item;
	size_t i;

	json_array_foreach (rlimits, i, item)
		if (strcmp(json_get_text(item, "type"), "RLIMIT_STACK") == 0)
			return json_get_int(item, "soft", STACK_DEFAULT);
	return STACK_DEFAULT;
}

static int64_t
size_of(const json_t *texts)
{
	int64_t size = 0;
	json_t *item;
	size_t i;

	json_array_foreach (texts, i, item)
		size += (int64_t)json_string_length(item) + 1 +
			(int64_t)sizeof(char *);
	return size;
}

/*
 * Otherwise the runtime would tell it as the process's own output and end,
 * since it finds out only where it becomes the process.
 */
static int
check_size(const json_t *process, struct skiff_error *err)
{
	int64_t size = size_of(json_object_get(process, "args")) +
		       size_of(json_object_get(process, "env"));
	int64_t max = stack_limit(process) / 4;

	if (max < ARGUMENTS_MIN)
		max = ARGUMENTS_MIN;
	if (max > ARGUMENTS_MAX)
		max = ARGUMENTS_MAX;
	if (size <= max - ARGUMENTS_KEPT)
		return 0;
	(void)err_set(err, SKIFF_INVALID_ARGUMENT,
		      "args and env are %" PRId64 " bytes, of which the kernel "
		      "takes %" PRId64 " here",
		      size, max - ARGUMENTS_KEPT);
	(void)err_reason(err, "argument_list_too_long");
	return err_field(err, "/args");
}

int
spec_exec_process(const json_t *container_process,
		  const struct exec_wishes *wishes, const struct host *host,
		  struct rootfs_view *view, json_t **ret_process,
		  struct skiff_error *err)
{
	cleanup_json json_t *process = json_deep_copy(container_process);
	json_t *env = own_env(process);

	(void)json_object_set_new(
	    process, "args",
	    spec_strings((const char *const *)wishes->args.items,
			 wishes->args.n));
	json_set_bool(process, "terminal", wishes->terminal);
	(void)json_object_del(process, "consoleSize");
	if (wishes->privileged)
		set_privileged(process, host);
	if (wishes->cwd)
		json_set_text(process, "cwd", wishes->cwd);
	if (wishes->user && set_user(process, wishes->user, view,
				     has_env(&wishes->env, "HOME"), err) < 0)
		return -1;
	if (wishes->terminal && !has_env(&wishes->env, "TERM"))
		spec_set_env(env, "TERM=xterm");
	for (size_t i = 0; i < wishes->env.n; i++)
		spec_set_env(env, wishes->env.items[i]);
	if (check_size(process, err) < 0)
		return -1;
	*ret_process = STEAL_PTR(process);
	return 0;
}
