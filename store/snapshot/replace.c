/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other files for an active snapshot: what a checkpoint holds is unpacked
 * into a directory of its own, and takes the place of the snapshot's when
 * all has gone well. Until then the snapshot is as it was.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/json.h"
#include "store/record.h"
#include "store/snapshot/snapshot_internal.h"

static int
find_active(struct conn *conn, const char *ns, const char *key,
	    struct snapshot_row *row, struct skiff_error *err)
{
	int r = rows_find(conn, ns, key, row, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return err_not_found(err, "snapshot", key);
	if (row->kind == SNAPSHOT_ACTIVE)
		return 0;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "snapshot \"%s\" is not active", key);
	return err_object(err, "snapshot", key);
}

int
snapshot_mounts_with(struct snapshot_dir *dir, const char *ns, const char *key,
		     struct mount **ret_mounts, size_t *ret_n,
		     struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(dir->snapshots->db);
	CLEANUP(snapshot_row_done) struct snapshot_row row = { 0 };
	CLEANUP(chain_done) struct chain chain = { 0 };

	if (find_active(conn, ns, key, &row, err) < 0 ||
	    rows_chain(conn, ns, key, &chain, err) < 0)
		return -1;
	if (chain.n == 0)
		return err_not_found(err, "snapshot", key);
	chain.numbers[0] = dir->number;
	*ret_mounts = overlay_mount(dir->snapshots, row.kind, &chain);
	*ret_n = 1;
	return 0;
}

int
snapshot_replace_in(struct snapshot_dir *dir, struct tx *tx, const char *ns,
		    const char *key, struct skiff_error *err)
{
	cleanup_free char *record_key =
	    xasprintf(SNAPSHOTTER_DEFAULT "/%s", key);
	const struct record_ref ref = { RECORD_SNAPSHOT, ns, record_key };
	CLEANUP(snapshot_row_done) struct snapshot_row row = { 0 };
	cleanup_json json_t *object = NULL;

	if (find_active(tx_conn(tx), ns, key, &row, err) < 0 ||
	    record_load(tx_conn(tx), &ref, &object, err) < 0 ||
	    fault_hit(FAULT_SNAPSHOT_REPLACE, err) < 0 ||
	    record_update(tx, &ref, object, NULL, err) < 0 ||
	    rows_set_dir(tx, ns, key, dir->number, err) < 0)
		return -1;
	return dirs_drop(dir->snapshots, tx, row.number, err);
}
