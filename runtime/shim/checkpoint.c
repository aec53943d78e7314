/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CHECKPOINT and CHECKPOINT_END, and the command line of a restore.
 *
 * From the beginning of a dump to CHECKPOINT_END the container is frozen,
 * so that who asked can read its files as they are in its memory. It is
 * frozen for that connection: when it ends, for whatever reason, the
 * container goes on.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "runtime/cgroup/freezer.h"

#define FREEZE_TIMEOUT_MS 10000
#define FREEZE_RETRY_MS 2

/* --- what criu is told ------------------------------------------------ */

static size_t
add_options(uint32_t flags, const char **words, size_t n)
{
	static const char *const modes[] = { NULL, "soft", "full", "strict",
					     "ignore" };
	uint32_t mode = flags >> SHIM_DUMP_CGROUPS_SHIFT & 7;
	static const struct {
		uint32_t flag;
		const char *option;
	} options[] = {
		{ SHIM_DUMP_TCP_ESTABLISHED, "--tcp-established" },
		{ SHIM_DUMP_EXTERNAL_UNIX, "--ext-unix-sk" },
		{ SHIM_DUMP_SHELL_JOB, "--shell-job" },
		{ SHIM_DUMP_FILE_LOCKS, "--file-locks" },
		{ SHIM_DUMP_EMPTY_NETWORK, "--empty-ns=network" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (flags & options[i].flag)
			words[n++] = options[i].option;
	if (mode > 0 && mode < ARRAY_SIZE(modes)) {
		words[n++] = "--manage-cgroups-mode";
		words[n++] = modes[mode];
	}
	return n;
}

const char *
shim_criu_config(const struct shim *shim, const char *file)
{
	return faccessat(shim->task_fd, file, F_OK, 0) == 0 ? file : NULL;
}

void
shim_restore_words(struct shim *shim, struct shim_restore_words *ret)
{
	size_t n = 0;

	(void)snprintf(ret->bundle, PATH_MAX, "%s/" SHIM_DIR_BUNDLE,
		       shim->task_dir);
	(void)snprintf(ret->pid_file, PATH_MAX,
		       "%s/" SHIM_DIR_RUN "/" SHIM_FILE_PID, shim->task_dir);
	(void)snprintf(ret->image, PATH_MAX,
		       "%s/" SHIM_DIR_RESTORE "/" SHIM_DIR_CRIU_STATE,
		       shim->task_dir);
	(void)snprintf(ret->work, PATH_MAX,
		       "%s/" SHIM_DIR_RESTORE "/" SHIM_DIR_CRIU_WORK,
		       shim->task_dir);
	ret->words[n++] = "restore";
	ret->words[n++] = "--detach";
	ret->words[n++] = "--bundle";
	ret->words[n++] = ret->bundle;
	ret->words[n++] = "--pid-file";
	ret->words[n++] = ret->pid_file;
	ret->words[n++] = "--image-path";
	ret->words[n++] = ret->image;
	ret->words[n++] = "--work-path";
	ret->words[n++] = ret->work;
	n = add_options(shim->restore_flags, ret->words, n);
	if (shim_init(shim)->has_terminal) {
		ret->words[n++] = "--console-socket";
		ret->words[n++] = "../console";
	}
	ret->words[n] = NULL;
}

/* --- CHECKPOINT ------------------------------------------------------- */

/* Thaws what was not frozen before. */
static void
let_go(struct shim *shim)
{
	struct shim_checkpoint *checkpoint = &shim->checkpoint;
	struct skiff_error ignored = ERROR_INIT;

	if (!checkpoint->was_frozen)
		(void)cgroup_set_frozen(&shim->cgroups, false, &ignored);
	checkpoint->serial = 0;
	checkpoint->is_held = false;
}

static int
dumped(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	if (fault_hit(FAULT_SHIM_DUMP_AFTER, err) < 0 ||
	    shim_job_verdict(shim, job, "checkpoint", "checkpoint_failed",
			     err) < 0) {
		let_go(shim);
		return -1;
	}
	/* Nobody is there any more to end it. */
	if (!shim_control_is_open(shim, job->serial))
		let_go(shim);
	else
		shim->checkpoint.is_held = true;
	return SHIM_JOB_DONE;
}

static int
run_dump(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	struct shim_checkpoint *checkpoint = &shim->checkpoint;
	char image[PATH_MAX];
	char work[PATH_MAX];
	const char *words[SHIM_MAX_WORDS] = {
		"checkpoint",
		"--leave-running",
		"--image-path",
		*checkpoint->image_path ? checkpoint->image_path : image,
		"--work-path",
		work,
	};
	size_t n = add_options(checkpoint->flags, words, 6);

	(void)snprintf(image, sizeof(image),
		       "%s/" SHIM_DIR_CHECKPOINT "/" SHIM_DIR_CRIU_STATE,
		       shim->task_dir);
	(void)snprintf(work, sizeof(work),
		       "%s/" SHIM_DIR_CHECKPOINT "/" SHIM_DIR_CRIU_WORK,
		       shim->task_dir);
	if (checkpoint->flags & SHIM_DUMP_HAS_PARENT) {
		words[n++] = "--parent-path";
		words[n++] = "../1";
	}
	words[n] = NULL;
	job->deadline = DEADLINE_NEVER;
	job->environment = (struct shim_environment){
		.path_first = checkpoint->criu_dir,
		.no_breakpoints = checkpoint->flags & SHIM_DUMP_NO_BREAKPOINTS,
		.criu_config = shim_criu_config(shim, SHIM_FILE_DUMP_CONFIG),
	};
	job->step = dumped;
	if (fault_hit(FAULT_SHIM_DUMP_BEFORE, err) < 0 ||
	    shim_job_run(shim, job, words, NULL, err) < 0) {
		let_go(shim);
		return -1;
	}
	return SHIM_JOB_WAITS;
}

/* Helped along: one that is stuck in the old freezer may need it. */
static int
await_frozen(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	if (cgroup_freezer_state(&shim->cgroups) == FREEZER_FROZEN)
		return run_dump(shim, job, err);
	if (deadline_passed(job->give_up)) {
		let_go(shim);
		return err_set(err, SKIFF_DEADLINE_EXCEEDED,
			       "a process does not let itself be frozen");
	}
	if (cgroup_set_frozen(&shim->cgroups, true, err) < 0) {
		let_go(shim);
		return -1;
	}
	job->deadline = deadline_in_ms(FREEZE_RETRY_MS);
	return SHIM_JOB_WAITS;
}

int
shim_checkpoint_refuses(const struct shim *shim, struct skiff_error *err)
{
	if (!shim->checkpoint.serial)
		return 0;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "the task is being checkpointed");
	return err_reason(err, "checkpoint_running");
}

/* criu dumps init and what came of it; an exec comes from elsewhere. */
static bool
has_execs(const struct shim *shim)
{
	for (size_t i = 1; i < shim->processes_end; i++)
		if (shim->processes[i].phase == SHIM_CREATED ||
		    (shim->processes[i].phase == SHIM_RUNNING &&
		     !shim->processes[i].has_ended))
			return true;
	return false;
}

static int
check(struct shim *shim, const struct shim_message *m, struct skiff_error *err)
{
	const struct shim_process *init = shim_init(shim);

	if (init->phase != SHIM_RUNNING || init->has_ended)
		return shim_wrong_state(init, "checkpoint", err);
	if (shim_checkpoint_refuses(shim, err) < 0)
		return -1;
	if (has_execs(shim)) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "processes that were put into the container "
			      "(execs) run in it: criu cannot bring them back");
		return err_reason(err, "execs_running");
	}
	if (m->u.checkpoint.flags & ~(uint32_t)SHIM_DUMP_KNOWN)
		return err_set(err, SKIFF_UNIMPLEMENTED,
			       "this shim does not know how to dump so");
	if (m->u.checkpoint.criu_dir_len >= PATH_MAX ||
	    m->u.checkpoint.image_path_len >= PATH_MAX)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "a path is too long");
	return 0;
}

