/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a program.
 *
 * clone(2) with CLONE_VM | CLONE_VFORK rather than posix_spawn(3), which
 * allocates its file actions and cannot ask for a signal at the parent's
 * death: a runtime must not go on when its shim was killed.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	const char *path;
	char *const *argv;
	const char *cwd;
	char *const *env;
	const char *oom_score;
	int fds[3];
	pid_t parent;
	volatile int error; /* errno of what failed before the new program */
};

/* Not _exit(2), by which sanitizers take this stack for the program's. */
static int
child_fail(struct child *child, int error)
{
	child->error = error;
	(void)syscall(SYS_exit_group, 127);
	return -1;
}

/* It is the child's alone, though its memory is the shim's (proc(5)). */
static __attribute__((no_sanitize("address", "undefined", "thread"))) void
set_oom_score(const char *score)
{
	int fd;

	if (!*score)
		return;
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	/* To raise it is always allowed. */
	if (fd >= 0 && write(fd, score, strlen(score)) < 0)
		return;
}

/* Runs on its own stack in the shim's memory until it is another program. */
static __attribute__((no_sanitize("address", "undefined", "thread"))) int
child_main(void *arg)
{
	struct child *child = arg;
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &action, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != child->parent)
		return child_fail(child, ESRCH);
	set_oom_score(child->oom_score);
	for (int i = 0; i < 3; i++)
		if (dup2(child->fds[i], i) < 0)
			return child_fail(child, errno);
	if (syscall(SYS_close_range, 3, ~0U, 0) < 0 || chdir(child->cwd) < 0)
		return child_fail(child, errno);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(child->path, child->argv, child->env);
	return child_fail(child, errno);
}

int
shim_program_start(struct shim *shim, char *const argv[],
		   const struct shim_environment *environment, const int fds[3],
		   pid_t *ret_pid, struct skiff_error *err)
{
	/*
	 * The end of the scratch place, of which all others use the
	 * beginning. We stand still until the child has left it.
	 */
	unsigned char *stack_top = shim_scratch + SHIM_SCRATCH_SIZE;
	char path[PATH_MAX + sizeof("PATH=:" SHIM_PATH)];
	static char no_breakpoints[] = CRIU_NO_BREAKPOINTS;
	char config[PATH_MAX + sizeof("CRIU_CONFIG_FILE=")];
	const char *first = environment->path_first;
	char *env[] = { path, NULL, NULL, NULL };
	size_t n = 1;
	struct child child = {
		.path = argv[0],
		.argv = argv,
		.env = env,
		.cwd = shim->task_dir,
		.oom_score = *environment->oom_score ? environment->oom_score
						     : shim->oom_score,
		.parent = getpid(),
	};
	int ignored;
	pid_t pid;

	if (environment->no_breakpoints)
		env[n++] = no_breakpoints;
	if (environment->criu_config) {
		(void)snprintf(config, sizeof(config), "CRIU_CONFIG_FILE=%s/%s",
			       shim->task_dir, environment->criu_config);
		env[n++] = config;
	}
	(void)snprintf(path, sizeof(path), "PATH=%s%s" SHIM_PATH,
		       first ? first : "", first ? ":" : "");
	for (int i = 0; i < 3; i++)
		child.fds[i] = fds ? fds[i] : shim->null_fd;
	pid = clone(child_main, stack_top, CLONE_VM | CLONE_VFORK | SIGCHLD,
		    &child);
	if (pid < 0)
		return err_errno(err, errno, "run %s", argv[0]);
	if (child.error) {
		(void)shim_program_wait(pid, &ignored, err);
		return err_errno(err, child.error, "run %s", argv[0]);
	}
	*ret_pid = pid;
	return 0;
}

int
shim_program_wait(pid_t pid, int *ret_status, struct skiff_error *err)
{
	siginfo_t info = { 0 };

	while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		if (errno != EINTR)
			return err_errno(err, errno, "wait for the runtime");
	*ret_status =
	    info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return 0;
}
