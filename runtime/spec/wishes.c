/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of wishes: the field tables give names and types, the checks
 * here and in wish_*.c give meaning. Nothing stops at the first fault.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/caps.h"
#include "runtime/spec/host.h"
#include "runtime/spec/health.h"
#include "runtime/spec/restart_policy.h"
#include "runtime/task_stdio.h"
#include "runtime/spec/rules.h"
#include "runtime/spec/runtime_options.h"
#include "runtime/spec/wishes_internal.h"

#define ANNOTATIONS_MAX 64
#define ANNOTATION_BYTES_MAX 4096

static const struct json_field wish_fields[] = {
	JSON_TEXT(struct wishes, id, "id", JSON_NOT_EMPTY),
	JSON_TEXT(struct wishes, image, "image", JSON_NOT_EMPTY),
	JSON_TEXT(struct wishes, platform, "platform", JSON_NOT_EMPTY),
	JSON_OBJECT(struct wishes, labels, "labels", 0),
	JSON_STRV(struct wishes, args, "args", 0),
	JSON_STRV(struct wishes, entrypoint, "entrypoint", 0),
	JSON_STRV(struct wishes, env, "env", 0),
	JSON_TEXT(struct wishes, cwd, "cwd", 0),
	JSON_TEXT(struct wishes, user, "user", 0),
	JSON_STRV(struct wishes, group_add, "group_add", 0),
	JSON_TEXT(struct wishes, hostname, "hostname", 0),
	JSON_BOOL(struct wishes, terminal, "terminal", 0),
	JSON_BOOL(struct wishes, init, "init", 0),
	JSON_TEXT(struct wishes, pid, "pid", 0),
	JSON_TEXT(struct wishes, ipc, "ipc", 0),
	JSON_TEXT(struct wishes, uts, "uts", 0),
	JSON_TEXT(struct wishes, userns, "userns", 0),
	JSON_ARRAY(struct wishes, mounts, "mounts", 0),
	JSON_OBJECT(struct wishes, resources, "resources", 0),
	JSON_TEXT(struct wishes, network, "network", 0),
	JSON_ARRAY(struct wishes, ports, "ports", 0),
	JSON_OBJECT(struct wishes, dns, "dns", 0),
	JSON_BOOL(struct wishes, read_only, "read_only", 0),
	JSON_BOOL(struct wishes, privileged, "privileged", 0),
	JSON_BOOL(struct wishes, allow_new_privileges, "allow_new_privileges",
		  0),
	JSON_OBJECT(struct wishes, capabilities, "capabilities", 0),
	JSON_ANY(struct wishes, seccomp, "seccomp", 0),
	JSON_ARRAY(struct wishes, rlimits, "rlimits", 0),
	JSON_MAP(struct wishes, sysctls, "sysctls", 0),
	JSON_MAP(struct wishes, annotations, "annotations", 0),
	JSON_ARRAY(struct wishes, devices, "devices", 0),
	JSON_TEXT(struct wishes, stop_signal, "stop_signal", 0),
	JSON_ANY(struct wishes, stop_timeout, "stop_timeout", 0),
	JSON_ANY(struct wishes, restart_policy, "restart_policy", 0),
	JSON_ANY(struct wishes, health, "health", 0),
	JSON_OBJECT(struct wishes, stdio, "stdio", 0),
	JSON_TEXT(struct wishes, snapshotter, "snapshotter", JSON_NOT_EMPTY),
	JSON_TEXT(struct wishes, snapshot_key, "snapshot_key", JSON_NOT_EMPTY),
	JSON_INT(struct wishes, oom_score_adj, "oom_score_adj", -OOM_SCORE_MAX,
		 OOM_SCORE_MAX, 0),
	JSON_OBJECT(struct wishes, runtime, "runtime", 0),
	JSON_OBJECT(struct wishes, spec_patch, "spec_patch", 0),
	JSON_OBJECT(struct wishes, spec, "spec", 0),
	JSON_OBJECT(struct wishes, extensions, "extensions", 0),
};

/* Fields that a client's own spec says already. */
static const char *const spec_fields[] = {
	"args",		 "entrypoint",	 "env",	      "cwd",
	"user",		 "hostname",	 "terminal",  "mounts",
	"resources",	 "network",	 "ports",     "dns",
	"read_only",	 "privileged",	 "seccomp",   "allow_new_privileges",
	"rlimits",	 "capabilities", "sysctls",   "annotations",
	"devices",	 "spec_patch",	 "group_add", "init",
	"pid",		 "ipc",		 "uts",	      "userns",
	"oom_score_adj",
};

