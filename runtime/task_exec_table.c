/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The execs of a task: who is there, and who still needs whom.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "runtime/task_exec_internal.h"

struct exec *
exec_new(struct task *task, const char *id)
{
	struct exec *exec = xcalloc(1, sizeof(*exec));

	exec->task = task_ref(task);
	exec->refs = 1;
	exec->id = xstrdup(id);
	exec->dir = xasprintf("%s/" SHIM_EXECS_DIR "/%s", task->dir, id);
	lock_init(&exec->step, LOCK_RANK_EXEC);
	return exec;
}

static void
exec_free(struct exec *exec)
{
	lock_done(&exec->step);
	json_decref(exec->stdio);
	free(exec->dir);
	free(exec->id);
	free(exec);
}

void
exec_unref(struct exec *exec)
{
	struct task *task = exec->task;
	struct tasks *tasks = task->tasks;
	bool is_last;

	lock_take(&tasks->lock);
	is_last = --exec->refs == 0;
	lock_release(&tasks->lock);
	if (!is_last)
		return;
	exec_free(exec);
	task_unref(task);
}

void
execs_free(struct task *task)
{
	struct exec *exec;

	while ((exec = task->execs) != NULL) {
		task->execs = exec->next;
		exec_free(exec);
	}
}

static struct exec *
lookup_locked(const struct task *task, const char *id, size_t *ret_n)
{
	size_t n = 0;

	assert(lock_is_held(&task->tasks->lock));
	for (struct exec *exec = task->execs; exec; exec = exec->next, n++)
		if (strcmp(exec->id, id) == 0)
			return exec;
	*ret_n = n;
	return NULL;
}

int
exec_table_add(struct exec *exec, struct skiff_error *err)
{
	struct task *task = exec->task;
	size_t n = 0;

	LOCK_SCOPE(&task->tasks->lock);
	if (lookup_locked(task, exec->id, &n)) {
		(void)err_set(err, SKIFF_ALREADY_EXISTS,
			      "exec %s of task %s: already exists", exec->id,
			      task->id);
		return err_object(err, "exec", exec->id);
	}
	if (n >= EXECS_MAX)
		return err_set(err, SKIFF_RESOURCE_EXHAUSTED,
			       "task %s has %d execs: delete those that have "
			       "ended",
			       task->id, EXECS_MAX);
	exec->refs++;
	exec->next = task->execs;
	task->execs = exec;
	return 0;
}

void
exec_table_remove(struct exec *exec)
{
	struct task *task = exec->task;
	struct exec **link;
	bool was_there;

	lock_take(&task->tasks->lock);
	for (link = &task->execs; *link && *link != exec; link = &(*link)->next)
		continue;
	was_there = *link == exec;
	if (was_there)
		*link = exec->next;
	lock_release(&task->tasks->lock);
	if (was_there)
		exec_unref(exec);
}

struct exec *
exec_find(struct task *task, const char *id, struct skiff_error *err)
{
	struct exec *exec;
	size_t n;

	LOCK_SCOPE(&task->tasks->lock);
	exec = lookup_locked(task, id, &n);
	if (exec)
		exec->refs++;
	else
		(void)err_not_found(err, "exec", id);
	return exec;
}

struct exec **
execs_all(struct task *task, size_t *ret_n)
{
	struct exec **all;
	size_t n = 0;

	lock_take(&task->tasks->lock);
	for (struct exec *exec = task->execs; exec; exec = exec->next)
		n++;
	all = xcalloc(n + 1, sizeof(struct exec *));
	*ret_n = n;
	for (struct exec *exec = task->execs; exec; exec = exec->next) {
		exec->refs++;
		all[--n] = exec;
	}
	lock_release(&task->tasks->lock);
	return all;
}
