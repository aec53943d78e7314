/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of an exec, and the list of execs in its task's. Each function
 * is one transaction. That the list changes is the event of the exec, too.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/strv.h"
#include "runtime/spec/process.h"
#include "runtime/task_exec_internal.h"
#include "store/record.h"

static const char *const state_names[] = {
	[EXEC_CREATED] = "created",
	[EXEC_RUNNING] = "running",
	[EXEC_STOPPED] = "stopped",
};

const char *
exec_state_name(enum exec_state state)
{
	return state < ARRAY_SIZE(state_names) ? state_names[state] : "deleted";
}

/* What a closure works on, and what it gives back. */
struct write {
	struct exec *exec;
	char *key;
	const struct exec_wishes *wishes;
	bool is_started;
	const struct shim_exit *exit;
	const char *reason;
	json_t *object; /* the new document */
};

static void
write_done(struct write *write)
{
	json_decref(write->object);
	free(write->key);
}

static struct write
write_of(struct exec *exec)
{
	return (struct write){
		.exec = exec,
		.key = xasprintf("%s/%s", exec->task->id, exec->id),
	};
}

static struct record_ref
ref_of(const struct write *write)
{
	return (struct record_ref){ RECORD_EXEC, write->exec->task->ns,
				    write->key };
}

/* --- the list in the task's record --------------------------------------- */

static void
drop_text(json_t *array, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		if (strcmp(json_string_value(item), text) == 0) {
			(void)json_array_remove(array, i);
			return;
		}
}

/* *ret_revision: the event that tells of the change. */
static int
write_list(const struct exec *exec, struct tx *tx, bool is_there,
	   const struct change *change, int64_t *ret_revision,
	   struct skiff_error *err)
{
	const struct task *task = exec->task;
	struct record_ref ref = { RECORD_TASK, task->ns, task->id };
	cleanup_json json_t *object = NULL;
	json_t *list;

	if (record_load(tx_conn(tx), &ref, &object, err) < 0)
		return -1;
	list = json_object_get(object, "execs");
	if (is_there)
		(void)json_array_append_new(list, json_string(exec->id));
	else
		drop_text(list, exec->id);
	if (record_update(tx, &ref, object, change, err) < 0)
		return -1;
	*ret_revision = json_get_int(object, "revision", 0);
	return 0;
}

static json_t *
event_of(const struct exec *exec)
{
	return json_pack("{s:s, s:s}", "container_id", exec->task->id,
			 "exec_id", exec->id);
}

/* --- added, started ------------------------------------------------------ */

static json_t *
texts(const struct strv *strv)
{
	json_t *array = json_array();

	for (size_t i = 0; i < strv->n; i++)
		(void)json_array_append_new(array, json_string(strv->items[i]));
	return array;
}

static json_t *
new_object(const struct write *write)
{
	const struct exec_wishes *wishes = write->wishes;
	const struct exec *exec = write->exec;
	json_t *object =
	    json_pack("{s:s, s:s, s:s, s:s, s:o, s:b, s:b, s:O}", "id",
		      exec->id, "task", exec->task->id, "container",
		      exec->task->id, "state", "created", "args",
		      texts(&wishes->args), "terminal", exec->has_terminal,
		      "auto_remove", exec->auto_remove, "stdio", exec->stdio);

	if (wishes->env.n > 0)
		(void)json_object_set_new(object, "env", texts(&wishes->env));
	json_set_text(object, "cwd", wishes->cwd);
	json_set_text(object, "user", wishes->user);
	if (wishes->privileged)
		json_set_bool(object, "privileged", true);
	if (wishes->labels)
		(void)json_object_set(object, "labels", wishes->labels);
	return object;
}

static int
say_started(struct write *write, struct tx *tx, struct skiff_error *err)
{
	const struct exec *exec = write->exec;
	struct record_ref ref = ref_of(write);
	cleanup_json json_t *event = event_of(exec);
	struct change change = { .verb = "exec-started", .event = event };

	json_set_int(event, "pid", exec->pid);
	json_set_text(write->object, "state", "running");
	json_set_int(write->object, "pid", exec->pid);
	json_set_time(write->object, "started_at", clock_realtime_ns());
	return record_update(tx, &ref, write->object, &change, err);
}

static int
insert_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	const struct exec *exec = write->exec;
	struct record_ref ref = ref_of(write);
	cleanup_json json_t *event = event_of(exec);
	struct change added = { .verb = "exec-added", .event = event };
	struct change told = { 0 };

	json_decref(write->object);
	write->object = new_object(write);
	/* The task may have been deleted meanwhile. */
	if (write_list(exec, tx, true, &added, &told.told, err) < 0 ||
	    record_insert(tx, &ref, write->object, &told, err) < 0)
		return -1;
	return write->is_started ? say_started(write, tx, err) : 0;
}

int
exec_record_insert(struct exec *exec, const struct exec_wishes *wishes,
		   bool is_started, struct exec_made *made,
		   struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = write_of(exec);

	write.wishes = wishes;
	write.is_started = is_started;
	if (db_write(exec->task->tasks->db, insert_closure, &write, err) < 0)
		return -1;
	made->doc = json_text(write.object);
	made->revision = json_get_int(write.object, "revision", 0);
	return 0;
}

/* The document as it is, to be changed. */
static int
load(struct write *write, struct tx *tx, struct skiff_error *err)
{
	struct record_ref ref = ref_of(write);

	json_decref(write->object);
	write->object = NULL;
	return record_load(tx_conn(tx), &ref, &write->object, err);
}

