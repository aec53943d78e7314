/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ids of a container's user namespace, in the transaction that writes it.
 */
#include "config.h"

#include "runtime/container_ids.h"

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/container.h"
#include "runtime/idmap.h"
#include "runtime/spec/host.h"
#include "runtime/spec/user_namespace.h"
#include "store/user_range.h"

int
container_ids_need(const struct container_context *context, const json_t *spec,
		   struct skiff_error *err)
{
	return spec_has_user_namespace(spec) && context->idmap
		   ? idmap_need(context->idmap, err)
		   : 0;
}

struct settling {
	const struct user_pool *pool;
	struct conn *conn;
	struct tx *tx; /* NULL: it is a dry run */
	const char *ns;
};

static int
claim(const struct settling *settling, const json_t *maps,
      struct skiff_error *err)
{
	struct tx *tx = settling->tx;
	const char *ns = settling->ns;
	json_t *map;
	size_t i;

	json_array_foreach (maps, i, map) {
		int64_t first = json_get_int(map, "hostID", 0);
		int64_t last = first + json_get_int(map, "size", 0) - 1;
		int r =
		    tx ? user_range_claim(tx, settling->pool, ns, first, last,
					  err)
		       : user_range_check(settling->conn, ns, first, last, err);

		if (r < 0)
			return -1;
	}
	return 0;
}

static int
find_range(const struct settling *settling, int64_t *ret_first,
	   struct skiff_error *err)
{
	return settling->tx ? user_range_take(settling->tx, settling->pool,
					      settling->ns, ret_first, err)
			    : user_range_foresee(settling->conn, settling->pool,
						 settling->ns, ret_first, err);
}

static int
settle(const struct settling *settling, json_t *spec, struct skiff_error *err)
{
	const json_t *linux_part = json_object_get(spec, "linux");
	const json_t *process = json_object_get(spec, "process");
	int64_t first;

	if (!spec_has_user_namespace(spec))
		return 0;
	if (spec_has_id_maps(spec)) {
		if (claim(settling, json_object_get(linux_part, SPEC_UID_MAPS),
			  err) < 0 ||
		    claim(settling, json_object_get(linux_part, SPEC_GID_MAPS),
			  err) < 0)
			return -1;
	} else {
		if (find_range(settling, &first, err) < 0)
			return -1;
		spec_set_id_maps(spec, first, USER_RANGE_SIZE);
	}
	return spec_check_user_is_mapped(spec, json_object_get(process, "user"),
					 err);
}

int
container_ids_settle(const struct container_context *context, struct tx *tx,
		     const char *ns, json_t *spec, struct skiff_error *err)
{
	return settle(&(struct settling){ &context->host->user_pool,
					  tx_conn(tx), tx, ns },
		      spec, err);
}

int
container_ids_foresee(const struct container_context *context,
		      struct conn *conn, const char *ns, json_t *spec,
		      struct skiff_error *err)
{
	return settle(&(struct settling){ &context->host->user_pool, conn, NULL,
					  ns },
		      spec, err);
}
