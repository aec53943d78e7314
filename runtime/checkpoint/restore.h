/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What task_create() does beside its own steps when the task comes from a
 * checkpoint:
 *
 *	restore_open()		the image is read and held against the
 *				container: nothing is made yet
 *	restore_unpack()	criu's files into the task's directory, the
 *				writable layer into one for the snapshot
 *	restore_mounts()	the root filesystem on that directory
 *	…the shim, told by restore_flags() and restore_criu_dir()…
 *	restore_commit_in()	the snapshot has those files from now on
 *	restore_finish()	what is not needed any more goes
 *
 * Until restore_commit_in() the container's snapshot is as it was, and
 * restore_free() leaves it so.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct mount;
struct restore;
struct task;
struct tx;

/*
 * SKIFF_NOT_FOUND; SKIFF_UNIMPLEMENTED, reason "criu_unavailable";
 * SKIFF_FAILED_PRECONDITION with reason "not_a_checkpoint",
 * "checkpoint_invalid", "checkpoint_mismatch" (another image, runtime,
 * machine or spec); SKIFF_PERMISSION_DENIED, reason "checkpoint_foreign",
 * for one that another daemon made.
 */
int restore_open(struct task *task, const json_t *container, const char *image,
		 struct restore **ret_restore, struct skiff_error *err);
void restore_free(struct restore *restore);
DEFINE_CLEANUP(struct restore *, restore_free)

int restore_unpack(struct restore *restore, struct skiff_error *err);
int restore_mounts(struct restore *restore, struct mount **ret_mounts,
		   size_t *ret_n, struct skiff_error *err);
uint32_t restore_flags(const struct restore *restore);
const char *restore_criu_dir(const struct restore *restore);
bool restore_has_stdin(const struct restore *restore);
/* After the shim's failure: its log's end, and errors into the text. */
char *restore_explain(const struct restore *restore, struct skiff_error *err);
int restore_commit_in(struct restore *restore, struct tx *tx,
		      struct skiff_error *err);
void restore_finish(struct restore *restore);
