/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pause and resume: the daemon itself writes the freezer.
 *
 * Freezing takes as long as the slowest process needs to come to a place
 * where it can stop. One that is held up (by a disk, say) leaves the task
 * "pausing": the step is let go meanwhile, so that it can be resumed,
 * killed or deleted; if it takes too long the pause fails and the task
 * runs on. What the freezer says counts: a daemon that comes back
 * believes it, not the record.
 */
#include "config.h"

#include <poll.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "runtime/cgroup/freezer.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/task_internal.h"

#define FREEZE_QUICK_MS 100
#define FREEZE_TIMEOUT_MS 10000
#define POLL_MS 2
#define POLLS_A_BREATH 16

struct freezing {
	struct cgroup_dirs dirs;
	bool is_held_up; /* by a fault, as a process could be */
	int n_polls;
};

/*
 * Says so again, which v1 needs for processes that came since. And now and
 * then it lets them breathe: an execve(2) waits for the end of the other
 * threads, which in v1 do not end once they are frozen.
 */
static bool
is_frozen_now(struct freezing *freezing)
{
	struct skiff_error gone = ERROR_INIT;

	if (++freezing->n_polls % POLLS_A_BREATH == 0) {
		(void)cgroup_set_frozen(&freezing->dirs, false, &gone);
		(void)poll(NULL, 0, POLL_MS);
	}
	return cgroup_set_frozen(&freezing->dirs, true, &gone) == 0 &&
	       cgroup_freezer_state(&freezing->dirs) == FREEZER_FROZEN &&
	       !freezing->is_held_up;
}

/* Takes a failed or unrecorded pause back; thawing does not wait. */
static void
run_on(struct task *task, const struct cgroup_dirs *dirs)
{
	struct skiff_error err = ERROR_INIT;

	if (cgroup_set_frozen(dirs, false, &err) < 0)
		log_failure(LOG_ERROR, &err, "task %s/%s stays frozen",
			    task->ns, task->id);
	task->state = TASK_RUNNING;
}

static int
give_up(struct task *task, const struct cgroup_dirs *dirs,
	struct skiff_error *err)
{
	cleanup_free char *doc = NULL;
	int64_t revision;

	run_on(task, dirs);
	if (task_record_state(task, TASK_RUNNING, "update", &doc, &revision,
			      err) < 0)
		return -1;
	(void)err_set(err, SKIFF_DEADLINE_EXCEEDED,
		      "a process did not freeze within %d s; it runs on",
		      FREEZE_TIMEOUT_MS / 1000);
	return err_reason(err, "not_frozen");
}

/* Goes on with the step let go in between; it is held on return. */
static int
pursue(struct task *task, struct freezing *freezing, struct skiff_error *err)
{
	struct deadline deadline = deadline_in_ms(FREEZE_TIMEOUT_MS);
	cleanup_free char *doc = NULL;
	int64_t revision;

	if (task_record_state(task, TASK_PAUSING, "update", &doc, &revision,
			      err) < 0) {
		run_on(task, &freezing->dirs);
		return -1;
	}
	task->state = TASK_PAUSING;
	for (;;) {
		lock_release(&task->step);
		(void)poll(NULL, 0, POLL_MS);
		lock_take(&task->step);
		if (task->state == TASK_DELETED)
			return err_not_found(err, "task", task->id);
		if (task->state != TASK_PAUSING)
			return task_refuse(task, "pause", err);
		if (is_frozen_now(freezing))
			return 0;
		if (deadline_passed(deadline))
			return give_up(task, &freezing->dirs, err);
	}
}

static int
freeze(struct task *task, struct freezing *freezing, struct skiff_error *err)
{
	struct deadline quick = deadline_in_ms(FREEZE_QUICK_MS);
	struct skiff_error held_up = ERROR_INIT;

	if (cgroup_set_frozen(&freezing->dirs, true, err) < 0)
		return -1;
	freezing->is_held_up = fault_hit(FAULT_TASK_PAUSING, &held_up) < 0;
	while (!is_frozen_now(freezing)) {
		if (deadline_passed(quick))
			return pursue(task, freezing, err);
		(void)poll(NULL, 0, POLL_MS);
	}
	return 0;
}

