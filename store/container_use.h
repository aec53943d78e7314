/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which containers stand on a snapshot. Their rules are the runtime's; the
 * store knows them as far as they hold what is its own.
 */
#include "base/error.h"
#include "store/db.h"

/* In the transaction that writes the container's record, or removes it. */
int container_use_add(struct tx *tx, const char *ns, const char *id,
		      const char *key, struct skiff_error *err);
int container_use_remove(struct tx *tx, const char *ns, const char *id,
			 const char *key, struct skiff_error *err);

/* 1 and *ret_id (the caller frees) when a container has it, else 0. */
int container_use_find(struct conn *conn, const char *ns, const char *key,
		       char **ret_id, struct skiff_error *err);
