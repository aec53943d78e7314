/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The defaults of a container that no wish changes.
 */
#include "config.h"

#include <string.h>

#include "base/cleanup.h"
#include "runtime/spec/host.h"
#include "runtime/spec/rules.h"
#include "runtime/spec/spec_internal.h"
#include "runtime/spec/user_namespace.h"
#include "runtime/spec/wishes.h"

#define NOFILE_SOFT 1024
#define NOFILE_HARD 1048576

/* What the kernel tells there is the host's, or reaches its hardware. */
static const char *const masked_paths[] = {
	"/proc/acpi",	     "/proc/asound",
	"/proc/interrupts",  "/proc/kcore",
	"/proc/keys",	     "/proc/latency_stats",
	"/proc/timer_list",  "/proc/timer_stats",
	"/proc/sched_debug", "/proc/scsi",
	"/sys/firmware",     "/sys/devices/virtual/powercap",
	"/sys/fs/selinux",
};

static const char *const readonly_paths[] = {
	"/proc/bus",	       "/proc/fs", "/proc/irq", "/proc/sys",
	"/proc/sysrq-trigger",
};

json_t *
spec_strings(const char *const *texts, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(array, json_string(texts[i]));
	return array;
}

json_t *
spec_namespaces(const struct wishes *wishes)
{
	const struct {
		const char *type;
		const char *wish;
	} rows[] = { { "pid", wishes->pid }, { "ipc", wishes->ipc },
		     { "uts", wishes->uts }, { "mount", NULL },
		     { "cgroup", NULL },     { "network", wishes->network } };
	json_t *array = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path =
		    namespace_container(rows[i].wish) ? rows[i].wish : NULL;

		if (!namespace_is_host(rows[i].wish))
			(void)json_array_append_new(
			    array, json_pack("{s:s, s:s*}", "type",
					     rows[i].type, "path", path));
	}
	if (wishes_have_user_namespace(wishes))
		(void)json_array_append_new(array,
					    json_pack("{s:s}", "type", "user"));
	return array;
}

json_t *
spec_masked_paths(const struct host *host)
{
	json_t *paths = spec_strings(masked_paths, ARRAY_SIZE(masked_paths));

	for (size_t i = 0; i < host->thermal_paths.n; i++)
		(void)json_array_append_new(paths,
					    json_string(
						host->thermal_paths.items[i]));
	return paths;
}

static bool
is_of_runc(const struct host *host, const struct wishes *wishes)
{
	const struct oci_runtime *best = host_default_runtime(host);
	const char *name = wishes->runtime_name;
	const char *slash;

	if (!name)
		return !best || strcmp(best->name, "runc") == 0;
	slash = strrchr(name, '/');
	return strcmp(slash ? slash + 1 : name, "runc") == 0;
}

json_t *
spec_readonly_paths(const struct host *host, const struct wishes *wishes)
{
	json_t *paths =
	    spec_strings(readonly_paths, ARRAY_SIZE(readonly_paths));

	/*
	 * Where v1's hierarchies hang, runc makes each of them read-only but
	 * leaves the tmpfs that holds them writable, and without a limit.
	 */
	if (host->cgroup_mode != CGROUP_V2)
		(void)json_array_append_new(paths,
					    json_string("/sys/fs/cgroup"));
	/*
	 * crun does that last, when the path above has become a mount of its
	 * own, with copies of them that are still writable.
	 */
	for (size_t i = 0; i < host->cgroup_paths.n; i++)
		if (!is_of_runc(host, wishes))
			(void)json_array_append_new(
			    paths, json_string(host->cgroup_paths.items[i]));
	return paths;
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static json_t *
rlimit_json(int number, uint64_t soft, uint64_t hard)
{
	json_t *limit = json_pack("{s:s}", "type", rlimit_name(number));

	/* No limit is more than JSON's integers hold; nothing gets there. */
	json_set_int(limit, "hard", (int64_t)smaller(hard, INT64_MAX));
	json_set_int(limit, "soft", (int64_t)smaller(soft, INT64_MAX));
	return limit;
}

json_t *
spec_rlimits(const struct host *host, const struct wishes *wishes)
{
	uint64_t hard = smaller(NOFILE_HARD, host->rlimit_hard[RLIMIT_NOFILE]);
	json_t *limits = json_array();
	bool has_nofile = false;
	bool has_core = false;

	for (size_t i = 0; i < wishes->n_rlimits; i++) {
		const struct wish_rlimit *wish = &wishes->rlimit_list[i];

		has_nofile |= wish->number == RLIMIT_NOFILE;
		has_core |= wish->number == RLIMIT_CORE;
		(void)json_array_append_new(limits,
					    rlimit_json(wish->number,
							(uint64_t)wish->soft,
							(uint64_t)wish->hard));
	}
	if (!has_nofile)
		(void)json_array_append_new(
		    limits, rlimit_json(RLIMIT_NOFILE,
					smaller(NOFILE_SOFT, hard), hard));
	if (!has_core)
		(void)json_array_append_new(limits,
					    rlimit_json(RLIMIT_CORE, 0, 0));
	return limits;
}

json_t *
spec_sysctl(const struct wishes *wishes)
{
	json_t *sysctls = json_object();

	/* ping without CAP_NET_RAW, for every group of this namespace. */
	if (!namespace_is_host(wishes->network))
		json_set_text(sysctls, "net.ipv4.ping_group_range",
			      wishes_have_user_namespace(wishes)
				  ? "0 65535" /* ids that it has */
				  : "0 2147483647");
	if (wishes->sysctls)
		(void)json_object_update(sysctls, wishes->sysctls);
	if (json_object_size(sysctls) > 0)
		return sysctls;
	json_decref(sysctls);
	return NULL;
}