static int
start_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;

	return load(write, tx, err) < 0 ? -1 : say_started(write, tx, err);
}

int
exec_record_started(struct exec *exec, char **ret_doc, int64_t *ret_revision,
		    struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = write_of(exec);

	if (db_write(exec->task->tasks->db, start_closure, &write, err) < 0)
		return -1;
	*ret_doc = json_text(write.object);
	*ret_revision = json_get_int(write.object, "revision", 0);
	return 0;
}

/* --- ended, deleted ------------------------------------------------------ */

static int
remove_record(struct write *write, struct tx *tx, struct skiff_error *err)
{
	const struct exec *exec = write->exec;
	struct record_ref ref = ref_of(write);
	cleanup_json json_t *event = event_of(exec);
	struct change deleted = { .verb = "exec-deleted", .event = event };
	struct change told = { 0 };

	if (write_list(exec, tx, false, &deleted, &told.told, err) < 0)
		return -1;
	return record_delete(tx, &ref, &told, err);
}

static int
exit_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	const struct exec *exec = write->exec;
	struct record_ref ref = ref_of(write);
	cleanup_json json_t *event = NULL;
	struct change change = { .verb = "exit" };

	if (load(write, tx, err) < 0)
		return -1;
	json_set_text(write->object, "state", "stopped");
	json_set_int(write->object, "exit_status", write->exit->status);
	json_set_time(write->object, "exited_at", write->exit->exited_ns);
	if (write->exit->lost_bytes > 0)
		json_set_int(write->object, "lost_bytes",
			     (int64_t)write->exit->lost_bytes);
	json_set_text(write->object, "reason", write->reason);
	event = json_pack("{s:s, s:s, s:i, s:i}", "container_id",
			  exec->task->id, "id", exec->id, "pid", (int)exec->pid,
			  "exit_status", (int)write->exit->status);
	json_set_time(event, "exited_at", write->exit->exited_ns);
	json_set_text(event, "reason", write->reason);
	change.event = event;
	if (record_update(tx, &ref, write->object, &change, err) < 0)
		return -1;
	return exec->auto_remove ? remove_record(write, tx, err) : 0;
}

int
exec_record_exited(struct exec *exec, const struct shim_exit *exit,
		   const char *reason, struct skiff_error *err)
{
	CLEANUP(write_done) struct write write = write_of(exec);

	write.exit = exit;
	write.reason = reason;
	return db_write(exec->task->tasks->db, exit_closure, &write, err);
}

static int
delete_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;

	return load(write, tx, err) < 0 ? -1 : remove_record(write, tx, err);
}

int
exec_record_delete(struct exec *exec, json_t **ret_exit,
		   struct skiff_error *err)
{
	static const char *const fields[] = { "exit_status", "exited_at",
					      "reason" };
	CLEANUP(write_done) struct write write = write_of(exec);

	if (db_write(exec->task->tasks->db, delete_closure, &write, err) < 0)
		return -1;
	*ret_exit = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		json_t *value = json_object_get(write.object, fields[i]);

		if (value)
			(void)json_object_set(*ret_exit, fields[i], value);
	}
	return 0;
}

/* --- with the task ------------------------------------------------------- */

static int
note_key(void *arg, const char *ns, const char *key, json_t *object,
	 struct skiff_error *err)
{
	(void)ns;
	(void)object;
	(void)err;
	strv_add(arg, key);
	return 0;
}

int
execs_record_delete_all(struct task *task, struct tx *tx,
			struct skiff_error *err)
{
	cleanup_free char *prefix = xasprintf("%s/", task->id);
	CLEANUP(strv_done) struct strv keys = STRV_INIT;

	if (record_each_below(tx_conn(tx), RECORD_EXEC, task->ns, prefix,
			      note_key, &keys, err) < 0)
		return -1;
	for (size_t i = 0; i < keys.n; i++) {
		struct record_ref ref = { RECORD_EXEC, task->ns,
					  keys.items[i] };
		cleanup_json json_t *event =
		    json_pack("{s:s, s:s}", "container_id", task->id, "exec_id",
			      keys.items[i] + strlen(prefix));
		struct change change = { .verb = "exec-deleted",
					 .event = event };

		if (record_delete(tx, &ref, &change, err) < 0)
			return -1;
	}
	return 0;
}

static int
load_one(void *arg, const char *ns, const char *key, json_t *object,
	 struct skiff_error *err)
{
	struct tasks *tasks = arg;
	CLEANUP(task_unrefp) struct task *task = NULL;
	CLEANUP(exec_unrefp) struct exec *exec = NULL;
	struct skiff_error gone = ERROR_INIT;
	const char *state = json_get_text(object, "state");

	(void)key;
	task = task_find(tasks, ns, json_get_text(object, "container"), &gone);
	if (!task)
		return 0;
	exec = exec_new(task, json_get_text(object, "id"));
	exec->state = EXEC_CREATED;
	for (size_t i = 0; i < ARRAY_SIZE(state_names); i++)
		if (strcmp(state_names[i], state) == 0)
			exec->state = (enum exec_state)i;
	exec->pid = (pid_t)json_get_int(object, "pid", 0);
	exec->has_terminal = json_get_bool(object, "terminal");
	exec->auto_remove = json_get_bool(object, "auto_remove");
	exec->stdio = json_incref(json_object_get(object, "stdio"));
	return exec_table_add(exec, err);
}

int
execs_load(struct tasks *tasks, struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(tasks->db);

	return record_each(conn, RECORD_EXEC, NULL, load_one, tasks, err);
}
