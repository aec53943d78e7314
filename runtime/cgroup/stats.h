/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a container has used, by its cgroups: v1, hybrid and v2 in the same
 * figures. What a kernel does not tell is CGROUP_UNKNOWN; a limit that is
 * none is CGROUP_UNLIMITED.
 */
#include <stdint.h>

#include "runtime/cgroup/path.h"

#define CGROUP_UNKNOWN (-1)
#define CGROUP_UNLIMITED (-2)

struct cgroup_stats {
	/* Since the container was made. */
	int64_t cpu_usage_ns;
	int64_t cpu_user_ns;
	int64_t cpu_system_ns;
	int64_t cpu_periods;
	int64_t cpu_throttled_periods;
	int64_t cpu_throttled_ns;
	/* Bytes. */
	int64_t memory_usage;
	int64_t memory_limit;
	int64_t memory_peak;
	int64_t memory_swap;
	int64_t memory_anon;
	int64_t memory_file;
	int64_t memory_inactive_file;
	int64_t memory_oom_kills;
	int64_t pids;
	int64_t pids_limit;
	/* Of all devices. */
	int64_t io_read_bytes;
	int64_t io_write_bytes;
	int64_t io_reads;
	int64_t io_writes;
};

/* Never fails: where nothing can be read, nothing is known. */
void cgroup_stats_read(const struct cgroup_dirs *dirs,
		       struct cgroup_stats *ret_stats);

/* Its memory_oom_kills alone. */
int64_t cgroup_oom_kills(const struct cgroup_dirs *dirs);

/*
 * One number of a file's text: an integer, "max" or what v1 means by it.
 * CGROUP_UNKNOWN for anything else.
 */
int64_t cgroup_number(const char *text);
