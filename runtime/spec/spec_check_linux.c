/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client's own spec says about mounts and about Linux.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/id.h"
#include "runtime/spec/rules.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/spec_check.h"
#include "runtime/spec/user_namespace.h"
#include "runtime/spec/wishes.h"

/* --- mounts ------------------------------------------------------------- */

/*
 * Below these the runtime itself mounts and writes, and a mount of another
 * kind led it astray (CVE-2019-19921, CVE-2025-31133, CVE-2025-52881).
 */
static const struct {
	const char *path;
	const char *types; /* by spaces */
} system_mounts[] = {
	{ "/proc", "proc" },
	{ "/sys", "sysfs bind none" },
	{ "/sys/fs/cgroup", "cgroup cgroup2 bind none tmpfs" },
	{ "/dev", "tmpfs" },
	{ "/dev/pts", "devpts" },
	{ "/dev/shm", "tmpfs bind none" },
	{ "/dev/mqueue", "mqueue bind none" },
	{ "/dev/hugepages", "hugetlbfs" },
	{ SPEC_INIT, "bind" },
};

static bool
has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)) != NULL; p += len)
		if (len > 0 && (p == words || p[-1] == ' ') &&
		    (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

static const char *
mount_fault(const char *target, const char *type)
{
	const char *fault = path_fault(target);

	if (fault)
		return fault;
	if (strspn(target, "/.") == strlen(target))
		return "must not be the root";
	if (strstr(target, "//") || strstr(target, "/./"))
		return "must be written without \"//\" and \"/./\"";
	for (size_t i = 0; i < ARRAY_SIZE(system_mounts); i++)
		if (strcmp(target, system_mounts[i].path) == 0)
			return has_word(system_mounts[i].types, type)
				   ? NULL
				   : "cannot be a mount of this type";
	if (path_is_below(target, "/proc") || path_is_below(target, "/sys") ||
	    path_is_below(target, "/dev"))
		return "nothing can be mounted below /proc, /sys and /dev";
	if (strcmp(type, "proc") == 0)
		return "proc can be mounted on /proc alone";
	return NULL;
}

static bool
is_bind(const json_t *mount)
{
	json_t *option;
	size_t i;

	json_array_foreach (json_object_get(mount, "options"), i, option) {
		const char *text = json_string_value(option);

		if (text && has_word("bind rbind", text))
			return true;
	}
	return strcmp(json_get_text(mount, "type"), "bind") == 0;
}

/* The daemon's own, in the bundle. */
static bool
is_generated(const char *source)
{
	static const char *const sources[] = {
		SPEC_SOURCE_RESOLV_CONF, SPEC_SOURCE_HOSTS,
		SPEC_SOURCE_HOSTNAME,	 SPEC_SOURCE_INIT,
		SPEC_SOURCE_SHM,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		if (strcmp(source, sources[i]) == 0)
			return true;
	return false;
}

static const char *
bind_fault(const char *source, const struct host *host)
{
	const char *fault = path_fault(source);

	if (is_generated(source))
		return NULL;
	return fault ? fault : mount_source_fault(source, host);
}

/*
 * The runtime would make its mount point in what is bound there, where others
 * may swap it for a link (CVE-2024-45310).
 */
static bool
is_in_a_bind(const json_t *mounts, const char *target)
{
	json_t *outer;
	size_t i;

	json_array_foreach (mounts, i, outer) {
		const char *other = json_get_text(outer, "destination");

		if (*other && is_bind(outer) && strcmp(other, target) != 0 &&
		    path_is_below(target, other))
			return true;
	}
	return false;
}

static bool
is_system_mount(const char *target)
{
	for (size_t i = 0; i < ARRAY_SIZE(system_mounts); i++)
		if (strcmp(target, system_mounts[i].path) == 0)
			return true;
	return false;
}

static void
check_mount(const struct checked *check, size_t i, const json_t *mount)
{
	cleanup_free char *at = xasprintf("/mounts/%zu", i);
	cleanup_free char *target = xasprintf("%s/destination", at);
	cleanup_free char *source = xasprintf("%s/source", at);
	const json_t *options = checked_array(check, mount, at, "options");
	const char *type = json_get_text(mount, "type");
	const char *fault;
	const char *place;
	json_t *option;
	size_t k;

	if (!json_is_object(mount)) {
		checked_fault(check, at, "must be an object");
		return;
	}
	place = json_get_text(mount, "destination");
	fault = mount_fault(place, *type ? type : "none");
	if (!fault && !is_system_mount(place) &&
	    is_in_a_bind(json_object_get(check->spec, "mounts"), place))
		fault = "lies inside a bind mount";
	if (fault)
		checked_fault(check, target, "%s", fault);
	fault = NULL;
	if (strlen(json_get_text(mount, "source")) > 4095)
		fault = "is longer than 4095 bytes";
	else if (is_bind(mount))
		fault = bind_fault(json_get_text(mount, "source"), check->host);
	if (fault)
		checked_fault(check, source, "%s", fault);
	json_array_foreach (options, k, option)
		if (!json_is_string(option))
			checked_fault(check, at, "options must be strings");
}

void
spec_check_mounts(const struct checked *check)
{
	const json_t *mounts = checked_array(check, check->spec, "", "mounts");
	json_t *mount;
	size_t i;

	if (json_array_size(mounts) > MOUNTS_MAX) {
		checked_fault(check, "/mounts", "more than %d mounts",
			      MOUNTS_MAX);
		return;
	}
	json_array_foreach (mounts, i, mount)
		check_mount(check, i, mount);
}

/* --- linux -------------------------------------------------------------- */

static const char *const namespace_types[] = {
	"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time",
};

static int
namespace_number(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespace_types); i++)
		if (strcmp(type, namespace_types[i]) == 0)
			return (int)i;
	return -1;
}

/* "container:ID" as the daemon itself writes it, where it can be had. */
static bool
is_joinable(const char *type, const char *path)
{
	struct skiff_error ignored = ERROR_INIT;
	const char *other = namespace_container(path);

	return other &&
	       (strcmp(type, "pid") == 0 || strcmp(type, "ipc") == 0) &&
	       id_check("container", other, &ignored) == 0;
}

static void
check_namespace(const struct checked *check, size_t i, const json_t *item,
		uint32_t *seen)
{
	cleanup_free char *pointer = xasprintf("/linux/namespaces/%zu", i);
	const json_t *path = json_object_get(item, "path");
	int number = namespace_number(json_get_text(item, "type"));

	if (number < 0) {
		checked_fault(check, pointer, "no such namespace");
		return;
	}
	if (*seen & 1U << number)
		checked_fault(check, pointer, "is there twice");
	*seen |= 1U << number;
	if (path &&
	    (!json_is_string(path) || (path_fault(json_string_value(path)) &&
				       !is_joinable(json_get_text(item, "type"),
						    json_string_value(path)))))
		checked_fault(check, pointer, "its path must be absolute");
}

/* Gives what the container has of its own, for the sysctls. */
static struct own_namespaces
check_namespaces(const struct checked *check, const json_t *linux_part)
{
	const json_t *list =
	    checked_array(check, linux_part, "/linux", "namespaces");
	struct own_namespaces own = { .network = false };
	uint32_t seen = 0;
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *type = json_get_text(item, "type");
		bool is_own = !json_object_get(item, "path");

		check_namespace(check, i, item, &seen);
		own.network |= is_own && strcmp(type, "network") == 0;
		own.ipc |= is_own && strcmp(type, "ipc") == 0;
	}
	if (!(seen & 1U << namespace_number("mount")))
		checked_fault(check, "/linux/namespaces",
			      "a mount namespace is required");
	return own;
}

