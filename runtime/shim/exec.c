/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execs: more processes in the container.
 *
 * The daemon has made the exec's directory with what is to run. The
 * runtime starts it detached, so that it becomes a child of ours; its place
 * in the table is free again once its end is on disk and told.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"

#define START_TIMEOUT_MS 60000
#define DELETE_TIMEOUT_MS 10000

/* An id becomes a directory's name. */
static int
take_id(const char *id, size_t len, char ret[SHIM_EXEC_ID_MAX + 1],
	struct skiff_error *err)
{
	if (len == 0 || len > SHIM_EXEC_ID_MAX || id[0] == '.' ||
	    memchr(id, '/', len) || memchr(id, '\0', len))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "exec id of %zu bytes is malformed", len);
	memcpy(ret, id, len);
	ret[len] = '\0';
	return 0;
}

static void
dir_of(const char *id, char dir[SHIM_DIR_SIZE])
{
	(void)snprintf(dir, SHIM_DIR_SIZE, SHIM_EXECS_DIR "/%s/", id);
}

static struct shim_process *
find(struct shim *shim, const char *id)
{
	char dir[SHIM_DIR_SIZE];

	dir_of(id, dir);
	for (size_t i = 1; i < shim->processes_end; i++)
		if (shim->processes[i].phase && !shim->processes[i].is_over &&
		    strcmp(shim->processes[i].dir, dir) == 0)
			return &shim->processes[i];
	return NULL;
}

struct shim_process *
shim_exec_named(struct shim *shim, const char *name, uint16_t len,
		struct skiff_error *err)
{
	char id[SHIM_EXEC_ID_MAX + 1];
	struct shim_process *process;

	if (take_id(name, len, id, err) < 0)
		return NULL;
	process = find(shim, id);
	if (!process)
		(void)err_set(err, SKIFF_NOT_FOUND, "exec %s does not run", id);
	return process;
}

static struct shim_process *
need(struct shim *shim, const struct shim_message *m, struct skiff_error *err)
{
	return shim_exec_named(shim, m->u.exec.id, m->u.exec.id_len, err);
}

/* --- EXEC_START --------------------------------------------------------- */

static int
undo_start(struct shim *shim, struct shim_process *process)
{
	struct skiff_error ignored = ERROR_INIT;

	if (process->pid_fd >= 0)
		(void)shim_process_signal(process, SIGKILL, &ignored);
	shim_process_free(shim, process);
	return -1;
}

static int
take_process(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	struct shim_process *process = job->process;

	if (shim_job_verdict(shim, job, "exec", "runtime_exec_failed", err) < 0)
		return -1;
	if (process->has_terminal &&
	    shim_output_take_console(shim, process, job->fd, err) < 0)
		return -1;
	if (process->has_terminal && job->rows > 0 &&
	    shim_stdio_resize(process, job->rows, job->columns, err) < 0)
		return -1;
	return shim_process_adopt(shim, process, err);
}

static int
exec_is_run(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	struct shim_process *process = job->process;

	if (take_process(shim, job, err) < 0 ||
	    fault_hit(FAULT_SHIM_EXEC_STARTED, err) < 0) {
		job->process = NULL;
		return undo_start(shim, process);
	}
	process->phase = SHIM_RUNNING;
	shim->must_reap = true;
	job->reply.u.exec_state.phase = SHIM_RUNNING;
	job->reply.u.exec_state.pid = process->pid;
	job->reply.u.exec_state.start = process->start;
	return SHIM_JOB_DONE;
}

/* Init's: crun leaves an exec with that of who started it. */
static void
take_score(const struct shim *shim, struct shim_environment *environment)
{
	struct skiff_error gone = ERROR_INIT;
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%u/oom_score_adj",
		       shim->who.init_pid);
	if (shim_read_small(AT_FDCWD, path, environment->oom_score,
			    sizeof(environment->oom_score), &gone) < 0)
		environment->oom_score[0] = '\0';
}

