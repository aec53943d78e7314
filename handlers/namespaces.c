/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/namespaces
 */
#include "config.h"

#include "handlers/handlers.h"

#include "base/cleanup.h"
#include "base/id.h"
#include "base/json.h"
#include "handlers/access.h"
#include "handlers/common.h"
#include "runtime/task.h"
#include "store/namespace.h"
#include "store/filter.h"

struct namespace_body {
	char *name;
	json_t *labels;
};

static const struct json_field body_fields[] = {
	JSON_TEXT(struct namespace_body, name, "name", JSON_REQUIRED),
	JSON_OBJECT(struct namespace_body, labels, "labels", 0),
};

static struct record_ref
namespace_ref(const char *name)
{
	return (struct record_ref){ RECORD_NAMESPACE, "", name };
}

struct asker {
	const struct access *access;
	uint64_t rights;
};

static bool
is_granted(const void *arg, const char *key)
{
	const struct asker *asker = arg;

	return access_has_namespace(asker->access, asker->rights, key);
}

static const struct filter_field list_fields[] = {
	{ .name = "name" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

/* A user sees his own. */
int
namespaces_list(struct request *request, void *context, struct response **ret,
		struct skiff_error *err)
{
	struct services *services = context;
	const struct asker asker = { services->access,
				     request_peer(request)->rights };
	struct wanted wanted = { .kind = RECORD_NAMESPACE,
				 .ns = "",
				 .fields = list_fields,
				 .arg = &asker };

	if (!request_is_admins(request))
		wanted.may_see = is_granted;
	return answer_list(request, services, &wanted, ret, err);
}

static int
create(struct request *request, struct services *services,
       const struct namespace_body *body, struct response **ret,
       struct skiff_error *err)
{
	int64_t revision;
	char *doc;

	if (body->labels)
		labels_check(body->labels, "/labels", request_faults(request));
	if (check_faults(request, err) < 0)
		return -1;
	if (id_check("namespace", body->name, err) < 0)
		return err_field(err, "/name");
	if (access_check_namespace(services->access, request, body->name, err) <
		0 ||
	    namespace_create(services->db, body->name, body->labels, &doc,
			     &revision, err) < 0)
		return -1;
	*ret = created_response(request, doc, revision, body->name);
	return 0;
}

int
namespaces_create(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	struct namespace_body body = { 0 };
	json_t *json;
	int r;

	if (request_json(request, &json, err) < 0)
		return -1;
	json_decode(json, "", body_fields, ARRAY_SIZE(body_fields), &body,
		    request_faults(request));
	r = create(request, context, &body, ret, err);
	json_release(body_fields, ARRAY_SIZE(body_fields), &body);
	return r;
}

int
namespaces_get(struct request *request, void *context, struct response **ret,
	       struct skiff_error *err)
{
	struct record_ref ref;
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	ref = namespace_ref(ns);
	return answer_record(context, &ref, ret, err);
}

int
namespaces_patch(struct request *request, void *context, struct response **ret,
		 struct skiff_error *err)
{
	struct record_ref ref;
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	ref = namespace_ref(ns);
	return answer_label_patch(request, context, &ref, ret, err);
}

int
namespaces_delete(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	struct services *services = context;
	int64_t if_match;
	const char *ns;

	if (take_namespace(request, &ns, err) < 0 ||
	    take_if_match(request, &if_match, err) < 0)
		return -1;
	if (namespace_delete(services->db, services->content,
			     services->snapshots, ns, if_match, err) < 0)
		return -1;
	tasks_forget_namespace(services->tasks, ns);
	*ret = response_empty(204);
	return 0;
}
