/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execs: their steps.
 *
 * Order of a creation: directory, the shim's start if it is wanted, then
 * the record with its events. Whatever fails undoes the rest in reverse;
 * what a crash leaves (a directory, and perhaps a process) that no record
 * names, the next start of the daemon removes.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/workpool.h"
#include "runtime/spec/process.h"
#include "runtime/spec/rootfs_view.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/user_namespace.h"
#include "runtime/task.h"
#include "runtime/task_exec_internal.h"
#include "runtime/task_stdio.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"

#define CONFIG_MAX (16 << 20)

void
exec_made_done(struct exec_made *made)
{
	free(made->id);
	free(made->doc);
}

int
exec_refuse(const struct exec *exec, const char *verb, struct skiff_error *err)
{
	const char *state = exec_state_name(exec->state);

	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "cannot %s exec %s: it is %s", verb, exec->id, state);
	(void)err_reason(err, "exec_state");
	(void)err_object(err, "exec", exec->id);
	return err_state(err, state);
}

/* What a step needs of the task, which goes on without it. */
struct place {
	struct exec *exec;
	struct shim_client *client;
};

static void
place_done(struct place *place)
{
	if (place->exec) {
		lock_release(&place->exec->step);
		exec_unref(place->exec);
	}
	shim_client_free(place->client);
}

/* Whether anything can be run in it now. */
static int
need_live(const struct task *task, const char *verb, struct skiff_error *err)
{
	if (task->state != TASK_CREATED && task->state != TASK_RUNNING)
		return task_refuse(task, verb, err);
	return task_need_shim(task, err);
}

/* An exec that is there, with its step taken. verb: wants a live task. */
static int
begin_step(struct tasks *tasks, const char *ns, const char *task_id,
	   const char *id, const char *verb, struct place *ret_place,
	   struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, task_id, err);
	struct exec *exec;

	if (!task || (verb && need_live(task, verb, err) < 0))
		return -1;
	exec = exec_find(task, id, err);
	if (!exec)
		return -1;
	if (task->client)
		ret_place->client = shim_client_ref(task->client);
	task_end_step(STEAL_PTR(task));
	/* It may be about to start, which takes its time. */
	lock_take(&exec->step);
	ret_place->exec = exec;
	return exec->state == EXEC_DELETED ? err_not_found(err, "exec", id) : 0;
}

int
exec_hold(struct tasks *tasks, const char *ns, const char *task_id,
	  const char *id, struct exec **ret_exec,
	  struct shim_client **ret_client, struct skiff_error *err)
{
	CLEANUP(place_done) struct place place = { 0 };

	if (begin_step(tasks, ns, task_id, id, NULL, &place, err) < 0)
		return -1;
	*ret_exec = STEAL_PTR(place.exec);
	*ret_client = STEAL_PTR(place.client);
	return 0;
}

void
exec_release(struct exec *exec)
{
	if (!exec)
		return;
	lock_release(&exec->step);
	exec_unref(exec);
}

/* --- create -------------------------------------------------------------- */

/* The container's files as they are now, for the user. */
static int
open_view(const struct task *task, struct rootfs_view **ret_view,
	  struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct record_ref ref = { RECORD_CONTAINER, task->ns, task->id };
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;
	cleanup_json json_t *container = NULL;

	const char *key;
	const char *own;

	if (record_load(conn, &ref, &container, err) < 0)
		return -1;
	key = json_get_text(container, "snapshot_key");
	own = spec_own_root(json_object_get(container, "spec"));
	if (!*key && own)
		strv_add(&dirs, own);
	else if (snapshot_dirs(task->tasks->snapshots, task->ns, key, &dirs,
			       err) < 0)
		return -1;
	return rootfs_view_open(&dirs, ret_view, err);
}

static int
make_process(const struct task *task, const struct exec_wishes *wishes,
	     json_t **ret_process, struct skiff_error *err)
{
	CLEANUP(rootfs_view_freep) struct rootfs_view *view = NULL;
	cleanup_json json_t *process = NULL;
	cleanup_json json_t *spec = NULL;

	if (task_load_spec(task, &spec, err) < 0 ||
	    (wishes->user && open_view(task, &view, err) < 0))
		return -1;
	if (spec_exec_process(json_object_get(spec, "process"), wishes,
			      task->tasks->host, view, &process, err) < 0 ||
	    spec_check_user_is_mapped(spec, json_object_get(process, "user"),
				      err) < 0)
		return -1;
	*ret_process = STEAL_PTR(process);
	return 0;
}

static int
make_dir(const struct exec *exec, const struct exec_wishes *wishes, int *ret_fd,
	 struct skiff_error *err)
{
	cleanup_json json_t *process = NULL;
	cleanup_free char *text = NULL;
	cleanup_close int fd = -1;

