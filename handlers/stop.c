/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks/{id}/kill and /stop, and the kill of an exec.
 *
 * A stop is begun by a worker; after that the request waits for the end
 * of the task without a thread, and the SIGKILL comes whether or not it
 * is still there.
 */
#include "config.h"

#include "handlers/stop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/strbuf.h"
#include "handlers/common.h"
#include "handlers/handlers.h"
#include "handlers/watch.h"
#include "runtime/spec/wishes.h"
#include "runtime/task.h"
#include "runtime/task_exec.h"

/* For what SIGKILL does not end at once: it ends when the kernel lets it. */
#define GRACE_NS (30 * NS_PER_SECOND)
#define TIMEOUT_MAX_S INT64_C(31536000)

/* A name or a number; -1 for what is none. */
static int
signal_of(const json_t *value)
{
	json_int_t number;

	if (json_is_string(value))
		return signal_number(json_string_value(value));
	number = json_integer_value(value);
	return number > 0 && number <= SIGRTMAX ? (int)number : -1;
}

static void
take_signal(const json_t *value, int *ret_signal, struct json_faults *faults)
{
	int signal;

	if (!value)
		return;
	signal = signal_of(value);
	if (!json_is_string(value) && !json_is_integer(value))
		json_fault(faults, "/signal",
			   "must be a signal's name or number");
	else if (signal < 0)
		json_fault(faults, "/signal", "is not a signal");
	*ret_signal = signal;
}

/* The body; NULL when there is none. Other fields than these are faults. */
static int
take_body(struct request *request, const char *const *fields, size_t n,
	  json_t **ret_body, struct skiff_error *err)
{
	struct json_faults *faults = request_faults(request);
	const char *key;
	json_t *value;

	*ret_body = NULL;
	if (!request_has_body(request))
		return 0;
	if (request_json(request, ret_body, err) < 0)
		return -1;
	if (!json_is_object(*ret_body))
		json_fault(faults, "", "must be an object");
	json_object_foreach (*ret_body, key, value) {
		CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;
		size_t i = 0;

		while (i < n && strcmp(key, fields[i]) != 0)
			i++;
		json_pointer_add(&pointer, key);
		if (i == n)
			json_fault(faults, pointer.buf, "unknown field");
	}
	return 0;
}

/* --- kill --------------------------------------------------------------- */

static void
take_exec_id(const json_t *body, const char **ret_exec_id,
	     struct json_faults *faults)
{
	const json_t *value = json_object_get(body, "exec_id");
	struct skiff_error bad = ERROR_INIT;

	*ret_exec_id = json_string_value(value);
	if (!value)
		return;
	if (!*ret_exec_id || id_check("exec", *ret_exec_id, &bad) < 0)
		json_fault(faults, "/exec_id", "is not the id of an exec");
	else if (json_object_get(body, "all") || json_object_get(body, "pid"))
		json_fault(faults, "/exec_id",
			   "goes not together with all or pid");
}

/* {"signal": "TERM" | 15, "all": false, "pid": 1, "exec_id"}; all optional. */
static int
take_kill(struct request *request, struct task_kill *kill,
	  const char **ret_exec_id, struct skiff_error *err)
{
	static const char *const fields[] = { "signal", "all", "pid",
					      "exec_id" };
	struct json_faults *faults = request_faults(request);
	const json_t *all;
	const json_t *pid;
	json_t *body;

	if (take_body(request, fields, ARRAY_SIZE(fields), &body, err) < 0)
		return -1;
	take_signal(json_object_get(body, "signal"), &kill->signal, faults);
	all = json_object_get(body, "all");
	pid = json_object_get(body, "pid");
	if (all && !json_is_boolean(all))
		json_fault(faults, "/all", "must be true or false");
	kill->want_all = json_is_true(all);
	kill->pid = (pid_t)json_integer_value(pid);
	if (pid && (!json_is_integer(pid) || json_integer_value(pid) < 1 ||
		    json_integer_value(pid) > INT32_MAX))
		json_fault(faults, "/pid", "must be the number of a process");
	else if (pid && kill->want_all)
		json_fault(faults, "/pid", "goes not together with all");
	take_exec_id(body, ret_exec_id, faults);
	return check_faults(request, err);
}

int
tasks_kill(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	struct task_kill kill = { .signal = SIGTERM };
	struct services *services = context;
	const char *exec_id;
	struct record_ref ref;

	if (take_task(request, &ref, err) < 0 ||
	    take_kill(request, &kill, &exec_id, err) < 0 ||
	    (exec_id
		 ? exec_kill(services->tasks, ref.ns, ref.key, exec_id,
			     kill.signal, err)
		 : task_kill(services->tasks, ref.ns, ref.key, &kill, err)) < 0)
		return -1;
	return answer_record(services, &ref, ret, err);
}

