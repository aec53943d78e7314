/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: the operation, from the request to the image.
 *
 * The task's step is held only at the beginning and at the end: a dump
 * takes as long as the memory is large, and who wants to kill the task
 * must not wait for it. What would disturb it (pause, resume, exec, another
 * checkpoint) is refused meanwhile by task->is_checkpointing.
 */
#include "config.h"

#include "runtime/checkpoint/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/log.h"
#include "runtime/checkpoint/container.h"
#include "runtime/checkpoint/criu.h"
#include "runtime/checkpoint/dump_options.h"
#include "runtime/checkpoint/image.h"
#include "runtime/checkpoint/tracking.h"
#include "runtime/restart.h"
#include "runtime/shim_checkpoint.h"
#include "runtime/task_internal.h"
#include "store/image.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"
#include "store/transfer/operation_internal.h"

#define END_TIMEOUT_MS 10000
#define LOG_TAIL ((size_t)32 * 1024)

/* --- the request ------------------------------------------------------ */

struct body {
	char *name;
	bool want_exit;
	char *image_path;
	char *parent;
	struct dump_options dump;
};

static const struct json_field body_fields[] = {
	JSON_TEXT(struct body, name, "name", JSON_NOT_EMPTY),
	JSON_BOOL(struct body, want_exit, "exit", 0),
	JSON_TEXT(struct body, image_path, "image_path", JSON_NOT_EMPTY),
	JSON_TEXT(struct body, parent, "parent", JSON_NOT_EMPTY),
	DUMP_OPTION_FIELDS(struct body, dump),
};

static void
body_done(struct body *body)
{
	json_release(body_fields, ARRAY_SIZE(body_fields), body);
}

static void
check_body(const struct body *body, struct json_faults *faults)
{
	struct skiff_error err = ERROR_INIT;

	dump_options_check(&body->dump, "", faults);
	if (body->name && image_check_name(body->name, &err) < 0)
		json_fault(faults, "/name", "%s", err.text);
	if (!body->image_path)
		return;
	if (*body->image_path != '/' || strlen(body->image_path) >= PATH_MAX)
		json_fault(faults, "/image_path", "must be an absolute path");
	if (body->name || body->parent)
		json_fault(faults, "/image_path",
			   "makes no image: name and parent mean nothing");
}

static int
decode(const json_t *json, struct body *body, struct json_faults *faults,
       struct skiff_error *err)
{
	json_decode(json, "", body_fields, ARRAY_SIZE(body_fields), body,
		    faults);
	check_body(body, faults);
	return json_faults_to_error(faults, err);
}

/* --- the task --------------------------------------------------------- */

struct checkpoint {
	struct operation *op;
	struct tasks *tasks;
	struct task *task;	    /* a reference */
	struct shim_client *client; /* of the run that is dumped */
	const char *ns;
	const char *id;
	struct body body;
	struct checkpoint_image *parent; /* or NULL */
	json_t *container;		 /* as it is by now */
	json_t *made_from;		 /* the same, when this run was made */
	bool has_stdin;
	bool is_begun; /* task->is_checkpointing is ours */
	bool tracks;   /* memory that is written from now on */
	int dir_fd;    /* task's SHIM_DIR_CHECKPOINT */
	int shim_fd;   /* holds the task frozen; -1 */
};

static int
busy(const struct task *task, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "task %s is being checkpointed", task->id);
	(void)err_reason(err, "checkpoint_running");
	(void)err_object(err, "task", task->id);
	return err_state(err, task_state_name(task->state));
}

int
task_refuse_while_checkpointing(const struct task *task,
				struct skiff_error *err)
{
	return task->is_checkpointing ? busy(task, err) : 0;
}

/* What can be said before anything is begun; the step is held. */
static int
check_task(const struct task *task, struct skiff_error *err)
{
	if (task->state != TASK_RUNNING && task->state != TASK_PAUSED)
		return task_refuse(task, "checkpoint", err);
	if (task->is_checkpointing)
		return busy(task, err);
	if (checkpoint_need_runtime(task, err) < 0 ||
	    checkpoint_need_spec(task, err) < 0)
		return -1;
	return task_need_shim(task, err);
}

