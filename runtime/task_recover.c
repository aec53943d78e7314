/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a restart: every task of an earlier life is found again.
 *
 * The records say which tasks there are. Each one's shim is connected, in
 * parallel, and says what became of the task meanwhile; where it is dead,
 * the task is settled. This goes on while the daemon serves already: a step
 * of a task that is not known yet makes it known first, a new task waits
 * until all have recalled what they run on, and a shim that does not answer
 * is asked again while the daemon runs. Directories (and shims) that no
 * record names come from a creation that a crash cut short, and are removed.
 */
#include "config.h"

#include "runtime/task_internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/workpool.h"
#include "runtime/bundle.h"
#include "runtime/health.h"
#include "runtime/restart.h"
#include "runtime/spec/spec.h"
#include "store/record.h"

#define CONNECT_TIMEOUT_MS 2000
#define CLEANUP_TIMEOUT_MS 20000
#define RETRY_MS 1000

/* --- the tasks that records name --------------------------------------- */

/*
 * Whether the machine was started since the task's run was made: the boot
 * was another, or what a run needs is gone with the state directory.
 */
static bool
is_of_earlier_boot(const struct task *task)
{
	cleanup_free char *path = xasprintf("%s/" BUNDLE_BOOT, task->dir);
	cleanup_free char *boot_id = NULL;
	struct skiff_error unread = ERROR_INIT;

	if (fs_read_file(AT_FDCWD, path, BOOT_ID_MAX, &boot_id, NULL, &unread) <
	    0)
		return access(task->dir, F_OK) == 0 &&
		       access(task->run_dir, F_OK) < 0;
	return strcmp(boot_id, task->tasks->boot_id) != 0;
}

/*
 * A restart that could not be recorded any more. The shim of the run before
 * tells the exit that the record has.
 */
static bool
is_unsaid_run(const struct task *task, const struct shim_status *status)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct record_ref ref = { RECORD_TASK, task->ns, task->id };
	struct skiff_error unknown = ERROR_INIT;
	cleanup_json json_t *object = NULL;
	int64_t exited_ns;

	if (status->phase == SHIM_RUNNING)
		return true;
	return status->phase == SHIM_STOPPED && status->exit.was_started &&
	       record_load(conn, &ref, &object, &unknown) == 0 &&
	       rfc3339_parse(json_get_text(object, "exited_at"), &exited_ns) &&
	       exited_ns != status->exit.exited_ns;
}

/* The shim lives: what it says goes. */
static int
follow_shim(struct task *task, struct skiff_error *err)
{
	struct shim_status status;

	if (task->state == TASK_STOPPED && !task->is_restart_due)
		return 0;
	if (shim_state(task->client, deadline_in_ms(CONNECT_TIMEOUT_MS),
		       &status, err) < 0)
		return -1;
	if (task->state == TASK_STOPPED && is_unsaid_run(task, &status)) {
		task->state = TASK_RUNNING;
		task->is_start_unsaid = task->is_restart_unsaid = true;
	}
	if (task->state == TASK_CREATED && status.phase != SHIM_CREATED &&
	    (status.phase == SHIM_RUNNING || status.exit.was_started)) {
		task->state = TASK_RUNNING;
		task->is_start_unsaid = true;
	}
	if (task_say_start(task, err) < 0)
		return -1;
	if (status.phase == SHIM_STOPPED)
		return task_settle_exit(task, &status.exit, NULL, err);
	return task_believe_freezer(task, err);
}

static int
settle(struct task *task, struct skiff_error *err)
{
	if (is_of_earlier_boot(task))
		return task->state == TASK_STOPPED
			   ? 0
			   : task_settle_rebooted(task, err);
	if (shim_connect(task->dir, task->socket,
			 deadline_in_ms(CONNECT_TIMEOUT_MS), &task->client,
			 err) < 0) {
		if (task->state == TASK_STOPPED)
			return 0;
		return err->code == SKIFF_NOT_FOUND
			   ? task_settle_lost(task, err)
			   : -1;
	}
	if (execs_follow(task, err) < 0 || follow_shim(task, err) < 0) {
		shim_client_free(task->client);
		task->client = NULL;
		return -1;
	}
	/* A stop goes on where an earlier life left it. */
	if (task_is_live(task) && task->kill_at_ns)
		task_kill_later(task, task->kill_at_ns);
	task_watch(task);
	return 0;
}

static void
recall(struct task *task)
{
	assert(lock_is_held(&task->step));
	if (task_note_recalled(task))
		task_plan_recall(task);
}

void
tasks_recall(struct tasks *tasks)
{
	struct task *task;

	while ((task = task_find_unrecalled(tasks)) != NULL) {
		lock_take(&task->step);
		recall(task);
		task_end_step(task);
	}
}

void
task_make_known(struct task *task)
{
	struct skiff_error err = ERROR_INIT;

	assert(lock_is_held(&task->step));
	if (task->is_known || task->state == TASK_DELETED)
		return;
	recall(task);
	if (settle(task, &err) < 0) {
		/* Its container lives, or the disk is full: not for ever. */
		if (!task->is_trouble_told)
			log_failure(LOG_ERROR, &err,
				    "recover task %s/%s, trying again",
				    task->ns, task->id);
		task->is_trouble_told = true;
		return;
	}
	task->is_known = true;
	if (task_is_live(task) && task->state != TASK_CREATED)
		health_resume(task);
	restart_recover(task);
}

void
task_settle(struct tasks *tasks, const char *ns, const char *id)
{
	struct skiff_error absent = ERROR_INIT;

	task_end_step(task_begin_step(tasks, ns, id, &absent));
}

