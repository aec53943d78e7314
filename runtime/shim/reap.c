/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children that ended: programs of jobs, processes of the table, and what
 * the container left to us.
 *
 * An exec may end before its runtime has said which process it is. As long
 * as one is being started, the ends of unknown children are remembered;
 * when there is no more room for them they stay zombies until it is known.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Init is taken hold of before the loop begins. */
static bool
is_starting(const struct shim *shim)
{
	for (size_t i = 1; i < shim->processes_end; i++)
		if (shim->processes[i].phase == SHIM_CREATED)
			return true;
	return false;
}

static void
child_ended(struct shim *shim, const siginfo_t *info, bool is_wanted)
{
	struct shim_process *process;
	struct shim_stray stray = {
		.pid = info->si_pid,
		.status = (uint32_t)(info->si_code == CLD_EXITED
					 ? info->si_status
					 : 128 + info->si_status),
		.exited_ns = clock_realtime_ns(),
	};

	if (shim_job_program_ended(shim, stray.pid, (int)stray.status))
		return;
	process = shim_process_of_pid(shim, (uint32_t)stray.pid);
	if (process)
		shim_process_ended(process, stray.status, stray.exited_ns);
	else if (is_wanted)
		shim->strays[shim->n_strays++] = stray;
}

/* Those that are not in the way of the unknown. */
static void
reap_programs(struct shim *shim)
{
	siginfo_t info;

	for (size_t i = 0; i < shim->jobs_end; i++) {
		pid_t pid = shim->jobs[i].step ? shim->jobs[i].pid : 0;

		info.si_pid = 0;
		if (pid > 0 &&
		    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 &&
		    info.si_pid == pid)
			child_ended(shim, &info, false);
	}
}

void
shim_reap(struct shim *shim)
{
	struct signalfd_siginfo signal;
	bool is_wanted = is_starting(shim);
	siginfo_t info;

	while (read(shim->signal_fd, &signal, sizeof(signal)) > 0)
		continue;
	shim->must_reap = false;
	if (!is_wanted)
		shim->n_strays = 0;
	for (;;) {
		if (is_wanted && shim->n_strays == SHIM_MAX_STRAYS) {
			reap_programs(shim);
			return;
		}
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 ||
		    info.si_pid == 0)
			return;
		child_ended(shim, &info, is_wanted);
	}
}

bool
shim_take_stray(struct shim *shim, pid_t pid, struct shim_stray *ret)
{
	siginfo_t info = { 0 };

	/* A child of ours, or a zombie: the stray was another's. */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return false;
	for (size_t i = shim->n_strays; i > 0; i--) {
		if (shim->strays[i - 1].pid != pid)
			continue;
		*ret = shim->strays[i - 1];
		return true;
	}
	return false;
}
