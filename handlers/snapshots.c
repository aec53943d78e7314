/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/snapshots/{snapshotter}
 */
#include "config.h"

#include "handlers/handlers.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/id.h"
#include "base/json.h"
#include "handlers/common.h"
#include "store/snapshot/snapshots.h"
#include "store/filter.h"

struct prepare_body {
	char *key;
	char *parent;
	char *kind;
	json_t *labels;
};

static const struct json_field prepare_fields[] = {
	JSON_TEXT(struct prepare_body, key, "key", JSON_REQUIRED),
	JSON_TEXT(struct prepare_body, parent, "parent", 0),
	JSON_TEXT(struct prepare_body, kind, "kind", 0),
	JSON_OBJECT(struct prepare_body, labels, "labels", 0),
};

struct commit_body {
	char *name;
	json_t *labels;
};

static const struct json_field commit_fields[] = {
	JSON_TEXT(struct commit_body, name, "name", JSON_REQUIRED),
	JSON_OBJECT(struct commit_body, labels, "labels", 0),
};

/* The namespace and the snapshotter of the path, "default" resolved. */
static int
take_place(struct request *request, const char **ret_ns,
	   const char **ret_snapshotter, struct skiff_error *err)
{
	if (take_namespace(request, ret_ns, err) < 0)
		return -1;
	return snapshotter_check(request_param(request, "snapshotter"),
				 ret_snapshotter, err);
}

/* The same, and the key. */
static int
take_snapshot(struct request *request, const char **ret_ns,
	      const char **ret_snapshotter, const char **ret_key,
	      struct skiff_error *err)
{
	*ret_key = request_param(request, "key");
	if (take_place(request, ret_ns, ret_snapshotter, err) < 0)
		return -1;
	return name_check("snapshot key", *ret_key, err);
}

/* The record's key is "<snapshotter>/<key>"; the caller frees it. */
static int
take_record(struct request *request, struct record_ref *ret_ref, char **ret_key,
	    struct skiff_error *err)
{
	const char *snapshotter;
	const char *key;

	if (take_snapshot(request, &ret_ref->ns, &snapshotter, &key, err) < 0)
		return -1;
	*ret_key = xasprintf("%s/%s", snapshotter, key);
	ret_ref->kind = RECORD_SNAPSHOT;
	ret_ref->key = *ret_key;
	return 0;
}

