/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Containers that one request makes and starts, until they have started:
 * of a request that is still at it, or of one whose daemon died. Nobody
 * but the daemon sees or changes who is one of them.
 */
#include <stdbool.h>

#include "base/error.h"
#include "base/strv.h"
#include "store/db.h"

/* In the transaction that writes the container's record. */
int half_made_add(struct tx *tx, const char *ns, const char *id,
		  struct skiff_error *err);
/* In the one that records its start, or removes it; it may be none. */
int half_made_remove(struct tx *tx, const char *ns, const char *id,
		     struct skiff_error *err);
bool half_made_has(struct conn *conn, const char *ns, const char *id);
/* Adds ns, id, ns, id, … */
int half_made_list(struct conn *conn, struct strv *names,
		   struct skiff_error *err);
