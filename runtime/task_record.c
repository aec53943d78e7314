/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of a task: its document, its transitions and their events.
 * Each function is one transaction.
 */
#include "config.h"

#include "runtime/health.h"
#include "runtime/restart.h"
#include "runtime/task_internal.h"

#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "runtime/checkpoint/restore.h"
#include "store/half_made.h"
#include "store/record.h"

static const char *const state_names[] = {
	[TASK_CREATED] = "created", [TASK_RUNNING] = "running",
	[TASK_PAUSING] = "pausing", [TASK_PAUSED] = "paused",
	[TASK_STOPPED] = "stopped",
};

const char *
task_state_name(enum task_state state)
{
	return state < ARRAY_SIZE(state_names) ? state_names[state] : "deleted";
}

enum task_state
task_state_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(state_names); i++)
		if (strcmp(state_names[i], name) == 0)
			return (enum task_state)i;
	return TASK_DELETED;
}

static struct record_ref
task_ref_of(const struct task *task)
{
	return (struct record_ref){ RECORD_TASK, task->ns, task->id };
}

/* What a closure works on, and what it gives back. */
struct write {
	struct task *task;
	pid_t pid;
	const struct shim_exit *exit;
	const char *reason;
	int64_t delay_ms; /* until it comes back */
	enum task_state state;
	const char *verb;
	int64_t kill_at_ns;
	bool is_restart; /* follows the stop */
	const json_t *resources;
	int64_t oom_kills; /* as the kernel counts them, or less */
	const struct task_changes *changes;
	json_t *object; /* the new document */
};

static void
write_done(struct write *write)
{
	json_decref(write->object);
}

static int
give_document(const struct write *write, char **ret_doc, int64_t *ret_revision)
{
	*ret_doc = json_text(write->object);
	*ret_revision = json_get_int(write->object, "revision", 0);
	return 0;
}

/* The document of the task as it is, to be changed. */
static int
load(struct write *write, struct tx *tx, struct skiff_error *err)
{
	struct record_ref ref = task_ref_of(write->task);

	json_decref(write->object);
	write->object = NULL;
	return record_load(tx_conn(tx), &ref, &write->object, err);
}

static int
start_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	struct record_ref ref = task_ref_of(write->task);
	cleanup_json json_t *event = NULL;
	struct change change = { .verb = "start" };

	if (load(write, tx, err) < 0)
		return -1;
	event = json_pack("{s:s, s:i}", "container_id", write->task->id, "pid",
			  (int)write->pid);
	change.event = event;
	if (half_made_remove(tx, write->task->ns, write->task->id, err) < 0)
		return -1;
	health_note_start(write->task, write->object);
	json_set_text(write->object, "state", "running");
	json_set_time(write->object, "started_at", clock_realtime_ns());
	(void)json_object_del(write->object, "stop_requested_at");
	return record_update(tx, &ref, write->object, &change, err);
}

static int
insert_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	struct task *task = write->task;
	struct record_ref container = { RECORD_CONTAINER, task->ns, task->id };
	struct record_ref ref = task_ref_of(task);
	cleanup_json json_t *event = NULL;
	struct change change = { 0 };

	/* It may have been deleted while the runtime was at work. */
	if (!record_exists(tx_conn(tx), &container))
		return err_not_found(err, "container", task->id);
	event = json_pack("{s:s, s:s, s:i}", "container_id", task->id, "bundle",
			  task->dir, "pid", (int)write->pid);
	if (task->restore)
		json_set_text(event, "checkpoint",
			      restore_image(task->restore));
	change.event = event;
	json_decref(write->object);
	write->object =
	    json_pack("{s:s, s:s, s:s, s:i, s:b, s:b, s:O, s:[], s:i}", "id",
		      task->id, "container", task->id, "state", "created",
		      "pid", (int)write->pid, "oom", 0, "terminal",
		      task->has_terminal, "stdio", task->stdio, "execs",
		      "restart_count", 0);
	if (task->options)
		(void)json_object_set(write->object, "options", task->options);
	if (record_insert(tx, &ref, write->object, &change, err) < 0)
		return -1;
	if (!task->restore)
		return 0;
	/* It runs, on the checkpoint's files, from its creation on. */
	if (restore_commit_in(task->restore, tx, err) < 0)
		return -1;
	return start_closure(tx, write, err);
}

