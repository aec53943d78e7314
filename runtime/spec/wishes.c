/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of wishes: the field tables give names and types, the checks
 * below give meaning. Nothing stops at the first fault.
 */
#include "config.h"

#include "runtime/spec/wishes.h"

#include <ctype.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/parse.h"
#include "runtime/spec/caps.h"
#include "runtime/spec/restart_policy.h"

#define CPUS_MIN 0.01 /* the kernel's least quota, 1 ms of 100 */
#define CPUS_MAX 8192.0
#define PIDS_MAX 4194304
#define PATH_BYTES_MAX 4095

static const struct json_field wish_fields[] = {
	JSON_TEXT(struct wishes, id, "id", JSON_NOT_EMPTY),
	JSON_TEXT(struct wishes, image, "image", JSON_NOT_EMPTY),
	JSON_OBJECT(struct wishes, labels, "labels", 0),
	JSON_STRV(struct wishes, args, "args", 0),
	JSON_STRV(struct wishes, entrypoint, "entrypoint", 0),
	JSON_STRV(struct wishes, env, "env", 0),
	JSON_TEXT(struct wishes, cwd, "cwd", 0),
	JSON_TEXT(struct wishes, user, "user", 0),
	JSON_TEXT(struct wishes, hostname, "hostname", 0),
	JSON_BOOL(struct wishes, terminal, "terminal", 0),
	JSON_ARRAY(struct wishes, mounts, "mounts", 0),
	JSON_OBJECT(struct wishes, resources, "resources", 0),
	JSON_TEXT(struct wishes, network, "network", 0),
	JSON_BOOL(struct wishes, read_only, "read_only", 0),
	JSON_OBJECT(struct wishes, capabilities, "capabilities", 0),
	JSON_TEXT(struct wishes, stop_signal, "stop_signal", 0),
	JSON_ANY(struct wishes, restart_policy, "restart_policy", 0),
	JSON_TEXT(struct wishes, snapshotter, "snapshotter", JSON_NOT_EMPTY),
	JSON_OBJECT(struct wishes, runtime, "runtime", 0),
	JSON_OBJECT(struct wishes, spec, "spec", 0),
	JSON_OBJECT(struct wishes, extensions, "extensions", 0),
};

/* Fields that a client's own spec says already. */
static const char *const spec_excludes[] = {
	"args",	     "entrypoint", "env",	"cwd",
	"user",	     "hostname",   "terminal",	"mounts",
	"resources", "network",	   "read_only", "capabilities",
};

static const struct json_field mount_fields[] = {
	JSON_TEXT(struct wish_mount, type, "type", JSON_REQUIRED),
	JSON_TEXT(struct wish_mount, source, "source", 0),
	JSON_TEXT(struct wish_mount, target, "target", JSON_REQUIRED),
	JSON_STRV(struct wish_mount, options, "options", 0),
};

