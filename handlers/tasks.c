/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks: the running side of containers. Ending them is in
 * handlers/stop.c, waiting for that in handlers/wait.c, their output in
 * handlers/logs.c.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/id.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "handlers/access.h"
#include "handlers/common.h"
#include "handlers/process.h"
#include "handlers/settling.h"
#include "runtime/spec/admin_wishes.h"
#include "runtime/spec/runtime_options.h"
#include "runtime/task.h"
#include "runtime/task_stdio.h"
#include "store/filter.h"

static const struct filter_field list_fields[] = {
	{ .name = "id" },
	{ .name = "container" },
	{ .name = "state" },
	{ .name = "reason" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

static int
list(struct request *request, void *context, struct response **ret,
     struct skiff_error *err)
{
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	return answer_list(request, context,
			   &(struct wanted){ .kind = RECORD_TASK,
					     .ns = ns,
					     .fields = list_fields },
			   ret, err);
}

int
tasks_list(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	return answer_settled(request, context, ns, NULL, list, ret, err);
}

/* --- create ------------------------------------------------------------ */

struct create_body {
	char *container;
	char *checkpoint;
	json_t *stdio;
	json_t *options;
	bool terminal;
};

static const struct json_field create_fields[] = {
	JSON_TEXT(struct create_body, container, "container", JSON_REQUIRED),
	JSON_TEXT(struct create_body, checkpoint, "checkpoint", JSON_NOT_EMPTY),
	JSON_OBJECT(struct create_body, stdio, "stdio", 0),
	JSON_OBJECT(struct create_body, options, "options", 0),
	JSON_BOOL(struct create_body, terminal, "terminal", 0),
};

static int
create(struct request *request, struct services *services,
       const struct task_wishes *wishes, struct response **ret,
       struct skiff_error *err)
{
	int64_t revision;
	char *doc;

	if (check_faults(request, err) < 0 ||
	    (!request_is_admins(request) &&
	     admin_wishes_refuse_task(wishes->stdio, wishes->options,
				      request_faults(request), err) < 0))
		return -1;
	if (id_check("container", wishes->id, err) < 0)
		return err_field(err, "/container");
	if (task_create(services->tasks, wishes, &doc, &revision, err) < 0) {
		request_set_log(request, *wishes->ret_log);
		return -1;
	}
	*ret = created_response(request, doc, revision, wishes->id);
	return 0;
}

/* What has a decoder of its own, which is asked for its faults alone. */
static void
check_body(const struct create_body *body, struct json_faults *faults)
{
	CLEANUP(strv_done) struct strv args = STRV_INIT;
	struct task_stdio stdio;

	task_stdio_decode(body->stdio, "/stdio", &stdio, faults);
	task_stdio_done(&stdio);
	runtime_options_decode(body->options, "/options", &args, faults);
}

int
tasks_create(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	struct create_body body = { 0 };
	char *log = NULL;
	struct task_wishes wishes = { .ret_log = &log };
	json_t *json;
	int r;

	if (take_namespace(request, &wishes.ns, err) < 0 ||
	    request_json(request, &json, err) < 0)
		return -1;
	json_decode(json, "", create_fields, ARRAY_SIZE(create_fields), &body,
		    request_faults(request));
	check_body(&body, request_faults(request));
	wishes.id = body.container;
	wishes.stdio = body.stdio;
	wishes.options = body.options;
	wishes.has_terminal_wish = json_object_get(json, "terminal") != NULL;
	wishes.wants_terminal = body.terminal;
	wishes.checkpoint = body.checkpoint;
	r = create(request, context, &wishes, ret, err);
	json_release(create_fields, ARRAY_SIZE(create_fields), &body);
	return r;
}

static int
get(struct request *request, void *context, struct response **ret,
    struct skiff_error *err)
{
	struct record_ref ref;

	if (take_task(request, &ref, err) < 0)
		return -1;
	return answer_record(context, &ref, ret, err);
}

int
tasks_get(struct request *request, void *context, struct response **ret,
	  struct skiff_error *err)
{
	struct record_ref ref;

	if (take_task(request, &ref, err) < 0)
		return -1;
	return answer_settled(request, context, ref.ns, ref.key, get, ret, err);
}

static void
check_patch_fields(const json_t *body, struct json_faults *faults)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)body, key, value) {
		CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;

		json_pointer_add(&pointer, key);
		if (strcmp(key, "labels") != 0 && strcmp(key, "resources") != 0)
			json_fault(faults, pointer.buf,
				   "cannot be updated; only labels and "
				   "resources can");
	}
}

/* {"resources": {…}, "labels": {…}} */
static int
update(struct request *request, struct services *services,
       const struct record_ref *ref, const json_t *body, struct response **ret,
       struct skiff_error *err)
{
	const json_t *labels = json_object_get(body, "labels");
	struct json_faults *faults = request_faults(request);
	struct task_changes changes = {
		.resources = json_object_get(body, "resources"),
		.labels = labels,
	};
	int64_t revision;
	char *doc;

	if (take_if_match(request, &changes.if_match, err) < 0)
		return -1;
	check_patch_fields(body, faults);
	task_limits_check(changes.resources, faults);
	if (labels)
		label_patch_check(labels, "/labels", faults);
	if (check_faults(request, err) < 0 ||
	    task_update(services->tasks, ref->ns, ref->key, &changes, &doc,
			&revision, err) < 0)
		return -1;
	*ret = document_response(200, doc, revision);
	return 0;
}

int
tasks_patch(struct request *request, void *context, struct response **ret,
	    struct skiff_error *err)
{
	struct record_ref ref;
	json_t *body;

	if (take_task(request, &ref, err) < 0 ||
	    request_json(request, &body, err) < 0)
		return -1;
	if (!json_object_get(body, "resources"))
		return answer_label_patch(request, context, &ref, ret, err);
	return update(request, context, &ref, body, ret, err);
}

typedef int (*step_fn)(struct tasks *tasks, const char *ns, const char *id,
		       char **ret_doc, int64_t *ret_revision,
		       struct skiff_error *err);

static int
take_step(struct request *request, struct services *services, step_fn step,
	  struct response **ret, struct skiff_error *err)
{
	struct record_ref ref;
	int64_t revision;
	char *doc;

	if (take_task(request, &ref, err) < 0 ||
	    take_no_fields(request, err) < 0 ||
	    step(services->tasks, ref.ns, ref.key, &doc, &revision, err) < 0)
		return -1;
	*ret = document_response(200, doc, revision);
	return 0;
}

int
tasks_start(struct request *request, void *context, struct response **ret,
	    struct skiff_error *err)
{
	return take_step(request, context, task_start, ret, err);
}

int
tasks_pause(struct request *request, void *context, struct response **ret,
	    struct skiff_error *err)
{
	return take_step(request, context, task_pause, ret, err);
}

int
tasks_resume(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	return take_step(request, context, task_resume, ret, err);
}

/* --- delete ------------------------------------------------------ */

int
tasks_delete(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	struct services *services = context;
	cleanup_json json_t *exit = NULL;
	struct task_removal removal;
	struct record_ref ref;

	if (take_task(request, &ref, err) < 0 ||
	    take_removal(request, &removal, err) < 0 ||
	    task_delete(services->tasks, ref.ns, ref.key, &removal, &exit,
			err) < 0)
		return -1;
	*ret = response_json(200, exit);
	return 0;
}
