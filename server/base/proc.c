/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes: posix_spawn(3) with a clean descriptor table, held by
 * pidfd.
 *
 * posix_spawn() duplicates the passed descriptors first above all of
 * them, then down to 3, 4, …: a plain dup2() chain could overwrite one
 * that is still needed.
 */
#include "config.h"

#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/lock.h"

extern char **environ;

#define FIRST_PASSED_FD 3

static void
actions_donep(posix_spawn_file_actions_t *actions)
{
	(void)posix_spawn_file_actions_destroy(actions);
}

static void
attributes_donep(posix_spawnattr_t *attributes)
{
	(void)posix_spawnattr_destroy(attributes);
}

static void
add_standard_fd(posix_spawn_file_actions_t *actions, int fd, int target)
{
	if (fd > 0)
		PTOK(posix_spawn_file_actions_adddup2(actions, fd, target));
	else if (target != STDERR_FILENO)
		PTOK(posix_spawn_file_actions_addopen(actions, target,
						      "/dev/null", O_RDWR, 0));
}

static int
greater(int a, int b)
{
	return a > b ? a : b;
}

/* The first descriptor above all that the actions read or write. */
static int
parking_fd(const struct proc_options *o)
{
	int top = FIRST_PASSED_FD + (int)o->n_pass_fds;

	top = greater(top, o->stdin_fd + 1);
	top = greater(top, o->stdout_fd + 1);
	top = greater(top, o->stderr_fd + 1);
	for (size_t i = 0; i < o->n_pass_fds; i++)
		top = greater(top, o->pass_fds[i] + 1);
	return top;
}

static void
add_actions(posix_spawn_file_actions_t *actions, const struct proc_options *o)
{
	int parking = parking_fd(o);

	for (size_t i = 0; i < o->n_pass_fds; i++)
		PTOK(posix_spawn_file_actions_adddup2(actions, o->pass_fds[i],
						      parking + (int)i));
	add_standard_fd(actions, o->stdin_fd, STDIN_FILENO);
	add_standard_fd(actions, o->stdout_fd, STDOUT_FILENO);
	add_standard_fd(actions, o->stderr_fd, STDERR_FILENO);
	for (size_t i = 0; i < o->n_pass_fds; i++)
		PTOK(
		    posix_spawn_file_actions_adddup2(actions, parking + (int)i,
						     FIRST_PASSED_FD + (int)i));
	PTOK(posix_spawn_file_actions_addclosefrom_np(actions,
						      FIRST_PASSED_FD +
							  (int)o->n_pass_fds));
	if (o->cwd)
		PTOK(posix_spawn_file_actions_addchdir_np(actions, o->cwd));
}

static void
set_attributes(posix_spawnattr_t *attributes, const struct proc_options *o)
{
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t set;

	(void)sigfillset(&set);
	PTOK(posix_spawnattr_setsigdefault(attributes, &set));
	(void)sigemptyset(&set);
	PTOK(posix_spawnattr_setsigmask(attributes, &set));
	if (o->new_session)
		flags = (short)(flags | POSIX_SPAWN_SETSID);
	PTOK(posix_spawnattr_setflags(attributes, flags));
}

int
proc_spawn(const struct proc_options *options, pid_t *ret_pid, int *ret_pidfd,
	   struct skiff_error *err)
{
	CLEANUP(actions_donep) posix_spawn_file_actions_t actions;
	CLEANUP(attributes_donep) posix_spawnattr_t attributes;
	pid_t pid;
	int r;

	PTOK(posix_spawn_file_actions_init(&actions));
	PTOK(posix_spawnattr_init(&attributes));
	if (parking_fd(options) + (long)options->n_pass_fds >
	    sysconf(_SC_OPEN_MAX))
		return err_errno(err, EMFILE, "run %s", options->path);
	add_actions(&actions, options);
	set_attributes(&attributes, options);

	r = posix_spawn(&pid, options->path, &actions, &attributes,
			options->argv, options->env ? options->env : environ);
	if (r != 0)
		return err_errno(err, r, "run %s", options->path);
	/* Not reaped yet, so the pid is certain to be our child. */
	if (proc_open(pid, ret_pidfd, err) < 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return err_wrap(err, "run %s", options->path);
	}
	*ret_pid = pid;
	return 0;
}

int
proc_wait(int pidfd, struct deadline deadline, int *ret_status,
	  struct skiff_error *err)
{
	struct pollfd ready = { .fd = pidfd, .events = POLLIN };
	siginfo_t info = { 0 };
	int n;

	do {
		n = poll(&ready, 1, deadline_poll_ms(deadline));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, errno, "wait for process");
	if (n == 0)
		return err_set(err, SKIFF_DEADLINE_EXCEEDED,
			       "the process did not end in time");
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		return err_errno(err, errno, "wait for process");
	*ret_status =
	    info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return 0;
}

int
proc_open(pid_t pid, int *ret_pidfd, struct skiff_error *err)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return err_errno(err, errno, "process %d", (int)pid);
	*ret_pidfd = (int)fd;
	return 0;
}

int
proc_signal(int pidfd, int signal, struct skiff_error *err)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0)
		return err_errno(err, errno, "signal %d", signal);
	return 0;
}

int
proc_start_time(pid_t pid, uint64_t *ret_ticks, struct skiff_error *err)
{
	cleanup_free char *text = NULL;
	char path[32];
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read_file(AT_FDCWD, path, 4096, &text, NULL, err) < 0)
		return -1;
	/* The command's name may hold spaces and parentheses. */
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
			 " %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
			 ret_ticks) != 1)
		return err_set(err, SKIFF_INTERNAL, "%s: unexpected form",
			       path);
	return 0;
}

int
proc_find(const char *name, char **ret_path, struct skiff_error *err)
{
	const char *search = getenv("PATH");
	cleanup_free char *copy = NULL;
	char *rest;
	char *dir;

	if (*name == '/') {
		if (access(name, X_OK) < 0)
			return err_errno(err, errno, "%s", name);
		*ret_path = xstrdup(name);
		return 0;
	}
	copy = xstrdup(search ? search : "/usr/sbin:/usr/bin:/sbin:/bin");
	rest = copy;
	while ((dir = strsep(&rest, ":")) != NULL) {
		cleanup_free char *path = xasprintf("%s/%s", dir, name);

		if (*dir == '/' && access(path, X_OK) == 0) {
			*ret_path = STEAL_PTR(path);
			return 0;
		}
	}
	return err_set(err, SKIFF_NOT_FOUND, "%s is not in PATH (%s)", name,
		       search ? search : "unset");
}
