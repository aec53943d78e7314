/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Problems (RFC 9457): the one shape of every error answer.
 */
#include "config.h"

#include <string.h>

#include "base/log.h"
#include "http/http_internal.h"

static json_t *
object_of(const struct request *request, const struct skiff_error *err)
{
	const char *kind = err->kind ? err->kind : request->object_kind;
	const char *id = err->kind ? err->id : request->object_id;
	json_t *object;

	if (!kind)
		return NULL;
	object = json_object();
	json_set_text(object, "kind", kind);
	json_set_text(object, "id", id);
	/* Every object but the namespaces themselves lives in one. */
	if (request->route && strcmp(kind, "namespace") != 0 &&
	    request->route->n_params > 0 &&
	    request->route->params[0].len == 2 &&
	    memcmp(request->route->params[0].name, "ns", 2) == 0)
		json_set_text(object, "namespace", request->match.values[0]);
	return object;
}

static json_t *
problem_json(struct request *request, const struct skiff_error *err)
{
	json_t *json = json_object();
	json_t *object = object_of(request, err);

	json_set_text(json, "type", "about:blank");
	json_set_text(json, "title", err_code_title(err->code));
	json_set_int(json, "status", err_code_status(err->code));
	json_set_text(json, "code", err_code_name(err->code));
	json_set_text(json, "reason", err->reason);
	json_set_text(json, "detail", err->text);
	if (object)
		(void)json_object_set_new(json, "object", object);
	if (err->field[0])
		json_set_text(json, "field", err->field);
	if (err->state[0])
		json_set_text(json, "state", err->state);
	if (err->has_offset)
		json_set_int(json, "offset", (int64_t)err->offset);
	if (err->upstream_status)
		json_set_int(json, "upstream_status", err->upstream_status);
	if (request->faults.list)
		(void)json_object_set(json, "errors", request->faults.list);
	json_set_text(json, "log", request->log);
	json_set_text(json, "request_id", request->id);
	return json;
}

struct response *
problem_response(struct request *request, const struct skiff_error *err)
{
	int status = err_code_status(err->code);
	cleanup_json json_t *json = problem_json(request, err);
	char *text = json_text(json);
	struct response *response =
	    response_data(status, "application/problem+json", text,
			  strlen(text));

	if (err->retry_after_s > 0)
		response_headerf(response, "Retry-After", "%d",
				 err->retry_after_s);
	if (err->code == SKIFF_UPGRADE_REQUIRED)
		response_header(response, "Upgrade", "skiff-stream");
	if (err->code == SKIFF_UNAUTHENTICATED)
		response_header(response, "WWW-Authenticate", "Bearer");
	if (err->code == SKIFF_METHOD_NOT_ALLOWED && request->match.allow) {
		char allow[64];

		response_header(response, "Allow",
				http_allow_text(request->match.allow, allow));
	}
	/* A wait that ran out is the client's own wish, not a fault. */
	if (status >= 500 && err->code != SKIFF_DEADLINE_EXCEEDED)
		log_failure(LOG_ERROR, err, "%s %s, request %s",
			    http_method_name(request->method),
			    request->target.path, request->id);
	return response;
}