	if (fault_hit(FAULT_EXEC_CREATE_BEFORE, err) < 0 ||
	    make_process(exec->task, wishes, &process, err) < 0 ||
	    fs_mkdir_all(AT_FDCWD, exec->dir, 0700, err) < 0 ||
	    fs_open_dir(AT_FDCWD, exec->dir, /* create= */ false, 0, &fd, err) <
		0)
		return -1;
	text = json_text(process);
	if (fs_create_file(fd, SHIM_FILE_PROCESS, text, strlen(text), 0600,
			   err) < 0)
		return -1;
	*ret_fd = STEAL_FD(fd);
	return fault_hit(FAULT_EXEC_CREATE_AFTER, err);
}

static void
undo_start(struct exec *exec, struct shim_client *client)
{
	struct skiff_error err = ERROR_INIT;
	struct shim_exit exit;

	exec->pid = 0;
	if (shim_exec_delete(client, exec->id, /* force= */ true,
			     deadline_in_ms(TASK_STEP_TIMEOUT_MS), &exit,
			     &err) < 0 &&
	    err.code != SKIFF_NOT_FOUND && err.code != SKIFF_UNAVAILABLE)
		log_failure(LOG_ERROR, &err, "undo exec %s of task %s/%s",
			    exec->id, exec->task->ns, exec->task->id);
}

/*
 * The window's size goes to the runtime with the process: set when that
 * runs, it would come too late for what it does first.
 */
static int
write_window(const struct exec *exec, struct skiff_error *err)
{
	cleanup_json json_t *process = NULL;
	cleanup_free char *text = NULL;
	cleanup_close int fd = -1;
	json_t *size;
	size_t len;

	if (exec->rows == 0)
		return 0;
	if (fs_open_dir(AT_FDCWD, exec->dir, /* create= */ false, 0, &fd, err) <
		0 ||
	    fs_read_file(fd, SHIM_FILE_PROCESS, CONFIG_MAX, &text, &len, err) <
		0 ||
	    json_parse(text, len, &process, err) < 0)
		return -1;
	size = json_object();
	json_set_int(size, "height", exec->rows);
	json_set_int(size, "width", exec->columns);
	(void)json_object_set_new(process, "consoleSize", size);
	free(text);
	text = json_text(process);
	return fs_replace_file(fd, SHIM_FILE_PROCESS, text, strlen(text), 0600,
			       /* durable= */ false, err);
}

static int
call_start(struct exec *exec, struct shim_client *client,
	   struct skiff_error *err)
{
	struct json_faults faults = JSON_FAULTS_INIT;
	struct task_stdio stdio;
	struct shim_exec_options options = {
		.id = exec->id,
		.has_terminal = exec->has_terminal,
		.stdio = &stdio,
		.rows = exec->rows,
		.columns = exec->columns,
	};
	int r;

	/* It was found good when it was recorded. */
	task_stdio_decode(exec->stdio, "/stdio", &stdio, &faults);
	json_faults_done(&faults);
	r = shim_exec_start(client, &options,
			    deadline_in_ms(TASK_STEP_TIMEOUT_MS), &exec->pid,
			    err);
	task_stdio_done(&stdio);
	return r;
}

static int
start_in_shim(struct exec *exec, struct shim_client *client,
	      struct skiff_error *err)
{
	if (write_window(exec, err) < 0 ||
	    fault_hit(FAULT_EXEC_START_BEFORE, err) < 0)
		return -1;
	if (call_start(exec, client, err) == 0)
		return 0;
	if (err->code == SKIFF_DEADLINE_EXCEEDED)
		undo_start(exec, client);
	(void)err_object(err, "exec", exec->id);
	return err_wrap(err, "start exec %s of task %s", exec->id,
			exec->task->id);
}

/* Nobody else sees it before the record: its files are there until then. */
static int
record_step(struct exec *exec, const struct exec_request *request, int dir_fd,
	    struct exec_made *made, struct skiff_error *err)
{
	if (request->want_start && request->opened &&
	    request->opened(request->arg, dir_fd, err) < 0)
		return -1;
	if (fault_hit(FAULT_EXEC_ROW_BEFORE, err) < 0)
		return -1;
	return exec_record_insert(exec, request->wishes, request->want_start,
				  made, err);
}

/* Directory, process, record: each undone when a later one fails. */
static int
create_step(struct place *place, const struct exec_request *request,
	    struct exec_made *made, struct skiff_error *err)
{
	struct exec *exec = place->exec;
	struct skiff_error undo = ERROR_INIT;
	cleanup_close int dir_fd = -1;

