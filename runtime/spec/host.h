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

enum cgroup_mode { CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };

struct host {
	enum cgroup_mode cgroup_mode;
	bool has_swap_accounting;
	uint64_t capabilities; /* the daemon's permitted set */
	bool may_raise_limits; /* CAP_SYS_RESOURCE */
	int oom_score_adj;     /* the lowest that a container may have, >= 0 */
	uint64_t rlimit_hard[RLIM_NLIMITS]; /* the daemon's own */
	char kernel[65];		    /* "6.1.0-18-amd64" */
	char *runtime_path;		    /* runc; NULL when there is none */
	char runtime_version[64];	    /* "1.1.5+ds1" */
	bool has_seccomp;		    /* the runtime was built with it */
	/* Known holes of that version, for people; or NULL. */
	const char *runtime_warning;
	struct strv thermal_paths; /* …/cpuN/thermal_throttle to mask */
	/* The daemon's root and state: nothing of them goes into a container.
	 */
	struct strv private_dirs;
	/* "/skiff-<8 hex of the root's hash>": containers' cgroups. */
	char cgroup_prefix[16];
};

/*
 * root_path: the daemon's root, absolute; it only names the cgroups, so
 * that daemons with different roots stay apart. A missing runtime is not
 * an error: host->runtime_path is NULL then.
 */
int host_probe(const char *root_path, struct host *ret_host,
	       struct skiff_error *err);
/* Nothing of the directory may be mounted into a container. */
void host_keep_private(struct host *host, const char *dir);
void host_done(struct host *host);
/* size as in the OCI's hugepageLimits: "2MB", "1GB". */
bool host_has_huge_pages(const char *size);
/* What is known against a version of runc, or NULL. */
const char *host_runtime_warning(const char *version);
