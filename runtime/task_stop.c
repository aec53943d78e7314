/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kill and stop.
 *
 * A stop is written down first, with the moment of its SIGKILL, so that
 * neither a client that hangs up nor a restart of the daemon ends it
 * halfway; then the signal is sent, and a timer sees to the rest. Waiting
 * for the end is the handler's.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/proc.h"
#include "runtime/restart.h"
#include "runtime/spec/wishes.h"
#include "runtime/task_internal.h"
#include "store/events/log.h"
#include "store/record.h"

/* --- signals ------------------------------------------------------------ */

/* Init, or all; what is frozen dies of SIGKILL too, all of it at once. */
static int
send_signal(struct task *task, int signal, bool want_all,
	    struct skiff_error *err)
{
	bool is_frozen =
	    task->state == TASK_PAUSED || task->state == TASK_PAUSING;

	if (task_need_shim(task, err) < 0)
		return -1;
	return shim_kill(task->client, signal,
			 want_all || (is_frozen && signal == SIGKILL),
			 deadline_in_ms(TASK_STEP_TIMEOUT_MS), err);
}

/* dir is base or lies below it. */
static bool
is_within(const char *dir, const char *base)
{
	size_t len = strlen(base);

	return strncmp(dir, base, len) == 0 &&
	       (dir[len] == '\0' || dir[len] == '/');
}

/* The process's cgroup is one of the task's, or below. */
static bool
has_process(const struct cgroup_dirs *own, pid_t pid)
{
	struct skiff_error gone = ERROR_INIT;
	cleanup_free char *text = NULL;
	struct cgroup_dirs dirs;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (fs_read_file(AT_FDCWD, path, 65536, &text, NULL, &gone) < 0)
		return false;
	cgroup_dirs_from_text(text, &dirs);
	for (size_t i = 0; i < dirs.n; i++)
		for (size_t j = 0; j < own->n; j++)
			if (is_within(cgroup_dir(&dirs, i), cgroup_dir(own, j)))
				return true;
	return false;
}

static int
no_such_process(const struct task *task, pid_t pid, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_NOT_FOUND, "task %s has no process %d",
		      task->id, (int)pid);
	(void)err_object(err, "task", task->id);
	return err_reason(err, "process_not_found");
}

/*
 * The descriptor is opened first: if the pid goes to another process
 * before its cgroup is read, the signal finds nobody.
 */
static int
signal_process(const struct task *task, pid_t pid, int signal,
	       struct skiff_error *err)
{
	struct cgroup_dirs dirs;
	cleanup_close int fd = -1;

	if (task_cgroups(task, &dirs, err) < 0)
		return -1;
	if (proc_open(pid, &fd, err) < 0 || !has_process(&dirs, pid))
		return no_such_process(task, pid, err);
	if (proc_signal(fd, signal, err) < 0)
		return err->code == SKIFF_NOT_FOUND
			   ? no_such_process(task, pid, err)
			   : -1;
	return 0;
}

/* To end it so is a person's wish, which restart policies respect. */
static int
signal_task(struct task *task, const struct task_kill *kill,
	    struct skiff_error *err)
{
	if (task_need_shim(task, err) < 0 ||
	    (restart_is_stop_signal(task, kill->signal) &&
	     restart_note_stop(task, err) < 0))
		return -1;
	return send_signal(task, kill->signal, kill->want_all, err);
}

int
task_kill(struct tasks *tasks, const char *ns, const char *id,
	  const struct task_kill *kill, struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, id, err);
	int r;

	if (!task)
		return -1;
	if (!task_is_live(task))
		return task_refuse(task, "kill", err);
	if (kill->pid)
		r = signal_process(task, kill->pid, kill->signal, err);
	else
		r = signal_task(task, kill, err);
	return r < 0 ? err_wrap(err, "kill task %s", id) : 0;
}

/* --- stop --------------------------------------------------------------- */

/* Fills in what the container says, where the request says nothing. */
static int
complete(struct task *task, struct task_stop *stop, struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct record_ref ref = { RECORD_CONTAINER, task->ns, task->id };
	cleanup_json json_t *container = NULL;
	const json_t *timeout;
	const char *signal;

	if (record_load(conn, &ref, &container, err) < 0)
		return -1;
	signal = json_get_text(container, "stop_signal");
	if (!stop->signal)
		stop->signal = *signal ? signal_number(signal) : SIGTERM;
	if (stop->signal <= 0)
		stop->signal = SIGTERM;
	timeout = json_object_get(container, "stop_timeout");
	if (stop->timeout_ns < 0 && json_is_number(timeout))
		stop->timeout_ns =
		    (int64_t)(json_number_value(timeout) * NS_PER_SECOND);
	if (stop->timeout_ns < 0 && json_is_string(timeout) &&
	    parse_duration(json_string_value(timeout), &stop->timeout_ns, err) <
		0)
		return err_wrap(err, "stop_timeout of container %s", task->id);
	if (stop->timeout_ns < 0)
		stop->timeout_ns = TASK_STOP_TIMEOUT_NS;
	return 0;
}

