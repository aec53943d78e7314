/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: requests that take longer than a turn of the loop.
 *
 * A job is a step that the loop calls again and again until it is done,
 * and at most one program of the runtime at a time. Output is pumped and
 * other requests are served meanwhile. Who asked is answered by tag; when
 * the connection is gone the job goes on to its end all the same.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"

int
shim_job_begin(struct shim *shim, struct shim_connection *connection,
	       const struct shim_message *m, shim_job_fn step,
	       struct shim_job **ret_job, struct skiff_error *err)
{
	size_t i = 0;

	while (i < SHIM_MAX_JOBS && shim->jobs[i].step)
		i++;
	if (i == SHIM_MAX_JOBS)
		return err_set(err, SKIFF_RESOURCE_EXHAUSTED,
			       "%d runtime calls are under way already",
			       SHIM_MAX_JOBS);
	if (i >= shim->jobs_end)
		shim->jobs_end = i + 1;
	shim->jobs[i] = (struct shim_job){
		.step = step,
		.serial = connection->serial,
		.reply = { .type = m->type | SHIM_REPLY, .tag = m->tag },
		.fd = -1,
	};
	*ret_job = &shim->jobs[i];
	return 0;
}

/* Each job's own: several run at once. */
static void
log_name(const struct shim *shim, const struct shim_job *job, char name[32])
{
	(void)snprintf(name, 32, SHIM_DIR_RUN "/runtime.%zu.log",
		       (size_t)(job - shim->jobs));
}

int
shim_job_run(struct shim *shim, struct shim_job *job, const char *const words[],
	     const int fds[3], struct skiff_error *err)
{
	struct shim_command command;
	char log[32];

	log_name(shim, job, log);
	shim_runtime_command(shim, log, words, &command);
	return shim_program_start(shim, (char *const *)command.argv,
				  &job->environment, fds, &job->pid, err);
}

int
shim_job_verdict(struct shim *shim, struct shim_job *job, const char *verb,
		 const char *reason, struct skiff_error *err)
{
	char log[32];

	if (job->status == 0)
		return 0;
	log_name(shim, job, log);
	return shim_runtime_error(shim, verb, job->status, log, reason, err);
}

bool
shim_job_program_ended(struct shim *shim, pid_t pid, int status)
{
	for (size_t i = 0; i < shim->jobs_end; i++) {
		struct shim_job *job = &shim->jobs[i];

		if (!job->step || job->pid != pid)
			continue;
		job->pid = 0;
		job->status = status;
		return true;
	}
	return false;
}

static void
end_job(struct shim *shim, struct shim_job *job)
{
	char log[32];

	if (job->process && job->process->job == job)
		job->process->job = NULL;
	closep(&job->fd);
	log_name(shim, job, log);
	(void)unlinkat(shim->task_fd, log, 0);
	job->step = NULL;
	while (shim->jobs_end > 0 && !shim->jobs[shim->jobs_end - 1].step)
		shim->jobs_end--;
	if (shim->jobs_end == 0)
		shim_memory_release();
}

/* A program that is stuck ends its job, not our patience with others. */
static void
kill_late(struct shim_job *job)
{
	if (!deadline_passed(job->deadline))
		return;
	job->deadline = DEADLINE_NEVER;
	(void)kill(job->pid, SIGKILL);
}

void
shim_jobs_step(struct shim *shim)
{
	for (size_t i = 0; i < shim->jobs_end; i++) {
		struct skiff_error err = ERROR_INIT;
		struct shim_job *job = &shim->jobs[i];
		int r;

		if (!job->step)
			continue;
		if (job->pid) {
			kill_late(job);
			continue;
		}
		r = job->step(shim, job, &err);
		if (r == SHIM_JOB_WAITS)
			continue;
		shim_control_answer(shim, job->serial, &job->reply,
				    r < 0 ? &err : NULL);
		end_job(shim, job);
	}
}
