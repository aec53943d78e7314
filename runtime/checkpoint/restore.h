/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What task_create() does beside its own steps when the task comes from a
 * checkpoint, which it has in task->restore meanwhile:
 *
 *	restore_root()		the image is read and held against the
 *				container; the writable layer is unpacked for
 *				the snapshot, and the plan mounts that
 *	restore_states()	criu's files into the task's directory
 *	restore_set_options()	what the shim is told
 *	restore_commit_in()	the snapshot has those files from now on
 *	restore_finish()	what is not needed any more goes
 *
 * Until restore_commit_in() the container's snapshot is as it was, and
 * restore_free() leaves it so.
 */
#include <jansson.h>

#include "base/cleanup.h"
#include "base/error.h"

struct restore;
struct shim_options;
struct task;
struct task_plan;
struct tx;

/* Both outlive it. */
struct restore *restore_new(struct task *task, const char *image);
void restore_free(struct restore *restore);
DEFINE_CLEANUP(struct restore *, restore_free)

/*
 * SKIFF_NOT_FOUND; SKIFF_UNIMPLEMENTED, reason "criu_unavailable" or
 * "runtime_cannot_checkpoint"; SKIFF_FAILED_PRECONDITION with reason
 * "not_a_checkpoint", "checkpoint_invalid", "checkpoint_mismatch" (another
 * image, runtime, machine or spec), "no_snapshot";
 * SKIFF_PERMISSION_DENIED, reason "checkpoint_foreign", for one that
 * another daemon made.
 */
int restore_root(struct restore *restore, struct task_plan *plan,
		 struct skiff_error *err);
int restore_states(struct restore *restore, struct skiff_error *err);
void restore_set_options(const struct restore *restore,
			 struct shim_options *options);
/* After the shim's failure: keeps the log, puts its errors into the text. */
int restore_explain(struct restore *restore, struct skiff_error *err);
/* The log that was kept, or NULL; the caller frees. */
char *restore_steal_log(struct restore *restore);
const char *restore_image(const struct restore *restore);
int restore_commit_in(struct restore *restore, struct tx *tx,
		      struct skiff_error *err);
void restore_finish(struct restore *restore);
