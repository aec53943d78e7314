/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every step of a task begins and ends with, and what some share.
 */
#include "config.h"

#include "runtime/task_internal.h"

#include <fcntl.h>

#include "base/alloc.h"
#include "base/fs.h"

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

bool
task_is_live(const struct task *task)
{
	return task->state != TASK_STOPPED && task->state != TASK_DELETED;
}

int
task_cgroups(const struct task *task, struct cgroup_dirs *ret_dirs,
	     struct skiff_error *err)
{
	cleanup_free char *path =
	    xasprintf("%s/%s", task->dir, SHIM_FILE_CGROUP);
	cleanup_free char *text = NULL;

	if (fs_read_file(AT_FDCWD, path, CGROUP_TEXT_MAX, &text, NULL, err) < 0)
		return err_wrap(err, "cgroups of task %s", task->id);
	cgroup_dirs_from_text(text, ret_dirs);
	if (ret_dirs->n == 0)
		return err_set(err, SKIFF_INTERNAL,
			       "task %s is in no cgroup of its own", task->id);
	return 0;
}
