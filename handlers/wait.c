/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks/{id}/wait, and the same of an exec: answers when it has ended.
 */
#include "config.h"

#include "handlers/handlers.h"

#include "handlers/common.h"
#include "handlers/exit_wait.h"

static void
free_wait(void *arg)
{
	exit_wait_free(arg);
}

static int
poll_exit(void *arg, bool timed_out, struct response **ret,
	  struct skiff_error *err)
{
	struct exit_wait *wait = arg;
	const json_t *exit;

	if (exit_wait_poll(wait, &exit, err) < 0 ||
	    (timed_out && !exit && exit_wait_late(wait, &exit, err) < 0))
		return -1;
	if (exit)
		*ret = response_json(200, exit);
	return 0;
}

static const struct wait_ops wait_for_exit = {
	.poll = poll_exit,
	.free = free_wait,
};

int
tasks_wait(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	struct deadline deadline;
	struct record_ref ref;

	if (take_task(request, &ref, err) < 0 ||
	    take_timeout_query(request, &deadline, err) < 0)
		return -1;
	*ret = response_wait(&wait_for_exit,
			     exit_wait_new(context, request, ref.ns, ref.key,
					   NULL),
			     deadline);
	return 0;
}

int
execs_wait(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	struct deadline deadline;
	struct exec_place place;

	if (take_exec(request, &place, err) < 0 ||
	    take_timeout_query(request, &deadline, err) < 0)
		return -1;
	*ret = response_wait(&wait_for_exit,
			     exit_wait_new(context, request, place.ns,
					   place.task, place.exec),
			     deadline);
	return 0;
}
