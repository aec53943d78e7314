/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Health probes: the command of a container's wish "health"
 * (runtime/spec/health.h), run in the running task again and again.
 *
 * In the record: health {status: starting|healthy|unhealthy, failing_streak,
 * last?: {started_at, ended_at, exit_status?, output}}. It is written, with
 * an event /tasks/health, when the status changes, and while failures add up
 * to that; a task that stays as it was costs no write. A probe is an exec of
 * the shim that no record names; while it runs, and between two, no thread
 * waits for it. Probes rest while the task is paused.
 *
 * Every function is called with the task's step held.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

struct shim_event;
struct task;

/* What the container's document wishes; before each run. */
void health_configure(struct task *task, const json_t *container);
void health_free(struct task *task);
/* Into the document of a task that begins to run. */
void health_note_start(const struct task *task, json_t *object);

/* The run has begun, or an earlier life's is known again (object: its record).
 */
void health_begin(struct task *task);
void health_resume(struct task *task);
void health_end(struct task *task);

/* False for an exec that is no probe. */
bool health_is_probe(const char *exec_id);
/* Takes the step itself. */
int health_hear_exit(struct task *task, const struct shim_event *event,
		     struct skiff_error *err);