struct wish_capabilities {
	struct strv add, drop;
};

static const struct json_field capability_fields[] = {
	JSON_STRV(struct wish_capabilities, add, "add", 0),
	JSON_STRV(struct wish_capabilities, drop, "drop", 0),
};

struct wish_runtime {
	char *name;
	json_t *options;
};

static const struct json_field runtime_fields[] = {
	JSON_TEXT(struct wish_runtime, name, "name",
		  JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_OBJECT(struct wish_runtime, options, "options", 0),
};

bool
wish_exists(const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(wish_fields); i++)
		if (strcmp(wish_fields[i].name, field) == 0)
			return true;
	return false;
}

bool
wish_shapes_spec(const char *field)
{
	return wish_is_one_of(field, spec_fields, ARRAY_SIZE(spec_fields));
}

static void
check_caps(const struct strv *names, const char *field,
	   struct json_faults *faults)
{
	for (size_t i = 0; i < names->n; i++)
		if (cap_number(names->items[i]) < 0 &&
		    strcmp(names->items[i], "ALL") != 0)
			wish_fault_at(faults, field, i, "no such capability");
}

static void
decode_capabilities(struct wishes *wishes, struct json_faults *faults)
{
	struct wish_capabilities lists = { 0 };

	json_decode(wishes->capabilities, "/capabilities", capability_fields,
		    ARRAY_SIZE(capability_fields), &lists, faults);
	wishes->cap_add = lists.add;
	wishes->cap_drop = lists.drop;
	check_caps(&wishes->cap_add, "capabilities/add", faults);
	check_caps(&wishes->cap_drop, "capabilities/drop", faults);
}

static void
decode_runtime(struct wishes *wishes, struct json_faults *faults)
{
	struct wish_runtime runtime = { 0 };
	const char *name;

	json_decode(wishes->runtime, "/runtime", runtime_fields,
		    ARRAY_SIZE(runtime_fields), &runtime, faults);
	wishes->runtime_name = runtime.name;
	runtime_options_decode(runtime.options, "/runtime/options",
			       &wishes->runtime_args, faults);
	json_decref(runtime.options);
	name = wishes->runtime_name;
	if (!name || !*name)
		return;
	if (*name == '/')
		wish_check_path(faults, "/runtime/name", name);
	else if (strchr(name, '/') || !isalnum((unsigned char)*name))
		json_fault(faults, "/runtime/name",
			   "must be a program's name or absolute path");
}

static void
fault_of_key(struct json_faults *faults, const char *field, const char *key,
	     const char *text)
{
	CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;

	strbuf_adds(&pointer, field);
	json_pointer_add(&pointer, key);
	json_fault(faults, pointer.buf, "%s", text);
}

static void
check_sysctls(const struct wishes *wishes, struct json_faults *faults)
{
	struct own_namespaces own = {
		.network = !namespace_is_host(wishes->network),
		.ipc = !namespace_is_host(wishes->ipc) &&
		       !namespace_container(wishes->ipc),
	};
	const char *key;
	json_t *value;

	json_object_foreach (wishes->sysctls, key, value) {
		const char *text = json_string_value(value);
		const char *fault = text ? sysctl_fault(key, text, &own) : NULL;

		if (fault)
			fault_of_key(faults, "/sysctls", key, fault);
	}
}

static void
check_annotations(const struct wishes *wishes, struct json_faults *faults)
{
	const char *key;
	json_t *value;

	if (json_object_size(wishes->annotations) > ANNOTATIONS_MAX)
		json_fault(faults, "/annotations", "more than %d annotations",
			   ANNOTATIONS_MAX);
	json_object_foreach (wishes->annotations, key, value) {
		const char *fault = annotation_wish_fault(key);

		if (strlen(key) + json_string_length(value) >
		    ANNOTATION_BYTES_MAX)
			fault = "is longer than 4096 bytes with its name";
		if (fault)
			fault_of_key(faults, "/annotations", key, fault);
	}
}

static void
check_extensions(const struct wishes *wishes, struct json_faults *faults)
{
	if (json_object_get(wishes->extensions, ""))
		json_fault(faults, "/extensions/",
			   "its name must not be empty");
}

