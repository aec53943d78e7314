/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading tasks just after the daemon's start.
 */
#include "config.h"

#include "handlers/settling.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "handlers/watch.h"
#include "runtime/task.h"

#define PATIENCE_MS 2000

struct settling {
	struct request *request; /* outlives its wait */
	struct services *services;
	struct watch *watch;
	const char *ns; /* the request's */
	const char *id;
	settled_fn answer;
};

static void
settling_free(void *arg)
{
	struct settling *settling = arg;

	watch_free(settling->watch);
	free(settling);
}

static int
poll_settled(void *arg, bool timed_out, struct response **ret,
	     struct skiff_error *err)
{
	struct settling *settling = arg;

	if (!timed_out && !tasks_are_tried(settling->services->tasks,
					   settling->ns, settling->id))
		return 0;
	return settling->answer(settling->request, settling->services, ret,
				err);
}

static const struct wait_ops wait_until_settled = {
	.poll = poll_settled,
	.free = settling_free,
};

int
answer_settled(struct request *request, struct services *services,
	       const char *ns, const char *id, settled_fn answer,
	       struct response **ret, struct skiff_error *err)
{
	struct settling *settling;

	if (tasks_are_tried(services->tasks, ns, id))
		return answer(request, services, ret, err);
	settling = xcalloc(1, sizeof(*settling));
	settling->request = request;
	settling->services = services;
	settling->ns = ns;
	settling->id = id;
	settling->answer = answer;
	settling->watch = watch_new(services->bus, ns, id, request);
	*ret = response_wait(&wait_until_settled, settling,
			     deadline_in_ms(PATIENCE_MS));
	return 0;
}
