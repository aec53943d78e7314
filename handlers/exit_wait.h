/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Waiting for the end of a task or of an exec, without a thread.
 *
 * A waiter looks at the record once; after that it reads the events that
 * follow. So it learns how what it waits for ended even when that was
 * deleted at once, or another took its name, before the waiter could look
 * again.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "handlers/services.h"
#include "http/request.h"

struct exit_wait;

/* Of a task, or of one of its execs (exec_id not NULL); for this request. */
struct exit_wait *exit_wait_new(struct services *services,
				struct request *request, const char *ns,
				const char *task_id, const char *exec_id);
void exit_wait_free(struct exit_wait *wait);
DEFINE_CLEANUP(struct exit_wait *, exit_wait_free)
/*
 * It is not there yet: what happens from now on counts, not what the
 * record says.
 */
int exit_wait_expect(struct exit_wait *wait, struct skiff_error *err);
/*
 * For wait_ops.poll: *ret_exit is {exit_status, exited_at, reason?},
 * borrowed, or NULL as long as it has not ended.
 */
int exit_wait_poll(struct exit_wait *wait, const json_t **ret_exit,
		   struct skiff_error *err);
/*
 * The time is up: SKIFF_DEADLINE_EXCEEDED, with the state that it is in
 * instead; or 0 and *ret_exit, when it has ended since it was polled.
 */
int exit_wait_late(struct exit_wait *wait, const json_t **ret_exit,
		   struct skiff_error *err);

/* ?timeout as a deadline. */
int take_timeout_query(struct request *request, struct deadline *ret_deadline,
		       struct skiff_error *err);
