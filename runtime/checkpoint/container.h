/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The container that was checkpointed, for another to be made like it: what
 * was wished of it is kept in the checkpoint's config.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

struct tasks;

/*
 * What another container is made from, of the document that the run was made
 * from; but what holds for a run at once when it is changed, of the document
 * as it is. The caller's.
 */
json_t *checkpoint_wishes(const json_t *made_from, const json_t *container);

struct checkpoint_container {
	json_t *body; /* of POST N/containers; the caller's */
	bool has_terminal;
};

/*
 * id NULL: that of the checkpointed. What it says is believed, so it has to
 * be this daemon's own, unless that trusts others: SKIFF_PERMISSION_DENIED,
 * reason "checkpoint_foreign". SKIFF_FAILED_PRECONDITION, reason
 * "checkpoint_without_image", when it ran on no image; the rest as of
 * checkpoint_image_load().
 */
int checkpoint_container_load(struct tasks *tasks, const char *ns,
			      const char *image, const char *id,
			      struct checkpoint_container *ret,
			      struct skiff_error *err);
