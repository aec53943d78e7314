/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's command line, and the steps of making a task that run it
 * and wait. All that comes later runs it as a job: job.c.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"

void
shim_runtime_command(struct shim *shim, const char *log,
		     const char *const words[], struct shim_command *ret)
{
	const char *const own[] = {
		"--root", shim->runtime_root, "--log",
		ret->log, "--log-format",     "json",
	};
	size_t n = 0;

	(void)snprintf(ret->log, sizeof(ret->log), "%s/%s", shim->task_dir,
		       log);
	/* Ours come later, and a later one counts. */
	ret->argv[n++] = shim->runtime;
	for (size_t i = 0; i < shim->n_runtime_args; i++)
		ret->argv[n++] = shim->runtime_args[i];
	memcpy(ret->argv + n, own, sizeof(own));
	n += ARRAY_SIZE(own);
	while (*words && n < SHIM_MAX_WORDS - 2)
		ret->argv[n++] = *words++;
	ret->argv[n++] = shim->id;
	ret->argv[n] = NULL;
	/* The words of one step must not pass for those of the next. */
	(void)unlinkat(shim->task_fd, log, 0);
}

static int
run(struct shim *shim, const char *const words[], const int fds[3],
    const char *reason, struct skiff_error *err)
{
	const struct shim_environment environment = {
		.path_first = shim->criu_dir,
		.no_breakpoints =
		    shim->restore_flags & SHIM_DUMP_NO_BREAKPOINTS,
		.criu_config =
		    shim->is_restore
			? shim_criu_config(shim, SHIM_FILE_RESTORE_CONFIG)
			: NULL,
	};
	struct shim_command command;
	int status = 0;
	pid_t pid;

	shim_runtime_command(shim, SHIM_FILE_RUNTIME_LOG, words, &command);
	if (shim_program_start(shim, (char *const *)command.argv, &environment,
			       fds, &pid, err) < 0 ||
	    shim_program_wait(pid, &status, err) < 0)
		return -1;
	return status == 0
		   ? 0
		   : shim_runtime_error(shim, words[0], status,
					SHIM_FILE_RUNTIME_LOG, reason, err);
}

static int
run_create(struct shim *shim, const int fds[3], struct skiff_error *err)
{
	char bundle[PATH_MAX];
	char pid_file[PATH_MAX];
	/* The socket from the bundle, where the runtime changes to: short. */
	const char *const words[] = {
		"create",
		"--bundle",
		bundle,
		"--pid-file",
		pid_file,
		shim_init(shim)->has_terminal ? "--console-socket" : NULL,
		"../console",
		NULL,
	};

	(void)snprintf(bundle, sizeof(bundle), "%s/" SHIM_DIR_BUNDLE,
		       shim->task_dir);
	(void)snprintf(pid_file, sizeof(pid_file),
		       "%s/" SHIM_DIR_RUN "/" SHIM_FILE_PID, shim->task_dir);
	return run(shim, words, fds, "runtime_create_failed", err);
}

static int
run_restore(struct shim *shim, const int fds[3], struct skiff_error *err)
{
	struct shim_restore_words restore;

	shim_restore_words(shim, &restore);
	return run(shim, restore.words, fds, "restore_failed", err);
}

/* From its bundle, or from a checkpoint: then it runs already. */
static int
make_init(struct shim *shim, const int fds[3], struct skiff_error *err)
{
	if (!shim->is_restore)
		return run_create(shim, fds, err);
	if (run_restore(shim, fds, err) < 0)
		return -1;
	shim_init(shim)->phase = SHIM_RUNNING;
	return 0;
}

int
shim_runtime_create(struct shim *shim, struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);
	char name[SHIM_CONSOLE_SIZE];
	cleanup_close int listen_fd = -1;
	int fds[3] = { -1, -1, -1 };
	int r;

	if (fault_hit(FAULT_SHIM_CREATE_BEFORE, err) < 0)
		return -1;
	if (init->has_terminal) {
		if (shim_output_listen_console(shim, init, name, &listen_fd,
					       err) < 0)
			return -1;
		r = make_init(shim, NULL, err);
		if (r == 0)
			r = shim_output_take_console(shim, init, listen_fd,
						     err);
	} else {
		if (shim_output_open_pipes(shim, init, fds, err) < 0)
			return -1;
		r = make_init(shim, fds, err);
		shim_output_close_child(shim, fds);
	}
	return r < 0 ? -1 : fault_hit(FAULT_SHIM_CREATE_AFTER, err);
}

bool
shim_runtime_is(const struct shim *shim, const char *name)
{
	const char *slash = strrchr(shim->runtime, '/');

	return strcmp(slash ? slash + 1 : shim->runtime, name) == 0;
}

/*
 * What is left of `runc delete` once init is reaped: hooks are not accepted,
 * the cgroups are the caller's to remove, and runc forgets its state. The
 * plain command removes even a directory without a state.
 */
bool
shim_runtime_forget(struct shim *shim)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX];

	if (!shim_init(shim)->has_ended || !shim_runtime_is(shim, "runc"))
		return false;
	(void)snprintf(path, sizeof(path), "%s/%s", shim->runtime_root,
		       shim->id);
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)unlinkat(fd, "exec.fifo", 0);
	(void)unlinkat(fd, "state.json", 0);
	return rmdir(path) == 0;
}

int
shim_runtime_delete(struct shim *shim, struct skiff_error *err)
{
	static const char *const words[] = { "delete", "--force", NULL };

	return shim_runtime_forget(shim)
		   ? 0
		   : run(shim, words, NULL, "runtime_delete_failed", err);
}
