/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a restart: every task of an earlier life is found again.
 *
 * The records say which tasks there are. Each one's shim is connected, in
 * parallel, and says what became of the task meanwhile; where it is dead,
 * the task is settled. Directories (and shims) that no record names come
 * from a creation that a crash cut short, and are removed.
 */
#include "config.h"

#include "runtime/task_internal.h"

#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/workpool.h"
#include "runtime/bundle.h"
#include "runtime/spec/spec.h"
#include "store/record.h"

#define CONNECT_TIMEOUT_MS 2000
#define CLEANUP_TIMEOUT_MS 20000

/* --- the tasks that records name --------------------------------------- */

/* Counts the tasks that are still being settled. */
struct settling {
	struct lock lock;
	pthread_cond_t done;
	size_t n_left; /* guarded by lock */
};

struct settle_job {
	struct settling *settling;
	struct task *task;
};

/* The shim lives: what it says goes. */
static int
follow_shim(struct task *task, struct skiff_error *err)
{
	struct shim_status status;

	if (task->state == TASK_STOPPED)
		return 0;
	if (shim_state(task->client, deadline_in_ms(CONNECT_TIMEOUT_MS),
		       &status, err) < 0)
		return -1;
	if (task->state == TASK_CREATED && status.phase != SHIM_CREATED &&
	    (status.phase == SHIM_RUNNING || status.exit.was_started)) {
		task->state = TASK_RUNNING;
		task->is_start_unsaid = true;
	}
	if (task_say_start(task, err) < 0)
		return -1;
	if (status.phase == SHIM_STOPPED)
		return task_settle_exit(task, &status.exit, NULL, err);
	return 0;
}

static int
settle(struct task *task, struct skiff_error *err)
{
	if (shim_connect(task->dir, task->socket,
			 deadline_in_ms(CONNECT_TIMEOUT_MS), &task->client,
			 err) < 0) {
		if (task->state == TASK_STOPPED)
			return 0;
		if (err->code == SKIFF_NOT_FOUND)
			return task_settle_lost(task, err);
		/* Slow, or out of our reach: its container lives. */
		log_failure(LOG_ERROR, err,
			    "task %s/%s, left alone until the next start",
			    task->ns, task->id);
		return 0;
	}
	if (follow_shim(task, err) < 0)
		return -1;
	task_watch(task);
	return 0;
}

/* A shim that lives says it again to who watches it. */
static void
settle_again(struct task *task)
{
	static const struct shim_event gone = { .type = SHIM_EVENT_GONE };

	if (task->client)
		task_watch(task);
	else
		task_settle_later(task, NULL, &gone);
}

static void
run_settle_job(void *arg)
{
	struct skiff_error err = ERROR_INIT;
	struct settle_job *job = arg;
	struct settling *settling = job->settling;

	lock_take(&job->task->step);
	if (settle(job->task, &err) < 0) {
		log_failure(LOG_ERROR, &err, "recover task %s/%s",
			    job->task->ns, job->task->id);
		settle_again(job->task);
	}
	lock_release(&job->task->step);
	task_unref(job->task);
	free(job);

	lock_take(&settling->lock);
	if (--settling->n_left == 0)
		PTOK(pthread_cond_signal(&settling->done));
	lock_release(&settling->lock);
}

static int
add_recorded(void *arg, const char *ns, const char *id, json_t *object,
	     struct skiff_error *err)
{
	struct tasks *tasks = arg;
	CLEANUP(task_unrefp) struct task *task = task_new(tasks, ns, id);

	(void)err;
	task->state = task_state_from_name(json_get_text(object, "state"));
	task->has_terminal = json_get_bool(object, "terminal");
	(void)task_table_add(task);
	return 0;
}

/* The cgroup is in the container's spec; without it the shim's note helps. */
static void
find_cgroup(struct task *task)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct record_ref ref = { RECORD_CONTAINER, task->ns, task->id };
	struct skiff_error unknown = ERROR_INIT;
	cleanup_json json_t *container = NULL;
	const char *path;

	if (record_load(conn, &ref, &container, &unknown) < 0)
		return;
	path = spec_cgroups_path(json_object_get(container, "spec"));
	if (path)
		task->cgroups_path = xstrdup(path);
}

static int
load_recorded(struct tasks *tasks, struct skiff_error *err)
{
	struct conn *conn = db_reader_get(tasks->db);
	int r = record_each(conn, RECORD_TASK, NULL, add_recorded, tasks, err);

	db_reader_put(conn);
	for (struct task *task = tasks->first; task; task = task->next)
		find_cgroup(task);
	return r;
}

static size_t
settle_recorded(struct tasks *tasks)
{
	struct settling settling = {
		.lock = LOCK_INIT(LOCK_RANK_LEAF),
		.n_left = 1,
	};
	size_t n = 0;

	cond_init(&settling.done);
	/* No request is served yet: the table does not change. */
	for (struct task *task = tasks->first; task; task = task->next) {
		struct settle_job *job = xcalloc(1, sizeof(*job));

		job->settling = &settling;
		job->task = task_ref(task);
		lock_take(&settling.lock);
		settling.n_left++;
		lock_release(&settling.lock);
		workpool_add(tasks->pool, /* is_slow= */ false, run_settle_job,
			     job);
		n++;
	}
	lock_take(&settling.lock);
	settling.n_left--;
	while (settling.n_left > 0)
		(void)cond_wait(&settling.done, &settling.lock, DEADLINE_NEVER);
	lock_release(&settling.lock);
	PTOK(pthread_cond_destroy(&settling.done));
	lock_done(&settling.lock);
	return n;
}

/* --- what no record names ---------------------------------------------- */

static int
remove_orphan(struct tasks *tasks, const char *ns, const char *id,
	      struct skiff_error *err)
{
	CLEANUP(task_unrefp) struct task *task = task_new(tasks, ns, id);
	struct shim_place place;

	find_cgroup(task);
	place = task_place(task);
	if (shim_force_cleanup(&place, deadline_in_ms(CLEANUP_TIMEOUT_MS),
			       err) < 0 ||
	    bundle_remove(task->dir, err) < 0)
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

		if (!known && remove_orphan(tasks, ns, ids.items[i], err) < 0)
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
		if (remove_orphans_of(tasks, namespaces.items[i], err) < 0)
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
	int64_t begin_ns = clock_monotonic_ns();
	size_t n;

	if (load_recorded(tasks, err) < 0)
		return err_wrap(err, "recover tasks");
	n = settle_recorded(tasks);
	if (remove_orphans(tasks, err) < 0 || forget_namespaces(tasks, err) < 0)
		return err_wrap(err, "recover tasks");
	if (n > 0)
		log_info("%zu tasks known again after %d ms", n,
			 (int)((clock_monotonic_ns() - begin_ns) / NS_PER_MS));
	return 0;
}
