/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of an exec: what the shim tells, what is on disk, and what
 * becomes of execs when their task ends or the daemon comes back.
 *
 * The shim writes an exec's exit record before it tells anyone, and tells
 * of every exec before it tells of init. So an end is never lost, and
 * hearing of it twice does no harm: the exec's state says whether it was
 * taken over.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/strv.h"
#include "runtime/task_exec_internal.h"

#define SHIM_TIMEOUT_MS 20000
#define STATUS_KILLED (128 + SIGKILL)

void
exec_forget(struct exec *exec)
{
	struct skiff_error err = ERROR_INIT;

	assert(lock_is_held(&exec->step));
	exec->state = EXEC_DELETED;
	/* First the files: a new one of its name has the same directory. */
	if (fs_remove_tree(AT_FDCWD, exec->dir, &err) < 0)
		log_failure(LOG_WARN, &err, "exec %s of task %s/%s", exec->id,
			    exec->task->ns, exec->task->id);
	exec_table_remove(exec);
}

int
exec_settle_exit(struct exec *exec, const struct shim_exit *exit,
		 const char *reason, struct skiff_error *err)
{
	assert(lock_is_held(&exec->step));
	if (exec->state != EXEC_RUNNING)
		return 0;
	if (fault_hit(FAULT_EXEC_EXIT_BEFORE, err) < 0 ||
	    exec_record_exited(exec, exit, reason, err) < 0)
		return err_wrap(err, "exit of exec %s of task %s", exec->id,
				exec->task->id);
	exec->state = EXEC_STOPPED;
	if (exec->auto_remove)
		exec_forget(exec);
	return fault_hit(FAULT_EXEC_EXIT_AFTER, err);
}

int
exec_hear_exit(struct task *task, const struct shim_event *event,
	       struct skiff_error *err)
{
	struct skiff_error gone = ERROR_INIT;
	CLEANUP(exec_unrefp)
	struct exec *exec = exec_find(task, event->exec_id, &gone);

	if (!exec)
		return 0;
	LOCK_SCOPE(&exec->step);
	/* Not of an earlier start that was undone. */
	if (exec->pid != (pid_t)event->exit.pid)
		return 0;
	return exec_settle_exit(exec, &event->exit, NULL, err);
}

/* --- without being told -------------------------------------------------- */