static const struct json_field resource_fields[] = {
	JSON_INT(struct wish_resources, memory, "memory", MEMORY_MIN,
		 INT64_C(1) << 60, 0),
	JSON_NUMBER(struct wish_resources, cpus, "cpus", 0),
	JSON_INT(struct wish_resources, cpu_shares, "cpu_shares", 2, 262144, 0),
	JSON_INT(struct wish_resources, pids, "pids", -1, PIDS_MAX, 0),
	JSON_TEXT(struct wish_resources, cpuset_cpus, "cpuset_cpus",
		  JSON_NOT_EMPTY),
	JSON_TEXT(struct wish_resources, cpuset_mems, "cpuset_mems",
		  JSON_NOT_EMPTY),
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

/*
 * Mount options that a client may give. shared and rshared are missing:
 * the mounts lie in a namespace of the shim's own.
 */
static const char *const bind_options[] = {
	"bind",	 "rbind",  "ro",      "rw",	  "nosuid",	"suid",
	"nodev", "dev",	   "noexec",  "exec",	  "private",	"rprivate",
	"slave", "rslave", "noatime", "relatime", "nodiratime", "nosymfollow",
};

static const char *const tmpfs_options[] = {
	"ro",	      "rw",	     "nosuid",	    "suid",    "nodev",
	"dev",	      "noexec",	     "exec",	    "noatime", "relatime",
	"nodiratime", "strictatime", "nosymfollow",
};

static const char *const tmpfs_values[] = { "size=", "mode=", "uid=", "gid=",
					    "nr_inodes=" };

/* Where the runtime itself mounts, or where a mount would undo it. */
static const char *const closed_targets[] = { "/proc", "/sys", "/dev" };

static void __attribute__((format(printf, 4, 5)))
fault_at(struct json_faults *faults, const char *field, size_t i,
	 const char *format, ...)
{
	cleanup_free char *pointer = xasprintf("/%s/%zu", field, i);
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_fault(faults, pointer, "%s", text);
}

static bool
is_one_of(const char *text, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

bool
path_is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (!path[len] || path[len] == '/');
}

const char *
path_fault(const char *path)
{
	if (*path != '/')
		return "must be an absolute path";
	if (strlen(path) > PATH_BYTES_MAX)
		return "is longer than 4095 bytes";
	for (const char *c = path; *c; c++) {
		size_t len;

		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return "must not hold control characters";
		if (*c != '/')
			continue;
		len = strcspn(c + 1, "/");
		if (len == 2 && c[1] == '.' && c[2] == '.')
			return "must not hold \"..\"";
	}
	return NULL;
}

/* "/a//b/./c/" → "/a/b/c", in place. */
static void
normalise(char *path)
{
	char *out = path;

	for (const char *c = path; *c;) {
		size_t len;

		c += strspn(c, "/");
		len = strcspn(c, "/");
		if (len > 0 && !(len == 1 && *c == '.')) {
			*out++ = '/';
			memmove(out, c, len);
			out += len;
		}
		c += len;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

static void
check_path(struct json_faults *faults, const char *pointer, const char *path)
{
	const char *fault = path ? path_fault(path) : NULL;

	if (fault)
		json_fault(faults, pointer, "%s", fault);
}

static void
check_args(const struct wishes *wishes, struct json_faults *faults)
{
	if (wishes->entrypoint.n && !*wishes->entrypoint.items[0])
		json_fault(faults, "/entrypoint/0", "must not be empty");
	if (wishes->args.n && !wishes->entrypoint.n && !*wishes->args.items[0])
		json_fault(faults, "/args/0", "must not be empty");
}

static void
check_env(const struct wishes *wishes, struct json_faults *faults)
{
	for (size_t i = 0; i < wishes->env.n; i++) {
		const char *entry = wishes->env.items[i];
		const char *equals = strchr(entry, '=');

		if (!equals)
			fault_at(faults, "env", i, "must be NAME=VALUE");
		else if (equals == entry)
			fault_at(faults, "env", i, "name must not be empty");
	}
}

static bool
is_hostname(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > HOSTNAME_MAX)
		return false;
	for (const char *part = name;; part++) {
		size_t n = strcspn(part, ".");

		if (n == 0 || !isalnum((unsigned char)part[0]) ||
		    !isalnum((unsigned char)part[n - 1]))
			return false;
		for (size_t i = 0; i < n; i++)
			if (!isalnum((unsigned char)part[i]) &&
			    part[i] != '-' && part[i] != '_')
				return false;
		part += n;
		if (!*part)
			return true;
	}
}

static void
check_option(const struct wish_mount *mount, const char *option, size_t i,
	     size_t j, struct json_faults *faults)
{
	bool is_bind = strcmp(mount->type, "bind") == 0;
	cleanup_free char *pointer = NULL;

	if (is_bind
		? is_one_of(option, bind_options, ARRAY_SIZE(bind_options))
		: is_one_of(option, tmpfs_options, ARRAY_SIZE(tmpfs_options)))
		return;
	for (size_t k = 0; !is_bind && k < ARRAY_SIZE(tmpfs_values); k++) {
		size_t len = strlen(tmpfs_values[k]);
		const char *value = option + len;

		if (strncmp(option, tmpfs_values[k], len) == 0 && *value &&
		    strspn(value, "0123456789kmgKMG%") == strlen(value))
			return;
	}
	pointer = xasprintf("/mounts/%zu/options/%zu", i, j);
	json_fault(faults, pointer, "no such option of a %s mount",
		   mount->type);
}

static void
check_target(const struct wishes *wishes, size_t i, struct json_faults *faults)
{
	const char *target = wishes->mount_list[i].target;
	cleanup_free char *pointer = xasprintf("/mounts/%zu/target", i);
	const char *fault = path_fault(target);

	if (fault) {
		json_fault(faults, pointer, "%s", fault);
		return;
	}
	normalise(wishes->mount_list[i].target);
	if (strcmp(target, "/") == 0)
		json_fault(faults, pointer, "must not be the root");
	for (size_t k = 0; k < ARRAY_SIZE(closed_targets); k++)
		if (path_is_below(target, closed_targets[k]) &&
		    strcmp(target, "/dev/shm") != 0)
			json_fault(faults, pointer,
				   "nothing can be mounted on %s or below",
				   closed_targets[k]);
	for (size_t k = 0; k < i; k++) {
		const struct wish_mount *other = &wishes->mount_list[k];

		if (other->target && strcmp(other->target, target) == 0)
			json_fault(faults, pointer,
				   "is the target of /mounts/%zu too", k);
	}
}

/*
 * A mount point inside a bind mount would be made by the runtime in the
 * host's directory, where others may swap it for a link (CVE-2024-45310).
 */
static void
check_nesting(const struct wishes *wishes, struct json_faults *faults)
{
	for (size_t i = 0; i < wishes->n_mounts; i++)
		for (size_t k = 0; k < wishes->n_mounts; k++) {
			const struct wish_mount *in = &wishes->mount_list[i];
			const struct wish_mount *out = &wishes->mount_list[k];
			cleanup_free char *pointer = NULL;

			if (i == k || !in->target || !out->target ||
			    !out->type || strcmp(out->type, "bind") != 0 ||
			    !path_is_below(in->target, out->target) ||
			    strcmp(in->target, out->target) == 0)
				continue;
			pointer = xasprintf("/mounts/%zu/target", i);
			json_fault(faults, pointer,
				   "lies inside the bind mount /mounts/%zu", k);
		}
}

static void
check_mount(struct wishes *wishes, size_t i, struct json_faults *faults)
{
	struct wish_mount *mount = &wishes->mount_list[i];
	cleanup_free char *source = xasprintf("/mounts/%zu/source", i);

	if (mount->target)
		check_target(wishes, i, faults);
	if (!mount->type)
		return;
	if (strcmp(mount->type, "bind") == 0) {
		if (!mount->source)
			json_fault(faults, source, "is required for a bind");
		else if (strcmp(mount->source, "/") == 0)
			json_fault(faults, source, "must not be the root");
		else
			check_path(faults, source, mount->source);
	} else if (strcmp(mount->type, "tmpfs") == 0) {
		if (mount->source)
			json_fault(faults, source, "a tmpfs has no source");
	} else {
		cleanup_free char *type = xasprintf("/mounts/%zu/type", i);

		json_fault(faults, type, "must be \"bind\" or \"tmpfs\"");
		return;
	}
	for (size_t j = 0; j < mount->options.n; j++)
		check_option(mount, mount->options.items[j], i, j, faults);
}

static void
decode_mounts(struct wishes *wishes, struct json_faults *faults)
{
	size_t n = json_array_size(wishes->mounts);

	if (n > MOUNTS_MAX) {
		json_fault(faults, "/mounts", "more than %d mounts",
			   MOUNTS_MAX);
		return;
	}
	wishes->mount_list = xcalloc(n ? n : 1, sizeof(*wishes->mount_list));
	wishes->n_mounts = n;
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *prefix = xasprintf("/mounts/%zu", i);

		json_decode(json_array_get(wishes->mounts, i), prefix,
			    mount_fields, ARRAY_SIZE(mount_fields),
			    &wishes->mount_list[i], faults);
		check_mount(wishes, i, faults);
	}
	check_nesting(wishes, faults);
}

static void
check_cpuset(struct json_faults *faults, const char *pointer, const char *text)
{
	if (text && strspn(text, "0123456789,-") != strlen(text))
		json_fault(faults, pointer, "must be a list such as 0-2,4");
}

static void
decode_resources(struct wishes *wishes, struct json_faults *faults)
{
	struct wish_resources *limits = &wishes->limits;

	json_decode(wishes->resources, "/resources", resource_fields,
		    ARRAY_SIZE(resource_fields), limits, faults);
	if (json_is_number(json_object_get(wishes->resources, "cpus")) &&
	    !(limits->cpus >= CPUS_MIN && limits->cpus <= CPUS_MAX))
		json_fault(faults, "/resources/cpus",
			   "must be between 0.01 and 8192");
	if (json_is_integer(json_object_get(wishes->resources, "pids")) &&
	    limits->pids == 0)
		json_fault(faults, "/resources/pids",
			   "must be 1 or more, or -1 for no limit");
	check_cpuset(faults, "/resources/cpuset_cpus", limits->cpuset_cpus);
	check_cpuset(faults, "/resources/cpuset_mems", limits->cpuset_mems);
}

static void
check_caps(const struct strv *names, const char *field,
	   struct json_faults *faults)
{
	for (size_t i = 0; i < names->n; i++)
		if (cap_number(names->items[i]) < 0 &&
		    strcmp(names->items[i], "ALL") != 0)
			fault_at(faults, field, i, "no such capability");
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
	wishes->runtime_options = runtime.options;
	name = runtime.name;
	if (!name || !*name)
		return;
	if (*name == '/')
		check_path(faults, "/runtime/name", name);
	else if (strchr(name, '/') || !isalnum((unsigned char)*name))
		json_fault(faults, "/runtime/name",
			   "must be a program's name or absolute path");
}

static void
check_exclusive(const json_t *body, struct json_faults *faults)
{
	for (size_t i = 0; i < ARRAY_SIZE(spec_excludes); i++) {
		cleanup_free char *pointer = xasprintf("/%s", spec_excludes[i]);

		if (json_object_get(body, spec_excludes[i]))
			json_fault(faults, pointer,
				   "a whole spec leaves no room for it");
	}
}

static void
check_plain(const struct wishes *wishes, struct json_faults *faults)
{
	struct skiff_error err = ERROR_INIT;

	if (wishes->id && *wishes->id &&
	    id_check("container", wishes->id, &err) < 0)
		json_fault(faults, "/id", "%s", err.text);
	if (wishes->image && *wishes->image &&
	    name_check("image", wishes->image, &err) < 0)
		json_fault(faults, "/image", "%s", err.text);
	check_args(wishes, faults);
	check_env(wishes, faults);
	check_path(faults, "/cwd", wishes->cwd);
	if (wishes->cwd && (path_is_below(wishes->cwd, "/proc") ||
			    path_is_below(wishes->cwd, "/sys")))
		json_fault(faults, "/cwd", "must not be in /proc or /sys");
	if (wishes->hostname && !is_hostname(wishes->hostname))
		json_fault(faults, "/hostname",
			   "must be 1 to 64 letters, digits, \"-\", \"_\" or "
			   "\".\", each part with a letter or digit at its "
			   "ends");
	if (wishes->network && strcmp(wishes->network, "none") != 0 &&
	    strcmp(wishes->network, "host") != 0)
		json_fault(faults, "/network", "must be \"none\" or \"host\"");
	if (wishes->stop_signal && signal_number(wishes->stop_signal) < 0)
		json_fault(faults, "/stop_signal", "no such signal");
}

void
wishes_decode(const json_t *body, struct wishes *ret_wishes,
	      struct json_faults *faults)
{
	json_decode(body, "", wish_fields, ARRAY_SIZE(wish_fields), ret_wishes,
		    faults);
	if (!json_is_object(body))
		return;
	ret_wishes->has_entrypoint =
	    json_is_array(json_object_get(body, "entrypoint"));
	check_plain(ret_wishes, faults);
	restart_policy_decode(ret_wishes->restart_policy, "/restart_policy",
			      &(struct restart_policy){ 0 }, faults);
	if (ret_wishes->mounts)
		decode_mounts(ret_wishes, faults);
	if (ret_wishes->resources)
		decode_resources(ret_wishes, faults);
	if (ret_wishes->capabilities)
		decode_capabilities(ret_wishes, faults);
	if (ret_wishes->runtime)
		decode_runtime(ret_wishes, faults);
	if (json_object_get(body, "spec"))
		check_exclusive(body, faults);
	else if (!json_object_get(body, "image"))
		json_fault(faults, "/image", "is required without a spec");
}

void
wishes_done(struct wishes *wishes)
{
	for (size_t i = 0; i < wishes->n_mounts; i++)
		json_release(mount_fields, ARRAY_SIZE(mount_fields),
			     &wishes->mount_list[i]);
	free(wishes->mount_list);
	json_release(resource_fields, ARRAY_SIZE(resource_fields),
		     &wishes->limits);
	strv_done(&wishes->cap_add);
	strv_done(&wishes->cap_drop);
	free(wishes->runtime_name);
	json_decref(wishes->runtime_options);
	json_release(wish_fields, ARRAY_SIZE(wish_fields), wishes);
	*wishes = (struct wishes){ 0 };
}

int
signal_number(const char *name)
{
	struct skiff_error ignored = ERROR_INIT;
	uint64_t number;

	if (isdigit((unsigned char)*name))
		return parse_u64(name, (uint64_t)SIGRTMAX, &number, &ignored) <
				   0 ||
			       number == 0
			   ? -1
			   : (int)number;
	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	if (strncmp(name, "RTMIN+", 6) == 0 && isdigit((unsigned char)name[6]))
		return parse_u64(name + 6, (uint64_t)(SIGRTMAX - SIGRTMIN),
				 &number, &ignored) < 0
			   ? -1
			   : SIGRTMIN + (int)number;
	if (strcmp(name, "RTMIN") == 0)
		return SIGRTMIN;
	if (strcmp(name, "RTMAX") == 0)
		return SIGRTMAX;
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcmp(known, name) == 0)
			return i;
	}
	return -1;
}