/* runtime exec --detach --pid-file P --process F [--console-socket S] */
static int
run_exec(struct shim *shim, struct shim_job *job, const int fds[3],
	 const char *console, struct skiff_error *err)
{
	char pid_file[PATH_MAX];
	char process_file[PATH_MAX];
	const char *const words[] = {
		"exec",
		"--detach",
		"--pid-file",
		pid_file,
		"--process",
		process_file,
		console ? "--console-socket" : NULL,
		console,
		NULL,
	};

	(void)snprintf(pid_file, sizeof(pid_file), "%s/%s" SHIM_FILE_PID,
		       shim->task_dir, job->process->dir);
	(void)snprintf(process_file, sizeof(process_file),
		       "%s/%s" SHIM_FILE_PROCESS, shim->task_dir,
		       job->process->dir);
	take_score(shim, &job->environment);
	job->deadline = deadline_in_ms(START_TIMEOUT_MS);
	return shim_job_run(shim, job, words, fds, err);
}

/* Of a start before, that was undone. */
static void
forget_run(struct shim *shim, const struct shim_process *process)
{
	static const char *const names[] = { SHIM_FILE_PID, SHIM_FILE_EXIT };
	char path[SHIM_DIR_SIZE + 16];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", process->dir,
			       names[i]);
		(void)unlinkat(shim->task_fd, path, 0);
	}
}

static int
open_and_run(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	struct shim_process *process = job->process;
	char console[SHIM_CONSOLE_SIZE];
	int fds[3] = { -1, -1, -1 };
	int r;

	forget_run(shim, process);
	if (process->has_log &&
	    (shim_log_open(shim, process->dir, &process->log, err) < 0 ||
	     shim_sink_begin(process, err) < 0))
		return -1;
	if (process->has_terminal)
		return shim_output_listen_console(shim, process, console,
						  &job->fd, err) < 0
			   ? -1
			   : run_exec(shim, job, NULL, console, err);
	r = shim_output_open_pipes(shim, process, fds, err);
	if (r == 0)
		r = run_exec(shim, job, fds, NULL, err);
	shim_output_close_child(shim, fds);
	return r;
}

static int
start_exec(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	struct shim_process *process = job->process;

	job->step = exec_is_run;
	if (fault_hit(FAULT_SHIM_EXEC_START, err) < 0 ||
	    open_and_run(shim, job, err) < 0) {
		job->process = NULL;
		return undo_start(shim, process);
	}
	return SHIM_JOB_WAITS;
}

/* In what has not ended, and is not about to be deleted. */
static int
need_container(struct shim *shim, struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);

	if (init->has_ended)
		return shim_wrong_state(init, "exec", err);
	if (init->job && init->phase == SHIM_RUNNING)
		return err_set(err, SKIFF_ABORTED,
			       "cannot exec: the task is being deleted");
	return 0;
}

/* In the packet it has no end of its own. */
static int
open_given(struct shim_process *process, size_t stream,
	   const struct shim_message *m, struct skiff_error *err)
{
	size_t len = m->u.exec_start.path_lens[stream];
	const char *given = m->u.exec_start.paths[stream];
	char path[PATH_MAX];

	if (len == 0)
		return 0;
	if (len >= sizeof(path) || given[0] != '/' || memchr(given, '\0', len))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "path of %zu bytes is malformed", len);
	memcpy(path, given, len);
	path[len] = '\0';
	return shim_sink_open(process, stream, path, err);
}

static int
take_streams(struct shim_process *process, const struct shim_message *m,
	     struct skiff_error *err)
{
	process->has_terminal = m->u.exec_start.terminal;
	process->has_stdin = m->u.exec_start.has_stdin;
	process->has_log = !m->u.exec_start.no_log;
	if (m->type != SHIM_EXEC_START_STDIO)
		return 0;
	if (m->u.exec_start.log_size > 0 &&
	    m->u.exec_start.log_size < SHIM_LOG_SIZE_MIN)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "a log of so few bytes is none");
	process->log.max_size = m->u.exec_start.log_size;
	process->log.max_files = m->u.exec_start.log_files;
	for (size_t i = 0; i < 3; i++)
		if (open_given(process, i, m, err) < 0)
			return -1;
	return 0;
}