static int
load_container(struct checkpoint *c, struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(c->tasks->db);
	struct record_ref ref = { RECORD_CONTAINER, c->ns, c->id };

	if (record_load(conn, &ref, &c->container, err) < 0)
		return -1;
	return c->body.image_path ? 0
				  : checkpoint_need_snapshot(c->container, err);
}

/* Fed through the API, or from a path. */
static bool
has_stdin(const struct task *task)
{
	const json_t *value = json_object_get(task->stdio, "stdin");

	return json_is_true(value) || json_is_string(value);
}

/* From here on, others that would disturb are refused. */
static int
begin(struct checkpoint *c, struct skiff_error *err)
{
	struct task *task = task_begin_step(c->tasks, c->ns, c->id, err);
	int r;

	if (!task)
		return -1;
	r = check_task(task, err);
	if (r == 0)
		r = task_load_container(task, &c->made_from, err);
	if (r == 0) {
		task->is_checkpointing = true;
		c->is_begun = true;
		c->task = task_ref(task);
		c->client = shim_client_ref(task->client);
		c->has_stdin = has_stdin(task);
	}
	task_end_step(task);
	return r;
}

static void
end(struct checkpoint *c)
{
	if (!c->is_begun)
		return;
	lock_take(&c->task->step);
	c->task->is_checkpointing = false;
	lock_release(&c->task->step);
}

/* --- criu's directories ----------------------------------------------- */

static int
make_dirs(struct checkpoint *c, struct skiff_error *err)
{
	cleanup_close int task_fd = -1;
	int state_fd = -1;
	int work_fd = -1;
	int r;

	/* Of an earlier one that a crash cut short, if anything. */
	if (fs_open_dir(AT_FDCWD, c->task->dir, false, 0, &task_fd, err) < 0 ||
	    fs_remove_tree(task_fd, SHIM_DIR_CHECKPOINT, err) < 0 ||
	    fs_open_dir(task_fd, SHIM_DIR_CHECKPOINT, true, 0700, &c->dir_fd,
			err) < 0)
		return -1;
	r = fs_open_dir(c->dir_fd, SHIM_DIR_CRIU_STATE, true, 0700, &state_fd,
			err);
	if (r == 0)
		r = fs_open_dir(c->dir_fd, SHIM_DIR_CRIU_WORK, true, 0700,
				&work_fd, err);
	closep(&state_fd);
	closep(&work_fd);
	if (r == 0 && c->body.image_path &&
	    mkdir(c->body.image_path, 0700) < 0) {
		r = err_errno(err, errno, "mkdir %s", c->body.image_path);
		(void)err_field(err, "/image_path");
	}
	return r;
}

static void
remove_dirs(struct checkpoint *c)
{
	closep(&c->dir_fd);
	if (c->is_begun)
		(void)checkpoint_forget(c->task);
}

/*
 * So that a later one may build on this one, where the kernel can tell what
 * is written until then; not if nothing will be there to write.
 */
static int
track(struct checkpoint *c, struct skiff_error *err)
{
	if (c->parent && tracking_check_parent(c->task, c->parent, err) < 0)
		return -1;
	c->tracks = c->parent || (!c->body.image_path && !c->body.want_exit &&
				  tracking_is_possible(c->tasks->criu));
	return c->tracks ? tracking_begin(c->task, err) : 0;
}

/* The states that the new one builds on, as 1, 2, …: made as 0, 1, …. */
static int
put_parents(struct checkpoint *c, struct skiff_error *err)
{
	struct checkpoint_store store = tasks_checkpoint_store(c->tasks);

	if (!c->parent)
		return 0;
	return checkpoint_unpack_states(&store, c->ns, c->parent,
					/* first= */ 1, c->dir_fd, err);
}

/* --- dumping ---------------------------------------------------------- */

static bool
is_interrupted(void *arg)
{
	return operation_is_interrupted(arg);
}

static bool
is_cancelled(void *arg)
{
	return cancel_is_set(operation_cancel_token(arg));
}

/* The log's end goes beside the error, its errors into the text. */
static int
explain(struct checkpoint *c, struct skiff_error *err)
{
	cleanup_close int work_fd = -1;
	struct skiff_error unread = ERROR_INIT;
	char *log;

	if (fs_open_dir(c->dir_fd, SHIM_DIR_CRIU_WORK, false, 0, &work_fd,
			&unread) < 0)
		return -1;
	log = criu_log_tail(work_fd, "dump.log", LOG_TAIL);
	(void)criu_explain(log, err);
	if (log)
		operation_set_log(c->op, log);
	return -1;
}