int
task_record_insert(struct task *task, pid_t pid, char **ret_doc,
		   int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = { .task = task, .pid = pid };

	if (db_write(task->tasks->db, insert_closure, &write, err) < 0)
		return -1;
	return give_document(&write, ret_doc, ret_revision);
}

int
task_record_started(struct task *task, pid_t pid, char **ret_doc,
		    int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = { .task = task, .pid = pid };

	if (db_write(task->tasks->db, start_closure, &write, err) < 0)
		return -1;
	return give_document(&write, ret_doc, ret_revision);
}

static int
state_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	struct record_ref ref = task_ref_of(write->task);
	cleanup_json json_t *event = NULL;
	struct change change = { .verb = write->verb };

	if (load(write, tx, err) < 0)
		return -1;
	event = json_pack("{s:s, s:s}", "container_id", write->task->id,
			  "state", task_state_name(write->state));
	change.event = event;
	json_set_text(write->object, "state", task_state_name(write->state));
	return record_update(tx, &ref, write->object, &change, err);
}

int
task_record_state(struct task *task, enum task_state state, const char *verb,
		  char **ret_doc, int64_t *ret_revision,
		  struct skiff_error *err)
{
	CLEANUP(write_done)
	struct write write = { .task = task, .state = state, .verb = verb };

	if (db_write(task->tasks->db, state_closure, &write, err) < 0)
		return -1;
	return give_document(&write, ret_doc, ret_revision);
}

static int
stop_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	struct record_ref ref = task_ref_of(write->task);
	cleanup_json json_t *event = NULL;
	struct change change = { .verb = "update" };
	const char *wish;

	if (load(write, tx, err) < 0)
		return -1;
	wish = write->is_restart ? "restart_requested_at" : "stop_requested_at";
	(void)json_object_del(write->object, "stop_requested_at");
	(void)json_object_del(write->object, "restart_requested_at");
	json_set_time(write->object, wish, clock_realtime_ns());
	json_set_time(write->object, "kill_at", write->kill_at_ns);
	event = json_pack("{s:s, s:O, s:O}", "container_id", write->task->id,
			  wish, json_object_get(write->object, wish), "kill_at",
			  json_object_get(write->object, "kill_at"));
	change.event = event;
	return record_update(tx, &ref, write->object, &change, err);
}

int
task_record_stop(struct task *task, int64_t kill_at_ns, bool is_restart,
		 struct skiff_error *err)
{
	CLEANUP(write_done)
	struct write write = { .task = task,
			       .kill_at_ns = kill_at_ns,
			       .is_restart = is_restart };

	return db_write(task->tasks->db, stop_closure, &write, err);
}

/* The event tells all of them, as it does when they change alone. */
static void
set_labels(json_t *object, const json_t *patch, json_t *event)
{
	json_t *labels = json_object_get(object, "labels");

	labels_merge(labels, patch);
	(void)json_object_set(event, "labels", labels);
}

static int
changes_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	struct record_ref ref = task_ref_of(write->task);
	cleanup_json json_t *event = NULL;
	const json_t *labels = write->changes->labels;
	struct change change = { .verb = "update",
				 .if_match = write->changes->if_match };

	if (load(write, tx, err) < 0)
		return -1;
	event = json_pack("{s:s, s:O}", "container_id", write->task->id,
			  "resources", write->resources);
	(void)json_object_set(write->object, "resources",
			      (json_t *)write->resources);
	if (labels)
		set_labels(write->object, labels, event);
	change.event = event;
	return record_update(tx, &ref, write->object, &change, err);
}

int
task_record_changes(struct task *task, const struct task_changes *changes,
		    const json_t *resources, char **ret_doc,
		    int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(write_done)
	struct write write = { .task = task,
			       .changes = changes,
			       .resources = resources };

	if (db_write(task->tasks->db, changes_closure, &write, err) < 0)
		return -1;
	return give_document(&write, ret_doc, ret_revision);
}

static json_t *
exit_event(const struct write *write)
{
	json_t *event = json_pack("{s:s, s:s, s:I, s:i}", "container_id",
				  write->task->id, "id", write->task->id, "pid",
				  json_get_int(write->object, "pid", 0),
				  "exit_status", (int)write->exit->status);

	json_set_time(event, "exited_at", write->exit->exited_ns);
	if (write->exit->lost_bytes > 0)
		json_set_int(event, "lost_bytes",
			     (int64_t)write->exit->lost_bytes);
	json_set_text(event, "reason", write->reason);
	json_set_text(event, "restart_at",
		      json_string_value(json_object_get(
			  json_object_get(write->object, "restart"), "at")));
	return event;
}

