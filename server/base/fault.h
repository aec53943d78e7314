/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Failpoints: named places where a test makes a fault happen.
 *
 *	if (fault_hit(FAULT_BLOB_RENAME, err) < 0)
 *		return -1;
 *
 * SKIFF_FAILPOINTS="blob.rename=error(ENOSPC);task.start=2*crash" sets
 * them. Actions: error(ERRNO), crash (SIGKILL to the own process),
 * delay(MS), print (nothing); N* in front acts on the N-th hit only. Each
 * action taken appends "<pid> <name>" to the file SKIFF_FAILPOINTS_TRACE, so
 * that a test knows its fault came to pass. Read once, when the program
 * starts; shims inherit both. A hit costs one load while none is set.
 */
#include <stdbool.h>

#include "base/error.h"
#include "base/fault_points.h"

enum fault_point {
#define X(name, text, scenario) FAULT_##name,
	SKIFF_FAULT_POINTS(X)
#undef X
	    N_FAULT_POINTS
};

/* Parses SKIFF_FAILPOINTS; an unknown name or action is an error. */
int fault_setup(struct skiff_error *err);
/* One line a point on stdout: name, tab, scenario. */
void fault_list(void);

extern bool fault_is_armed;
int fault_hit_slow(enum fault_point point, struct skiff_error *err);

static inline int
fault_hit(enum fault_point point, struct skiff_error *err)
{
	return __builtin_expect(fault_is_armed, 0) ? fault_hit_slow(point, err)
						   : 0;
}
