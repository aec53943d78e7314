/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another id for a container whose task has ended. Its log, its exit and
 * its restarts go along; what only a run has is taken down, as before a next
 * run, since shim, cgroups and socket are named for the id.
 *
 * Design note: the record is renamed first, then the directory, in which a
 * note already says whose it becomes. Where a daemon dies between, the next
 * one finds a directory that no record names and moves it; a note for a
 * record that was not renamed after all says nothing.
 */
#include "config.h"

#include "runtime/task_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/bundle.h"
#include "runtime/container.h"
#include "store/record.h"

#define NOTE "renamed"

struct renaming {
	struct task *task;
	const char *new_id;
	json_t *object; /* the task's document */
};

/* --- the record ---------------------------------------------------------- */

/* Execs that have ended go with their run. */
static int
rename_record(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct renaming *renaming = arg;
	struct task *task = renaming->task;
	const struct record_ref ref = { RECORD_TASK, task->ns, task->id };
	cleanup_json json_t *event =
	    json_pack("{s:s, s:s}", "container_id", renaming->new_id,
		      "previous_id", task->id);
	const struct change change = { .verb = "rename", .event = event };

	json_decref(renaming->object);
	renaming->object = NULL;
	if (execs_record_delete_all(task, tx, err) < 0 ||
	    record_load(tx_conn(tx), &ref, &renaming->object, err) < 0)
		return -1;
	json_set_text(renaming->object, "id", renaming->new_id);
	json_set_text(renaming->object, "container", renaming->new_id);
	(void)json_object_set_new(renaming->object, "execs", json_array());
	return record_rename(tx, &ref, renaming->new_id, renaming->object,
			     &change, err);
}

/* --- the directory ------------------------------------------------------- */

/* Who has the old id next has a run there. */
static int
remove_run(const struct task *task, struct skiff_error *err)
{
	cleanup_free char *link = xasprintf("%s/" SHIM_DIR_RUN, task->dir);

	if (unlink(link) < 0 && errno != ENOENT)
		return err_errno(err, errno, "unlink %s", link);
	return bundle_remove_dir(task->run_dir, err);
}

static int
write_note(const struct task *task, const char *new_id, struct skiff_error *err)
{
	cleanup_free char *note = xasprintf("%s/" NOTE, task->dir);

	return fs_create_file(AT_FDCWD, note, new_id, strlen(new_id), 0600,
			      err);
}

static int
move_dir(const char *from, const char *to, struct skiff_error *err)
{
	cleanup_free char *note = xasprintf("%s/" NOTE, to);

	if (rename(from, to) < 0)
		return err_errno(err, errno, "rename %s to %s", from, to);
	(void)unlink(note);
	return 0;
}

bool
task_rename_finish(struct tasks *tasks, const char *ns, const char *id)
{
	cleanup_free char *dir = xasprintf("%s/%s/%s", tasks->root, ns, id);
	cleanup_free char *path = xasprintf("%s/" NOTE, dir);
	cleanup_free char *new_id = NULL;
	CLEANUP(task_unrefp) struct task *task = NULL;
	struct skiff_error err = ERROR_INIT;

	if (fs_read_file(AT_FDCWD, path, ID_MAX, &new_id, NULL, &err) < 0)
		return false;
	task = task_find(tasks, ns, new_id, &err);
	if (!task || access(task->dir, F_OK) == 0)
		return false;
	if (move_dir(dir, task->dir, &err) == 0)
		return true;
	log_failure(LOG_ERROR, &err, "log of task %s/%s", ns, new_id);
	return false;
}

/* --- the step ------------------------------------------------------------ */

static int
refuse(const struct task *task, struct skiff_error *err)
{
	if (task->state == TASK_STOPPED && !task->is_restart_due &&
	    !task->is_restart_asked)
		return 0;
	(void)task_refuse(task, "rename", err);
	return task->state != TASK_STOPPED
		   ? -1
		   : err_wrap(err, "it is about to come back");
}

static int
rename_step(struct task *task, const struct container_rename *rename,
	    struct container_made *ret, struct skiff_error *err)
{
	if (refuse(task, err) < 0 || task_clear_run(task, err) < 0 ||
	    remove_run(task, err) < 0 ||
	    write_note(task, rename->new_id, err) < 0 ||
	    fault_hit(FAULT_TASK_RENAME_NOTED, err) < 0)
		return -1;
	return container_rename(rename, ret, err);
}

/* Nobody finds it by its old id any more, and it holds nothing. */
static void
let_go(struct task *task, const struct task *renamed)
{
	struct skiff_error err = ERROR_INIT;

	if (fault_hit(FAULT_TASK_RENAME_COMMITTED, &err) < 0 ||
	    move_dir(task->dir, renamed->dir, &err) < 0)
		log_failure(LOG_ERROR, &err,
			    "task %s/%s, left for the next start", task->ns,
			    renamed->id);
	task->state = TASK_DELETED;
	execs_forget_all(task);
	task_table_remove(task);
}

static void
take_over(struct task *renamed, const json_t *object)
{
	LOCK_SCOPE(&renamed->step);

	task_remember(renamed, object);
	task_plan_recall(renamed);
}

/* Until it is the task, to have the name is all that it does. */
static struct task *
claim_name(struct tasks *tasks, const char *ns, const char *id,
	   struct skiff_error *err)
{
	struct task *renamed = task_new(tasks, ns, id);

	renamed->state = TASK_DELETED;
	if (task_table_add(renamed))
		return renamed;
	task_unref(renamed);
	(void)err_set(err, SKIFF_ALREADY_EXISTS, "task %s: already exists", id);
	(void)err_object(err, "task", id);
	return NULL;
}

static int
rename_task(struct task *task, const struct container_rename *rename,
	    struct container_made *ret, struct skiff_error *err)
{
	struct renaming renaming = { task, rename->new_id, NULL };
	struct container_rename both = *rename;
	CLEANUP(task_unrefp)
	struct task *renamed =
	    claim_name(task->tasks, task->ns, rename->new_id, err);
	int r;

	both.take_task = rename_record;
	both.arg = &renaming;
	r = renamed ? rename_step(task, &both, ret, err) : -1;
	if (r == 0)
		let_go(task, renamed);
	task_end_step(task);
	if (r == 0)
		take_over(renamed, renaming.object);
	else if (renamed)
		task_table_remove(renamed);
	json_decref(renaming.object);
	return r;
}

int
task_rename(struct tasks *tasks, const struct container_rename *rename,
	    struct container_made *ret, struct skiff_error *err)
{
	struct skiff_error none = ERROR_INIT;
	struct task *task =
	    task_begin_step(tasks, rename->ref.ns, rename->ref.key, &none);

	return task ? rename_task(task, rename, ret, err)
		    : container_rename(rename, ret, err);
}