int
shim_begin_exec_start(struct shim *shim, struct shim_connection *connection,
		      const struct shim_message *m, struct skiff_error *err)
{
	char id[SHIM_EXEC_ID_MAX + 1];
	char dir[SHIM_DIR_SIZE];
	struct shim_process *process;
	struct shim_job *job;

	if (take_id(m->u.exec_start.id, m->u.exec_start.id_len, id, err) < 0 ||
	    need_container(shim, err) < 0 ||
	    shim_checkpoint_refuses(shim, err) < 0)
		return -1;
	if (find(shim, id))
		return err_set(err, SKIFF_ALREADY_EXISTS,
			       "exec %s runs already", id);
	dir_of(id, dir);
	process = shim_process_new(shim, dir);
	if (!process)
		return err_set(err, SKIFF_RESOURCE_EXHAUSTED,
			       "%d processes were started in the task already",
			       SHIM_MAX_PROCESSES);
	if (take_streams(process, m, err) < 0 ||
	    shim_job_begin(shim, connection, m, start_exec, &job, err) < 0) {
		shim_process_free(shim, process);
		return -1;
	}
	job->process = process;
	process->job = job;
	job->rows = m->u.exec_start.rows;
	job->columns = m->u.exec_start.columns;
	return 0;
}

/* --- EXEC_KILL, EXEC_STATE, EXEC_DELETE --------------------------------- */

int
shim_exec_kill(struct shim *shim, const struct shim_message *m,
	       struct skiff_error *err)
{
	struct shim_process *process = need(shim, m, err);

	if (!process)
		return -1;
	if (m->u.exec.signal == 0 || m->u.exec.signal >= NSIG)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "signal %u does not exist", m->u.exec.signal);
	if (process->phase != SHIM_RUNNING || process->has_ended)
		return shim_wrong_state(process, "kill", err);
	if (fault_hit(FAULT_SHIM_EXEC_KILL_BEFORE, err) < 0 ||
	    shim_process_signal(process, (int)m->u.exec.signal, err) < 0)
		return -1;
	return fault_hit(FAULT_SHIM_EXEC_KILL_AFTER, err);
}

int
shim_exec_state(struct shim *shim, const struct shim_message *m,
		struct shim_message *reply, struct skiff_error *err)
{
	const struct shim_process *process = need(shim, m, err);

	if (!process)
		return -1;
	reply->u.exec_state.phase = process->phase;
	reply->u.exec_state.pid = process->pid;
	reply->u.exec_state.start = process->start;
	if (process->phase == SHIM_STOPPED)
		reply->u.exec_state.exit = process->exit;
	return 0;
}

static int
await_end(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	struct shim_process *process = find(shim, job->exec_id);
	struct skiff_error ignored = ERROR_INIT;

	if (!process)
		return err_set(err, SKIFF_NOT_FOUND, "exec %s does not run",
			       job->exec_id);
	if (!process->job && process->phase == SHIM_RUNNING) {
		/* Ours from now on: it stays until we have its exit. */
		process->job = job;
		job->process = process;
		if (!process->has_ended)
			(void)shim_process_signal(process, SIGKILL, &ignored);
	}
	if (process->phase == SHIM_STOPPED) {
		job->reply.u.exit = process->exit;
		return SHIM_JOB_DONE;
	}
	if (deadline_passed(job->deadline))
		return err_set(err, SKIFF_DEADLINE_EXCEEDED,
			       "exec %s does not end on SIGKILL", job->exec_id);
	return SHIM_JOB_WAITS;
}

int
shim_begin_exec_delete(struct shim *shim, struct shim_connection *connection,
		       const struct shim_message *m, struct skiff_error *err)
{
	struct shim_process *process = need(shim, m, err);
	struct shim_job *job;

	if (!process)
		return -1;
	if (process->phase != SHIM_STOPPED && !process->has_ended &&
	    !m->u.exec.force)
		return shim_wrong_state(process, "delete", err);
	if (shim_job_begin(shim, connection, m, await_end, &job, err) < 0)
		return -1;
	job->deadline = deadline_in_ms(DELETE_TIMEOUT_MS);
	return take_id(m->u.exec.id, m->u.exec.id_len, job->exec_id, err);
}
