/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Containers that are made and started in one, all or nothing: one is half
 * made (store/half_made.h) until the transaction that records its start.
 */
#include "base/error.h"

struct container_context;
struct task_wishes;
struct tasks;

/*
 * The task of a container that was made to be started: created and started,
 * or restored; or neither the task nor the container is left, and the error
 * is why.
 */
int container_start(const struct container_context *context,
		    struct tasks *tasks, const struct task_wishes *wishes,
		    struct skiff_error *err);
/*
 * At the daemon's start: what an earlier life left half made is removed,
 * unless its task has been started, which only was not recorded any more.
 */
int containers_finish_starts(const struct container_context *context,
			     struct tasks *tasks, struct skiff_error *err);
