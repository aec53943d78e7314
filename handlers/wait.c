/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks/{id}/wait: answers when a task has ended.
 *
 * A waiter looks at the record once; after that it reads the events that
 * follow. So it learns how the task that it waits for ended even when that
 * was deleted at once, or another took its name, before the waiter could
 * look again.
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
#include "handlers/watch.h"
#include "store/events/log.h"

#define WAIT_MAX_NS (INT64_C(365) * 86400 * NS_PER_SECOND)
#define BATCH 256

struct waiter {
	struct services *services;
	struct watch *watch;
	char *ns;
	char *id;
	int64_t after; /* the event up to which it has looked */
	bool has_looked;
	json_t *exit; /* of the task, once it is known */
};

static void
waiter_free(void *arg)
{
	struct waiter *waiter = arg;

	watch_free(waiter->watch);
	json_decref(waiter->exit);
	free(waiter->ns);
	free(waiter->id);
	free(waiter);
}

/* {exit_status, exited_at, reason?}, of a stopped task or its event. */
static json_t *
exit_of(const json_t *source)
{
	static const char *const fields[] = { "exit_status", "exited_at",
					      "reason" };
	json_t *exit = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		json_t *value = json_object_get(source, fields[i]);

		if (value)
			(void)json_object_set(exit, fields[i], value);
	}
	return exit;
}

static void
take_event(void *arg, int64_t id, const char *topic, const char *doc)
{
	cleanup_json json_t *json = NULL;
	struct waiter *waiter = arg;
	const json_t *event;

	waiter->after = id;
	if (waiter->exit || strcmp(topic, "/tasks/exit") != 0)
		return;
	json = json_loads(doc, 0, NULL);
	event = json_object_get(json, "event");
	if (strcmp(json_get_text(event, "container_id"), waiter->id) == 0 &&
	    strcmp(json_get_text(event, "id"), waiter->id) == 0)
		waiter->exit = exit_of(event);
}

static int
read_events(struct waiter *waiter, struct skiff_error *err)
{
	int n;

	do {
		n = event_read(waiter->services->db, waiter->ns, waiter->after,
			       BATCH, take_event, waiter, err);
	} while (n == BATCH && !waiter->exit);
	return n < 0 ? -1 : 0;
}

/* The task as it is now; what happens from here on the events tell. */
static int
look_at_record(struct waiter *waiter, struct skiff_error *err)
{
	struct record_ref ref = { RECORD_TASK, waiter->ns, waiter->id };
	cleanup_json json_t *task = NULL;
	cleanup_free char *doc = NULL;
	int64_t revision;
	int64_t oldest;

	if (event_bounds(waiter->services->db, &oldest, &waiter->after, err) <
		0 ||
	    record_get(waiter->services->db, &ref, &doc, &revision, err) < 0 ||
	    json_parse(doc, strlen(doc), &task, err) < 0)
		return -1;
	waiter->has_looked = true;
	if (strcmp(json_get_text(task, "state"), "stopped") == 0)
		waiter->exit = exit_of(task);
	return 0;
}

/* SKIFF_DEADLINE_EXCEEDED, with the state that the task is in instead. */
static int
say_late(const struct waiter *waiter, struct skiff_error *err)
{
	struct record_ref ref = { RECORD_TASK, waiter->ns, waiter->id };
	cleanup_json json_t *task = NULL;
	cleanup_free char *doc = NULL;
	int64_t revision;

	if (record_get(waiter->services->db, &ref, &doc, &revision, err) < 0 ||
	    json_parse(doc, strlen(doc), &task, err) < 0)
		return -1;
	(void)err_set(err, SKIFF_DEADLINE_EXCEEDED, "task %s is still %s",
		      waiter->id, json_get_text(task, "state"));
	(void)err_object(err, "task", waiter->id);
	return err_state(err, json_get_text(task, "state"));
}

static int
poll_exit(void *arg, bool timed_out, struct response **ret,
	  struct skiff_error *err)
{
	struct waiter *waiter = arg;
	int r = waiter->has_looked ? read_events(waiter, err)
				   : look_at_record(waiter, err);

	if (r < 0)
		return -1;
	if (waiter->exit)
		*ret = response_json(200, waiter->exit);
	else if (timed_out)
		return say_late(waiter, err);
	return 0;
}

static const struct wait_ops wait_for_exit = {
	.poll = poll_exit,
	.free = waiter_free,
};

int
tasks_wait(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	struct deadline deadline = DEADLINE_NEVER;
	struct services *services = context;
	struct waiter *waiter;
	struct record_ref ref;
	int64_t timeout_ns;

	if (take_task(request, &ref, err) < 0 ||
	    request_query_duration(request, "timeout", -1, &timeout_ns, err) <
		0)
		return -1;
	if (timeout_ns >= 0 && timeout_ns < WAIT_MAX_NS)
		deadline = deadline_in_ms(timeout_ns / NS_PER_MS);
	waiter = xcalloc(1, sizeof(*waiter));
	waiter->services = services;
	waiter->ns = xstrdup(ref.ns);
	waiter->id = xstrdup(ref.key);
	waiter->watch = watch_new(services->bus, ref.ns, ref.key, request);
	*ret = response_wait(&wait_for_exit, waiter, deadline);
	return 0;
}