static void
check_seccomp(const struct wishes *wishes, struct json_faults *faults)
{
	const char *name = json_string_value(wishes->seccomp);

	if (json_is_object(wishes->seccomp))
		seccomp_profile_check(wishes->seccomp, "/seccomp", faults);
	else if (!name || (strcmp(name, "default") != 0 &&
			   strcmp(name, "unconfined") != 0))
		json_fault(faults, "/seccomp",
			   "must be \"default\", \"unconfined\" or a profile");
}

static void
check_exclusive(const json_t *body, struct json_faults *faults)
{
	for (size_t i = 0; i < ARRAY_SIZE(spec_fields); i++) {
		cleanup_free char *pointer = xasprintf("/%s", spec_fields[i]);

		if (json_object_get(body, spec_fields[i]))
			json_fault(faults, pointer,
				   "a whole spec leaves no room for it");
	}
}

/* A spec, or what one can be made from. */
static void
check_origin(const json_t *body, struct json_faults *faults)
{
	if (json_object_get(body, "spec"))
		check_exclusive(body, faults);
	else if (!json_object_get(body, "image") &&
		 !json_object_get(body, "snapshot_key"))
		json_fault(faults, "/image",
			   "is required without a spec or a snapshot_key");
}

static void
check_health(const struct wishes *wishes, struct json_faults *faults)
{
	struct health_wish health;

	health_decode(wishes->health, "/health", &health, faults);
	health_done(&health);
}

void
wishes_decode(const json_t *body, struct wishes *ret_wishes,
	      struct json_faults *faults)
{
	struct task_stdio stdio;

	json_decode(body, "", wish_fields, ARRAY_SIZE(wish_fields), ret_wishes,
		    faults);
	if (!json_is_object(body))
		return;
	ret_wishes->has_entrypoint =
	    json_is_array(json_object_get(body, "entrypoint"));
	ret_wishes->has_oom_score_adj =
	    json_is_integer(json_object_get(body, "oom_score_adj"));
	wishes_check_plain(ret_wishes, faults);
	wishes_check_namespaces(ret_wishes, faults);
	check_health(ret_wishes, faults);
	restart_policy_decode(ret_wishes->restart_policy, "/restart_policy",
			      &(struct restart_policy){ 0 }, faults);
	task_stdio_decode(ret_wishes->stdio, "/stdio", &stdio, faults);
	if (ret_wishes->terminal)
		task_stdio_check_terminal(&stdio, "/stdio", faults);
	task_stdio_done(&stdio);
	if (ret_wishes->dns)
		wishes_decode_dns(ret_wishes, faults);
	if (ret_wishes->mounts)
		wishes_decode_mounts(ret_wishes, faults);
	if (ret_wishes->resources)
		wishes_decode_resources(ret_wishes, faults);
	if (ret_wishes->rlimits)
		wishes_decode_rlimits(ret_wishes, faults);
	if (ret_wishes->devices)
		wishes_decode_devices(ret_wishes, faults);
	if (ret_wishes->capabilities)
		decode_capabilities(ret_wishes, faults);
	if (ret_wishes->runtime)
		decode_runtime(ret_wishes, faults);
	if (ret_wishes->seccomp)
		check_seccomp(ret_wishes, faults);
	check_sysctls(ret_wishes, faults);
	check_annotations(ret_wishes, faults);
	check_extensions(ret_wishes, faults);
	check_origin(body, faults);
}

void
wishes_check_host(struct wishes *wishes, const struct host *host,
		  struct json_faults *faults)
{
	const struct strv *add = &wishes->cap_add;

	for (size_t i = 0; i < add->n; i++) {
		int number = cap_number(add->items[i]);

		if (number >= 0 &&
		    !caps_have(host->capabilities, (unsigned int)number))
			wish_fault_at(faults, "capabilities/add", i,
				      "the daemon itself does not have %s",
				      add->items[i]);
	}
	wishes_check_limits(wishes, host, faults);
	wishes_check_sources(wishes, host, faults);
	wishes_find_devices(wishes, faults);
}

void
wishes_done(struct wishes *wishes)
{
	wishes_mounts_done(wishes);
	wishes_limits_done(wishes);
	wishes_devices_done(wishes);
	wishes_dns_done(wishes);
	strv_done(&wishes->cap_add);
	strv_done(&wishes->cap_drop);
	strv_done(&wishes->runtime_args);
	free(wishes->runtime_name);
	json_release(wish_fields, ARRAY_SIZE(wish_fields), wishes);
	*wishes = (struct wishes){ 0 };
}