static void
release_task(void *arg)
{
	task_unref(arg);
}

static int
kill_step(struct task *task, struct skiff_error *err)
{
	/* A later stop may have set a later time. */
	if (!task_is_live(task) || !task->kill_at_ns ||
	    task->kill_at_ns > clock_realtime_ns())
		return 0;
	return send_signal(task, SIGKILL, false, err);
}

static void
kill_now(void *arg)
{
	CLEANUP(task_unrefp) struct task *task = arg;
	struct skiff_error err = ERROR_INIT;

	LOCK_SCOPE(&task->step);
	/* One that has just ended says so itself. */
	if (kill_step(task, &err) < 0 && err.code != SKIFF_FAILED_PRECONDITION)
		log_failure(LOG_ERROR, &err, "stop task %s/%s", task->ns,
			    task->id);
}

void
task_kill_later(struct task *task, int64_t kill_at_ns)
{
	static const struct timer_ops ops = { .is_slow = true,
					      .run = kill_now,
					      .drop = release_task };
	int64_t left_ns = kill_at_ns - clock_realtime_ns();

	assert(lock_is_held(&task->step));
	task->kill_at_ns = kill_at_ns;
	/* A little late rather than early, which would be in vain. */
	timers_add(task->tasks->timers,
		   deadline_in_ms(left_ns > 0 ? left_ns / NS_PER_MS + 1 : 0),
		   &ops, task_ref(task));
}

/* The signal, and then the breath to act on it. */
static int
send_stop(struct task *task, int signal, struct skiff_error *err)
{
	cleanup_free char *doc = NULL;
	int64_t revision;

	/* One that has just ended says so itself. */
	if (send_signal(task, signal, false, err) < 0 &&
	    err->code != SKIFF_FAILED_PRECONDITION)
		return -1;
	if (signal == SIGKILL ||
	    (task->state != TASK_PAUSED && task->state != TASK_PAUSING))
		return 0;
	return task_thaw(task, &doc, &revision, err);
}

/* The wish is written down; then the signal, and in time SIGKILL. */
static int
begin_stop(struct task *task, struct task_stop *stop, bool is_restart,
	   struct skiff_error *err)
{
	int64_t kill_at_ns;

	if (complete(task, stop, err) < 0 || task_say_start(task, err) < 0)
		return -1;
	kill_at_ns = clock_realtime_ns() + stop->timeout_ns;
	if (task_record_stop(task, kill_at_ns, is_restart, err) < 0)
		return -1;
	task->is_stop_wanted = !is_restart;
	task->is_restart_asked = is_restart;
	restart_expect(task, is_restart);
	task_kill_later(task, kill_at_ns);
	if (fault_hit(FAULT_TASK_STOP_AFTER, err) < 0)
		return -1;
	return send_stop(task, stop->timeout_ns > 0 ? stop->signal : SIGKILL,
			 err);
}

static int
stop_step(struct task *task, struct task_stop *stop, struct skiff_error *err)
{
	if (fault_hit(FAULT_TASK_STOP_BEFORE, err) < 0)
		return -1;
	/* It may be about to come back. */
	if (!task_is_live(task))
		return restart_note_stop(task, err);
	return begin_stop(task, stop, /* is_restart= */ false, err);
}

static int
restart_step(struct task *task, struct task_stop *stop, struct skiff_error *err)
{
	if (fault_hit(FAULT_TASK_RESTART_ASK_BEFORE, err) < 0)
		return -1;
	if (task_is_live(task))
		return begin_stop(task, stop, /* is_restart= */ true, err);
	return restart_ask(task, err);
}

int
task_restart(struct tasks *tasks, const char *ns, const char *id,
	     const struct task_stop *stop, struct task_restart *ret_restart,
	     struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, id, err);
	struct task_stop wish = *stop;
	int64_t oldest;

	if (!task)
		return -1;
	/* With the step held: another restart may just have come to its end. */
	if (restart_step(task, &wish, err) < 0 ||
	    event_bounds(tasks->db, &oldest, &ret_restart->after, err) < 0)
		return err_wrap(err, "restart task %s", id);
	ret_restart->kill_in_ns = task_is_live(task) ? wish.timeout_ns : 0;
	return 0;
}

int
task_stop(struct tasks *tasks, const char *ns, const char *id,
	  const struct task_stop *stop, int64_t *ret_kill_in_ns,
	  struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, id, err);
	struct task_stop wish = *stop;

	if (!task)
		return -1;
	if (stop_step(task, &wish, err) < 0)
		return err_wrap(err, "stop task %s", id);
	*ret_kill_in_ns = task_is_live(task) ? wish.timeout_ns : 0;
	return 0;
}
