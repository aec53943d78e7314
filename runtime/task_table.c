/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of living tasks: who is there, and who still needs whom.
 *
 * A task is found by namespace and id, and counted: one reference is the
 * table's, one the monitor's, one each call's. A list suffices: it is
 * walked in memory, once a request.
 */
#include "config.h"

#include "runtime/task_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "runtime/health.h"
#include "store/events/bus.h"

/* state/s/<16 hex of sha256("ns/id")>. */
static char *
socket_path(const struct tasks *tasks, const char *ns, const char *id)
{
	cleanup_free char *name = xasprintf("%s/%s", ns, id);
	struct digest digest;

	digest_of(name, strlen(name), &digest);
	return xasprintf("%s/%.*s", tasks->socket_dir, SOCKET_NAME_LEN,
			 digest_hex(&digest));
}

struct task *
task_new(struct tasks *tasks, const char *ns, const char *id)
{
	struct task *task = xcalloc(1, sizeof(*task));

	task->tasks = tasks;
	task->refs = 1;
	task->is_known = true;
	task->ns = xstrdup(ns);
	task->id = xstrdup(id);
	task->dir = xasprintf("%s/%s/%s", tasks->root, ns, id);
	task->run_dir = xasprintf("%s/%s/%s", tasks->run_root, ns, id);
	task->runtime_root = xasprintf("%s/%s", tasks->runtime_root, ns);
	task->socket = socket_path(tasks, ns, id);
	lock_init(&task->step, LOCK_RANK_TASK);
	return task;
}

void
task_free(struct task *task)
{
	execs_free(task);
	health_free(task);
	shim_client_free(task->client);
	lock_done(&task->step);
	json_decref(task->resources);
	json_decref(task->stdio);
	json_decref(task->options);
	free(task->cgroups_path);
	free(task->runtime);
	strv_done(&task->runtime_args);
	free(task->rootfs);
	free(task->socket);
	free(task->runtime_root);
	free(task->run_dir);
	free(task->dir);
	free(task->id);
	free(task->ns);
	free(task);
}

struct task *
task_ref(struct task *task)
{
	LOCK_SCOPE(&task->tasks->lock);

	task->refs++;
	return task;
}

void
task_unref(struct task *task)
{
	struct tasks *tasks = task->tasks;
	bool is_last;

	lock_take(&tasks->lock);
	is_last = --task->refs == 0;
	lock_release(&tasks->lock);
	if (is_last)
		task_free(task);
}

static struct task *
lookup_locked(struct tasks *tasks, const char *ns, const char *id)
{
	assert(lock_is_held(&tasks->lock));
	for (struct task *task = tasks->first; task; task = task->next)
		if (strcmp(task->id, id) == 0 && strcmp(task->ns, ns) == 0)
			return task;
	return NULL;
}

bool
task_table_add(struct task *task)
{
	struct tasks *tasks = task->tasks;

	LOCK_SCOPE(&tasks->lock);
	if (lookup_locked(tasks, task->ns, task->id))
		return false;
	task->refs++;
	task->next = tasks->first;
	tasks->first = task;
	return true;
}

int
task_table_claim(struct task *task, char *rootfs, struct skiff_error *err)
{
	cleanup_free char *claim = rootfs;
	struct tasks *tasks = task->tasks;

	LOCK_SCOPE(&tasks->lock);
	for (const struct task *t = claim ? tasks->first : NULL; t;
	     t = t->next) {
		if (t == task || !t->rootfs || strcmp(t->ns, task->ns) != 0 ||
		    strcmp(t->rootfs, claim) != 0)
			continue;
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "task %s runs on %s, which only one can write to",
			      t->id, claim);
		(void)err_object(err, "task", t->id);
		return err_reason(err, "rootfs_in_use");
	}
	free(task->rootfs);
	task->rootfs = STEAL_PTR(claim);
	return 0;
}

void
task_table_remove(struct task *task)
{
	struct tasks *tasks = task->tasks;
	struct task **link;

	lock_take(&tasks->lock);
	for (link = &tasks->first; *link && *link != task;
	     link = &(*link)->next)
		continue;
	assert(*link == task);
	*link = task->next;
	lock_release(&tasks->lock);
	task_unref(task);
}

struct task *
task_find(struct tasks *tasks, const char *ns, const char *id,
	  struct skiff_error *err)
{
	struct task *task;

	LOCK_SCOPE(&tasks->lock);
	task = lookup_locked(tasks, ns, id);
	if (task)
		task->refs++;
	else
		(void)err_not_found(err, "task", id);
	return task;
}

void
task_note_untried(struct task *task)
{
	LOCK_SCOPE(&task->tasks->lock);

	task->is_unrecalled = true;
	task->tasks->n_unrecalled++;
	task->is_untried = true;
	task->tasks->n_untried++;
}

bool
task_note_recalled(struct task *task)
{
	bool was_unrecalled;

	LOCK_SCOPE(&task->tasks->lock);
	was_unrecalled = task->is_unrecalled;
	task->is_unrecalled = false;
	task->tasks->n_unrecalled -= was_unrecalled;
	return was_unrecalled;
}

struct task *
task_find_unrecalled(struct tasks *tasks)
{
	LOCK_SCOPE(&tasks->lock);
	for (struct task *task = tasks->first; tasks->n_unrecalled && task;
	     task = task->next) {
		if (!task->is_unrecalled)
			continue;
		task->refs++;
		return task;
	}
	return NULL;
}

void
task_note_tried(struct task *task)
{
	struct tasks *tasks = task->tasks;
	bool was_untried;

	lock_take(&tasks->lock);
	was_untried = task->is_untried;
	task->is_untried = false;
	tasks->n_untried -= was_untried;
	lock_release(&tasks->lock);
	if (was_untried)
		bus_announce(tasks->bus, task->ns, task->id);
}

bool
tasks_are_tried(struct tasks *tasks, const char *ns, const char *id)
{
	LOCK_SCOPE(&tasks->lock);
	for (struct task *task = tasks->first; tasks->n_untried && task;
	     task = task->next)
		if (task->is_untried && strcmp(task->ns, ns) == 0 &&
		    (!id || strcmp(task->id, id) == 0))
			return false;
	return true;
}

struct shim_place
task_place(const struct task *task)
{
	return (struct shim_place){
		.task_dir = task->dir,
		.socket = task->socket,
		.id = task->id,
		.runtime = task->runtime,
		.runtime_args = &task->runtime_args,
		.runtime_root = task->runtime_root,
		.cgroups_path = task->cgroups_path,
	};
}
