/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the handlers share: objects of a namespace by path, lists, label
 * updates.
 */
#include "config.h"

#include "handlers/common.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "store/filter.h"

int
take_namespace(struct request *request, const char **ret_ns,
	       struct skiff_error *err)
{
	*ret_ns = request_param(request, "ns");
	return id_check("namespace", *ret_ns, err);
}

struct response *
document_response(int status, char *doc, int64_t revision)
{
	struct response *response =
	    response_json_text(status, doc, strlen(doc));

	if (revision > 0)
		response_headerf(response, "ETag", "\"%" PRId64 "\"", revision);
	return response;
}

struct response *
created_response(struct request *request, char *doc, int64_t revision,
		 const char *key)
{
	CLEANUP(strbuf_done) struct strbuf location = STRBUF_INIT;
	struct response *response = document_response(201, doc, revision);

	strbuf_adds(&location, request_path(request));
	strbuf_addch(&location, '/');
	percent_encode(key, &location);
	response_header(response, "Location", location.buf);
	return response;
}

int
answer_record(struct services *services, const struct record_ref *ref,
	      struct response **ret, struct skiff_error *err)
{
	int64_t revision;
	char *doc;

	if (record_get(services->db, ref, &doc, &revision, err) < 0)
		return -1;
	*ret = document_response(200, doc, revision);
	return 0;
}

struct sieve {
	const struct wanted *wanted;
	struct filters *filters;
};

/* The row is one of ours, and sound. */
static bool
passes(void *arg, const char *key, const char *doc, size_t *looked)
{
	const struct sieve *sieve = arg;
	const struct wanted *wanted = sieve->wanted;
	struct skiff_error ignored = ERROR_INIT;
	cleanup_json json_t *object = NULL;

	if (wanted->may_see && !wanted->may_see(wanted->arg, key))
		return false;
	if (!sieve->filters)
		return true;
	*looked += strlen(doc);
	return json_parse(doc, strlen(doc), &object, &ignored) == 0 &&
	       filters_match(sieve->filters, object);
}

static int
answer_page(struct request *request, struct services *services,
	    struct sieve *sieve, struct response **ret, struct skiff_error *err)
{
	const struct wanted *wanted = sieve->wanted;
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	struct list_options options = {
		.prefix = wanted->prefix,
		.cursor = request_query(request, "cursor"),
		.keep_arg = sieve,
	};
	size_t len;

	if (sieve->filters || wanted->may_see)
		options.keep = passes;
	if (request_query_u64(request, "limit", LIST_LIMIT_MAX,
			      LIST_LIMIT_DEFAULT, &options.limit, err) < 0)
		return -1;
	if (options.limit == 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "limit must be between 1 and %d",
			       LIST_LIMIT_MAX);
	if (record_list(services->db, wanted->kind, wanted->ns, &options, &out,
			err) < 0)
		return -1;
	len = out.len;
	*ret = response_json_text(200, strbuf_steal(&out), len);
	return 0;
}

int
answer_list(struct request *request, struct services *services,
	    const struct wanted *wanted, struct response **ret,
	    struct skiff_error *err)
{
	struct sieve sieve = { .wanted = wanted };
	int r;

	r = take_filters(request, wanted->fields, &sieve.filters, err);
	if (r == 0)
		r = answer_page(request, services, &sieve, ret, err);
	filters_free(sieve.filters);
	return r;
}

int
take_if_match(struct request *request, int64_t *ret_revision,
	      struct skiff_error *err)
{
	uint64_t revision = 0;
	int r = request_if_match(request, &revision, err);

	if (r < 0)
		return -1;
	*ret_revision = r == 1 ? (int64_t)revision : 0;
	return 0;
}

int
take_filters(struct request *request, const struct filter_field *fields,
	     struct filters **filters, struct skiff_error *err)
{
	const char *text;
	size_t at = 0;

	while ((text = request_query_next(request, "filter", &at)) != NULL)
		if (filters_add(filters, fields, text, err) < 0)
			return -1;
	return 0;
}

int
check_faults(struct request *request, struct skiff_error *err)
{
	return json_faults_to_error(request_faults(request), err);
}

/* Fields that an object has but PATCH cannot change are told apart. */
static void
check_patch_fields(const json_t *body, struct json_faults *faults)
{
	const char *key;
	json_t *value;

	if (!json_is_object(body)) {
		json_fault(faults, "", "must be an object");
		return;
	}
	json_object_foreach ((json_t *)body, key, value) {
		CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;

		if (strcmp(key, "labels") == 0)
			continue;
		json_pointer_add(&pointer, key);
		json_fault(faults, pointer.buf,
			   "cannot be updated; only labels can");
	}
	if (!json_object_get(body, "labels"))
		json_fault(faults, "/labels", "is required");
}

int
answer_label_patch(struct request *request, struct services *services,
		   const struct record_ref *ref, struct response **ret,
		   struct skiff_error *err)
{
	struct change change = { 0 };
	const json_t *labels;
	int64_t revision;
	json_t *body;
	char *doc;

	if (request_json(request, &body, err) < 0 ||
	    take_if_match(request, &change.if_match, err) < 0)
		return -1;
	check_patch_fields(body, request_faults(request));
	labels = json_object_get(body, "labels");
	if (labels)
		label_patch_check(labels, "/labels", request_faults(request));
	if (check_faults(request, err) < 0 ||
	    record_patch_labels(services->db, ref, labels, &change, &doc,
				&revision, err) < 0)
		return -1;
	*ret = document_response(200, doc, revision);
	return 0;
}

int
take_exec(struct request *request, struct exec_place *ret_place,
	  struct skiff_error *err)
{
	struct record_ref task;

	if (take_task(request, &task, err) < 0)
		return -1;
	*ret_place = (struct exec_place){
		.ns = task.ns,
		.task = task.key,
		.exec = request_param(request, "eid"),
	};
	return id_check("exec", ret_place->exec, err);
}

int
take_no_fields(struct request *request, struct skiff_error *err)
{
	json_t *body;

	if (!request_has_body(request))
		return 0;
	if (request_json(request, &body, err) < 0)
		return -1;
	json_decode(body, "", NULL, 0, NULL, request_faults(request));
	return check_faults(request, err);
}

int
take_task(struct request *request, struct record_ref *ret_ref,
	  struct skiff_error *err)
{
	ret_ref->kind = RECORD_TASK;
	ret_ref->key = request_param(request, "id");
	if (take_namespace(request, &ret_ref->ns, err) < 0)
		return -1;
	return id_check("task", ret_ref->key, err);
}