static const struct filter_field list_fields[] = {
	{ .name = "key" },
	{ .name = "parent" },
	{ .name = "kind" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

int
snapshots_list(struct request *request, void *context, struct response **ret,
	       struct skiff_error *err)
{
	cleanup_free char *prefix = NULL;
	const char *snapshotter;
	const char *ns;

	if (take_place(request, &ns, &snapshotter, err) < 0)
		return -1;
	prefix = xasprintf("%s/", snapshotter);
	return answer_list(request, context,
			   &(struct wanted){ .kind = RECORD_SNAPSHOT,
					     .ns = ns,
					     .prefix = prefix,
					     .fields = list_fields },
			   ret, err);
}

static void
check_prepare(const struct prepare_body *body, struct json_faults *faults)
{
	struct skiff_error err = ERROR_INIT;

	if (body->key && name_check("snapshot key", body->key, &err) < 0)
		json_fault(faults, "/key", "%s", err.text);
	if (body->kind && strcmp(body->kind, "active") != 0 &&
	    strcmp(body->kind, "view") != 0)
		json_fault(faults, "/kind", "must be \"active\" or \"view\"");
	if (body->labels)
		labels_check(body->labels, "/labels", faults);
}

static int
prepare(struct request *request, struct services *services, const char *ns,
	const struct prepare_body *body, struct response **ret,
	struct skiff_error *err)
{
	struct snapshot_request wish = {
		.ns = ns,
		.key = body->key,
		.parent = body->parent,
		.kind = body->kind && strcmp(body->kind, "view") == 0
			    ? SNAPSHOT_VIEW
			    : SNAPSHOT_ACTIVE,
		.labels = body->labels,
	};
	cleanup_json json_t *object = NULL;

	check_prepare(body, request_faults(request));
	if (check_faults(request, err) < 0 ||
	    snapshot_prepare(services->snapshots, &wish, &object, err) < 0)
		return -1;
	*ret = created_response(request, json_text(object),
				json_get_int(object, "revision", 0), body->key);
	return 0;
}

int
snapshots_create(struct request *request, void *context, struct response **ret,
		 struct skiff_error *err)
{
	struct prepare_body body = { 0 };
	const char *snapshotter;
	const char *ns;
	json_t *json;
	int r;

	if (take_place(request, &ns, &snapshotter, err) < 0 ||
	    request_json(request, &json, err) < 0)
		return -1;
	json_decode(json, "", prepare_fields, ARRAY_SIZE(prepare_fields), &body,
		    request_faults(request));
	r = prepare(request, context, ns, &body, ret, err);
	json_release(prepare_fields, ARRAY_SIZE(prepare_fields), &body);
	return r;
}

int
snapshots_get(struct request *request, void *context, struct response **ret,
	      struct skiff_error *err)
{
	cleanup_free char *key = NULL;
	struct record_ref ref;

	if (take_record(request, &ref, &key, err) < 0)
		return -1;
	return answer_record(context, &ref, ret, err);
}

int
snapshots_patch(struct request *request, void *context, struct response **ret,
		struct skiff_error *err)
{
	cleanup_free char *key = NULL;
	struct record_ref ref;

	if (take_record(request, &ref, &key, err) < 0)
		return -1;
	return answer_label_patch(request, context, &ref, ret, err);
}

int
snapshots_delete(struct request *request, void *context, struct response **ret,
		 struct skiff_error *err)
{
	struct services *services = context;
	const char *snapshotter;
	int64_t if_match;
	const char *key;
	const char *ns;

	if (take_snapshot(request, &ns, &snapshotter, &key, err) < 0 ||
	    take_if_match(request, &if_match, err) < 0 ||
	    snapshot_remove(services->snapshots, ns, key, if_match, err) < 0)
		return -1;
	snapshots_empty_trash(services->snapshots);
	*ret = response_empty(204);
	return 0;
}

int
snapshots_mounts(struct request *request, void *context, struct response **ret,
		 struct skiff_error *err)
{
	struct services *services = context;
	cleanup_json json_t *json = NULL;
	const char *snapshotter;
	struct mount *mounts;
	const char *key;
	const char *ns;
	size_t n;

	if (take_snapshot(request, &ns, &snapshotter, &key, err) < 0 ||
	    snapshot_mounts(services->snapshots, ns, key, &mounts, &n, err) < 0)
		return -1;
	json = json_pack("{s:o}", "mounts", mounts_to_json(mounts, n));
	mounts_free(mounts, n);
	*ret = response_json(200, json);
	return 0;
}

int
snapshots_usage(struct request *request, void *context, struct response **ret,
		struct skiff_error *err)
{
	struct services *services = context;
	cleanup_json json_t *json = NULL;
	const char *snapshotter;
	uint64_t inodes;
	uint64_t bytes;
	const char *key;
	const char *ns;

	if (take_snapshot(request, &ns, &snapshotter, &key, err) < 0 ||
	    snapshot_usage(services->snapshots, ns, key, &bytes, &inodes, err) <
		0)
		return -1;
	json = json_pack("{s:I, s:I}", "size", (json_int_t)bytes, "inodes",
			 (json_int_t)inodes);
	*ret = response_json(200, json);
	return 0;
}

static int
commit(struct request *request, struct services *services, const char *ns,
       const struct commit_body *body, struct response **ret,
       struct skiff_error *err)
{
	cleanup_json json_t *object = NULL;

	if (body->labels)
		labels_check(body->labels, "/labels", request_faults(request));
	if (check_faults(request, err) < 0)
		return -1;
	if (name_check("snapshot name", body->name, err) < 0)
		return err_field(err, "/name");
	if (snapshot_commit(services->snapshots, ns, body->name,
			    request_param(request, "key"), body->labels,
			    &object, err) < 0)
		return -1;
	*ret = document_response(200, json_text(object),
				 json_get_int(object, "revision", 0));
	return 0;
}

int
snapshots_commit(struct request *request, void *context, struct response **ret,
		 struct skiff_error *err)
{
	struct commit_body body = { 0 };
	const char *snapshotter;
	const char *key;
	const char *ns;
	json_t *json;
	int r;

	if (take_snapshot(request, &ns, &snapshotter, &key, err) < 0 ||
	    request_json(request, &json, err) < 0)
		return -1;
	json_decode(json, "", commit_fields, ARRAY_SIZE(commit_fields), &body,
		    request_faults(request));
	r = commit(request, context, ns, &body, ret, err);
	json_release(commit_fields, ARRAY_SIZE(commit_fields), &body);
	return r;
}
