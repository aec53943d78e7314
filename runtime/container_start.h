/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Containers that are made and started in one, all or nothing.
 *
 * Such a container is recorded with the label CONTAINER_STARTING, which the
 * transaction that records the start takes away. So whatever bears it is
 * half made: by a request that is still at it, or by one whose daemon died.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

struct container_context;
struct task_wishes;
struct tasks;

#define CONTAINER_STARTING "skiff.starting"

/*
 * The task of a container that was made with the label: created and
 * started, or restored; or neither the task nor the container is left, and
 * the error is why.
 */
int container_start(const struct container_context *context,
		    struct tasks *tasks, const struct task_wishes *wishes,
		    struct skiff_error *err);
/* In the transaction of a start: the container is whole. */
int container_started_in(struct tx *tx, const char *ns, const char *id,
			 struct skiff_error *err);
/*
 * At the daemon's start: what an earlier life left half made is removed,
 * unless its task has been started, which only was not recorded any more.
 */
int containers_finish_starts(const struct container_context *context,
			     struct tasks *tasks, struct skiff_error *err);