static bool
read_exit(const struct exec *exec, struct shim_exit *ret_exit)
{
	cleanup_close int dirfd =
	    open(exec->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct skiff_error unread = ERROR_INIT;

	return dirfd >= 0 &&
	       shim_read_exit_record(dirfd, ret_exit, &unread) == 0;
}

/* For who follows its log: the shim cannot any more. */
static void
write_exit(const struct exec *exec, const struct shim_exit *exit)
{
	cleanup_close int dirfd =
	    open(exec->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct skiff_error err = ERROR_INIT;
	char text[SHIM_TEXT_MAX];
	size_t len = shim_exit_format(exit, text);

	if (dirfd >= 0 &&
	    fs_replace_file(dirfd, SHIM_FILE_EXIT, text, len, 0600,
			    /* durable= */ false, &err) < 0)
		log_failure(LOG_WARN, &err, "exec %s, ignoring", exec->id);
}

enum found { FOUND_NOTHING, FOUND_RUNNING, FOUND_EXIT };

/*
 * What there is of it: the record first, then what the shim knows, which
 * writes the record before it forgets, so then the record once more.
 */
static enum found
look(const struct exec *exec, struct shim_client *client,
     struct shim_exit *ret_exit)
{
	struct skiff_error err = ERROR_INIT;
	struct shim_status status;

	if (read_exit(exec, ret_exit))
		return FOUND_EXIT;
	if (client &&
	    shim_exec_state(client, exec->id, deadline_in_ms(SHIM_TIMEOUT_MS),
			    &status, &err) == 0) {
		*ret_exit = status.exit;
		ret_exit->pid = (uint32_t)status.pid;
		return status.phase == SHIM_STOPPED ? FOUND_EXIT
						    : FOUND_RUNNING;
	}
	return read_exit(exec, ret_exit) ? FOUND_EXIT : FOUND_NOTHING;
}

int
exec_settle_gone(struct exec *exec, struct shim_client *client,
		 const char *reason, struct skiff_error *err)
{
	struct shim_exit exit;

	assert(lock_is_held(&exec->step));
	if (exec->state != EXEC_RUNNING)
		return 0;
	if (look(exec, client, &exit) == FOUND_EXIT)
		return exec_settle_exit(exec, &exit, NULL, err);
	exit = (struct shim_exit){
		.pid = (uint32_t)exec->pid,
		.status = STATUS_KILLED,
		.exited_ns = clock_realtime_ns(),
		.was_started = true,
	};
	write_exit(exec, &exit);
	return exec_settle_exit(exec, &exit, reason, err);
}

static int
settle_ended(struct exec *exec, const char *reason, struct skiff_error *err)
{
	LOCK_SCOPE(&exec->step);
	return exec_settle_gone(exec, exec->task->client, reason, err);
}

typedef int (*exec_fn)(struct exec *exec, const char *reason,
		       struct skiff_error *err);

static int
each(struct task *task, exec_fn fn, const char *reason, struct skiff_error *err)
{
	size_t n;
	cleanup_free struct exec **all = execs_all(task, &n);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = fn(all[i], reason, err);
		exec_unref(all[i]);
	}
	return r;
}

int
execs_settle_all(struct task *task, const char *reason, struct skiff_error *err)
{
	assert(lock_is_held(&task->step));
	return each(task, settle_ended, reason ? reason : "task_ended", err);
}

static int
forget(struct exec *exec, const char *reason, struct skiff_error *err)
{
	(void)reason;
	(void)err;
	LOCK_SCOPE(&exec->step);
	if (exec->state != EXEC_DELETED)
		exec_forget(exec);
	return 0;
}

void
execs_forget_all(struct task *task)
{
	struct skiff_error ignored = ERROR_INIT;

	(void)each(task, forget, NULL, &ignored);
}

/* --- after a restart of the daemon --------------------------------------- */

/* Its start was under way, and nobody was told that it succeeded. */
static void
undo_start(struct exec *exec)
{
	struct shim_exit ignored_exit;
	struct skiff_error ignored = ERROR_INIT;

	(void)shim_exec_delete(exec->task->client, exec->id, /* force= */ true,
			       deadline_in_ms(SHIM_TIMEOUT_MS), &ignored_exit,
			       &ignored);
}

static int
follow(struct exec *exec, const char *reason, struct skiff_error *err)
{
	struct shim_exit exit;

	LOCK_SCOPE(&exec->step);
	if (exec->state == EXEC_CREATED)
		undo_start(exec);
	if (exec->state != EXEC_RUNNING ||
	    look(exec, exec->task->client, &exit) == FOUND_RUNNING)
		return 0;
	return exec_settle_gone(exec, exec->task->client, reason, err);
}

/* A directory that no record names: its creation was cut short. */
static int
remove_orphan(struct task *task, const char *id, struct skiff_error *err)
{
	CLEANUP(exec_unrefp) struct exec *orphan = exec_new(task, id);

	undo_start(orphan);
	return fs_remove_tree(AT_FDCWD, orphan->dir, err);
}

static int
remove_orphans(struct task *task, struct skiff_error *err)
{
	cleanup_free char *path = xasprintf("%s/" SHIM_EXECS_DIR, task->dir);
	CLEANUP(strv_done) struct strv ids = STRV_INIT;

	if (access(path, F_OK) < 0)
		return 0;
	if (fs_list(AT_FDCWD, path, &ids, err) < 0)
		return -1;
	for (size_t i = 0; i < ids.n; i++) {
		struct skiff_error unknown = ERROR_INIT;
		CLEANUP(exec_unrefp)
		struct exec *known = exec_find(task, ids.items[i], &unknown);

		if (!known && remove_orphan(task, ids.items[i], err) < 0)
			return -1;
	}
	return 0;
}

int
execs_follow(struct task *task, struct skiff_error *err)
{
	assert(lock_is_held(&task->step));
	if (remove_orphans(task, err) < 0)
		return -1;
	return each(task, follow, "shim_lost", err);
}
