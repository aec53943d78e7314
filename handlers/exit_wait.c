/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for the end of a task or of an exec.
 */
#include "config.h"

#include "handlers/exit_wait.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/watch.h"
#include "store/events/log.h"
#include "store/record.h"

#define WAIT_MAX_NS (INT64_C(365) * 86400 * NS_PER_SECOND)
#define BATCH 256

struct exit_wait {
	struct services *services;
	struct watch *watch;
	enum record_kind kind;
	char *ns;
	char *task_id;
	char *id;      /* of the task or exec, as events have it */
	char *key;     /* of its record */
	int64_t after; /* the event up to which it has looked */
	bool has_looked;
	json_t *exit; /* once it is known */
};

struct exit_wait *
exit_wait_new(struct services *services, struct request *request,
	      const char *ns, const char *task_id, const char *exec_id)
{
	struct exit_wait *wait = xcalloc(1, sizeof(*wait));

	wait->services = services;
	wait->kind = exec_id ? RECORD_EXEC : RECORD_TASK;
	wait->ns = xstrdup(ns);
	wait->task_id = xstrdup(task_id);
	wait->id = xstrdup(exec_id ? exec_id : task_id);
	wait->key =
	    exec_id ? xasprintf("%s/%s", task_id, exec_id) : xstrdup(task_id);
	wait->watch = watch_new(services->bus, ns, wait->key, request);
	return wait;
}

void
exit_wait_free(struct exit_wait *wait)
{
	if (!wait)
		return;
	watch_free(wait->watch);
	json_decref(wait->exit);
	free(wait->key);
	free(wait->id);
	free(wait->task_id);
	free(wait->ns);
	free(wait);
}

/* {exit_status, exited_at, reason?}, of a stopped one or its event. */
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
	struct exit_wait *wait = arg;
	const json_t *event;

	wait->after = id;
	if (wait->exit || strcmp(topic, "/tasks/exit") != 0)
		return;
	json = json_loads(doc, 0, NULL);
	event = json_object_get(json, "event");
	if (strcmp(json_get_text(event, "container_id"), wait->task_id) == 0 &&
	    strcmp(json_get_text(event, "id"), wait->id) == 0)
		wait->exit = exit_of(event);
}

static int
read_events(struct exit_wait *wait, struct skiff_error *err)
{
	int n;

	do {
		n = event_read(wait->services->db, wait->ns, wait->after, BATCH,
			       take_event, wait, err);
	} while (n == BATCH && !wait->exit);
	return n < 0 ? -1 : 0;
}

int
exit_wait_expect(struct exit_wait *wait, struct skiff_error *err)
{
	int64_t oldest;

	wait->has_looked = true;
	return event_bounds(wait->services->db, &oldest, &wait->after, err);
}

static int
load(const struct exit_wait *wait, json_t **ret_object, int64_t *ret_revision,
     struct skiff_error *err)
{
	struct record_ref ref = { wait->kind, wait->ns, wait->key };
	cleanup_free char *doc = NULL;

	if (record_get(wait->services->db, &ref, &doc, ret_revision, err) < 0)
		return -1;
	return json_parse(doc, strlen(doc), ret_object, err);
}

/*
 * As it is now; what happens from here on the events tell. Between the two
 * looks one of the same name may have ended and gone: its end is older than
 * the record.
 */
static int
look_at_record(struct exit_wait *wait, struct skiff_error *err)
{
	cleanup_json json_t *object = NULL;
	int64_t revision;

	if (exit_wait_expect(wait, err) < 0 ||
	    load(wait, &object, &revision, err) < 0)
		return -1;
	if (revision > wait->after)
		wait->after = revision;
	if (strcmp(json_get_text(object, "state"), "stopped") == 0)
		wait->exit = exit_of(object);
	return 0;
}

int
exit_wait_poll(struct exit_wait *wait, const json_t **ret_exit,
	       struct skiff_error *err)
{
	if ((wait->has_looked ? read_events(wait, err)
			      : look_at_record(wait, err)) < 0)
		return -1;
	*ret_exit = wait->exit;
	return 0;
}

int
exit_wait_late(struct exit_wait *wait, const json_t **ret_exit,
	       struct skiff_error *err)
{
	cleanup_json json_t *object = NULL;
	const char *noun = record_kind_name(wait->kind);
	struct skiff_error gone = ERROR_INIT;
	int64_t revision;
	const char *state;

	if (load(wait, &object, &revision, &gone) < 0 &&
	    gone.code != SKIFF_NOT_FOUND) {
		*err = gone;
		return -1;
	}
	state = json_get_text(object, "state");
	/* Since it was looked at: that is among the events. */
	if (!object || strcmp(state, "stopped") == 0) {
		if (exit_wait_poll(wait, ret_exit, err) < 0)
			return -1;
		if (*ret_exit)
			return 0;
	}
	if (!object) {
		*err = gone;
		return -1;
	}
	(void)err_set(err, SKIFF_DEADLINE_EXCEEDED, "%s %s is still %s", noun,
		      wait->id, state);
	(void)err_object(err, noun, wait->id);
	return err_state(err, state);
}

int
take_timeout_query(struct request *request, struct deadline *ret_deadline,
		   struct skiff_error *err)
{
	int64_t timeout_ns;

	if (request_query_duration(request, "timeout", -1, &timeout_ns, err) <
	    0)
		return -1;
	*ret_deadline = DEADLINE_NEVER;
	if (timeout_ns >= 0 && timeout_ns < WAIT_MAX_NS)
		*ret_deadline = deadline_in_ms(timeout_ns / NS_PER_MS);
	return 0;
}