static int
dump(struct checkpoint *c, struct skiff_error *err)
{
	struct shim_dump_request request = {
		.flags = dump_options_flags(&c->body.dump) |
			 criu_flags(c->tasks->criu),
		.criu_dir = criu_dir(c->tasks->criu),
		.image_path = c->body.image_path,
		.is_interrupted = is_interrupted,
		.arg = c->op,
	};

	if (c->parent)
		request.flags |= SHIM_DUMP_HAS_PARENT;
	if (fault_hit(FAULT_CHECKPOINT_DUMP_BEFORE, err) < 0)
		return -1;
	if (shim_checkpoint(c->client, &request, &c->shim_fd, err) < 0)
		return explain(c, err);
	/* A link to the parent is made anew where it is restored. */
	if (c->parent)
		(void)unlinkat(c->dir_fd, SHIM_DIR_CRIU_STATE "/parent", 0);
	if (is_cancelled(c->op))
		return cancel_error(err);
	return fault_hit(FAULT_CHECKPOINT_DUMP_AFTER, err);
}

/* --- the image -------------------------------------------------------- */

static char *
snapshot_parent(struct checkpoint *c, struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(c->tasks->db);
	cleanup_free char *key =
	    xasprintf(SNAPSHOTTER_DEFAULT "/%s",
		      json_get_text(c->container, "snapshot_key"));
	struct record_ref ref = { RECORD_SNAPSHOT, c->ns, key };
	cleanup_json json_t *snapshot = NULL;

	if (record_load(conn, &ref, &snapshot, err) < 0)
		return NULL;
	return xstrdup(json_get_text(snapshot, "parent"));
}

static json_t *
make_config(struct checkpoint *c, struct skiff_error *err)
{
	const json_t *runtime = json_object_get(c->made_from, "runtime");
	cleanup_free char *parent = snapshot_parent(c, err);
	json_t *config = json_object();
	struct utsname host;

	if (!parent) {
		json_decref(config);
		return NULL;
	}
	(void)uname(&host);
	json_set_int(config, "version", 1);
	json_set_time(config, "created_at", clock_realtime_ns());
	json_set_text(config, "container", c->id);
	for (size_t i = 0; i < 2; i++) {
		const char *key = i == 0 ? "image" : "image_digest";
		const char *text = json_get_text(c->made_from, key);

		json_set_text(config, key, *text ? text : NULL);
	}
	json_set_text(config, "runtime", json_get_text(runtime, "name"));
	json_set_text(config, "architecture", host.machine);
	json_set_text(config, "snapshot_parent", parent);
	json_set_bool(config, "terminal", c->task->has_terminal);
	json_set_bool(config, "stdin", c->has_stdin);
	(void)json_object_set_new(config, "options",
				  dump_options_json(
				      dump_options_flags(&c->body.dump)));
	(void)json_object_set(config, "spec",
			      json_object_get(c->made_from, "spec"));
	(void)json_object_set_new(config, "wishes",
				  checkpoint_wishes(c->made_from,
						    c->container));
	return config;
}

static int
open_upper(struct checkpoint *c, int *ret_fd, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;

	if (snapshot_dirs(c->tasks->snapshots, c->ns,
			  json_get_text(c->container, "snapshot_key"), &dirs,
			  err) < 0)
		return -1;
	return fs_open_dir(AT_FDCWD, dirs.items[0], false, 0, ret_fd, err);
}

static int
write_image(struct checkpoint *c, json_t **ret_result, struct skiff_error *err)
{
	struct checkpoint_store store = tasks_checkpoint_store(c->tasks);
	cleanup_json json_t *config = make_config(c, err);
	struct checkpoint_parts parts = {
		.ns = c->ns,
		.name = c->body.name,
		.container = c->id,
		.operation = operation_id(c->op),
		.config = config,
		.parent = c->parent,
		.is_cancelled = is_cancelled,
		.cancel_arg = c->op,
	};
	cleanup_close int state_fd = -1;
	cleanup_close int upper_fd = -1;

	if (!config ||
	    fs_open_dir(c->dir_fd, SHIM_DIR_CRIU_STATE, false, 0, &state_fd,
			err) < 0 ||
	    open_upper(c, &upper_fd, err) < 0)
		return -1;
	parts.state_fd = state_fd;
	parts.upper_fd = upper_fd;
	return checkpoint_image_write(&store, &parts, ret_result, err);
}

