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

struct write {
	struct task *task;
	const struct skiff_error *why;
	int64_t delay_ms;
};

static struct record_ref
task_ref_of(const struct task *task)
{
	return (struct record_ref){ RECORD_TASK, task->ns, task->id };
}

static int
update(struct tx *tx, const struct task *task, json_t *object, const char *verb,
       const json_t *event, struct skiff_error *err)
{
	struct record_ref ref = task_ref_of(task);
	struct change change = { .verb = verb, .event = event };

	return record_update(tx, &ref, object, &change, err);
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
	const struct write *write = arg;
	struct task *task = write->task;
	struct record_ref ref = task_ref_of(task);
	int pid = (int)shim_client_init_pid(task->client);
	cleanup_json json_t *object = NULL;
	cleanup_json json_t *restart = NULL;
	cleanup_json json_t *start = NULL;
	int64_t count;

	if (execs_record_delete_all(task, tx, err) < 0 ||
	    record_load(tx_conn(tx), &ref, &object, err) < 0)
		return -1;
	count = json_get_int(object, "restart_count", 0) + 1;
	restart =
	    json_pack("{s:s, s:i, s:I, s:s}", "container_id", task->id, "pid",
		      pid, "restart_count", (json_int_t)count, "reason",
		      task->is_restart_asked ? "request" : "policy");
	start = json_pack("{s:s, s:i}", "container_id", task->id, "pid", pid);
	forget_run(task, object);
	health_note_start(task, object);
	json_set_int(object, "restart_count", count);
	json_set_int(object, "pid", pid);
	json_set_text(object, "state", task_state_name(TASK_CREATED));
	if (update(tx, task, object, "restart", restart, err) < 0)
		return -1;
	json_set_text(object, "state", task_state_name(TASK_RUNNING));
	json_set_time(object, "started_at", clock_realtime_ns());
	return update(tx, task, object, "start", start, err);
}

int
task_record_restarted(struct task *task, struct skiff_error *err)
{
	struct write write = { .task = task };

	return db_write(task->tasks->db, restarted_closure, &write, err);
}

static int
failed_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	const struct task *task = write->task;
	const struct skiff_error *why = write->why;
	struct record_ref ref = task_ref_of(task);
	cleanup_json json_t *object = NULL;
	cleanup_json json_t *event = NULL;
	cleanup_json json_t *error = NULL;
	json_t *restart;

	if (record_load(tx_conn(tx), &ref, &object, err) < 0)
		return -1;
	if (restart_plan_retry(tx_conn(tx), task, object, &write->delay_ms,
			       err) < 0)
		return -1;
	error = json_pack("{s:s, s:s}", "code", err_code_name(why->code),
			  "detail", why->text);
	json_set_text(error, "reason", why->reason);
	restart = json_object_get(object, "restart");
	(void)json_object_set(restart, "error", error);
	json_set_text(object, "reason", "restart_failed");
	(void)json_object_del(object, "restart_requested_at");
	event = json_pack("{s:s, s:s, s:O}", "container_id", task->id, "reason",
			  "restart_failed", "error", error);
	if (json_object_get(restart, "at"))
		(void)json_object_set(event, "restart_at",
				      json_object_get(restart, "at"));
	return update(tx, task, object, "restart-failed", event, err);
}

int
task_record_restart_failed(struct task *task, const struct skiff_error *why,
			   int64_t *ret_delay_ms, struct skiff_error *err)
{
	struct write write = { .task = task, .why = why };

	if (db_write(task->tasks->db, failed_closure, &write, err) < 0)
		return -1;
	*ret_delay_ms = write.delay_ms;
	return 0;
}

static int
drop_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct write *write = arg;
	const struct task *task = write->task;
	struct record_ref ref = task_ref_of(task);
	cleanup_json json_t *object = NULL;
	cleanup_json json_t *event =
	    json_pack("{s:s}", "container_id", task->id);

	if (record_load(tx_conn(tx), &ref, &object, err) < 0)
		return -1;
	(void)json_object_del(json_object_get(object, "restart"), "at");
	return update(tx, task, object, "update", event, err);
}

int
task_record_restart_dropped(struct task *task, struct skiff_error *err)
{
	struct write write = { .task = task };

	return db_write(task->tasks->db, drop_closure, &write, err);
}

/* "stop_requested_at" or "restart_requested_at", and not the other. */
static void
set_wish(json_t *object, const char *wish)
{
	(void)json_object_del(object, "stop_requested_at");
	(void)json_object_del(object, "restart_requested_at");
	json_set_time(object, wish, clock_realtime_ns());
}

static int
say_wish(struct tx *tx, const struct task *task, json_t *object,
	 const char *wish, struct skiff_error *err)
{
	cleanup_json json_t *event =
	    json_pack("{s:s, s:O}", "container_id", task->id, wish,
		      json_object_get(object, wish));

	return update(tx, task, object, "update", event, err);
}

static int
stop_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct write *write = arg;
	const struct task *task = write->task;
	struct record_ref ref = task_ref_of(task);
	cleanup_json json_t *object = NULL;

	if (record_load(tx_conn(tx), &ref, &object, err) < 0)
		return -1;
	set_wish(object, "stop_requested_at");
	(void)json_object_del(json_object_get(object, "restart"), "at");
	return say_wish(tx, task, object, "stop_requested_at", err);
}

int
task_record_stop_wanted(struct task *task, struct skiff_error *err)
{
	struct write write = { .task = task };

	return db_write(task->tasks->db, stop_closure, &write, err);
}

static int
ask_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct write *write = arg;
	const struct task *task = write->task;
	struct record_ref ref = task_ref_of(task);
	cleanup_json json_t *object = NULL;

	if (record_load(tx_conn(tx), &ref, &object, err) < 0)
		return -1;
	set_wish(object, "restart_requested_at");
	restart_plan_now(object);
	return say_wish(tx, task, object, "restart_requested_at", err);
}

int
task_record_restart_wanted(struct task *task, struct skiff_error *err)
{
	struct write write = { .task = task };

	return db_write(task->tasks->db, ask_closure, &write, err);
}
