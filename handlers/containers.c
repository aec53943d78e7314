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
#include "handlers/common.h"
#include "runtime/container.h"
#include "runtime/container_start.h"
#include "runtime/task.h"

static struct container_context
context_of(const struct services *services)
{
	return (struct container_context){
		.db = services->db,
		.content = services->content,
		.snapshots = services->snapshots,
		.host = services->host,
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

int
containers_list(struct request *request, void *context, struct response **ret,
		struct skiff_error *err)
{
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	return answer_list(request, RECORD_CONTAINER, ns, NULL, ret, err,
			   context);
}

/* ?start=true: *doc becomes what the container is by then. */
static int
start(struct services *services, const char *ns, const char *id, char **doc,
      int64_t *ret_revision, struct skiff_error *err)
{
	struct container_context containers = context_of(services);
	struct record_ref ref = { RECORD_CONTAINER, ns, id };

	free(*doc);
	*doc = NULL;
	if (container_start(&containers, services->tasks, ns, id, err) < 0)
		return -1;
	return record_get(services->db, &ref, doc, ret_revision, err);
}

int
containers_create(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	struct container_context containers = context_of(context);
	cleanup_json json_t *object = NULL;
	int64_t revision;
	const char *ns;
	json_t *body;
	char *doc;

	if (take_namespace(request, &ns, err) < 0 ||
	    request_query_bool(request, "start", false, &containers.will_start,
			       err) < 0 ||
	    request_json(request, &body, err) < 0 ||
	    container_create(&containers, ns, body, request_faults(request),
			     &doc, &revision, err) < 0)
		return -1;
	object = json_loads(doc, 0, NULL);
	if (containers.will_start &&
	    start(context, ns, json_get_text(object, "id"), &doc, &revision,
		  err) < 0)
		return -1;
	*ret = created_response(request, doc, revision,
				json_get_text(object, "id"));
	return 0;
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

int
containers_patch(struct request *request, void *context, struct response **ret,
		 struct skiff_error *err)
{
	struct record_ref ref;

	if (take_container(request, &ref, err) < 0)
		return -1;
	return answer_label_patch(request, context, &ref, ret, err);
}

/* With force: the task first, if there is one. */
static int
remove_task(struct services *services, const struct record_ref *ref,
	    struct skiff_error *err)
{
	cleanup_json json_t *exit = NULL;

	if (task_delete(services->tasks, ref->ns, ref->key,
			/* want_force= */ true, &exit, err) == 0)
		return 0;
	return err->code == SKIFF_NOT_FOUND ? 0 : -1;
}

int
containers_delete(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	struct container_context containers = context_of(context);
	struct services *services = context;
	struct record_ref ref;
	bool want_force;
	int64_t if_match;

	if (take_container(request, &ref, err) < 0 ||
	    take_if_match(request, &if_match, err) < 0 ||
	    request_query_bool(request, "force", false, &want_force, err) < 0)
		return -1;
	if (want_force && remove_task(services, &ref, err) < 0)
		return -1;
	if (container_delete(&containers, ref.ns, ref.key, if_match, err) < 0)
		return -1;
	*ret = response_empty(204);
	return 0;
}
