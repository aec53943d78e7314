/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Limits of a container that runs: set, read back, taken back. One
 * vocabulary (v1's) for both versions of cgroups.
 */
#include <stdint.h>

#include "base/error.h"
#include "runtime/cgroup/path.h"
#include "runtime/cgroup/stats.h"

#define CPUSET_MAX 256

/* CGROUP_UNKNOWN: not to be changed; CGROUP_UNLIMITED: to be lifted. */
struct cgroup_limits {
	int64_t memory;	     /* bytes */
	int64_t memory_swap; /* memory and swap together */
	int64_t memory_reservation;
	int64_t cpu_quota_us;
	int64_t cpu_period_us;
	int64_t cpu_shares; /* lifted: what everyone has */
	int64_t pids;
	int64_t blkio_weight; /* 10 to 1000; lifted: what everyone has */
	/* "": not to be changed; "*": all that there are. */
	char cpuset_cpus[CPUSET_MAX];
	char cpuset_mems[CPUSET_MAX];
};

#define CGROUP_LIMITS_INIT                                                     \
	{                                                                      \
		.memory = CGROUP_UNKNOWN, .memory_swap = CGROUP_UNKNOWN,       \
		.cpu_quota_us = CGROUP_UNKNOWN,                                \
		.cpu_period_us = CGROUP_UNKNOWN, .cpu_shares = CGROUP_UNKNOWN, \
		.pids = CGROUP_UNKNOWN, .blkio_weight = CGROUP_UNKNOWN,        \
		.memory_reservation = CGROUP_UNKNOWN                           \
	}

/* Those that hold now, as far as the kernel tells. */
void cgroup_limits_read(const struct cgroup_dirs *dirs,
			struct cgroup_limits *ret_limits);

/*
 * Sets them and reads them back; on failure those of before hold. Memory
 * without memory_swap keeps what may be swapped on top of it.
 * SKIFF_FAILED_PRECONDITION, reason limit_below_use: more is used already;
 * reason limits_not_applied: the kernel has no such limit, or another one.
 */
int cgroup_limits_set(const struct cgroup_dirs *dirs,
		      const struct cgroup_limits *limits,
		      struct skiff_error *err);

/* Whether they hold; reason limits_not_applied. */
int cgroup_limits_check(const struct cgroup_dirs *dirs,
			const struct cgroup_limits *limits,
			struct skiff_error *err);