	if (make_dir(exec, request->wishes, &dir_fd, err) < 0 ||
	    (request->want_start &&
	     start_in_shim(exec, place->client, err) < 0))
		return -1;
	if (record_step(exec, request, dir_fd, made, err) < 0) {
		if (request->want_start)
			undo_start(exec, place->client);
		return -1;
	}
	exec->state = request->want_start ? EXEC_RUNNING : EXEC_CREATED;
	(void)fault_hit(FAULT_EXEC_ROW_AFTER, &undo);
	return 0;
}

static int
take_id(const struct exec_wishes *wishes, const char *task_id, char **ret_id,
	struct skiff_error *err)
{
	char random[RANDOM_ID_SIZE];

	if (wishes->id && id_check("exec", wishes->id, err) < 0)
		return err_field(err, "/id");
	/* Events tell a task's own process by the task's id. */
	if (wishes->id && strcmp(wishes->id, task_id) == 0) {
		(void)err_set(err, SKIFF_INVALID_ARGUMENT,
			      "id: must not be that of the task");
		return err_field(err, "/id");
	}
	*ret_id = xstrdup(wishes->id ? wishes->id : random_id(random));
	return 0;
}

static json_t *
record_stdio(const json_t *wish)
{
	struct json_faults faults = JSON_FAULTS_INIT;
	struct task_stdio stdio;
	json_t *json;

	/* Who decoded the wishes has told its faults. */
	task_stdio_decode(wish, "/stdio", &stdio, &faults);
	json_faults_done(&faults);
	json = task_stdio_json(&stdio);
	task_stdio_done(&stdio);
	if (!json_object_get(json, "stdin"))
		json_set_bool(json, "stdin", false);
	return json;
}

/* One that is in the table, with its step taken: nobody sees it half made. */
static int
begin_creation(struct tasks *tasks, const char *ns, const char *task_id,
	       const struct exec_request *request, const char *id,
	       struct place *ret_place, struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, task_id, err);
	struct exec *exec;

	if (!task || need_live(task, "exec in", err) < 0)
		return -1;
	exec = exec_new(task, id);
	exec->has_terminal = request->wishes->terminal;
	exec->auto_remove = request->auto_remove;
	exec->stdio = record_stdio(request->wishes->stdio);
	ret_place->client = shim_client_ref(task->client);
	lock_take(&exec->step);
	ret_place->exec = exec;
	return exec_table_add(exec, err);
}

/* Waits for the step that the one of this name is in; whether it is gone. */
static bool
is_gone_then(struct tasks *tasks, const char *ns, const char *task_id,
	     const char *id)
{
	struct skiff_error absent = ERROR_INIT;
	CLEANUP(task_unrefp)
	struct task *task = task_find(tasks, ns, task_id, &absent);
	CLEANUP(exec_unrefp) struct exec *exec = NULL;

	if (!task)
		return false;
	exec = exec_find(task, id, &absent);
	if (!exec)
		return true;
	LOCK_SCOPE(&exec->step);
	return exec->state == EXEC_DELETED;
}

/*
 * One that was removed by its end is told of, and its record gone, a moment
 * before its files and its name are: whoever heard of it may use that.
 */
static int
take_name(struct tasks *tasks, const char *ns, const char *task_id,
	  const struct exec_request *request, const char *id,
	  struct place *ret_place, struct skiff_error *err)
{
	while (begin_creation(tasks, ns, task_id, request, id, ret_place, err) <
	       0) {
		if (err->code != SKIFF_ALREADY_EXISTS)
			return -1;
		place_done(ret_place);
		*ret_place = (struct place){ 0 };
		if (!is_gone_then(tasks, ns, task_id, id))
			return -1;
		*err = (struct skiff_error)ERROR_INIT;
	}
	return 0;
}

int
exec_create(struct tasks *tasks, const char *ns, const char *task_id,
	    const struct exec_request *request, struct exec_made *ret_made,
	    struct skiff_error *err)
{
	CLEANUP(exec_made_done) struct exec_made made = { 0 };
	CLEANUP(place_done) struct place place = { 0 };

	if (take_id(request->wishes, task_id, &made.id, err) < 0 ||
	    take_name(tasks, ns, task_id, request, made.id, &place, err) < 0)
		return -1;
	if (create_step(&place, request, &made, err) < 0) {
		exec_forget(place.exec);
		return err_wrap(err, "exec in task %s", task_id);
	}
	*ret_made = made;
	made = (struct exec_made){ 0 };
	return 0;
}

/* --- start, kill, delete -------------------------------------------------- */

int
exec_start(struct tasks *tasks, const char *ns, const char *task_id,
	   const char *id, char **ret_doc, int64_t *ret_revision,
	   struct skiff_error *err)
{
	CLEANUP(place_done) struct place place = { 0 };
	struct skiff_error ignored = ERROR_INIT;

