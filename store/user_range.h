/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ids of the host's users and groups for containers with user namespaces.
 *
 * Each namespace gets a range of its own when it first needs one, and keeps
 * it until it is deleted: what escapes from a container of one is nobody to
 * those of another. Files in directories of the host may outlive their
 * namespace, so a range is given to another one only when each was given
 * once. Ids of the same pool that a client's own spec names are claimed by
 * its namespace in the same table. User and group ids are not told apart.
 */
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

#define USER_RANGE_SIZE 65536

/*
 * Which ids may be given. Those of the host's own people (store/host_ids.h)
 * are passed over; who comes from a directory service has to have others.
 */
struct user_pool {
	int64_t first;
	int64_t last;
};

/* What is left to containers by convention (systemd, UIDS-GIDS). */
#define USER_POOL_INIT                                                         \
	{                                                                      \
		.first = 524288, .last = 1879048191                            \
	}
/* Above these are ids that mean nobody. */
#define USER_POOL_LAST INT64_C(4294901759)

/* 1 and *ret_first for a namespace that has one, 0 for one that has none. */
int user_range_find(struct conn *conn, const char *ns, int64_t *ret_first,
		    struct skiff_error *err);
/*
 * The same, or that which user_range_take() would give now.
 * SKIFF_RESOURCE_EXHAUSTED, reason "user_ids_exhausted": all are in use.
 */
int user_range_foresee(struct conn *conn, const struct user_pool *pool,
		       const char *ns, int64_t *ret_first,
		       struct skiff_error *err);
/* The same, for good. */
int user_range_take(struct tx *tx, const struct user_pool *pool, const char *ns,
		    int64_t *ret_first, struct skiff_error *err);
/*
 * Ids first to last are ns's, as far as they are of the pool.
 * SKIFF_FAILED_PRECONDITION, reason "user_ids_in_use": some are another's.
 */
int user_range_claim(struct tx *tx, const struct user_pool *pool,
		     const char *ns, int64_t first, int64_t last,
		     struct skiff_error *err);
/* The check alone. */
int user_range_check(struct conn *conn, const char *ns, int64_t first,
		     int64_t last, struct skiff_error *err);
/* With the namespace. */
int user_range_drop(struct tx *tx, const char *ns, struct skiff_error *err);
