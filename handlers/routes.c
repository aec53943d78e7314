/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all routes.
 *
 * To add one: a handler in the file of its resource, its prototype in
 * handlers.h, a row here, its description in openapi/<resource>.yaml; a
 * test fails while one of the two is missing.
 */
#include "config.h"

#include "handlers/routes.h"

#include "base/cleanup.h"
#include "handlers/handlers.h"

#define NS "/v1/namespaces/{ns}"
#define SNAPSHOTS NS "/snapshots/{snapshotter}"
#define TASK NS "/tasks/{id}"
#define EXECS TASK "/execs"
#define EXEC EXECS "/{eid}"
#define PAGE "limit cursor filter*"

/* A row: method, path, operation id, where it runs, query keys, handler. */
#define ROW(m, path, id, where, keys, fn)                                      \
	{                                                                      \
		.method = (m), .pattern = (path), .operation_id = (id),        \
		.kind = (where), .query = (keys), .handler = (fn)              \
	}
/* Of no namespace, and nothing in it that is not everybody's to read. */
#define COMMON_ROW(path, id, where, keys, fn)                                  \
	{                                                                      \
		.method = HTTP_GET, .pattern = (path), .operation_id = (id),   \
		.kind = (where), .flags = ROUTE_COMMON, .query = (keys),       \
		.handler = (fn)                                                \
	}
#define PUBLIC_ROW(path, id, fn)                                               \
	{                                                                      \
		.method = HTTP_GET, .pattern = (path), .operation_id = (id),   \
		.kind = ROUTE_INLINE, .flags = ROUTE_PUBLIC, .handler = (fn)   \
	}

