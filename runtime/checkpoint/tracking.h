/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which checkpoint an incremental one may build on.
 *
 * The kernel notes which memory was written (soft-dirty), and every dump
 * that tracks begins that note anew. A dump with a parent leaves out what
 * was not written since, so its parent must be the dump that began the
 * note: any other would fill the gaps with older memory. Which one that is
 * stands in a file of the task's run: it is removed before a dump that
 * tracks, and written when that one's image is recorded, so that it is
 * missing after whatever went wrong between.
 */
#include <stdbool.h>

#include "base/error.h"

struct checkpoint_image;
struct criu;
struct task;

/* Whether this kernel and this criu can; asks criu when nobody did. */
bool tracking_is_possible(struct criu *criu);
/*
 * SKIFF_FAILED_PRECONDITION, reason "not_the_last_checkpoint". The task's
 * step is held, or it is being checkpointed by the caller.
 */
int tracking_check_parent(const struct task *task,
			  const struct checkpoint_image *parent,
			  struct skiff_error *err);
/* The dump that follows tracks; the task's directory for it is there. */
int tracking_begin(const struct task *task, struct skiff_error *err);
/* Its image has this name. A failure is logged: nothing builds on it then. */
void tracking_note(const struct task *task, const char *name);