int
execs_kill(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	static const char *const fields[] = { "signal" };
	struct services *services = context;
	cleanup_free char *key = NULL;
	struct exec_place place;
	struct record_ref ref;
	int signal = SIGTERM;
	json_t *body;

	if (take_exec(request, &place, err) < 0 ||
	    take_body(request, fields, ARRAY_SIZE(fields), &body, err) < 0)
		return -1;
	take_signal(json_object_get(body, "signal"), &signal,
		    request_faults(request));
	if (check_faults(request, err) < 0 ||
	    exec_kill(services->tasks, place.ns, place.task, place.exec, signal,
		      err) < 0)
		return -1;
	key = xasprintf("%s/%s", place.task, place.exec);
	ref = (struct record_ref){ RECORD_EXEC, place.ns, key };
	return answer_record(services, &ref, ret, err);
}

/* --- stop --------------------------------------------------------------- */

/* Seconds, or "1m30s". */
static void
take_timeout(const json_t *value, int64_t *ret_ns, struct json_faults *faults)
{
	struct skiff_error bad = ERROR_INIT;
	int64_t ns = -1;

	if (!value)
		return;
	if (json_is_string(value)) {
		if (parse_duration(json_string_value(value), &ns, &bad) < 0)
			ns = -1;
	} else if (json_is_number(value) && json_number_value(value) >= 0 &&
		   json_number_value(value) <= (double)TIMEOUT_MAX_S) {
		ns =
		    (int64_t)(json_number_value(value) * (double)NS_PER_SECOND);
	}
	if (ns < 0 || ns > TIMEOUT_MAX_S * NS_PER_SECOND)
		json_fault(faults, "/timeout",
			   "must be seconds or a duration such as 1m30s, at "
			   "most a year");
	*ret_ns = ns;
}

int
take_stop(struct request *request, struct task_stop *stop,
	  struct skiff_error *err)
{
	static const char *const fields[] = { "signal", "timeout" };
	struct json_faults *faults = request_faults(request);
	json_t *body;

	if (take_body(request, fields, ARRAY_SIZE(fields), &body, err) < 0)
		return -1;
	take_signal(json_object_get(body, "signal"), &stop->signal, faults);
	take_timeout(json_object_get(body, "timeout"), &stop->timeout_ns,
		     faults);
	return check_faults(request, err);
}

struct stopping {
	struct services *services;
	struct watch *watch;
	char *ns;
	char *id;
};

static void
stopping_free(void *arg)
{
	struct stopping *stopping = arg;

	watch_free(stopping->watch);
	free(stopping->ns);
	free(stopping->id);
	free(stopping);
}

/* Stopped, or started again since, when it was. */
static bool
has_stopped(const json_t *task)
{
	return strcmp(json_get_text(task, "state"), "stopped") == 0 ||
	       !json_object_get(task, "stop_requested_at");
}

static int
poll_stopped(void *arg, bool timed_out, struct response **ret,
	     struct skiff_error *err)
{
	struct stopping *stopping = arg;
	struct record_ref ref = { RECORD_TASK, stopping->ns, stopping->id };
	cleanup_json json_t *task = NULL;
	cleanup_free char *doc = NULL;
	int64_t revision;

	if (record_get(stopping->services->db, &ref, &doc, &revision, err) <
		0 ||
	    json_parse(doc, strlen(doc), &task, err) < 0)
		return -1;
	if (has_stopped(task)) {
		*ret = document_response(200, STEAL_PTR(doc), revision);
		return 0;
	}
	if (!timed_out)
		return 0;
	(void)err_set(err, SKIFF_DEADLINE_EXCEEDED,
		      "task %s does not end on SIGKILL", stopping->id);
	(void)err_object(err, "task", stopping->id);
	return err_state(err, json_get_text(task, "state"));
}

static const struct wait_ops wait_for_stop = {
	.poll = poll_stopped,
	.free = stopping_free,
};

int
tasks_stop(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	struct task_stop stop = { .timeout_ns = -1 };
	struct services *services = context;
	struct stopping *stopping;
	struct record_ref ref;
	int64_t kill_in_ns;

	if (take_task(request, &ref, err) < 0 ||
	    take_stop(request, &stop, err) < 0 ||
	    task_stop(services->tasks, ref.ns, ref.key, &stop, &kill_in_ns,
		      err) < 0)
		return -1;
	stopping = xcalloc(1, sizeof(*stopping));
	stopping->services = services;
	stopping->ns = xstrdup(ref.ns);
	stopping->id = xstrdup(ref.key);
	stopping->watch = watch_new(services->bus, ref.ns, ref.key, request);
	*ret =
	    response_wait(&wait_for_stop, stopping,
			  deadline_in_ms((kill_in_ns + GRACE_NS) / NS_PER_MS));
	return 0;
}