static void
release_task(void *arg)
{
	task_unref(arg);
}

/* Tried again and again, whoever else has tried meanwhile. */
static void
run_settle_job(void *arg)
{
	static const struct timer_ops again = {
		.is_slow = true,
		.run = run_settle_job,
		.drop = release_task,
	};
	struct task *task = arg;
	bool is_done;

	lock_take(&task->step);
	task_make_known(task);
	is_done = task->is_known || task->state == TASK_DELETED;
	lock_release(&task->step);
	task_note_tried(task);
	if (is_done)
		task_unref(task);
	else
		timers_add(task->tasks->timers, deadline_in_ms(RETRY_MS),
			   &again, task);
}

void
task_remember(struct task *task, const json_t *object)
{
	task->state = task_state_from_name(json_get_text(object, "state"));
	task->has_terminal = json_get_bool(object, "terminal");
	task->is_stop_wanted =
	    json_object_get(object, "stop_requested_at") != NULL;
	task->is_restart_asked =
	    json_object_get(object, "restart_requested_at") != NULL;
	task->is_restart_due =
	    json_object_get(json_object_get(object, "restart"), "at") != NULL;
	(void)rfc3339_parse(json_get_text(object, "kill_at"),
			    &task->kill_at_ns);
	task->oom_kills = json_get_int(object, "oom_kills", 0);
	task->resources = json_incref(json_object_get(object, "resources"));
	task->stdio = json_incref(json_object_get(object, "stdio"));
	task->options = json_incref(json_object_get(object, "options"));
	task->has_terminal_wish = true;
}

static int
add_recorded(void *arg, const char *ns, const char *id, json_t *object,
	     struct skiff_error *err)
{
	struct tasks *tasks = arg;
	CLEANUP(task_unrefp) struct task *task = task_new(tasks, ns, id);

	(void)err;
	task_remember(task, object);
	task->is_known = false;
	task_note_untried(task);
	(void)task_table_add(task);
	return 0;
}

static int
load_recorded(struct tasks *tasks, struct skiff_error *err)
{
	struct conn *conn = db_reader_get(tasks->db);
	int r = record_each(conn, RECORD_TASK, NULL, add_recorded, tasks, err);

	db_reader_put(conn);
	return r < 0 ? -1 : execs_load(tasks, err);
}

static size_t
settle_recorded(struct tasks *tasks)
{
	size_t n = 0;

	/* No request is served yet: the table does not change. */
	for (struct task *task = tasks->first; task; task = task->next) {
		workpool_add(tasks->pool, /* is_slow= */ false, run_settle_job,
			     task_ref(task));
		n++;
	}
	return n;
}

/* --- what no record names ---------------------------------------------- */

static int
remove_orphan(struct tasks *tasks, const char *ns, const char *id,
	      struct skiff_error *err)
{
	CLEANUP(task_unrefp) struct task *task = task_new(tasks, ns, id);
	struct shim_place place;

	task_plan_recall(task);
	place = task_place(task);
	if (shim_force_cleanup(&place, deadline_in_ms(CLEANUP_TIMEOUT_MS),
			       err) < 0 ||
	    bundle_remove(task->dir, task->run_dir, err) < 0)
		return err_wrap(err, "remove unrecorded task %s/%s", ns, id);
	log_info("task %s/%s was never recorded: removed", ns, id);
	return 0;
}

static int
remove_orphans_of(struct tasks *tasks, const char *ns, struct skiff_error *err)
{
	cleanup_free char *path = xasprintf("%s/%s", tasks->root, ns);
	CLEANUP(strv_done) struct strv ids = STRV_INIT;

	if (fs_list(AT_FDCWD, path, &ids, err) < 0)
		return -1;
	for (size_t i = 0; i < ids.n; i++) {
		struct skiff_error unknown = ERROR_INIT;
		CLEANUP(task_unrefp)
		struct task *known =
		    task_find(tasks, ns, ids.items[i], &unknown);

		if (!known && !task_rename_finish(tasks, ns, ids.items[i]) &&
		    remove_orphan(tasks, ns, ids.items[i], err) < 0)
			log_failure(LOG_ERROR, err, "recover");
	}
	return 0;
}

static int
remove_orphans(struct tasks *tasks, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv namespaces = STRV_INIT;

	if (fs_list(AT_FDCWD, tasks->root, &namespaces, err) < 0)
		return -1;
	for (size_t i = 0; i < namespaces.n; i++)
		if (strcmp(namespaces.items[i], TASKS_DEAD) != 0 &&
		    remove_orphans_of(tasks, namespaces.items[i], err) < 0)
			return -1;
	return 0;
}

/* Namespaces that were deleted just before the end of an earlier life. */
static int
forget_namespaces(struct tasks *tasks, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv namespaces = STRV_INIT;

	if (fs_list(AT_FDCWD, tasks->runtime_root, &namespaces, err) < 0)
		return -1;
	for (size_t i = 0; i < namespaces.n; i++)
		tasks_forget_namespace(tasks, namespaces.items[i]);
	return 0;
}

int
tasks_recover(struct tasks *tasks, struct skiff_error *err)
{
	size_t n;

	if (task_discards_sweep(tasks, err) < 0 ||
	    load_recorded(tasks, err) < 0 || remove_orphans(tasks, err) < 0 ||
	    forget_namespaces(tasks, err) < 0)
		return err_wrap(err, "recover tasks");
	n = settle_recorded(tasks);
	if (n > 0)
		log_info("%zu tasks of an earlier life", n);
	return 0;
}
