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

/* tx NULL: it is a dry run. */
static int
claim(struct conn *conn, struct tx *tx, const char *ns, const json_t *maps,
      struct skiff_error *err)
{
	json_t *map;
	size_t i;

	json_array_foreach (maps, i, map) {
		int64_t first = json_get_int(map, "hostID", 0);
		int64_t last = first + json_get_int(map, "size", 0) - 1;
		int r = tx ? user_range_claim(tx, ns, first, last, err)
			   : user_range_check(conn, ns, first, last, err);

		if (r < 0)
			return -1;
	}
	return 0;
}

static int
settle(struct conn *conn, struct tx *tx, const char *ns, json_t *spec,
       struct skiff_error *err)
{
	const json_t *linux_part = json_object_get(spec, "linux");
	const json_t *process = json_object_get(spec, "process");
	int64_t first;

	if (!spec_has_user_namespace(spec))
		return 0;
	if (spec_has_id_maps(spec)) {
		if (claim(conn, tx, ns,
			  json_object_get(linux_part, SPEC_UID_MAPS),
			  err) < 0 ||
		    claim(conn, tx, ns,
			  json_object_get(linux_part, SPEC_GID_MAPS), err) < 0)
			return -1;
	} else {
		if ((tx ? user_range_take(tx, ns, &first, err)
			: user_range_foresee(conn, ns, &first, err)) < 0)
			return -1;
		spec_set_id_maps(spec, first, USER_RANGE_SIZE);
	}
	return spec_check_user_is_mapped(spec, json_object_get(process, "user"),
					 err);
}

int
container_ids_settle(struct tx *tx, const char *ns, json_t *spec,
		     struct skiff_error *err)
{
	return settle(tx_conn(tx), tx, ns, spec, err);
}

int
container_ids_foresee(struct conn *conn, const char *ns, json_t *spec,
		      struct skiff_error *err)
{
	return settle(conn, NULL, ns, spec, err);
}
