/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The defaults of a container that no wish changes.
 */
#include "config.h"

#include <string.h>

#include "base/cleanup.h"
#include "runtime/spec/host.h"
#include "runtime/spec/spec_internal.h"
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
	static const char *const types[] = { "pid",   "ipc",	"uts",
					     "mount", "cgroup", "network" };
	bool is_host = wishes->network && strcmp(wishes->network, "host") == 0;
	json_t *array = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(types) - (is_host ? 1 : 0); i++)
		(void)json_array_append_new(array, json_pack("{s:s}", "type",
							     types[i]));
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

json_t *
spec_readonly_paths(const struct host *host)
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
	return paths;
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

json_t *
spec_rlimits(const struct host *host)
{
	uint64_t hard = smaller(NOFILE_HARD, host->nofile_hard);

	return json_pack("[{s:s, s:I, s:I}, {s:s, s:i, s:i}]", "type",
			 "RLIMIT_NOFILE", "hard", (json_int_t)hard, "soft",
			 (json_int_t)smaller(NOFILE_SOFT, hard), "type",
			 "RLIMIT_CORE", "hard", 0, "soft", 0);
}

json_t *
spec_sysctl(const struct wishes *wishes)
{
	if (wishes->network && strcmp(wishes->network, "host") == 0)
		return NULL;
	/* ping without CAP_NET_RAW, for every group of this namespace. */
	return json_pack("{s:s}", "net.ipv4.ping_group_range", "0 2147483647");
}
