/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers of images: committed snapshots that Skiff unpacked and verified
 * itself.
 *
 * A layer's key is its chain id (OCI image-spec, config.md, "Layer
 * ChainID"). Only layer_commit() ever writes the column chain_id, by which
 * other namespaces find the directory: a snapshot that a client filled and
 * committed under a chain id's name stays that namespace's own affair, and
 * so does everything on top of it.
 */
#include "config.h"

#include <string.h>

#include "base/fault.h"
#include "store/snapshot/snapshot_internal.h"

struct layer {
	const struct layer_request *request;
	int64_t number; /* of the directory to use if there is none yet, or 0 */
	int result;	/* 1 recorded, 0 not here */
};

/* 1 the namespace has it, 0 not, -1. */
static int
is_here(struct conn *conn, const struct layer_request *request,
	struct skiff_error *err)
{
	CLEANUP(snapshot_row_done) struct snapshot_row row = { 0 };
	int r = rows_find(conn, request->ns, request->chain_id, &row, err);

	if (r <= 0 || row.kind == SNAPSHOT_COMMITTED)
		return r;
	(void)err_set(err, SKIFF_ALREADY_EXISTS,
		      "snapshot \"%s\" exists and is not committed",
		      request->chain_id);
	return err_object(err, "snapshot", request->chain_id);
}

static int
record_layer(struct tx *tx, const struct layer_request *request, int64_t number,
	     struct skiff_error *err)
{
	CLEANUP(snapshot_row_done) struct snapshot_row parent = { 0 };
	bool has_parent = request->parent && *request->parent;
	struct snapshot_row row = {
		.kind = SNAPSHOT_COMMITTED,
		.number = number,
		.parent = has_parent ? (char *)request->parent : NULL,
		.chain_id = (char *)request->chain_id,
	};
	const struct new_snapshot snapshot = {
		.ns = request->ns,
		.key = request->chain_id,
		.row = &row,
		.labels = request->labels,
		.verb = "commit",
		.committed_from = request->chain_id,
	};

	if (has_parent &&
	    snapshot_find_parent(tx_conn(tx), request->ns, request->parent,
				 &parent, err) < 0)
		return -1;
	if (has_parent && !parent.chain_id)
		row.chain_id = NULL;
	return snapshot_insert(tx, &snapshot, NULL, err);
}

static int
layer_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct layer *layer = arg;
	const struct layer_request *request = layer->request;
	int64_t number = layer->number;
	int r = is_here(tx_conn(tx), request, err);

	layer->result = 1;
	if (r != 0)
		return r < 0 ? -1 : 0;
	/* Some other namespace may have been faster. */
	if (rows_find_layer(tx_conn(tx), request->chain_id, &number, err) < 0)
		return -1;
	layer->result = number != 0;
	return number ? record_layer(tx, request, number, err) : 0;
}

int
layer_commit(struct snapshot_dir *dir, const struct layer_request *request,
	     struct skiff_error *err)
{
	struct layer layer = { .request = request, .number = dir->number };

	if (fault_hit(FAULT_LAYER_COMMIT, err) < 0 ||
	    db_write(dir->snapshots->db, layer_in, &layer, err) < 0)
		return -1;
	return fault_hit(FAULT_LAYER_COMMITTED, err);
}

int
layer_adopt(struct snapshots *snapshots, const struct layer_request *request,
	    struct skiff_error *err)
{
	struct layer layer = { .request = request };

	if (db_write(snapshots->db, layer_in, &layer, err) < 0)
		return -1;
	return layer.result;
}
