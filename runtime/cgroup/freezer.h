/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The freezer of a container's cgroups: v1 freezer.state, v2
 * cgroup.freeze. What is below the directory is frozen with it.
 *
 * Freezing is a wish that the kernel fulfils when every process has come
 * to a place where it can stop; one in an uninterruptible sleep can hold
 * it up for as long as it likes. Thawing is immediate.
 */
#include <stdbool.h>

#include "base/error.h"
#include "runtime/cgroup/path.h"

enum freezer_state {
	FREEZER_ABSENT, /* no freezer, or no cgroup any more */
	FREEZER_THAWED,
	FREEZER_FREEZING,
	FREEZER_FROZEN,
};

enum freezer_state cgroup_freezer_state(const struct cgroup_dirs *dirs);

/*
 * Wishes for one or the other; doing so again helps a freezer of v1 that
 * is held up. SKIFF_UNIMPLEMENTED without a freezer, reason no_freezer.
 */
int cgroup_set_frozen(const struct cgroup_dirs *dirs, bool is_frozen,
		      struct skiff_error *err);
