/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "runtime/spec/admin_wishes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/bind_root.h"
#include "runtime/spec/caps.h"
#include "runtime/spec/host.h"
#include "runtime/spec/process.h"
#include "runtime/spec/user_namespace.h"
#include "runtime/spec/wishes.h"

static void
refuse_if(bool is_wished, const char *pointer, struct json_faults *faults)
{
	if (is_wished)
		json_fault(faults, pointer, "only an admin may ask for it");
}

/* What is refused is told alone, whatever else is wrong with the body. */
static int
to_error(struct json_faults *refused, struct json_faults *faults,
	 struct skiff_error *err)
{
	if (json_faults_to_error(refused, err) == 0)
		return 0;
	json_faults_done(faults);
	*faults = *refused;
	err->code = SKIFF_PERMISSION_DENIED;
	return err_reason(err, "admin_only");
}

static void
refuse_namespaces(const struct wishes *wishes, struct json_faults *faults)
{
	refuse_if(namespace_is_host(wishes->pid), "/pid", faults);
	refuse_if(namespace_is_host(wishes->ipc), "/ipc", faults);
	refuse_if(namespace_is_host(wishes->uts), "/uts", faults);
	refuse_if(!wishes_have_user_namespace(wishes), "/userns", faults);
	refuse_if(wishes->network && strcmp(wishes->network, "host") == 0,
		  "/network", faults);
}

static void
refuse_mounts(const struct wishes *wishes, const struct host *host,
	      struct json_faults *faults)
{
	for (size_t i = 0; i < wishes->n_mounts; i++) {
		const char *path = wishes->mount_list[i].source;
		cleanup_free char *pointer = xasprintf("/mounts/%zu/source", i);
		CLEANUP(bind_source_done)
		struct bind_source source = { .fd = -1 };
		struct skiff_error err = ERROR_INIT;

		/*
		 * One that is not there is looked at when a task is made; one
		 * that is no path is a fault of its own.
		 */
		if (path && *path == '/' &&
		    bind_root_open(host, path, &source, &err) < 0 &&
		    err.code == SKIFF_PERMISSION_DENIED)
			json_fault(faults, pointer, "%s", err.text);
	}
}

/* More than a container has without asking. */
static bool
adds_capabilities(const struct wishes *wishes)
{
	const struct strv none = STRV_INIT;
	uint64_t usual = caps_apply(&none, &none, false, UINT64_MAX);

	for (size_t i = 0; i < wishes->cap_add.n; i++) {
		const char *name = wishes->cap_add.items[i];
		int number = cap_number(name);

		if (strcmp(name, "ALL") == 0 ||
		    (number >= 0 && !caps_have(usual, (unsigned int)number)))
			return true;
	}
	return false;
}

static bool
has_own_seccomp(const struct wishes *wishes)
{
	const char *name = json_string_value(wishes->seccomp);

	return wishes->seccomp && (!name || strcmp(name, "default") != 0);
}

/* Any program of the host could be named, and it runs as root. */
static bool
has_own_runtime(const struct wishes *wishes, const struct host *host)
{
	return wishes->runtime_args.n > 0 ||
	       (wishes->runtime_name &&
		!host_runtime(host, wishes->runtime_name));
}

static void
refuse_stdio(const json_t *stdio, struct json_faults *faults)
{
	const char *mode = json_get_text(stdio, "mode");

	refuse_if(strcmp(mode, "file") == 0 || strcmp(mode, "fifo") == 0,
		  "/stdio/mode", faults);
}

int
admin_wishes_refuse(const struct wishes *wishes, const struct host *host,
		    struct json_faults *faults, struct skiff_error *err)
{
	struct json_faults refused = JSON_FAULTS_INIT;

	refuse_if(wishes->spec != NULL, "/spec", &refused);
	refuse_if(wishes->spec_patch != NULL, "/spec_patch", &refused);
	refuse_if(wishes->privileged, "/privileged", &refused);
	refuse_namespaces(wishes, &refused);
	refuse_mounts(wishes, host, &refused);
	refuse_if(json_array_size(wishes->devices) > 0, "/devices", &refused);
	refuse_if(adds_capabilities(wishes), "/capabilities/add", &refused);
	refuse_if(has_own_seccomp(wishes), "/seccomp", &refused);
	/* Others would be killed in its place. */
	refuse_if(wishes->oom_score_adj < 0, "/oom_score_adj", &refused);
	refuse_if(has_own_runtime(wishes, host), "/runtime", &refused);
	refuse_stdio(wishes->stdio, &refused);
	return to_error(&refused, faults, err);
}

int
admin_wishes_refuse_exec(const struct exec_wishes *wishes,
			 struct json_faults *faults, struct skiff_error *err)
{
	struct json_faults refused = JSON_FAULTS_INIT;

	refuse_if(wishes->privileged, "/privileged", &refused);
	refuse_stdio(wishes->stdio, &refused);
	return to_error(&refused, faults, err);
}

int
admin_wishes_refuse_task(const json_t *stdio, const json_t *options,
			 struct json_faults *faults, struct skiff_error *err)
{
	struct json_faults refused = JSON_FAULTS_INIT;

	refuse_stdio(stdio, &refused);
	/* An empty list, too: it takes away what the container has. */
	refuse_if(json_object_get(options, "args") != NULL, "/options/args",
		  &refused);
	return to_error(&refused, faults, err);
}

int
admin_wishes_refuse_checkpoint(const json_t *body, struct json_faults *faults,
			       struct skiff_error *err)
{
	struct json_faults refused = JSON_FAULTS_INIT;

	refuse_if(json_object_get(body, "image_path") != NULL, "/image_path",
		  &refused);
	return to_error(&refused, faults, err);
}
