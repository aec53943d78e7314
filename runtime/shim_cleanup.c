/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking down what a dead shim left behind. Its mounts died with its
 * mount namespace; processes, the runtime's state, cgroups and the socket
 * are removed here. Every step finds its work done when it comes again.
 */
#include "config.h"

#include "runtime/shim_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/proc.h"
#include "runtime/cgroup/path.h"

#define SMALL_FILE_MAX 16384

/* The shim itself, when its state file still names a living process. */
static int
kill_shim(int task_fd, struct deadline deadline, struct skiff_error *err)
{
	cleanup_free char *text = NULL;
	struct skiff_error ignored = ERROR_INIT;
	struct shim_identity who;
	cleanup_close int fd = -1;
	struct pollfd ended;
	uint64_t start;

	if (fs_read_file(task_fd, SHIM_FILE_STATE, SMALL_FILE_MAX, &text, NULL,
			 &ignored) < 0 ||
	    shim_identity_parse(text, &who, &ignored) < 0 ||
	    proc_open((pid_t)who.shim_pid, &fd, &ignored) < 0 ||
	    proc_start_time((pid_t)who.shim_pid, &start, &ignored) < 0 ||
	    start != who.shim_start)
		return 0;
	if (proc_signal(fd, SIGKILL, err) < 0)
		return err->code == SKIFF_NOT_FOUND ? 0 : -1;
	ended = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (poll(&ended, 1, deadline_poll_ms(deadline)) == 0)
		return err_set(err, SKIFF_DEADLINE_EXCEEDED,
			       "shim %u survives SIGKILL", who.shim_pid);
	return 0;
}

static int
empty_cgroups(const struct cgroup_dirs *dirs, struct deadline deadline,
	      struct skiff_error *err)
{
	if (cgroup_kill_all(dirs, deadline, err) < 0)
		return -1;
	return cgroup_remove(dirs, deadline, err);
}

/* By the copy that the shim made, and by the path that was asked for. */
static int
clean_cgroups(const struct shim_place *place, int task_fd,
	      struct deadline deadline, struct skiff_error *err)
{
	cleanup_free char *text = NULL;
	struct skiff_error ignored = ERROR_INIT;
	struct cgroup_dirs dirs;

	if (task_fd >= 0 &&
	    fs_read_file(task_fd, SHIM_FILE_CGROUP, SMALL_FILE_MAX, &text, NULL,
			 &ignored) == 0) {
		cgroup_dirs_from_text(text, &dirs);
		if (empty_cgroups(&dirs, deadline, err) < 0)
			return -1;
	}
	if (!place->cgroups_path)
		return 0;
	if (cgroup_dirs_from_path(place->cgroups_path, &dirs, err) < 0)
		return -1;
	return empty_cgroups(&dirs, deadline, err);
}

static int
delete_from_runtime(const struct shim_place *place, struct deadline deadline,
		    struct skiff_error *err)
{
	cleanup_free char *state =
	    xasprintf("%s/%s", place->runtime_root, place->id);
	CLEANUP(strv_done) struct strv argv = STRV_INIT;
	const struct strv *args = place->runtime_args;
	const char *const words[] = { "--root", place->runtime_root,
				      "--log",	"/dev/null",
				      "delete", "--force",
				      place->id };
	struct proc_options process = { .path = place->runtime, .cwd = "/" };
	cleanup_close int null_fd = -1;
	cleanup_close int pidfd = -1;
	int status;
	pid_t pid;

	if (access(state, F_OK) < 0)
		return 0;
	/* It was uninstalled; processes and cgroups are gone without it. */
	if (!place->runtime)
		return fs_remove_tree(AT_FDCWD, state, err);
	strv_add(&argv, place->runtime);
	for (size_t i = 0; args && i < args->n; i++)
		strv_add(&argv, args->items[i]);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		strv_add(&argv, words[i]);
	process.argv = argv.items;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	process.stderr_fd = null_fd > 0 ? null_fd : 0;
	if (proc_spawn(&process, &pid, &pidfd, err) < 0)
		return -1;
	if (proc_wait(pidfd, deadline, &status, err) < 0) {
		struct skiff_error ignored = ERROR_INIT;

		(void)proc_signal(pidfd, SIGKILL, &ignored);
		(void)proc_wait(pidfd, DEADLINE_NEVER, &status, &ignored);
		return err_wrap(err, "%s delete", place->runtime);
	}
	if (status != 0 || access(state, F_OK) == 0)
		return err_set(err, SKIFF_INTERNAL,
			       "%s delete --force %s: status %d",
			       place->runtime, place->id, status);
	return 0;
}

int
shim_force_cleanup(const struct shim_place *place, struct deadline deadline,
		   struct skiff_error *err)
{
	cleanup_close int task_fd =
	    open(place->task_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (task_fd >= 0 && kill_shim(task_fd, deadline, err) < 0)
		return err_wrap(err, "clean up task %s", place->id);
	/* Processes first: the runtime does not delete what runs. */
	if (clean_cgroups(place, task_fd, deadline, err) < 0 ||
	    delete_from_runtime(place, deadline, err) < 0 ||
	    clean_cgroups(place, task_fd, deadline, err) < 0)
		return err_wrap(err, "clean up task %s", place->id);
	(void)unlink(place->socket);
	return 0;
}
