/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whose the ids of a container's user namespace are (store/user_range.h).
 * A spec without a user namespace of its own is passed by.
 */
#include <jansson.h>

#include "base/error.h"
#include "store/db.h"

struct container_context;

/* SKIFF_UNIMPLEMENTED, reason "idmap_unsupported": the kernel cannot. */
int container_ids_need(const struct container_context *context,
		       const json_t *spec, struct skiff_error *err);
/*
 * In the transaction that writes the container: gives a spec that says
 * nothing of ids its namespace's, and claims those that it names.
 * SKIFF_FAILED_PRECONDITION, reason "user_ids_in_use";
 * SKIFF_RESOURCE_EXHAUSTED, reason "user_ids_exhausted";
 * SKIFF_INVALID_ARGUMENT: its user is not among them.
 */
int container_ids_settle(const struct container_context *context, struct tx *tx,
			 const char *ns, json_t *spec, struct skiff_error *err);
/* The same as it would be, with nothing written. */
int container_ids_foresee(const struct container_context *context,
			  struct conn *conn, const char *ns, json_t *spec,
			  struct skiff_error *err);
