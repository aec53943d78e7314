/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What this host allows and what its runtime can do, asked once at start:
 * a spec that promises more makes the runtime refuse the container.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/strv.h"
#include "runtime/spec/oci_runtime.h"
#include "store/user_range.h"

#define HOST_RUNTIMES 2 /* of oci_runtime_names */
#define OOM_SCORE_MAX 1000

enum cgroup_mode { CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };

struct host {
	enum cgroup_mode cgroup_mode;
	bool has_swap_accounting;
	struct strv cgroup_paths;	    /* /sys/fs/cgroup/pids, …: v1's */
	uint64_t capabilities;		    /* the daemon's permitted set */
	bool may_raise_limits;		    /* CAP_SYS_RESOURCE */
	int oom_score_adj;		    /* what a container has, >= 0 */
	uint64_t rlimit_hard[RLIM_NLIMITS]; /* the daemon's own */
	char kernel[65];		    /* "6.1.0-18-amd64" */
	struct oci_runtime runtimes[HOST_RUNTIMES];
	struct strv thermal_paths; /* …/cpuN/thermal_throttle to mask */
	/* The daemon's root and state: nothing of them goes into a container.
	 */
	struct strv private_dirs;
	struct strv bind_roots; /* runtime/spec/bind_root.h */
	struct user_pool user_pool;
	/* "/skiff-<8 hex of the root's hash>": containers' cgroups. */
	char cgroup_prefix[16];
};

/*
 * root_path: the daemon's root, absolute; it only names the cgroups, so
 * that daemons with different roots stay apart. A missing runtime is not
 * an error: its path is NULL then. What the runtimes say is there after
 * host_probe_end(), which waits for them.
 */
int host_probe_begin(const char *root_path, struct host *ret_host,
		     struct skiff_error *err);
void host_probe_end(struct host *host);
/* Nothing of the directory may be mounted into a container. */
void host_keep_private(struct host *host, const char *dir);
void host_done(struct host *host);
/* The lowest that a container may ask for. */
int host_oom_score_min(const struct host *host);
/* size as in the OCI's hugepageLimits: "2MB", "1GB". */
bool host_has_huge_pages(const char *size);
/* By name or path; NULL for one that was not asked. */
const struct oci_runtime *host_runtime(const struct host *host,
				       const char *name);
/* The best that there is, or NULL. */
const struct oci_runtime *host_default_runtime(const struct host *host);
/* One that was not asked is believed to be able to. */
bool host_runtime_has_seccomp(const struct host *host, const char *name);