static void
drop_blobs(struct checkpoint *c)
{
	struct checkpoint_store store = tasks_checkpoint_store(c->tasks);
	struct skiff_error left = ERROR_INIT;

	if (checkpoint_drop_blobs(&store, c->ns, operation_id(c->op), &left) <
	    0)
		log_failure(LOG_WARN, &left, "blobs of a checkpoint, ignoring");
}

/* --- the operation ---------------------------------------------------- */

/* The end is a person's wish: no restart policy is asked. */
static int
note_stop(struct checkpoint *c, struct skiff_error *err)
{
	LOCK_SCOPE(&c->task->step);

	return restart_note_stop(c->task, err);
}

/* Thaws, or kills; whatever was dumped is safe by now. */
static int
let_go(struct checkpoint *c, struct skiff_error *err)
{
	cleanup_close int fd = STEAL_FD(c->shim_fd);

	if (c->body.want_exit && note_stop(c, err) < 0)
		return -1;
	if (fault_hit(FAULT_CHECKPOINT_END, err) < 0)
		return -1;
	return shim_checkpoint_end(fd, c->body.want_exit,
				   deadline_in_ms(END_TIMEOUT_MS), err);
}

static int
make(struct checkpoint *c, json_t **ret_result, struct skiff_error *err)
{
	if (load_container(c, err) < 0 || begin(c, err) < 0 ||
	    make_dirs(c, err) < 0 || track(c, err) < 0 ||
	    put_parents(c, err) < 0 || dump(c, err) < 0)
		return -1;
	if (c->body.image_path) {
		*ret_result =
		    json_pack("{s:s}", "image_path", c->body.image_path);
		return let_go(c, err);
	}
	if (write_image(c, ret_result, err) < 0) {
		drop_blobs(c);
		return -1;
	}
	if (c->tracks)
		tracking_note(c->task, c->body.name);
	return let_go(c, err);
}

static int
load_parent(struct tasks *tasks, const char *ns, const struct body *body,
	    struct checkpoint_image **ret_parent, struct skiff_error *err)
{
	struct checkpoint_store store = tasks_checkpoint_store(tasks);

	if (!body->parent)
		return 0;
	if (checkpoint_image_load(&store, ns, body->parent, ret_parent, err) <
	    0)
		return -1;
	if ((*ret_parent)->n_states < CHECKPOINT_DEPTH_MAX)
		return 0;
	return err_set(err, SKIFF_FAILED_PRECONDITION,
		       "parent %s stands on %d others already", body->parent,
		       CHECKPOINT_DEPTH_MAX - 1);
}

static int
run(struct operation *op, json_t **ret_result, struct skiff_error *err)
{
	struct json_faults faults = JSON_FAULTS_INIT;
	const json_t *request = operation_request(op);
	struct checkpoint c = {
		.op = op,
		.tasks = operation_context(op),
		.ns = operation_ns(op),
		.id = json_get_text(request, "container"),
		.dir_fd = -1,
		.shim_fd = -1,
	};
	int r = decode(json_object_get(request, "body"), &c.body, &faults, err);

	json_faults_done(&faults);
	if (r == 0)
		r = load_parent(c.tasks, c.ns, &c.body, &c.parent, err);
	if (r == 0)
		r = make(&c, ret_result, err);
	/* A failure before let_go(): the shim thaws when this is closed. */
	closep(&c.shim_fd);
	remove_dirs(&c);
	end(&c);
	if (r < 0 && *ret_result) {
		json_decref(*ret_result);
		*ret_result = NULL;
	}
	shim_client_free(c.client);
	if (c.task)
		task_unref(c.task);
	json_decref(c.container);
	json_decref(c.made_from);
	checkpoint_image_free(c.parent);
	body_done(&c.body);
	return r < 0 ? err_wrap(err, "checkpoint of task %s", c.id) : 0;
}

static const struct operation_kind checkpoint_kind = {
	.name = "checkpoint",
	.run = run,
};