static const struct route routes[] = {
	PUBLIC_ROW("/", "index", system_index),
	PUBLIC_ROW("/healthz", "healthz", system_healthz),
	PUBLIC_ROW("/readyz", "readyz", system_readyz),
	PUBLIC_ROW("/openapi.json", "openapi", system_openapi),
	PUBLIC_ROW("/v1/version", "version", system_version),

	COMMON_ROW("/v1/plugins", "plugins_list", ROUTE_WORKER,
		   "type status filter*", plugins_list),
	/* It may ask a runtime for its features. */
	COMMON_ROW("/v1/plugins/{type}/{id}", "plugins_get", ROUTE_SLOW, NULL,
		   plugins_get),

	COMMON_ROW("/v1/images", "images_without_namespace", ROUTE_INLINE, NULL,
		   system_namespace_missing),
	COMMON_ROW("/v1/content", "content_without_namespace", ROUTE_INLINE,
		   NULL, system_namespace_missing),
	COMMON_ROW("/v1/snapshots", "snapshots_without_namespace", ROUTE_INLINE,
		   NULL, system_namespace_missing),
	COMMON_ROW("/v1/containers", "containers_without_namespace",
		   ROUTE_INLINE, NULL, system_namespace_missing),
	COMMON_ROW("/v1/tasks", "tasks_without_namespace", ROUTE_INLINE, NULL,
		   system_namespace_missing),

	/* The handlers of these two look at the names. */
	COMMON_ROW("/v1/namespaces", "namespaces_list", ROUTE_WORKER, PAGE,
		   namespaces_list),
	{ .method = HTTP_POST,
	  .pattern = "/v1/namespaces",
	  .operation_id = "namespaces_create",
	  .kind = ROUTE_WORKER,
	  .flags = ROUTE_COMMON,
	  .handler = namespaces_create },
	ROW(HTTP_GET, NS, "namespaces_get", ROUTE_INLINE, NULL, namespaces_get),
	ROW(HTTP_PATCH, NS, "namespaces_patch", ROUTE_WORKER, NULL,
	    namespaces_patch),
	ROW(HTTP_DELETE, NS, "namespaces_delete", ROUTE_SLOW, NULL,
	    namespaces_delete),

	ROW(HTTP_GET, NS "/images", "images_list", ROUTE_WORKER, PAGE,
	    images_list),
	ROW(HTTP_POST, NS "/images", "images_create", ROUTE_WORKER, NULL,
	    images_create),
	ROW(HTTP_POST, NS "/images/pull", "images_pull", ROUTE_WORKER, "wait",
	    images_pull),
	ROW(HTTP_GET, NS "/images/{name*}", "images_get", ROUTE_INLINE, NULL,
	    images_get),
	ROW(HTTP_PATCH, NS "/images/{name*}", "images_patch", ROUTE_WORKER,
	    NULL, images_patch),
	ROW(HTTP_DELETE, NS "/images/{name*}", "images_delete", ROUTE_WORKER,
	    NULL, images_delete),

	ROW(HTTP_GET, NS "/content", "content_list", ROUTE_WORKER, PAGE,
	    content_list),
	ROW(HTTP_GET, NS "/content/{digest}", "content_get", ROUTE_INLINE, NULL,
	    content_get),
	{ .method = HTTP_PUT,
	  .pattern = NS "/content/{digest}",
	  .operation_id = "content_put",
	  .kind = ROUTE_SLOW,
	  .upload = &content_upload },
	ROW(HTTP_PATCH, NS "/content/{digest}", "content_patch", ROUTE_WORKER,
	    NULL, content_patch),
	ROW(HTTP_DELETE, NS "/content/{digest}", "content_delete", ROUTE_WORKER,
	    NULL, content_remove),

	ROW(HTTP_GET, SNAPSHOTS, "snapshots_list", ROUTE_WORKER, PAGE,
	    snapshots_list),
	ROW(HTTP_POST, SNAPSHOTS, "snapshots_create", ROUTE_WORKER, NULL,
	    snapshots_create),
	ROW(HTTP_GET, SNAPSHOTS "/{key}", "snapshots_get", ROUTE_INLINE, NULL,
	    snapshots_get),
	ROW(HTTP_PATCH, SNAPSHOTS "/{key}", "snapshots_patch", ROUTE_WORKER,
	    NULL, snapshots_patch),
	ROW(HTTP_DELETE, SNAPSHOTS "/{key}", "snapshots_delete", ROUTE_SLOW,
	    NULL, snapshots_delete),
	ROW(HTTP_GET, SNAPSHOTS "/{key}/mounts", "snapshots_mounts",
	    ROUTE_INLINE, NULL, snapshots_mounts),
	ROW(HTTP_GET, SNAPSHOTS "/{key}/usage", "snapshots_usage", ROUTE_SLOW,
	    NULL, snapshots_usage),
	ROW(HTTP_POST, SNAPSHOTS "/{key}/commit", "snapshots_commit",
	    ROUTE_SLOW, NULL, snapshots_commit),

	ROW(HTTP_GET, NS "/containers", "containers_list", ROUTE_WORKER, PAGE,
	    containers_list),
	/* Slow with ?start=true, as a task's creation is. */
	ROW(HTTP_POST, NS "/containers", "containers_create", ROUTE_SLOW,
	    "dry_run start", containers_create),
	ROW(HTTP_GET, NS "/containers/{id}", "containers_get", ROUTE_INLINE,
	    NULL, containers_get),
	ROW(HTTP_PATCH, NS "/containers/{id}", "containers_patch", ROUTE_WORKER,
	    "mask* dry_run", containers_patch),
	ROW(HTTP_PUT, NS "/containers/{id}", "containers_put", ROUTE_WORKER,
	    "dry_run", containers_put),
	ROW(HTTP_POST, NS "/containers/{id}/rename", "containers_rename",
	    ROUTE_WORKER, NULL, containers_rename),
	ROW(HTTP_DELETE, NS "/containers/{id}", "containers_delete", ROUTE_SLOW,
	    "force", containers_delete),

	ROW(HTTP_GET, NS "/tasks", "tasks_list", ROUTE_WORKER, PAGE,
	    tasks_list),
	ROW(HTTP_POST, NS "/tasks", "tasks_create", ROUTE_SLOW, NULL,
	    tasks_create),
	ROW(HTTP_GET, TASK, "tasks_get", ROUTE_INLINE, NULL, tasks_get),
	ROW(HTTP_PATCH, TASK, "tasks_patch", ROUTE_WORKER, NULL, tasks_patch),
	ROW(HTTP_DELETE, TASK, "tasks_delete", ROUTE_SLOW, "force",
	    tasks_delete),
	ROW(HTTP_POST, TASK "/start", "tasks_start", ROUTE_SLOW, NULL,
	    tasks_start),
	ROW(HTTP_POST, TASK "/pause", "tasks_pause", ROUTE_SLOW, NULL,
	    tasks_pause),
	ROW(HTTP_POST, TASK "/resume", "tasks_resume", ROUTE_SLOW, NULL,
	    tasks_resume),
	ROW(HTTP_POST, TASK "/kill", "tasks_kill", ROUTE_SLOW, NULL,
	    tasks_kill),
	ROW(HTTP_POST, TASK "/stop", "tasks_stop", ROUTE_SLOW, NULL,
	    tasks_stop),
	ROW(HTTP_POST, TASK "/restart", "tasks_restart", ROUTE_SLOW, NULL,
	    tasks_restart),
	ROW(HTTP_POST, TASK "/checkpoint", "tasks_checkpoint", ROUTE_SLOW,
	    "wait", tasks_checkpoint),
	ROW(HTTP_GET, TASK "/wait", "tasks_wait", ROUTE_INLINE, "timeout",
	    tasks_wait),
	ROW(HTTP_GET, TASK "/metrics", "tasks_metrics", ROUTE_WORKER,
	    "interval", tasks_metrics),
	ROW(HTTP_GET, NS "/metrics", "metrics_list", ROUTE_WORKER,
	    "filter* interval", metrics_list),
	ROW(HTTP_GET, TASK "/processes", "tasks_processes", ROUTE_INLINE, NULL,
	    tasks_processes),
	ROW(HTTP_GET, TASK "/pids", "tasks_pids", ROUTE_WORKER, NULL,
	    tasks_pids),
	/* To find the last lines it may read all of a large log. */
	ROW(HTTP_GET, TASK "/logs", "tasks_logs", ROUTE_WORKER,
	    "stream tail since until follow offset timestamps", tasks_logs),
	ROW(HTTP_GET, TASK "/output", "tasks_output", ROUTE_WORKER,
	    "stream follow offset", tasks_output),
	ROW(HTTP_GET, TASK "/attach", "tasks_attach", ROUTE_WORKER,
	    "stream offset stdin eof detach_keys", tasks_attach),
	{ .method = HTTP_POST,
	  .pattern = TASK "/stdin",
	  .operation_id = "tasks_stdin",
	  .kind = ROUTE_WORKER,
	  .flags = ROUTE_LASTING_BODY,
	  .query = "eof",
	  .upload = &tasks_stdin_upload },
	ROW(HTTP_POST, TASK "/close-stdin", "tasks_close_stdin", ROUTE_WORKER,
	    NULL, tasks_close_stdin),
	ROW(HTTP_POST, TASK "/resize", "tasks_resize", ROUTE_WORKER, NULL,
	    tasks_resize),

	ROW(HTTP_GET, EXECS, "execs_list", ROUTE_WORKER, PAGE, execs_list),
	ROW(HTTP_POST, EXECS, "execs_create", ROUTE_SLOW,
	    "start wait remove timeout max_output", execs_create),
	ROW(HTTP_GET, EXEC, "execs_get", ROUTE_INLINE, NULL, execs_get),
	ROW(HTTP_DELETE, EXEC, "execs_delete", ROUTE_SLOW, "force",
	    execs_delete),
	ROW(HTTP_POST, EXEC "/start", "execs_start", ROUTE_SLOW, NULL,
	    execs_start),
	ROW(HTTP_POST, EXEC "/kill", "execs_kill", ROUTE_SLOW, NULL,
	    execs_kill),
	ROW(HTTP_GET, EXEC "/wait", "execs_wait", ROUTE_INLINE, "timeout",
	    execs_wait),
	ROW(HTTP_GET, EXEC "/logs", "execs_logs", ROUTE_WORKER,
	    "stream tail since until follow offset timestamps", execs_logs),
	ROW(HTTP_GET, EXEC "/output", "execs_output", ROUTE_WORKER,
	    "stream follow offset", execs_output),
	ROW(HTTP_GET, EXEC "/attach", "execs_attach", ROUTE_WORKER,
	    "stream offset stdin eof detach_keys", execs_attach),
	{ .method = HTTP_POST,
	  .pattern = EXEC "/stdin",
	  .operation_id = "execs_stdin",
	  .kind = ROUTE_WORKER,
	  .flags = ROUTE_LASTING_BODY,
	  .query = "eof",
	  .upload = &execs_stdin_upload },
	ROW(HTTP_POST, EXEC "/close-stdin", "execs_close_stdin", ROUTE_WORKER,
	    NULL, execs_close_stdin),
	ROW(HTTP_POST, EXEC "/resize", "execs_resize", ROUTE_WORKER, NULL,
	    execs_resize),

	ROW(HTTP_GET, "/v1/events", "events_all", ROUTE_INLINE, "after follow",
	    events_all),
	ROW(HTTP_GET, NS "/events", "events_of_namespace", ROUTE_INLINE,
	    "after follow", events_of_namespace),

	ROW(HTTP_GET, NS "/operations", "operations_list", ROUTE_WORKER, PAGE,
	    operations_list),
	ROW(HTTP_GET, NS "/operations/{id}", "operations_get", ROUTE_INLINE,
	    "wait", operations_get),
	ROW(HTTP_DELETE, NS "/operations/{id}", "operations_delete",
	    ROUTE_WORKER, NULL, operations_delete),
};

const struct route *
routes_get(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(routes);
	return routes;
}

const char *
method_name(enum http_method method)
{
	switch (method) {
	case HTTP_GET:
		return "GET";
	case HTTP_HEAD:
		return "HEAD";
	case HTTP_POST:
		return "POST";
	case HTTP_PUT:
		return "PUT";
	case HTTP_PATCH:
		return "PATCH";
	case HTTP_DELETE:
		return "DELETE";
	case HTTP_OPTIONS:
		return "OPTIONS";
	}
	return "?";
}