static void
copy_text(char to[PATH_MAX], const char *from, uint16_t len)
{
	if (len > 0)
		memcpy(to, from, len);
	to[len] = '\0';
}

int
shim_begin_checkpoint(struct shim *shim, struct shim_connection *connection,
		      const struct shim_message *m, struct skiff_error *err)
{
	struct shim_checkpoint *checkpoint = &shim->checkpoint;
	struct shim_job *job;

	if (check(shim, m, err) < 0 ||
	    shim_job_begin(shim, connection, m, await_frozen, &job, err) < 0)
		return -1;
	checkpoint->serial = connection->serial;
	checkpoint->is_held = false;
	checkpoint->flags = m->u.checkpoint.flags;
	checkpoint->was_frozen =
	    cgroup_freezer_state(&shim->cgroups) == FREEZER_FROZEN;
	copy_text(checkpoint->criu_dir, m->u.checkpoint.criu_dir,
		  m->u.checkpoint.criu_dir_len);
	copy_text(checkpoint->image_path, m->u.checkpoint.image_path,
		  m->u.checkpoint.image_path_len);
	job->give_up = deadline_in_ms(FREEZE_TIMEOUT_MS);
	return 0;
}

/* --- CHECKPOINT_END --------------------------------------------------- */

int
shim_checkpoint_end(struct shim *shim, struct shim_connection *connection,
		    const struct shim_message *m, struct skiff_error *err)
{
	struct shim_checkpoint *checkpoint = &shim->checkpoint;
	size_t n = 0;
	int r = 0;

	if (!checkpoint->is_held || checkpoint->serial != connection->serial)
		return err_set(err, SKIFF_FAILED_PRECONDITION,
			       "there is no checkpoint of yours to end");
	if (fault_hit(FAULT_SHIM_CHECKPOINT_END, err) < 0)
		return -1;
	if (m->u.checkpoint_end.kill) {
		r = cgroup_signal(&shim->cgroups, SIGKILL, &n, err);
		/* They die when they are let go. */
		checkpoint->was_frozen = false;
	}
	let_go(shim);
	return r;
}

void
shim_checkpoint_break(struct shim *shim)
{
	struct skiff_error ignored = ERROR_INIT;

	if (shim->checkpoint.serial)
		(void)cgroup_set_frozen(&shim->cgroups, false, &ignored);
}

void
shim_checkpoint_abandoned(struct shim *shim, uint32_t serial)
{
	if (shim->checkpoint.is_held && shim->checkpoint.serial == serial)
		let_go(shim);
}
