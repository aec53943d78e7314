/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of processes: init and the execs, their end and its record.
 *
 * The record is written before anyone is told, so that a daemon that was
 * away, or dies on hearing it, finds it. It is renamed into place but not
 * synced: what takes the page cache away takes the task away too.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/parse.h"

#define RECORD_RETRY_MS 1000
#define KILL_RETRY_MS 2

void
shim_process_init(struct shim_process *process, const char *dir)
{
	*process = (struct shim_process){
		.phase = SHIM_CREATED,
		.pid_fd = -1,
		.has_log = true,
		.console_fd = -1,
		.stdin_fd = -1,
		.outputs = { { .fd = -1, .stream = SHIM_STDOUT },
			     { .fd = -1, .stream = SHIM_STDERR } },
		.log = { .fd = -1, .index_fd = -1 },
		.given = { -1, -1, -1 },
		.sinks = { { .fd = -1, .data_fd = -1, .index_fd = -1 },
			   { .fd = -1, .data_fd = -1, .index_fd = -1 } },
		.feed = { .fd = -1 },
		.file_fd = -1,
	};
	(void)snprintf(process->dir, sizeof(process->dir), "%s", dir);
}

/* What nobody has read out of a FIFO until now is dropped for another. */
static void
make_room(struct shim *shim)
{
	struct shim_process *oldest = NULL;

	for (size_t i = 0; i < SHIM_MAX_PROCESSES; i++) {
		struct shim_process *process = &shim->processes[i];

		if (!process->phase)
			return;
		if (process->is_over && (!oldest || process->exit.exited_ns <
							oldest->exit.exited_ns))
			oldest = process;
	}
	if (oldest)
		shim_process_free(shim, oldest);
}

struct shim_process *
shim_process_new(struct shim *shim, const char *dir)
{
	make_room(shim);
	for (size_t i = 0; i < SHIM_MAX_PROCESSES; i++) {
		struct shim_process *process = &shim->processes[i];

		if (process->phase)
			continue;
		shim_process_init(process, dir);
		if (i >= shim->processes_end)
			shim->processes_end = i + 1;
		return process;
	}
	return NULL;
}

void
shim_process_free(struct shim *shim, struct shim_process *process)
{
	shim_output_close(process);
	shim_sink_close(process);
	closep(&process->pid_fd);
	*process = (struct shim_process){ 0 };
	while (!shim->processes[shim->processes_end - 1].phase)
		shim->processes_end--;
	/* Strays that were kept for it may have filled their places. */
	shim->must_reap = true;
}

struct shim_process *
shim_process_of_pid(struct shim *shim, uint32_t pid)
{
	for (size_t i = 0; i < shim->processes_end; i++)
		if (shim->processes[i].phase && shim->processes[i].pid == pid &&
		    !shim->processes[i].has_ended)
			return &shim->processes[i];
	return NULL;
}

const char *
shim_process_run_dir(struct shim *shim, const struct shim_process *process)
{
	return process == shim_init(shim) ? SHIM_DIR_RUN "/" : process->dir;
}

static int
read_pid(struct shim *shim, const struct shim_process *process,
	 uint64_t *ret_pid, struct skiff_error *err)
{
	char path[SHIM_DIR_SIZE + sizeof(SHIM_FILE_PID)];
	char text[32];

	(void)snprintf(path, sizeof(path), "%s" SHIM_FILE_PID,
		       shim_process_run_dir(shim, process));
	if (shim_read_small(shim->task_fd, path, text, sizeof(text), err) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, INT32_MAX, ret_pid, err);
}

int
shim_process_adopt(struct shim *shim, struct shim_process *process,
		   struct skiff_error *err)
{
	struct shim_stray stray;
	uint64_t pid;
	long fd;

	if (read_pid(shim, process, &pid, err) < 0)
		return -1;
	process->pid = (uint32_t)pid;
	process->exit.pid = process->pid;
	if (shim_take_stray(shim, (pid_t)pid, &stray)) {
		shim_process_ended(process, stray.status, stray.exited_ns);
		return 0;
	}
	/* Adopted and not reaped: the pid is certain to be our child. */
	fd = syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0)
		return err_errno(err, errno, "process %d", (int)pid);
	process->pid_fd = (int)fd;
	return shim_start_time((pid_t)pid, &process->start, err);
}

int
shim_process_signal(const struct shim_process *process, int signal,
		    struct skiff_error *err)
{
	if (syscall(SYS_pidfd_send_signal, process->pid_fd, signal, NULL, 0) <
	    0)
		return err_errno(err, errno, "signal %d", signal);
	return 0;
}

