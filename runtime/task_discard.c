/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of deleted tasks. They leave their place at once, by
 * rename, and are removed by the pool: a log may be large, and a busy disk
 * can make each of a score of unlink(2) wait, for which nobody who deletes
 * a task should. The next start removes what is still there.
 */
#include "config.h"

#include "runtime/task_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/workpool.h"
#include "runtime/bundle.h"

static void
remove_dead(void *arg)
{
	cleanup_free char *path = arg;
	struct skiff_error err = ERROR_INIT;

	if (fs_remove_tree(AT_FDCWD, path, &err) < 0)
		log_failure(LOG_WARN, &err, "%s, left for the next start",
			    path);
}

static void
remove_later(struct tasks *tasks, char *path)
{
	workpool_add(tasks->pool, /* is_slow= */ true, remove_dead, path);
}

static int
discard(struct tasks *tasks, const char *root, const char *dir,
	struct skiff_error *err)
{
	cleanup_free char *dead =
	    xasprintf("%s/" TASKS_DEAD "/%" PRIu64, root,
		      atomic_fetch_add(&tasks->last_dead, 1) + 1);

	if (rename(dir, dead) == 0)
		remove_later(tasks, STEAL_PTR(dead));
	/* What is left of it, and the namespace's directory. */
	return bundle_remove_dir(dir, err);
}

int
task_discard_dir(struct task *task, struct skiff_error *err)
{
	struct tasks *tasks = task->tasks;

	if (discard(tasks, tasks->run_root, task->run_dir, err) < 0)
		return -1;
	return discard(tasks, tasks->root, task->dir, err);
}

static int
sweep(struct tasks *tasks, const char *root, struct skiff_error *err)
{
	cleanup_free char *dir = xasprintf("%s/" TASKS_DEAD, root);
	CLEANUP(strv_done) struct strv names = STRV_INIT;

	if (fs_mkdir_all(AT_FDCWD, dir, 0700, err) < 0 ||
	    fs_list(AT_FDCWD, dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		remove_later(tasks, xasprintf("%s/%s", dir, names.items[i]));
	return 0;
}

int
task_discards_sweep(struct tasks *tasks, struct skiff_error *err)
{
	if (sweep(tasks, tasks->run_root, err) < 0)
		return -1;
	return sweep(tasks, tasks->root, err);
}
