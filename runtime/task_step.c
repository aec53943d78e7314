/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every step of a task begins and ends with.
 */
#include "config.h"

#include "runtime/task_internal.h"

int
task_refuse(const struct task *task, const char *verb, struct skiff_error *err)
{
	const char *state = task_state_name(task->state);

	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "cannot %s task %s: it is %s", verb, task->id, state);
	(void)err_reason(err, "task_state");
	(void)err_object(err, "task", task->id);
	return err_state(err, state);
}

struct task *
task_begin_step(struct tasks *tasks, const char *ns, const char *id,
		struct skiff_error *err)
{
	struct task *task = task_find(tasks, ns, id, err);

	if (!task)
		return NULL;
	lock_take(&task->step);
	task_make_known(task);
	if (task->state == TASK_DELETED) {
		lock_release(&task->step);
		task_unref(task);
		(void)err_not_found(err, "task", id);
		return NULL;
	}
	return task;
}

int
task_need_shim(const struct task *task, struct skiff_error *err)
{
	if (task->client)
		return 0;
	(void)err_set(err, SKIFF_DEADLINE_EXCEEDED,
		      "the shim of task %s does not answer", task->id);
	(void)err_reason(err, "shim_silent");
	return err_object(err, "task", task->id);
}

void
task_end_step(struct task *task)
{
	if (!task)
		return;
	lock_release(&task->step);
	task_unref(task);
}
