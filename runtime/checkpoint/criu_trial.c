/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trial of criu on a process of no use.
 */
#include "config.h"

#include "runtime/checkpoint/criu_trial.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/proc.h"
#include "runtime/shim_proto.h"

#define TRIAL_TIMEOUT_MS 5000
/* A slow machine must not pass for one where it never ends. */
#define LAST_TRIAL_TIMEOUT_MS 20000
#define SLEEP_SECONDS "60"

struct sleeper {
	pid_t pid;
	int pidfd; /* -1: there is none */
};

static void
sleeper_done(struct sleeper *sleeper)
{
	struct skiff_error ignored = ERROR_INIT;
	int status;

	if (sleeper->pidfd < 0)
		return;
	(void)proc_signal(sleeper->pidfd, SIGKILL, &ignored);
	(void)proc_wait(sleeper->pidfd, DEADLINE_NEVER, &status, &ignored);
	(void)close(sleeper->pidfd);
}

static int
sleeper_start(struct sleeper *ret, struct skiff_error *err)
{
	const char *const argv[] = { "sleep", SLEEP_SECONDS, NULL };
	cleanup_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	cleanup_free char *path = NULL;
	struct proc_options options = {
		.argv = (char *const *)argv,
		.stderr_fd = null_fd,
		.new_session = 1,
	};

	if (proc_find("sleep", &path, err) < 0)
		return -1;
	options.path = path;
	return proc_spawn(&options, &ret->pid, &ret->pidfd, err);
}

/* True when criu did not end with it. */
static bool
hangs(const char *path, const char *dir, char *const env[], int timeout_ms)
{
	struct sleeper sleeper = { .pidfd = -1 };
	cleanup_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct skiff_error err = ERROR_INIT;
	struct skiff_error ignored = ERROR_INIT;
	cleanup_close int pidfd = -1;
	char pid[16];
	const char *const argv[] = { "criu", "dump", "-t",  pid, "-D",
				     dir,    "-o",   "log", NULL };
	const struct proc_options options = {
		.path = path,
		.argv = (char *const *)argv,
		.env = env,
		.stderr_fd = null_fd,
	};
	bool is_late = false;
	pid_t criu_pid;
	int status;

	if (sleeper_start(&sleeper, &err) < 0)
		return false;
	(void)snprintf(pid, sizeof(pid), "%d", (int)sleeper.pid);
	if (proc_spawn(&options, &criu_pid, &pidfd, &err) == 0 &&
	    proc_wait(pidfd, deadline_in_ms(timeout_ms), &status, &err) < 0) {
		is_late = err.code == SKIFF_DEADLINE_EXCEEDED;
		(void)proc_signal(pidfd, SIGKILL, &ignored);
		(void)proc_wait(pidfd, DEADLINE_NEVER, &status, &ignored);
	}
	sleeper_done(&sleeper);
	return is_late;
}

enum criu_trial
criu_try(const char *path, const char *dir)
{
	char search[] = "PATH=" SHIM_PATH;
	char without[] = CRIU_NO_BREAKPOINTS;
	char *const plain_env[] = { search, NULL };
	char *const env[] = { search, without, NULL };
	struct skiff_error ignored = ERROR_INIT;
	enum criu_trial result = CRIU_ENDS;

	/* A crash may have left one. */
	if (fs_remove_tree(AT_FDCWD, dir, &ignored) < 0 || mkdir(dir, 0700) < 0)
		return result;
	if (hangs(path, dir, plain_env, TRIAL_TIMEOUT_MS))
		result = hangs(path, dir, env, LAST_TRIAL_TIMEOUT_MS)
			     ? CRIU_HANGS
			     : CRIU_ENDS_WITHOUT_BREAKPOINTS;
	(void)fs_remove_tree(AT_FDCWD, dir, &ignored);
	return result;
}