/* Unless the record knows of them. */
static int
append_oom(struct write *write, struct tx *tx, int64_t oom_kills,
	   struct skiff_error *err)
{
	struct record_ref ref = task_ref_of(write->task);
	cleanup_json json_t *event =
	    json_pack("{s:s, s:I}", "container_id", write->task->id,
		      "oom_kills", (json_int_t)oom_kills);
	struct change change = { .verb = "oom", .event = event };

	if (oom_kills <= json_get_int(write->object, "oom_kills", 0))
		return 0;
	json_set_bool(write->object, "oom", true);
	json_set_int(write->object, "oom_kills", oom_kills);
	return record_update(tx, &ref, write->object, &change, err);
}

static int
oom_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;

	if (load(write, tx, err) < 0)
		return -1;
	return append_oom(write, tx, write->oom_kills, err);
}

int
task_record_oom(struct task *task, int64_t oom_kills, struct skiff_error *err)
{
	CLEANUP(write_done)
	struct write write = { .task = task, .oom_kills = oom_kills };

	return db_write(task->tasks->db, oom_closure, &write, err);
}

static int
exit_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	struct record_ref ref = task_ref_of(write->task);
	cleanup_json json_t *event = NULL;
	struct change change = { .verb = "exit" };
	int64_t oom_kills = write->oom_kills;

	/* The shim saw one, and perhaps only it can. */
	if (oom_kills < 1 && write->exit->was_oom)
		oom_kills = 1;
	if (load(write, tx, err) < 0 ||
	    append_oom(write, tx, oom_kills, err) < 0)
		return -1;
	json_set_text(write->object, "state", "stopped");
	(void)json_object_del(write->object, "kill_at");
	json_set_int(write->object, "exit_status", write->exit->status);
	json_set_time(write->object, "exited_at", write->exit->exited_ns);
	if (write->exit->lost_bytes > 0)
		json_set_int(write->object, "lost_bytes",
			     (int64_t)write->exit->lost_bytes);
	json_set_text(write->object, "reason", write->reason);
	if (restart_plan_exit(tx_conn(tx), write->task, write->object,
			      &write->delay_ms, err) < 0)
		return -1;
	event = exit_event(write);
	change.event = event;
	return record_update(tx, &ref, write->object, &change, err);
}

int
task_record_exited(struct task *task, const struct shim_exit *exit,
		   const char *reason, int64_t *ret_delay_ms,
		   struct skiff_error *err)
{
	CLEANUP(write_done)
	struct write write = { .task = task,
			       .exit = exit,
			       .reason = reason,
			       .oom_kills = task_oom_kills(task) };

	if (db_write(task->tasks->db, exit_closure, &write, err) < 0)
		return -1;
	*ret_delay_ms = write.delay_ms;
	return 0;
}

static int
delete_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	struct record_ref ref = task_ref_of(write->task);
	cleanup_json json_t *event = NULL;
	struct change change = { .verb = "delete" };

	if (write->task->state != TASK_STOPPED &&
	    exit_closure(tx, write, err) < 0)
		return -1;
	if (load(write, tx, err) < 0 ||
	    execs_record_delete_all(write->task, tx, err) < 0)
		return -1;
	event =
	    json_pack("{s:s, s:s, s:O, s:O, s:O}", "container_id",
		      write->task->id, "id", write->task->id, "pid",
		      json_object_get(write->object, "pid"), "exit_status",
		      json_object_get(write->object, "exit_status"),
		      "exited_at", json_object_get(write->object, "exited_at"));
	change.event = event;
	return record_delete(tx, &ref, &change, err);
}

int
task_record_delete(struct task *task, const struct shim_exit *exit,
		   json_t **ret_exit, struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = { .task = task, .exit = exit };

	if (db_write(task->tasks->db, delete_closure, &write, err) < 0)
		return -1;
	*ret_exit =
	    json_pack("{s:O, s:O}", "exit_status",
		      json_object_get(write.object, "exit_status"), "exited_at",
		      json_object_get(write.object, "exited_at"));
	return 0;
}
