/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the daemon: which there are, whether each can be used, and
 * what for. What depends on the host is told by a function of its row.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/id.h"
#include "base/json.h"
#include "handlers/common.h"
#include "runtime/checkpoint/criu.h"
#include "runtime/idmap.h"
#include "runtime/spec/host.h"
#include "runtime/task.h"
#include "store/db.h"
#include "store/filter.h"
#include "store/snapshot/snapshots.h"

struct plugin {
	const char *type;
	const char *id;
	const char *requires;	  /* by spaces; NULL: none */
	const char *capabilities; /* the same */
	/* Adds to what the row says; NULL: it is always there. */
	void (*look)(const struct plugin *plugin, struct services *services,
		     json_t *object);
};

static json_t *
words(const char *text)
{
	json_t *list = json_array();

	while (text && *text) {
		size_t len = strcspn(text, " ");

		(void)json_array_append_new(list, json_stringn(text, len));
		text += len;
		text += strspn(text, " ");
	}
	return list;
}

static void
set_export(json_t *object, const char *key, const char *value)
{
	json_set_text(json_object_get(object, "exports"), key, value);
}

static void
add_capability(json_t *object, const char *name)
{
	(void)json_array_append_new(json_object_get(object, "capabilities"),
				    json_string(name));
}

static void
set_status(json_t *object, const char *status, const char *reason)
{
	json_set_text(object, "status", status);
	json_set_text(object, "reason", reason);
}

static void
look_at_database(const struct plugin *plugin, struct services *services,
		 json_t *object)
{
	struct skiff_error fault = ERROR_INIT;

	(void)plugin;
	if (db_check(services->db, &fault) < 0)
		set_status(object, "error", fault.text);
}

static void
look_at_cgroups(const struct plugin *plugin, struct services *services,
		json_t *object)
{
	static const char *const modes[] = {
		[CGROUP_V1] = "v1",
		[CGROUP_HYBRID] = "hybrid",
		[CGROUP_V2] = "v2",
	};
	const struct host *host = services->host;

	(void)plugin;
	set_export(object, "mode", modes[host->cgroup_mode]);
	set_export(object, "prefix", host->cgroup_prefix);
	if (host->has_swap_accounting)
		add_capability(object, "swap");
}

static void
look_at_runtime(const struct plugin *plugin, struct services *services,
		json_t *object)
{
	const struct oci_runtime *runtime =
	    host_runtime(services->host, plugin->id);

	if (!runtime || !runtime->path) {
		set_status(object, "skipped",
			   runtime ? runtime->fault : "it was not looked for");
		return;
	}
	set_export(object, "path", runtime->path);
	set_export(object, "version", runtime->version);
	json_set_text(object, "warning", runtime->warning);
	if (runtime->has_seccomp)
		add_capability(object, "seccomp");
	if (runtime == host_default_runtime(services->host))
		add_capability(object, "default");
}

/* Where the kernel was not asked yet, it is now. */
static void
look_at_overlay(const struct plugin *plugin, struct services *services,
		json_t *object)
{
	struct skiff_error no = ERROR_INIT;

	(void)plugin;
	if (idmap_need(tasks_idmap(services->tasks), &no) == 0)
		add_capability(object, "user-namespaces");
}

/* criu is asked when nobody did yet: that may take a second. */
static void
look_at_criu(const struct plugin *plugin, struct services *services,
	     json_t *object)
{
	struct criu *criu = tasks_criu(services->tasks);
	cleanup_free char *reason = criu_reason(criu);
	cleanup_free char *path = NULL;

	(void)plugin;
	if (reason) {
		set_status(object, "skipped", reason);
		return;
	}
	path = xasprintf("%s/criu", criu_dir(criu));
	set_export(object, "path", path);
}