static void
check_sysctls(const struct checked *check, const json_t *linux_part,
	      const struct own_namespaces *own)
{
	const json_t *sysctls =
	    checked_object(check, linux_part, "/linux", "sysctl");
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)sysctls, key, value) {
		CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;
		const char *fault =
		    json_is_string(value)
			? sysctl_fault(key, json_string_value(value), own)
			: "must be a string";

		strbuf_adds(&pointer, "/linux/sysctl");
		json_pointer_add(&pointer, key);
		if (fault)
			checked_fault(check, pointer.buf, "%s", fault);
	}
}

static void
check_paths(const struct checked *check, const json_t *linux_part,
	    const char *key)
{
	const json_t *paths = checked_array(check, linux_part, "/linux", key);
	json_t *path;
	size_t i;

	json_array_foreach (paths, i, path) {
		cleanup_free char *pointer = xasprintf("/linux/%s/%zu", key, i);
		const char *fault = json_is_string(path)
					? path_fault(json_string_value(path))
					: "must be a string";

		if (fault)
			checked_fault(check, pointer, "%s", fault);
	}
}

/* Made anywhere else, the image's links would decide where (rule set R). */
static void
check_devices(const struct checked *check, const json_t *linux_part)
{
	const json_t *list =
	    checked_array(check, linux_part, "/linux", "devices");
	json_t *device;
	size_t i;

	json_array_foreach (list, i, device) {
		cleanup_free char *pointer =
		    xasprintf("/linux/devices/%zu/path", i);
		const char *path = json_get_text(device, "path");
		const char *fault = path_fault(path);

		if (!fault && strncmp(path, "/dev/", strlen("/dev/")) != 0)
			fault = "must be below /dev";
		if (fault)
			checked_fault(check, pointer, "%s", fault);
	}
}

static void
check_resources(const struct checked *check, const json_t *linux_part)
{
	const json_t *resources =
	    checked_object(check, linux_part, "/linux", "resources");
	const json_t *pids =
	    checked_object(check, resources, "/linux/resources", "pids");
	const json_t *limit = json_object_get(pids, "limit");

	(void)checked_object(check, resources, "/linux/resources", "memory");
	(void)checked_object(check, resources, "/linux/resources", "cpu");
	(void)checked_array(check, resources, "/linux/resources", "devices");
	/* Runtimes differ on whether it is none, or no limit. */
	if (limit &&
	    (!json_is_integer(limit) || json_integer_value(limit) == 0))
		checked_fault(check, "/linux/resources/pids/limit",
			      "must be 1 or more, or -1 for no limit");
}

void
spec_check_linux(const struct checked *check)
{
	const json_t *linux_part =
	    checked_object(check, check->spec, "", "linux");
	const json_t *path = json_object_get(linux_part, "cgroupsPath");
	const json_t *profile = json_object_get(linux_part, "seccomp");
	cleanup_free char *seccomp =
	    xasprintf("%s/linux/seccomp", check->prefix);
	struct own_namespaces own = check_namespaces(check, linux_part);

	if (path &&
	    (!json_is_string(path) || path_fault(json_string_value(path))))
		checked_fault(check, "/linux/cgroupsPath",
			      "must be an absolute path");
	spec_check_id_maps(check, linux_part);
	check_sysctls(check, linux_part, &own);
	check_paths(check, linux_part, "maskedPaths");
	check_paths(check, linux_part, "readonlyPaths");
	check_devices(check, linux_part);
	check_resources(check, linux_part);
	if (profile)
		seccomp_profile_check(profile, seccomp, check->faults);
}