static int
pause_step(struct task *task, char **ret_doc, int64_t *ret_revision,
	   struct skiff_error *err)
{
	struct freezing freezing = { .n_polls = 0 };

	if (task->state != TASK_RUNNING)
		return task_refuse(task, "pause", err);
	if (task_refuse_while_checkpointing(task, err) < 0 ||
	    task_cgroups(task, &freezing.dirs, err) < 0 ||
	    fault_hit(FAULT_TASK_PAUSE_BEFORE, err) < 0 ||
	    freeze(task, &freezing, err) < 0)
		return err_wrap(err, "pause task %s", task->id);
	if (task_record_state(task, TASK_PAUSED, "paused", ret_doc,
			      ret_revision, err) < 0) {
		run_on(task, &freezing.dirs);
		return err_wrap(err, "pause task %s: record", task->id);
	}
	task->state = TASK_PAUSED;
	return 0;
}

int
task_pause(struct tasks *tasks, const char *ns, const char *id, char **ret_doc,
	   int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, id, err);
	struct skiff_error unsaid = ERROR_INIT;

	if (!task || pause_step(task, ret_doc, ret_revision, err) < 0)
		return -1;
	(void)fault_hit(FAULT_TASK_PAUSE_AFTER, &unsaid);
	return 0;
}

int
task_thaw(struct task *task, char **ret_doc, int64_t *ret_revision,
	  struct skiff_error *err)
{
	/* Nobody was told that a task which was pausing is paused. */
	const char *verb = task->state == TASK_PAUSED ? "resumed" : "update";
	struct skiff_error ignored = ERROR_INIT;
	struct cgroup_dirs dirs;

	assert(lock_is_held(&task->step));
	if (task_cgroups(task, &dirs, err) < 0 ||
	    cgroup_set_frozen(&dirs, false, err) < 0)
		return -1;
	if (task_record_state(task, TASK_RUNNING, verb, ret_doc, ret_revision,
			      err) < 0) {
		(void)cgroup_set_frozen(&dirs, true, &ignored);
		return err_wrap(err, "record");
	}
	task->state = TASK_RUNNING;
	return 0;
}

int
task_resume(struct tasks *tasks, const char *ns, const char *id, char **ret_doc,
	    int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, id, err);
	struct skiff_error unsaid = ERROR_INIT;

	if (!task)
		return -1;
	if (task->state != TASK_PAUSED && task->state != TASK_PAUSING)
		return task_refuse(task, "resume", err);
	if (task_refuse_while_checkpointing(task, err) < 0 ||
	    fault_hit(FAULT_TASK_RESUME_BEFORE, err) < 0 ||
	    task_thaw(task, ret_doc, ret_revision, err) < 0)
		return err_wrap(err, "resume task %s", id);
	(void)fault_hit(FAULT_TASK_RESUME_AFTER, &unsaid);
	return 0;
}

int
task_believe_freezer(struct task *task, struct skiff_error *err)
{
	enum task_state actual = TASK_RUNNING;
	enum freezer_state freezer;
	cleanup_free char *doc = NULL;
	const char *verb = "update";
	struct cgroup_dirs dirs;
	int64_t revision;

	assert(lock_is_held(&task->step));
	if (!task_is_live(task) || task->state == TASK_CREATED)
		return 0;
	/* Frozen for a checkpoint, whose asker is gone: the shim thaws it. */
	if (checkpoint_forget(task))
		return 0;
	if (task_cgroups(task, &dirs, err) < 0)
		return -1;
	freezer = cgroup_freezer_state(&dirs);
	/* Whoever asked for this pause was never answered. */
	if (freezer == FREEZER_FREEZING &&
	    cgroup_set_frozen(&dirs, false, err) < 0)
		return -1;
	if (freezer == FREEZER_FROZEN)
		actual = TASK_PAUSED;
	if (task->state == actual)
		return 0;
	if (actual == TASK_PAUSED)
		verb = "paused";
	else if (task->state == TASK_PAUSED)
		verb = "resumed";
	if (task_record_state(task, actual, verb, &doc, &revision, err) < 0)
		return -1;
	task->state = actual;
	return 0;
}