	if (begin_step(tasks, ns, task_id, id, "exec in", &place, err) < 0)
		return -1;
	if (place.exec->state != EXEC_CREATED)
		return exec_refuse(place.exec, "start", err);
	if (start_in_shim(place.exec, place.client, err) < 0)
		return -1;
	if (exec_record_started(place.exec, ret_doc, ret_revision, err) < 0) {
		undo_start(place.exec, place.client);
		return err_wrap(err, "start exec %s", id);
	}
	place.exec->state = EXEC_RUNNING;
	(void)fault_hit(FAULT_EXEC_START_AFTER, &ignored);
	return 0;
}

int
exec_kill(struct tasks *tasks, const char *ns, const char *task_id,
	  const char *id, int signal, struct skiff_error *err)
{
	CLEANUP(place_done) struct place place = { 0 };

	if (begin_step(tasks, ns, task_id, id, NULL, &place, err) < 0)
		return -1;
	if (place.exec->state != EXEC_RUNNING || !place.client)
		return exec_refuse(place.exec, "kill", err);
	if (shim_exec_kill(place.client, id, signal,
			   deadline_in_ms(TASK_STEP_TIMEOUT_MS), err) == 0)
		return 0;
	/* It has ended, and we are about to hear of it. */
	if (err->code == SKIFF_NOT_FOUND) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "cannot kill exec %s: it is stopped", id);
		(void)err_reason(err, "exec_state");
		(void)err_state(err, "stopped");
	}
	return err_object(err, "exec", id);
}

/* Kills it, and takes its end over. */
static int
end_by_force(struct place *place, struct skiff_error *err)
{
	struct exec *exec = place->exec;
	struct shim_exit exit;

	if (exec->state != EXEC_RUNNING)
		return 0;
	if (place->client &&
	    shim_exec_delete(place->client, exec->id, /* force= */ true,
			     deadline_in_ms(TASK_STEP_TIMEOUT_MS), &exit,
			     err) == 0)
		return exec_settle_exit(exec, &exit, NULL, err);
	/* Gone with its record written: the same as after a restart. */
	return exec_settle_gone(exec, place->client, "shim_lost", err);
}

int
exec_delete(struct tasks *tasks, const char *ns, const char *task_id,
	    const char *id, const struct task_removal *removal,
	    json_t **ret_exit, struct skiff_error *err)
{
	cleanup_free char *key = xasprintf("%s/%s", task_id, id);
	const struct record_ref ref = { RECORD_EXEC, ns, key };
	CLEANUP(place_done) struct place place = { 0 };
	struct skiff_error unsaid = ERROR_INIT;

	if (begin_step(tasks, ns, task_id, id, NULL, &place, err) < 0 ||
	    (removal->if_match &&
	     record_check(tasks->db, &ref, removal->if_match, err) < 0))
		return -1;
	if (place.exec->state == EXEC_RUNNING && !removal->want_force)
		return exec_refuse(place.exec, "delete", err);
	/* It shall not go before we have read how it ended. */
	place.exec->auto_remove = false;
	if (end_by_force(&place, err) < 0 ||
	    fault_hit(FAULT_EXEC_DELETE_BEFORE, err) < 0 ||
	    exec_record_delete(place.exec, ret_exit, err) < 0)
		return err_wrap(err, "delete exec %s", id);
	(void)fault_hit(FAULT_EXEC_DELETE_AFTER, &unsaid);
	exec_forget(place.exec);
	return 0;
}

/* --- later ------------------------------------------------------------------
 */

struct late_kill {
	struct tasks *tasks;
	char *ns;
	char *task_id;
	char *id;
};

static void
run_late_kill(void *arg)
{
	struct skiff_error ended = ERROR_INIT;
	struct late_kill *kill = arg;

	(void)exec_kill(kill->tasks, kill->ns, kill->task_id, kill->id, SIGKILL,
			&ended);
	free(kill->id);
	free(kill->task_id);
	free(kill->ns);
	free(kill);
}

void
exec_kill_later(struct tasks *tasks, const char *ns, const char *task_id,
		const char *id)
{
	struct late_kill *kill = xcalloc(1, sizeof(*kill));

	kill->tasks = tasks;
	kill->ns = xstrdup(ns);
	kill->task_id = xstrdup(task_id);
	kill->id = xstrdup(id);
	workpool_add(tasks->pool, /* is_slow= */ true, run_late_kill, kill);
}

int
exec_open_dir(struct tasks *tasks, const char *ns, const char *task_id,
	      const char *id, int *ret_fd, struct skiff_error *err)
{
	CLEANUP(task_unrefp)
	struct task *task = task_find(tasks, ns, task_id, err);
	CLEANUP(exec_unrefp) struct exec *exec = NULL;
	int fd;

	if (!task)
		return -1;
	exec = exec_find(task, id, err);
	if (!exec)
		return -1;
	fd = open(exec->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "directory of exec %s", id);
	*ret_fd = fd;
	return 0;
}
