/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon itself: health, version, the contract, the index.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "openapi/openapi_json.h"
#include "runtime/spec/host.h"
#include "store/db.h"

int
system_healthz(struct request *request, void *context, struct response **ret,
	       struct skiff_error *err)
{
	(void)request;
	(void)context;
	(void)err;
	*ret = response_text(200, "ok\n");
	return 0;
}

/* One line a subsystem; 503 as soon as one of them is not well. */
int
system_readyz(struct request *request, void *context, struct response **ret,
	      struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct services *services = context;
	const struct oci_runtime *runtime =
	    host_default_runtime(services->host);
	struct skiff_error fault = ERROR_INIT;
	bool is_well = db_check(services->db, &fault) == 0;

	(void)request;
	(void)err;
	strbuf_addf(&text, "database: %s\n", is_well ? "ok" : fault.text);
	if (runtime)
		strbuf_addf(&text, "runtime: ok (%s %s)\n", runtime->name,
			    runtime->version);
	else
		strbuf_adds(&text, "runtime: not found; install runc\n");
	*ret = response_text(is_well ? 200 : 503, text.buf);
	return 0;
}

int
system_version(struct request *request, void *context, struct response **ret,
	       struct skiff_error *err)
{
	static const char answer[] =
	    "{\"version\":\"" PACKAGE_VERSION
	    "\",\"revision\":\"" SKIFF_REVISION
	    "\",\"api_versions\":[\"v1\"],\"features\":[]}";

	(void)request;
	(void)context;
	(void)err;
	*ret = response_static(200, "application/json", answer,
			       sizeof(answer) - 1);
	return 0;
}

int
system_openapi(struct request *request, void *context, struct response **ret,
	       struct skiff_error *err)
{
	(void)request;
	(void)context;
	(void)err;
	*ret = response_static(200, "application/json",
			       (const char *)openapi_json, openapi_json_len);
	return 0;
}

/* The keys of "limit cursor" or "filter*", without the star. */
static json_t *
query_keys(const char *text)
{
	json_t *keys = json_array();

	while (text && *text) {
		size_t len = strcspn(text, " *");

		(void)json_array_append_new(keys, json_stringn(text, len));
		text += len;
		text += strspn(text, " *");
	}
	return keys;
}

static json_t *
route_json(const struct route *route)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "method",
			 method_name(route->method), "path", route->pattern,
			 "operation", route->operation_id, "query",
			 query_keys(route->query));
}

/* What there is: each path with its methods and query keys. */
int
system_index(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	cleanup_json json_t *index = json_pack(
	    "{s:s, s:s, s:s, s:[]}", "name", "skiff", "version",
	    PACKAGE_VERSION, "description",
	    "OCI containers behind a plain HTTP API; GET /openapi.json is the "
	    "contract",
	    "routes");
	json_t *list = json_object_get(index, "routes");
	const struct route *routes;
	size_t n;

	(void)request;
	(void)context;
	(void)err;
	routes = routes_get(&n);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, route_json(&routes[i]));
	*ret = response_json(200, index);
	return 0;
}

/* /v1/images and the like: the way in is through a namespace. */
int
system_namespace_missing(struct request *request, void *context,
			 struct response **ret, struct skiff_error *err)
{
	(void)context;
	(void)ret;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "namespace is required: use /v1/namespaces/{ns}%s, for "
		      "example /v1/namespaces/default%s",
		      request_path(request) + strlen("/v1"),
		      request_path(request) + strlen("/v1"));
	return err_reason(err, "namespace_required");
}
