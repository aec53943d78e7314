/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/containers
 */
#include "config.h"

#include "handlers/handlers.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "base/json.h"
#include "handlers/access.h"
#include "handlers/common.h"
#include "runtime/checkpoint/container.h"
#include "runtime/container.h"
#include "runtime/container_start.h"
#include "runtime/task.h"
#include "store/filter.h"

#define FORCE_TRIES 8

static struct container_context
context_of(const struct services *services)
{
	return (struct container_context){
		.db = services->db,
		.content = services->content,
		.snapshots = services->snapshots,
		.host = services->host,
		.idmap = tasks_idmap(services->tasks),
	};
}

static int
take_container(struct request *request, struct record_ref *ret_ref,
	       struct skiff_error *err)
{
	ret_ref->kind = RECORD_CONTAINER;
	ret_ref->key = request_param(request, "id");
	if (take_namespace(request, &ret_ref->ns, err) < 0)
		return -1;
	return id_check("container", ret_ref->key, err);
}

static const struct filter_field list_fields[] = {
	{ .name = "id" },
	{ .name = "image" },
	{ .name = "image_digest" },
	{ .name = "runtime.name", .object = "runtime", .key = "name" },
	{ .name = "snapshotter" },
	{ .name = "snapshot_key" },
	{ .name = "spec_origin" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

int
containers_list(struct request *request, void *context, struct response **ret,
		struct skiff_error *err)
{
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	return answer_list(request, context,
			   &(struct wanted){ .kind = RECORD_CONTAINER,
					     .ns = ns,
					     .fields = list_fields },
			   ret, err);
}

/* What the body says in place of wishes. */
struct checkpoint_body {
	char *id;
	char *checkpoint;
};

static const struct json_field checkpoint_fields[] = {
	JSON_TEXT(struct checkpoint_body, id, "id", JSON_NOT_EMPTY),
	JSON_TEXT(struct checkpoint_body, checkpoint, "checkpoint",
		  JSON_REQUIRED | JSON_NOT_EMPTY),
};

/* The wishes of the container that was checkpointed, for another id or not. */
static int
load_checkpoint(struct request *request, struct services *services,
		const char *ns, const json_t *json,
		struct checkpoint_container *ret, struct skiff_error *err)
{
	struct checkpoint_body body = { 0 };
	int r;

	json_decode(json, "", checkpoint_fields, ARRAY_SIZE(checkpoint_fields),
		    &body, request_faults(request));
	r = check_faults(request, err);
	if (r == 0)
		r = checkpoint_container_load(services->tasks, ns,
					      body.checkpoint, body.id, ret,
					      err);
	json_release(checkpoint_fields, ARRAY_SIZE(checkpoint_fields), &body);
	return r;
}

/* ?start=true: made->doc becomes what the container is by then. */
static int
start(struct request *request, struct services *services,
      const struct task_wishes *task, struct container_made *made,
      struct skiff_error *err)
{
	struct container_context containers = context_of(services);
	struct record_ref ref = { RECORD_CONTAINER, task->ns, made->id };
	struct task_wishes wishes = *task;
	char *log = NULL;

	wishes.id = made->id;
	wishes.ret_log = &log;
	if (container_start(&containers, services->tasks, &wishes, err) < 0) {
		request_set_log(request, log);
		return -1;
	}
	return record_get(services->db, &ref, &made->doc, &made->revision, err);
}

static int
create(struct request *request, struct services *services,
       const struct container_request *wanted, const struct task_wishes *task,
       struct response **ret, struct skiff_error *err)
{
	struct container_context containers = context_of(services);
	struct container_made made = { 0 };

	if (container_create(&containers, wanted, request_faults(request),
			     &made, err) < 0 ||
	    (wanted->will_start &&
	     start(request, services, task, &made, err) < 0))
		return -1;
	*ret = wanted->is_dry ? document_response(200, made.doc, 0)
			      : created_response(request, made.doc,
						 made.revision, made.id);
	return 0;
}

int
containers_create(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	struct container_request wanted = { 0 };
	struct checkpoint_container like = { 0 };
	struct task_wishes task = { 0 };
	json_t *body;
	int r;

	if (take_namespace(request, &wanted.ns, err) < 0 ||
	    request_query_bool(request, "dry_run", false, &wanted.is_dry, err) <
		0 ||
	    request_query_bool(request, "start", false, &wanted.will_start,
			       err) < 0 ||
	    request_json(request, &body, err) < 0)
		return -1;
	wanted.body = body;
	wanted.is_by_admin = request_is_admins(request);
	/* A plan of what would be started is one of what would be made. */
	wanted.will_start = wanted.will_start && !wanted.is_dry;
	task.ns = wanted.ns;
	task.checkpoint =
	    json_string_value(json_object_get(body, "checkpoint"));
	if (json_object_get(body, "checkpoint")) {
		if (load_checkpoint(request, context, wanted.ns, body, &like,
				    err) < 0)
			return -1;
		wanted.body = like.body;
		task.has_terminal_wish = true;
		task.wants_terminal = like.has_terminal;
	}
	r = create(request, context, &wanted, &task, ret, err);
	json_decref(like.body);
	return r;
}

int
containers_get(struct request *request, void *context, struct response **ret,
	       struct skiff_error *err)
{
	struct record_ref ref;

	if (take_container(request, &ref, err) < 0)
		return -1;
	return answer_record(context, &ref, ret, err);
}

/*
 * ?mask=a,b&mask=c → the names, 1; a label's may hold what it likes but a
 * comma. 0: there is no mask.
 */
static int
take_mask(struct request *request, struct strv *mask, struct skiff_error *err)
{
	const char *text;
	size_t at = 0;

	if (!request_query(request, "mask"))
		return 0;
	while ((text = request_query_next(request, "mask", &at)) != NULL)
		while (*text) {
			size_t len = strcspn(text, ",");

			if (len > 0)
				strv_addf(mask, "%.*s", (int)len, text);
			text += len;
			text += *text == ',';
		}
	return mask->n > 0 ? 1
			   : err_set(err, SKIFF_INVALID_ARGUMENT,
				     "mask must name a field");
}

static int
answer_update(struct request *request, void *context, enum update_kind kind,
	      struct response **ret, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv mask = STRV_INIT;
	struct container_context containers = context_of(context);
	struct container_update update = { .kind = kind, .mask = &mask };
	struct container_made made = { 0 };
	struct record_ref ref;
	json_t *body;
	int r;

	if (take_container(request, &ref, err) < 0 ||
	    request_json(request, &body, err) < 0 ||
	    request_query_bool(request, "dry_run", false, &update.is_dry, err) <
		0 ||
	    take_if_match(request, &update.if_match, err) < 0)
		return -1;
	r = take_mask(request, &mask, err);
	if (r < 0)
		return -1;
	if (r > 0)
		update.kind = UPDATE_MASK;
	update.ns = ref.ns;
	update.id = ref.key;
	update.body = body;
	update.is_by_admin = request_is_admins(request);
	if (container_update(&containers, &update, request_faults(request),
			     &made, err) < 0)
		return -1;
	*ret = document_response(200, made.doc, made.revision);
	return 0;
}

int
containers_patch(struct request *request, void *context, struct response **ret,
		 struct skiff_error *err)
{
	return answer_update(request, context, UPDATE_MERGE, ret, err);
}

int
containers_put(struct request *request, void *context, struct response **ret,
	       struct skiff_error *err)
{
	return answer_update(request, context, UPDATE_REPLACE, ret, err);
}

struct rename_body {
	char *id;
};

static const struct json_field rename_fields[] = {
	JSON_TEXT(struct rename_body, id, "id", JSON_REQUIRED | JSON_NOT_EMPTY),
};

static int
take_new_id(struct request *request, struct rename_body *body,
	    struct skiff_error *err)
{
	struct json_faults *faults = request_faults(request);
	struct skiff_error fault = ERROR_INIT;
	json_t *json;

	if (request_json(request, &json, err) < 0)
		return -1;
	json_decode(json, "", rename_fields, ARRAY_SIZE(rename_fields), body,
		    faults);
	if (body->id && id_check("container", body->id, &fault) < 0)
		json_fault(faults, "/id", "%s", fault.text);
	return check_faults(request, err);
}

int
containers_rename(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	struct services *services = context;
	struct container_context containers = context_of(services);
	struct container_rename rename = { .context = &containers };
	struct rename_body body = { 0 };
	struct container_made made = { 0 };
	int r = -1;

	if (take_container(request, &rename.ref, err) == 0 &&
	    take_if_match(request, &rename.if_match, err) == 0 &&
	    take_new_id(request, &body, err) == 0) {
		rename.new_id = body.id;
		r = task_rename(services->tasks, &rename, &made, err);
	}
	json_release(rename_fields, ARRAY_SIZE(rename_fields), &body);
	if (r == 0)
		*ret = document_response(200, made.doc, made.revision);
	return r;
}

/* Killing comes first, so what would then be refused must be asked before. */
static int
remove_task(struct services *services, const struct record_ref *ref,
	    int64_t if_match, struct skiff_error *err)
{
	static const struct task_removal by_force = { .want_force = true };
	cleanup_json json_t *exit = NULL;

	if (record_check(services->db, ref, if_match, err) < 0)
		return -1;
	if (task_delete(services->tasks, ref->ns, ref->key, &by_force, &exit,
			err) == 0)
		return 0;
	if (err->code != SKIFF_NOT_FOUND)
		return -1;
	*err = (struct skiff_error)ERROR_INIT;
	return 0;
}

/* Somebody may make a new task each time. */
static int
remove_by_force(struct services *services, const struct record_ref *ref,
		int64_t if_match, struct skiff_error *err)
{
	struct container_context containers = context_of(services);

	for (int i = 0;; i++) {
		if (remove_task(services, ref, if_match, err) < 0)
			return -1;
		if (container_delete(&containers, ref->ns, ref->key, if_match,
				     err) == 0)
			return 0;
		if (err->code != SKIFF_FAILED_PRECONDITION || i == FORCE_TRIES)
			return -1;
		*err = (struct skiff_error)ERROR_INIT;
	}
}

int
containers_delete(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	struct container_context containers = context_of(context);
	struct record_ref ref;
	bool want_force;
	int64_t if_match;
	int r;

	if (take_container(request, &ref, err) < 0 ||
	    take_if_match(request, &if_match, err) < 0 ||
	    request_query_bool(request, "force", false, &want_force, err) < 0)
		return -1;
	r = want_force
		? remove_by_force(context, &ref, if_match, err)
		: container_delete(&containers, ref.ns, ref.key, if_match, err);
	if (r == 0)
		*ret = response_empty(204);
	return r;
}
