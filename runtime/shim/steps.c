/* SPDX-License-Identifier: Apache-2.0 */
/*
 * START and DELETE of the task, as jobs.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"

#define START_TIMEOUT_MS 10000
#define DELETE_TIMEOUT_MS 10000
#define CGROUP_RETRY_MS 2

/* Steps of init go one after the other. */
static int
need_idle(const struct shim_process *init, const char *verb,
	  struct skiff_error *err)
{
	if (init->job)
		return err_set(err, SKIFF_ABORTED,
			       "cannot %s the task: another step is under way",
			       verb);
	return 0;
}

static int
begin(struct shim *shim, struct shim_connection *connection,
      const struct shim_message *m, shim_job_fn step, struct shim_job **ret,
      struct skiff_error *err)
{
	if (shim_job_begin(shim, connection, m, step, ret, err) < 0)
		return -1;
	(*ret)->process = shim_init(shim);
	(*ret)->process->job = *ret;
	return 0;
}

/* --- START ------------------------------------------------------------- */

static int
started(struct shim *shim, struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);

	/* While the runtime's own "start" ended it may have come to its end. */
	if (init->phase == SHIM_CREATED)
		init->phase = SHIM_RUNNING;
	return fault_hit(FAULT_SHIM_START_AFTER, err) < 0 ? -1 : SHIM_JOB_DONE;
}

static int
ended_before_start(struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "init ended before it was started");
	return err_reason(err, "runtime_start_failed");
}

static void
fifo_path(const struct shim *shim, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/%s/exec.fifo", shim->runtime_root,
		       shim->id);
}

/*
 * What `runc start` does, without the milliseconds of a new program: runc's
 * init waits in open(2) for writing on this FIFO until someone reads it.
 */
static int
await_fifo(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	char path[PATH_MAX];
	char byte;
	ssize_t n;

	n = read(job->fd, &byte, 1);
	if (n == 1) {
		fifo_path(shim, path);
		(void)unlink(path);
		return started(shim, err);
	}
	if (job->process->has_ended)
		return ended_before_start(err);
	if (deadline_passed(job->deadline))
		return err_set(err, SKIFF_DEADLINE_EXCEEDED,
			       "init does not begin");
	return SHIM_JOB_WAITS;
}

static int
start_is_run(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	if (shim_job_verdict(shim, job, "start", "runtime_start_failed", err) <
	    0)
		return -1;
	return started(shim, err);
}

/*
 * What `crun start` does: crun's init waits for a byte out of its FIFO.
 * Without a reader (it has ended) or a FIFO, the command says why.
 */
static bool
crun_is_told(const char *path)
{
	cleanup_close int fd = -1;
	struct stat st;

	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) ||
	    write(fd, "", 1) != 1)
		return false;
	(void)unlink(path);
	return true;
}

static int
begin_start(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	static const char *const words[] = { "start", NULL };
	char path[PATH_MAX];

	if (fault_hit(FAULT_SHIM_START_BEFORE, err) < 0)
		return -1;
	fifo_path(shim, path);
	if (shim_runtime_is(shim, "crun") && crun_is_told(path))
		return started(shim, err);
	if (shim_runtime_is(shim, "runc")) {
		job->fd =
		    open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	}
	if (job->fd >= 0) {
		job->deadline = deadline_in_ms(START_TIMEOUT_MS);
		job->step = await_fifo;
		return SHIM_JOB_WAITS;
	}
	job->step = start_is_run;
	return shim_job_run(shim, job, words, NULL, err);
}

int
shim_begin_start(struct shim *shim, struct shim_connection *connection,
		 const struct shim_message *m, struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);
	struct shim_job *job;

	if (init->phase != SHIM_CREATED || init->has_ended)
		return shim_wrong_state(init, "start", err);
	if (need_idle(init, "start", err) < 0)
		return -1;
	return begin(shim, connection, m, begin_start, &job, err);
}

/* --- after the end ------------------------------------------------------- */

/*
 * To unmount an overlay syncs the file system under it, and a busy kernel
 * takes its time for each cgroup: better now, while those who were told
 * of the end think about it, than when they wait for a deletion.
 */
void
shim_rest(struct shim *shim)
{
	struct skiff_error ignored = ERROR_INIT;

	if (shim->is_at_rest || shim_init(shim)->phase != SHIM_STOPPED)
		return;
	shim->is_at_rest = true;
	(void)cgroup_remove(&shim->cgroups, deadline_in_ms(0), &ignored);
	shim_rootfs_unmount(shim);
}

/* --- DELETE ------------------------------------------------------------ */

static int
remove_cgroups(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	/* A dead process leaves its cgroup a little later. */
	if (cgroup_remove(&shim->cgroups, deadline_in_ms(0), err) < 0) {
		if (deadline_passed(job->give_up))
			return -1;
		job->deadline = deadline_in_ms(CGROUP_RETRY_MS);
		return SHIM_JOB_WAITS;
	}
	if (fault_hit(FAULT_SHIM_DELETE_AFTER, err) < 0)
		return -1;
	(void)unlink(shim->socket);
	shim->is_deleted = true;
	job->reply.u.exit = shim_init(shim)->exit;
	return SHIM_JOB_DONE;
}

static int
runtime_forgot(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	if (fault_hit(FAULT_SHIM_DELETE_RUNTIME, err) < 0)
		return -1;
	shim_rootfs_unmount(shim);
	job->give_up = deadline_in_ms(DELETE_TIMEOUT_MS);
	job->step = remove_cgroups;
	return remove_cgroups(shim, job, err);
}

static int
delete_is_run(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	char path[PATH_MAX];

	if (shim_job_verdict(shim, job, "delete", "runtime_delete_failed",
			     err) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/%s", shim->runtime_root,
		       shim->id);
	if (access(path, F_OK) == 0)
		return err_set(err, SKIFF_INTERNAL,
			       "runtime delete left %s behind", path);
	return runtime_forgot(shim, job, err);
}

static int
await_end(struct shim *shim, struct shim_job *job, struct skiff_error *err)
{
	static const char *const words[] = { "delete", "--force", NULL };

	if (job->process->phase != SHIM_STOPPED) {
		if (deadline_passed(job->deadline))
			return err_set(err, SKIFF_DEADLINE_EXCEEDED,
				       "init does not end on SIGKILL");
		return SHIM_JOB_WAITS;
	}
	if (fault_hit(FAULT_SHIM_DELETE_BEFORE, err) < 0)
		return -1;
	if (shim_runtime_forget(shim))
		return runtime_forgot(shim, job, err);
	job->step = delete_is_run;
	return shim_job_run(shim, job, words, NULL, err);
}

int
shim_begin_delete(struct shim *shim, struct shim_connection *connection,
		  const struct shim_message *m, struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);
	struct skiff_error ignored = ERROR_INIT;
	struct shim_job *job;

	if (!init->has_ended && !m->u.delete.force &&
	    init->phase == SHIM_RUNNING)
		return shim_wrong_state(init, "delete", err);
	if (need_idle(init, "delete", err) < 0 ||
	    begin(shim, connection, m, await_end, &job, err) < 0)
		return -1;
	job->deadline = deadline_in_ms(DELETE_TIMEOUT_MS);
	if (!init->has_ended)
		(void)shim_process_signal(init, SIGKILL, &ignored);
	shim_checkpoint_break(shim);
	return 0;
}