static const struct plugin plugins[] = {
	{ "metadata", "sqlite", NULL, "events revisions", look_at_database },
	{ "content", "local", "metadata/sqlite", "sha256 sha384 sha512", NULL },
	{ "snapshotter", SNAPSHOTTER_DEFAULT, "metadata/sqlite",
	  "default shared-layers", look_at_overlay },
	{ "transfer", "registry", "content/local snapshotter/overlay", "pull",
	  NULL },
	{ "cgroup", "host", NULL, NULL, look_at_cgroups },
	{ "runtime", "runc", "cgroup/host shim/skiff", NULL, look_at_runtime },
	{ "runtime", "crun", "cgroup/host shim/skiff", NULL, look_at_runtime },
	{ "shim", "skiff", NULL, NULL, NULL },
	{ "checkpoint", "criu", "runtime/runc", "checkpoint restore",
	  look_at_criu },
};

static json_t *
plugin_json(const struct plugin *plugin, struct services *services)
{
	json_t *object =
	    json_pack("{s:s, s:s, s:o, s:s, s:o, s:{}}", "type", plugin->type,
		      "id", plugin->id, "requires", words(plugin->requires),
		      "status", "ok", "capabilities",
		      words(plugin->capabilities), "exports");

	if (plugin->look)
		plugin->look(plugin, services, object);
	return object;
}

static const struct filter_field filter_fields[] = {
	{ .name = "type" },
	{ .name = "id" },
	{ .name = "status" },
	{ .name = "requires" },
	{ .name = "capabilities" },
	{ .name = "version", .object = "exports" },
	{ .name = "exports.", .object = "exports" },
	{ 0 },
};

static bool
matches(const json_t *object, const char *key, const char *wanted)
{
	return !wanted || strcmp(json_get_text(object, key), wanted) == 0;
}

static int
take_status(struct request *request, const char **ret_status,
	    struct skiff_error *err)
{
	const char *status = request_query(request, "status");

	*ret_status = status;
	if (!status || strcmp(status, "ok") == 0 ||
	    strcmp(status, "skipped") == 0 || strcmp(status, "error") == 0)
		return 0;
	return err_set(err, SKIFF_INVALID_ARGUMENT,
		       "status must be ok, skipped or error");
}

int
plugins_list(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	cleanup_json json_t *answer = json_pack("{s:[]}", "items");
	json_t *items = json_object_get(answer, "items");
	CLEANUP(filters_freep) struct filters *filters = NULL;
	const char *type = request_query(request, "type");
	const char *status;

	if (take_status(request, &status, err) < 0 ||
	    take_filters(request, filter_fields, &filters, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		cleanup_json json_t *object = plugin_json(&plugins[i], context);

		if (matches(object, "type", type) &&
		    matches(object, "status", status) &&
		    filters_match(filters, object))
			(void)json_array_append(items, object);
	}
	*ret = response_json(200, answer);
	return 0;
}

/* Older runtimes have no such command: then there is nothing to tell. */
static void
add_features(const struct services *services, const char *name, json_t *object)
{
	const struct oci_runtime *runtime = host_runtime(services->host, name);
	struct skiff_error unknown = ERROR_INIT;
	json_t *features;

	if (runtime && runtime->path &&
	    oci_runtime_features(runtime->path, &features, &unknown) == 0)
		(void)json_object_set_new(object, "features", features);
}

int
plugins_get(struct request *request, void *context, struct response **ret,
	    struct skiff_error *err)
{
	const char *type = request_param(request, "type");
	const char *id = request_param(request, "id");

	if (id_check("plugin", type, err) < 0 ||
	    id_check("plugin", id, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		cleanup_json json_t *object = NULL;

		if (strcmp(plugins[i].type, type) != 0 ||
		    strcmp(plugins[i].id, id) != 0)
			continue;
		object = plugin_json(&plugins[i], context);
		if (strcmp(type, "runtime") == 0)
			add_features(context, id, object);
		*ret = response_json(200, object);
		return 0;
	}
	(void)err_set(err, SKIFF_NOT_FOUND, "plugin %.64s/%.64s: not found",
		      type, id);
	return err_object(err, "plugin", id);
}