int
shim_wrong_state(const struct shim_process *process, const char *verb,
		 struct skiff_error *err)
{
	static const char *const names[] = { "?", "created", "running",
					     "stopped" };
	const char *state =
	    names[process->has_ended ? SHIM_STOPPED : process->phase];

	(void)err_set(err, SKIFF_FAILED_PRECONDITION, "cannot %s: it is %s",
		      verb, state);
	return err_state(err, state);
}

void
shim_process_ended(struct shim_process *process, uint32_t status,
		   int64_t exited_ns)
{
	process->has_ended = true;
	process->drain = deadline_in_ms(SHIM_DRAIN_MS);
	process->exit.exited_ns = exited_ns;
	process->exit.status = status;
}

static int
write_exit_record(struct shim *shim, struct shim_process *process,
		  struct skiff_error *err)
{
	char text[SHIM_TEXT_MAX];
	size_t len = shim_exit_format(&process->exit, text);

	if (fault_hit(FAULT_SHIM_EXIT_RECORD_BEFORE, err) < 0 ||
	    shim_replace_file(shim, process->dir, SHIM_FILE_EXIT, text, len,
			      err) < 0)
		return -1;
	return fault_hit(FAULT_SHIM_EXIT_RECORD_AFTER, err);
}

static bool
is_drained(const struct shim_process *process)
{
	return (process->outputs[0].fd < 0 && process->outputs[1].fd < 0) ||
	       deadline_passed(process->drain);
}

/*
 * Of init: whether its start is settled, the rest of the container is gone
 * and its execs have been told of, in the time that its output has.
 */
static bool
is_rest_settled(struct shim *shim)
{
	struct skiff_error busy = ERROR_INIT;
	struct shim_process *init = shim_init(shim);

	init->next_try = DEADLINE_NEVER;
	/* A quick one ends before the runtime that started it says so. */
	if (init->phase == SHIM_CREATED && init->job &&
	    init->job->reply.type == (SHIM_START | SHIM_REPLY) &&
	    !deadline_passed(init->drain))
		return false;
	/* In a namespace of its own the kernel has killed the rest. */
	if (!shim->has_own_pid_namespace &&
	    cgroup_kill_all(&shim->cgroups, deadline_in_ms(0), &busy) < 0 &&
	    !deadline_passed(init->drain)) {
		init->next_try = deadline_in_ms(KILL_RETRY_MS);
		return false;
	}
	for (size_t i = 1; i < shim->processes_end; i++)
		if (shim->processes[i].phase &&
		    shim->processes[i].phase != SHIM_STOPPED)
			return deadline_passed(init->drain);
	return true;
}

static void
record(struct shim *shim, struct shim_process *process)
{
	struct skiff_error err = ERROR_INIT;

	/*
	 * On a full disk it is told all the same, and tried again; without
	 * its directory nobody asks any more.
	 */
	if (write_exit_record(shim, process, &err) == 0 ||
	    err.sys_errno == ENOENT) {
		process->is_recorded = true;
		process->next_try = DEADLINE_NEVER;
	} else {
		process->next_try = deadline_in_ms(RECORD_RETRY_MS);
	}
}

static void
settle(struct shim *shim, struct shim_process *process)
{
	bool is_init = process == shim_init(shim);

	if (process->phase == SHIM_CREATED && !is_init)
		return; /* the job that starts it has yet to see it */
	if (process->phase != SHIM_STOPPED) {
		if (!is_drained(process) || (is_init && !is_rest_settled(shim)))
			return;
		shim_output_close(process);
		/* Not when it was reaped: its start may be heard of later. */
		process->exit.was_started =
		    !is_init || process->phase == SHIM_RUNNING;
		process->exit.lost_bytes = process->log.lost_bytes;
		if (is_init)
			process->exit.was_oom = shim_had_oom(shim);
		process->phase = SHIM_STOPPED;
		process->drain = DEADLINE_NEVER;
		for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++)
			if (shim->connections[i].is_subscribed)
				process->owed |= 1U << i;
	} else if (!deadline_passed(process->next_try)) {
		return;
	}
	record(shim, process);
	shim_control_tell(shim, process);
}

void
shim_processes_settle(struct shim *shim)
{
	/* Execs first: they are told of before init is. */
	for (size_t i = shim->processes_end; i-- > 0;) {
		struct shim_process *process = &shim->processes[i];

		if (!process->phase || !process->has_ended)
			continue;
		if (!process->is_recorded)
			settle(shim, process);
		if (i > 0 && process->is_recorded && !process->owed &&
		    !process->job)
			process->is_over = true;
		if (process->is_over && !shim_sink_is_open(process))
			shim_process_free(shim, process);
	}
}
