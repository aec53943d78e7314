/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tasks that are started again: because somebody asks for it, or because
 * their container's restart_policy says so.
 *
 * A restarted task keeps its record, its directory and its log; a new shim
 * makes a new container from the container's document as it is then. The
 * record says how it stands:
 *
 *	restart_count	how often it came back, for whatever reason
 *	stop_requested_at  a person ended it: only "always" brings it back, when
 *			the daemon starts
 *	restart_requested_at  a person wants it to come back, as soon as it has
 *			ended
 *	restart		{retries, delay, at?, error?}: how often the policy
 *			did it since a person did; the last pause in seconds;
 *			when it will be tried, while that lies ahead; why the
 *			last try failed
 *
 * The pause is 100 ms and doubles up to a minute; a run of ten seconds
 * begins anew. What is in the record is what the next daemon goes by.
 *
 * Order in the event log: exit, restart, start.
 *
 * Every function is called with the task's step held.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

struct shim_exit;
struct task;

#define RESTART_NEVER INT64_C(-1)

/*
 * For the transaction that records an exit: whether it shall be followed by
 * another run, into object, the task's document with the exit in it, and
 * *ret_delay_ms (RESTART_NEVER: no).
 */
int restart_plan_exit(struct conn *conn, const struct task *task,
		      json_t *object, int64_t *ret_delay_ms,
		      struct skiff_error *err);
/* The same after a run that could not be made. */
int restart_plan_retry(struct conn *conn, const struct task *task,
		       json_t *object, int64_t *ret_delay_ms,
		       struct skiff_error *err);

/* Into the document: it comes back at once. */
void restart_plan_now(json_t *object);

/*
 * A file in the task's directory, so that followers of the log wait for the
 * next run; best effort.
 */
void restart_expect(const struct task *task, bool is_expected);

/* The stopped task comes back after the delay; RESTART_NEVER: it does not. */
void restart_schedule(struct task *task, int64_t delay_ms);
/*
 * A person wants it ended: no policy brings it back. In the record before
 * it is done, where a policy might.
 */
int restart_note_stop(struct task *task, struct skiff_error *err);
/* A person wants the stopped task to run again. In the record first. */
int restart_ask(struct task *task, struct skiff_error *err);
/* Whether a signal sent by a person is such a wish. */
bool restart_is_stop_signal(const struct task *task, int signal);

/* What a daemon that starts does about a stopped task; object: its record. */
void restart_recover(struct task *task);
