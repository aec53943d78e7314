/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What restarts write into the record of a task, each in one transaction
 * with its events.
 */
#include "config.h"

#include "runtime/restart.h"

#include "base/clock.h"
#include "base/json.h"
#include "runtime/health.h"
#include "runtime/task_internal.h"
#include "store/record.h"

/* What a closure works on, and what it gives back. */
struct write {
	struct task *task;
	const struct skiff_error *why;
	int64_t delay_ms;
	json_t *object; /* the new document */
	json_t *event;
};

static void
write_done(struct write *write)
{
	json_decref(write->object);
	json_decref(write->event);
}

static void
begin_event(struct write *write)
{
	json_decref(write->event);
	write->event = json_pack("{s:s}", "container_id", write->task->id);
}

static struct record_ref
ref_of(const struct write *write)
{
	return (struct record_ref){ RECORD_TASK, write->task->ns,
				    write->task->id };
}

/* The document of the task as it is, to be changed. */
static int
load(struct write *write, struct tx *tx, struct skiff_error *err)
{
	struct record_ref ref = ref_of(write);

	json_decref(write->object);
	write->object = NULL;
	begin_event(write);
	return record_load(tx_conn(tx), &ref, &write->object, err);
}

static int
update(struct write *write, struct tx *tx, const char *verb,
       struct skiff_error *err)
{
	struct record_ref ref = ref_of(write);
	struct change change = { .verb = verb, .event = write->event };

	return record_update(tx, &ref, write->object, &change, err);
}

/* What was said of the run before does not hold for this one. */
static void
forget_run(const struct task *task, json_t *object)
{
	static const char *const of_a_run[] = { "exit_status",
						"exited_at",
						"started_at",
						"reason",
						"stop_requested_at",
						"kill_at",
						"restart_requested_at",
						"oom_kills",
						"lost_bytes" };
	json_t *restart = json_object_get(object, "restart");

	for (size_t i = 0; i < ARRAY_SIZE(of_a_run); i++)
		(void)json_object_del(object, of_a_run[i]);
	json_set_bool(object, "oom", false);
	(void)json_object_set_new(object, "execs", json_array());
	(void)json_object_del(restart, "at");
	(void)json_object_del(restart, "error");
	if (!task->is_restart_asked)
		return;
	(void)json_object_del(object, "restart");
	(void)json_object_del(object, "resources");
}

static int
restarted_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	struct task *task = write->task;
	int pid = (int)shim_client_init_pid(task->client);
	int64_t count;

	if (execs_record_delete_all(task, tx, err) < 0 ||
	    load(write, tx, err) < 0)
		return -1;
	count = json_get_int(write->object, "restart_count", 0) + 1;
	json_set_int(write->event, "pid", pid);
	json_set_int(write->event, "restart_count", count);
	json_set_text(write->event, "reason",
		      task->is_restart_asked ? "request" : "policy");
	forget_run(task, write->object);
	health_note_start(task, write->object);
	json_set_int(write->object, "restart_count", count);
	json_set_int(write->object, "pid", pid);
	json_set_text(write->object, "state", task_state_name(TASK_CREATED));
	if (update(write, tx, "restart", err) < 0)
		return -1;
	begin_event(write);
	json_set_int(write->event, "pid", pid);
	json_set_text(write->object, "state", task_state_name(TASK_RUNNING));
	json_set_time(write->object, "started_at", clock_realtime_ns());
	return update(write, tx, "start", err);
}

int
task_record_restarted(struct task *task, struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = { .task = task };

	return db_write(task->tasks->db, restarted_closure, &write, err);
}

static int
failed_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	const struct skiff_error *why = write->why;
	cleanup_json json_t *error =
	    json_pack("{s:s, s:s}", "code", err_code_name(why->code), "detail",
		      why->text);
	json_t *restart;

	json_set_text(error, "reason", why->reason);
	if (load(write, tx, err) < 0 ||
	    restart_plan_retry(tx_conn(tx), write->task, write->object,
			       &write->delay_ms, err) < 0)
		return -1;
	restart = json_object_get(write->object, "restart");
	(void)json_object_set(restart, "error", error);
	json_set_text(write->object, "reason", "restart_failed");
	(void)json_object_del(write->object, "restart_requested_at");
	json_set_text(write->event, "reason", "restart_failed");
	(void)json_object_set(write->event, "error", error);
	if (json_object_get(restart, "at"))
		(void)json_object_set(write->event, "restart_at",
				      json_object_get(restart, "at"));
	return update(write, tx, "restart-failed", err);
}

int
task_record_restart_failed(struct task *task, const struct skiff_error *why,
			   int64_t *ret_delay_ms, struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = { .task = task, .why = why };

	if (db_write(task->tasks->db, failed_closure, &write, err) < 0)
		return -1;
	*ret_delay_ms = write.delay_ms;
	return 0;
}

static int
drop_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;

	if (load(write, tx, err) < 0)
		return -1;
	(void)json_object_del(json_object_get(write->object, "restart"), "at");
	return update(write, tx, "update", err);
}

int
task_record_restart_dropped(struct task *task, struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = { .task = task };

	return db_write(task->tasks->db, drop_closure, &write, err);
}

/* "stop_requested_at" or "restart_requested_at", and not the other. */
static void
set_wish(struct write *write, const char *wish)
{
	(void)json_object_del(write->object, "stop_requested_at");
	(void)json_object_del(write->object, "restart_requested_at");
	json_set_time(write->object, wish, clock_realtime_ns());
	(void)json_object_set(write->event, wish,
			      json_object_get(write->object, wish));
}

static int
stop_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;

	if (load(write, tx, err) < 0)
		return -1;
	set_wish(write, "stop_requested_at");
	(void)json_object_del(json_object_get(write->object, "restart"), "at");
	return update(write, tx, "update", err);
}

int
task_record_stop_wanted(struct task *task, struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = { .task = task };

	return db_write(task->tasks->db, stop_closure, &write, err);
}

static int
ask_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;

	if (load(write, tx, err) < 0)
		return -1;
	set_wish(write, "restart_requested_at");
	restart_plan_now(write->object);
	return update(write, tx, "update", err);
}

int
task_record_restart_wanted(struct task *task, struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = { .task = task };

	return db_write(task->tasks->db, ask_closure, &write, err);
}
