/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks/{id}/execs: more processes in a container. Waiting for their end
 * is in handlers/wait.c, killing in handlers/stop.c, the call that does all
 * at once in handlers/exec_run.c.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "handlers/access.h"
#include "handlers/common.h"
#include "handlers/exec_run.h"
#include "handlers/process.h"
#include "handlers/settling.h"
#include "runtime/spec/admin_wishes.h"
#include "runtime/spec/process.h"
#include "runtime/task.h"
#include "runtime/task_exec.h"
#include "store/filter.h"

/* A record of it, and a problem that names the task without one. */
static int
need_task(struct services *services, const struct record_ref *ref,
	  struct skiff_error *err)
{
	cleanup_free char *doc = NULL;
	int64_t revision;

	return record_get(services->db, ref, &doc, &revision, err);
}

static const struct filter_field list_fields[] = {
	{ .name = "id" },
	{ .name = "state" },
	{ .name = "reason" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

static int
list(struct request *request, void *context, struct response **ret,
     struct skiff_error *err)
{
	cleanup_free char *prefix = NULL;
	struct record_ref task;

	if (take_task(request, &task, err) < 0 ||
	    need_task(context, &task, err) < 0)
		return -1;
	prefix = xasprintf("%s/", task.key);
	return answer_list(request, context,
			   &(struct wanted){ .kind = RECORD_EXEC,
					     .ns = task.ns,
					     .prefix = prefix,
					     .fields = list_fields },
			   ret, err);
}

int
execs_list(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	struct record_ref task;

	if (take_task(request, &task, err) < 0)
		return -1;
	return answer_settled(request, context, task.ns, task.key, list, ret,
			      err);
}

static int
get(struct request *request, void *context, struct response **ret,
    struct skiff_error *err)
{
	struct record_ref ref = { .kind = RECORD_EXEC };
	cleanup_free char *key = NULL;
	struct exec_place place;

	if (take_exec(request, &place, err) < 0)
		return -1;
	key = xasprintf("%s/%s", place.task, place.exec);
	ref.ns = place.ns;
	ref.key = key;
	return answer_record(context, &ref, ret, err);
}

int
execs_get(struct request *request, void *context, struct response **ret,
	  struct skiff_error *err)
{
	struct exec_place place;

	if (take_exec(request, &place, err) < 0)
		return -1;
	return answer_settled(request, context, place.ns, place.task, get, ret,
			      err);
}

/* --- create ----------------------------------------------------------------
 */

static int
take_wishes(struct request *request, struct exec_wishes *wishes,
	    struct skiff_error *err)
{
	struct json_faults *faults = request_faults(request);
	json_t *body;

	if (request_json(request, &body, err) < 0)
		return -1;
	exec_wishes_decode(body, wishes, faults);
	if (wishes->labels)
		labels_check(wishes->labels, "/labels", faults);
	if (check_faults(request, err) < 0)
		return -1;
	return request_is_admins(request)
		   ? 0
		   : admin_wishes_refuse_exec(wishes, faults, err);
}

static int
create(struct request *request, struct services *services,
       const struct exec_wishes *wishes, struct response **ret,
       struct skiff_error *err)
{
	CLEANUP(exec_made_done) struct exec_made made = { 0 };
	struct exec_request exec = { .wishes = wishes };
	struct record_ref task;

	if (take_task(request, &task, err) < 0 ||
	    request_query_bool(request, "start", false, &exec.want_start, err) <
		0 ||
	    request_query_bool(request, "remove", false, &exec.auto_remove,
			       err) < 0 ||
	    exec_create(services->tasks, task.ns, task.key, &exec, &made, err) <
		0)
		return -1;
	*ret = created_response(request, STEAL_PTR(made.doc), made.revision,
				made.id);
	return 0;
}

int
execs_create(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	CLEANUP(exec_wishes_done) struct exec_wishes wishes = { 0 };
	bool want_wait;

	if (request_query_bool(request, "wait", false, &want_wait, err) < 0 ||
	    take_wishes(request, &wishes, err) < 0)
		return -1;
	return want_wait ? exec_run(request, context, &wishes, ret, err)
			 : create(request, context, &wishes, ret, err);
}

/* --- start, delete -----------------------------------------------------------
 */

int
execs_start(struct request *request, void *context, struct response **ret,
	    struct skiff_error *err)
{
	struct services *services = context;
	struct exec_place place;
	int64_t revision;
	char *doc;

	if (take_exec(request, &place, err) < 0 ||
	    take_no_fields(request, err) < 0 ||
	    exec_start(services->tasks, place.ns, place.task, place.exec, &doc,
		       &revision, err) < 0)
		return -1;
	*ret = document_response(200, doc, revision);
	return 0;
}

int
execs_delete(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	struct services *services = context;
	cleanup_json json_t *exit = NULL;
	struct task_removal removal;
	struct exec_place place;

	if (take_exec(request, &place, err) < 0 ||
	    take_removal(request, &removal, err) < 0 ||
	    exec_delete(services->tasks, place.ns, place.task, place.exec,
			&removal, &exit, err) < 0)
		return -1;
	*ret = response_json(200, exit);
	return 0;
}