/* --- the beginning ---------------------------------------------------- */

/* Whether it may begin now, while somebody still waits for the answer. */
static int
check_now(struct tasks *tasks, const char *ns, const char *id,
	  const struct body *body, struct skiff_error *err)
{
	struct checkpoint_store store = tasks_checkpoint_store(tasks);
	CLEANUP(checkpoint_image_freep) struct checkpoint_image *parent = NULL;
	struct task *task = task_begin_step(tasks, ns, id, err);
	int r;

	if (!task)
		return -1;
	r = check_task(task, err);
	task_end_step(task);
	if (r < 0 || criu_need(tasks->criu, err) < 0 ||
	    (body->name &&
	     checkpoint_check_name(&store, ns, body->name, err) < 0) ||
	    load_parent(tasks, ns, body, &parent, err) < 0)
		return -1;
	if (!parent)
		return 0;
	if (criu_need_tracking(tasks->criu, err) < 0)
		return -1;
	task = task_begin_step(tasks, ns, id, err);
	r = task ? tracking_check_parent(task, parent, err) : -1;
	task_end_step(task);
	return r;
}

/* The body with the image's name in it, and whose it is. */
static json_t *
make_request(const char *id, const struct body *body, const json_t *json)
{
	json_t *copy = json ? json_deep_copy(json) : json_object();
	char now[RFC3339_SIZE];

	if (!body->name && !body->image_path) {
		cleanup_free char *name =
		    xasprintf("checkpoint/%s:%s", id,
			      rfc3339_format(clock_realtime_ns(), now));

		json_set_text(copy, "name", name);
	}
	return json_pack("{s:s, s:o}", "container", id, "body", copy);
}

int
task_checkpoint(struct tasks *tasks, struct transfers *transfers,
		const char *ns, const char *id, const json_t *json,
		struct json_faults *faults, char **ret_operation,
		char **ret_doc, int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(body_done) struct body body = { 0 };
	cleanup_json json_t *request = NULL;
	struct operation_request start = {
		.ns = ns, .kind = &checkpoint_kind, .ref = id, .context = tasks
	};

	if ((json && decode(json, &body, faults, err) < 0) ||
	    check_now(tasks, ns, id, &body, err) < 0)
		return -1;
	request = make_request(id, &body, json);
	start.request = request;
	return operation_start(transfers, &start, ret_operation, ret_doc,
			       ret_revision, err);
}

/* --- after a restart -------------------------------------------------- */

static int
recover_one(void *arg, const char *ns, const char *key, json_t *object,
	    struct skiff_error *err)
{
	struct strv *interrupted = arg;
	const char *state = json_get_text(object, "state");

	(void)err;
	if (strcmp(json_get_text(object, "kind"), checkpoint_kind.name) == 0 &&
	    (strcmp(state, "pending") == 0 || strcmp(state, "running") == 0)) {
		strv_add(interrupted, ns);
		strv_add(interrupted, key);
	}
	return 0;
}

bool
checkpoint_forget(struct task *task)
{
	struct skiff_error left = ERROR_INIT;
	cleanup_close int task_fd = -1;
	struct stat st;

	if (fs_open_dir(AT_FDCWD, task->dir, false, 0, &task_fd, &left) < 0 ||
	    fstatat(task_fd, SHIM_DIR_CHECKPOINT, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (fs_remove_tree(task_fd, SHIM_DIR_CHECKPOINT, &left) < 0)
		log_failure(LOG_WARN, &left,
			    "checkpoint of task %s/%s, ignoring", task->ns,
			    task->id);
	return true;
}

int
checkpoints_recover(struct tasks *tasks, struct skiff_error *err)
{
	struct checkpoint_store store = tasks_checkpoint_store(tasks);
	CLEANUP(strv_done) struct strv interrupted = STRV_INIT;
	struct conn *conn = db_reader_get(tasks->db);
	int r = record_each(conn, RECORD_OPERATION, NULL, recover_one,
			    &interrupted, err);

	db_reader_put(conn);
	for (size_t i = 0; r == 0 && i < interrupted.n; i += 2)
		r = checkpoint_drop_blobs(&store, interrupted.items[i],
					  interrupted.items[i + 1], err);
	return r < 0 ? err_wrap(err, "recover checkpoints") : 0;
}
