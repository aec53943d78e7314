/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Checkpoints: a task's processes, what they wrote, and its configuration
 * as an image; the task goes on, or ends.
 *
 * A checkpoint is an operation. The task is frozen, criu dumps it through
 * the runtime, and while it is still frozen its writable layer is read, so
 * that files and memory are of the same moment. Only when the image is
 * recorded is a task killed that was to end. Whoever dies meanwhile (the
 * daemon, the shim's caller) leaves a task that goes on: the shim thaws it
 * when the connection of the asker ends.
 *
 * Restoring is part of task_create(): runtime/checkpoint/restore.h.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

struct tasks;
struct transfers;

/*
 * Begins one, and returns when its operation is recorded. body, all
 * members optional:
 *
 *	{"name": image, "exit": false, "parent": image, "image_path": dir,
 *	 …options of runtime/checkpoint/dump_options.h}
 *
 * With image_path criu's files go to that new directory of the host, and
 * no image is made. SKIFF_NOT_FOUND; SKIFF_FAILED_PRECONDITION with the
 * state, or reason "execs_running" or "checkpoint_running";
 * SKIFF_ALREADY_EXISTS (name); SKIFF_UNIMPLEMENTED, reason
 * "criu_unavailable", where criu cannot work. What fails later is the
 * operation's error, with reason "checkpoint_failed" and the end of criu's
 * log in "log".
 */
int task_checkpoint(struct tasks *tasks, struct transfers *transfers,
		    const char *ns, const char *id, const json_t *body,
		    struct json_faults *faults, char **ret_operation,
		    char **ret_doc, int64_t *ret_revision,
		    struct skiff_error *err);

struct task;

/* SKIFF_UNIMPLEMENTED, reason "runtime_cannot_checkpoint". */
int checkpoint_need_runtime(const struct task *task, struct skiff_error *err);
/* SKIFF_FAILED_PRECONDITION, reason "no_snapshot". */
int checkpoint_need_snapshot(const json_t *container, struct skiff_error *err);
/*
 * What the task runs by. SKIFF_UNIMPLEMENTED, reason "user_namespace" or
 * "joined_namespace".
 */
int checkpoint_need_spec(const struct task *task, struct skiff_error *err);

/*
 * After a restart: removes what a checkpoint of an earlier life left in the
 * task's directory. Whether there was any.
 */
bool checkpoint_forget(struct task *task);
/*
 * After a restart, before transfers_open(): removes the blobs of
 * checkpoints that did not come to their end.
 */
int checkpoints_recover(struct tasks *tasks, struct skiff_error *err);
