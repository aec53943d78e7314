/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks/{id}/restart.
 *
 * It is begun by a worker. What comes of it the events tell, to which the
 * request listens without a thread; the daemon goes on with it whether or
 * not it is still there.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/common.h"
#include "handlers/stop.h"
#include "handlers/watch.h"
#include "runtime/task.h"
#include "store/events/log.h"

/* The end, and the new run: its steps have deadlines of their own. */
#define RESTART_GRACE_NS (180 * NS_PER_SECOND)
#define EVENTS_AT_ONCE 256

struct restarting {
	struct services *services;
	struct watch *watch;
	char *ns;
	char *id;
	int64_t after; /* the event up to which it has looked */
	json_t *end;   /* the event that tells what came of it */
	char *topic;
};

static void
restarting_free(void *arg)
{
	struct restarting *restarting = arg;

	watch_free(restarting->watch);
	json_decref(restarting->end);
	free(restarting->topic);
	free(restarting->ns);
	free(restarting->id);
	free(restarting);
}

static bool
is_end(const char *topic, const json_t *event)
{
	return strcmp(topic, "/tasks/start") == 0 ||
	       strcmp(topic, "/tasks/restart-failed") == 0 ||
	       strcmp(topic, "/tasks/delete") == 0 ||
	       (strcmp(topic, "/tasks/update") == 0 &&
		json_object_get(event, "stop_requested_at"));
}

static void
take_event(void *arg, int64_t id, const char *topic, const char *doc)
{
	struct restarting *restarting = arg;
	cleanup_json json_t *json = NULL;
	json_t *event;

	restarting->after = id;
	if (restarting->end || strncmp(topic, "/tasks/", 7) != 0)
		return;
	json = json_loads(doc, 0, NULL);
	event = json_object_get(json, "event");
	if (strcmp(json_get_text(event, "container_id"), restarting->id) != 0 ||
	    json_object_get(event, "exec_id") || !is_end(topic, event))
		return;
	restarting->end = json_incref(event);
	restarting->topic = xstrdup(topic);
}

/* What came of it instead. */
static int
say_failure(const struct restarting *restarting, struct skiff_error *err)
{
	const json_t *error = json_object_get(restarting->end, "error");

	if (strcmp(restarting->topic, "/tasks/delete") == 0)
		return err_not_found(err, "task", restarting->id);
	if (!error) {
		(void)err_set(err, SKIFF_ABORTED,
			      "task %s was stopped before it came back",
			      restarting->id);
	} else {
		(void)err_set(err,
			      err_code_from_name(json_get_text(error, "code")),
			      "restart task %s: %s", restarting->id,
			      json_get_text(error, "detail"));
		(void)err_reason(err, "restart_failed");
	}
	return err_object(err, "task", restarting->id);
}

static int
poll_restarted(void *arg, bool timed_out, struct response **ret,
	       struct skiff_error *err)
{
	struct restarting *restarting = arg;
	struct record_ref ref = { RECORD_TASK, restarting->ns, restarting->id };
	int n;

	do {
		n = event_read(restarting->services->db, restarting->ns,
			       restarting->after, EVENTS_AT_ONCE, take_event,
			       restarting, err);
	} while (n == EVENTS_AT_ONCE && !restarting->end);
	if (n < 0)
		return -1;
	if (!restarting->end && !timed_out)
		return 0;
	if (!restarting->end)
		return err_set(err, SKIFF_DEADLINE_EXCEEDED,
			       "task %s has not come back", restarting->id);
	if (strcmp(restarting->topic, "/tasks/start") != 0)
		return say_failure(restarting, err);
	return answer_record(restarting->services, &ref, ret, err);
}

static const struct wait_ops wait_for_restart = {
	.poll = poll_restarted,
	.free = restarting_free,
};

int
tasks_restart(struct request *request, void *context, struct response **ret,
	      struct skiff_error *err)
{
	struct task_stop stop = { .timeout_ns = -1 };
	struct services *services = context;
	struct restarting *restarting;
	struct record_ref ref;
	struct task_restart begun;

	if (take_task(request, &ref, err) < 0 ||
	    take_stop(request, &stop, err) < 0 ||
	    task_restart(services->tasks, ref.ns, ref.key, &stop, &begun, err) <
		0)
		return -1;
	restarting = xcalloc(1, sizeof(*restarting));
	restarting->services = services;
	restarting->ns = xstrdup(ref.ns);
	restarting->id = xstrdup(ref.key);
	restarting->after = begun.after;
	restarting->watch = watch_new(services->bus, ref.ns, ref.key, request);
	*ret =
	    response_wait(&wait_for_restart, restarting,
			  deadline_in_ms((begun.kill_in_ns + RESTART_GRACE_NS) /
					 NS_PER_MS));
	return 0;
}
