/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of snapshots: parents, kinds, directories, chain ids.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "store/snapshot/snapshot_internal.h"

enum statement {
	FIND,
	FIND_LAYER,
	INSERT,
	KEEP_NUMBER,
	LAST_NUMBER,
	SET_DIR,
	DELETE,
	HAS_CHILD,
	NAME_DIR,
	CHAIN,
	SUBTREE,
	EACH,
};

#define OURS "snapshotter = '" SNAPSHOTTER_DEFAULT "'"

static const char *const sql[] = {
	[FIND] = "SELECT kind, dir, parent, chain_id FROM snapshot "
		 "WHERE ns = ? AND " OURS " AND key = ?",
	[FIND_LAYER] = "SELECT dir FROM snapshot WHERE chain_id = ? LIMIT 1",
	[INSERT] = "INSERT INTO snapshot "
		   "(ns, snapshotter, key, kind, dir, parent, chain_id) "
		   "VALUES (?, '" SNAPSHOTTER_DEFAULT "', ?, ?, ?, ?, ?)",
	[KEEP_NUMBER] = "UPDATE snapshot_number SET last = ?1 WHERE last < ?1",
	[LAST_NUMBER] = "SELECT last FROM snapshot_number",
	[SET_DIR] = "UPDATE snapshot SET dir = ? "
		    "WHERE ns = ? AND " OURS " AND key = ?",
	[DELETE] = "DELETE FROM snapshot "
		   "WHERE ns = ? AND " OURS " AND key = ?",
	[HAS_CHILD] = "SELECT 1 FROM snapshot "
		      "WHERE ns = ? AND " OURS " AND parent = ? LIMIT 1",
	[NAME_DIR] = "SELECT 1 FROM snapshot WHERE dir = ? LIMIT 1",
	[CHAIN] = "WITH RECURSIVE chain(depth, dir, parent) AS ("
		  "SELECT 0, dir, parent FROM snapshot "
		  "WHERE ns = ?1 AND " OURS " AND key = ?2 "
		  "UNION ALL "
		  "SELECT c.depth + 1, s.dir, s.parent "
		  "FROM chain AS c JOIN snapshot AS s "
		  "ON s.ns = ?1 AND s." OURS " AND s.key = c.parent) "
		  "SELECT dir FROM chain ORDER BY depth",
	[SUBTREE] = "WITH RECURSIVE tree(depth, key, kind) AS ("
		    "SELECT 0, key, kind FROM snapshot "
		    "WHERE ns = ?1 AND " OURS " AND key = ?2 "
		    "UNION ALL "
		    "SELECT t.depth + 1, s.key, s.kind "
		    "FROM tree AS t JOIN snapshot AS s "
		    "ON s.ns = ?1 AND s." OURS " AND s.parent = t.key) "
		    "SELECT key, kind FROM tree ORDER BY depth DESC",
	[EACH] = "SELECT ns, key, dir, kind, "
		 "(SELECT p.dir FROM snapshot p WHERE p.ns = s.ns "
		 "AND p.snapshotter = s.snapshotter AND p.key = s.parent) "
		 "FROM snapshot s WHERE " OURS,
};

void
snapshot_row_done(struct snapshot_row *row)
{
	free(STEAL_PTR(row->parent));
	free(STEAL_PTR(row->chain_id));
}

void
chain_done(struct chain *chain)
{
	free(STEAL_PTR(chain->numbers));
	chain->n = 0;
}

static char *
text_or_null(sqlite3_stmt *stmt, int column)
{
	const char *text = stmt_text(stmt, column);

	return *text ? xstrdup(text) : NULL;
}

int
rows_find(struct conn *conn, const char *ns, const char *key,
	  struct snapshot_row *ret_row, struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, sql[FIND]);
	int r;

	stmt_bind(stmt, "ss", ns, key);
	r = stmt_step(stmt, err);
	if (r <= 0)
		return r;
	ret_row->kind = (enum snapshot_kind)sqlite3_column_int(stmt, 0);
	ret_row->number = sqlite3_column_int64(stmt, 1);
	ret_row->parent = text_or_null(stmt, 2);
	ret_row->chain_id = text_or_null(stmt, 3);
	return 1;
}

int
rows_find_layer(struct conn *conn, const char *chain_id, int64_t *ret_number,
		struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[FIND_LAYER]);
	int r;

	stmt_bind(stmt, "s", chain_id);
	r = stmt_step(stmt, err);
	if (r > 0)
		*ret_number = sqlite3_column_int64(stmt, 0);
	return r;
}

int
rows_insert(struct tx *tx, const char *ns, const char *key,
	    const struct snapshot_row *row, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *insert = conn_stmt(tx_conn(tx), sql[INSERT]);
	CLEANUP(stmt_resetp)
	sqlite3_stmt *keep = conn_stmt(tx_conn(tx), sql[KEEP_NUMBER]);

	stmt_bind(insert, "ssiiss", ns, key, (int64_t)row->kind, row->number,
		  row->parent, row->chain_id);
	if (stmt_run(insert, err) < 0)
		return -1;
	stmt_bind(keep, "i", row->number);
	return stmt_run(keep, err);
}

int
rows_set_dir(struct tx *tx, const char *ns, const char *key, int64_t number,
	     struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *set = conn_stmt(tx_conn(tx), sql[SET_DIR]);
	CLEANUP(stmt_resetp)
	sqlite3_stmt *keep = conn_stmt(tx_conn(tx), sql[KEEP_NUMBER]);

	stmt_bind(set, "iss", number, ns, key);
	if (stmt_run(set, err) < 0)
		return -1;
	stmt_bind(keep, "i", number);
	return stmt_run(keep, err);
}

int
rows_delete(struct tx *tx, const char *ns, const char *key,
	    struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx_conn(tx), sql[DELETE]);

	stmt_bind(stmt, "ss", ns, key);
	return stmt_run(stmt, err);
}

int
rows_has_child(struct conn *conn, const char *ns, const char *key,
	       struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[HAS_CHILD]);

	stmt_bind(stmt, "ss", ns, key);
	return stmt_step(stmt, err);
}

int
rows_name_dir(struct conn *conn, int64_t number, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[NAME_DIR]);

	stmt_bind(stmt, "i", number);
	return stmt_step(stmt, err);
}

int
rows_last_number(struct conn *conn, int64_t *ret_number,
		 struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[LAST_NUMBER]);
	int r = stmt_step(stmt, err);

	if (r > 0)
		*ret_number = sqlite3_column_int64(stmt, 0);
	return r < 0 ? -1 : 0;
}

int
rows_chain(struct conn *conn, const char *ns, const char *key,
	   struct chain *chain, struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, sql[CHAIN]);
	int r;

	stmt_bind(stmt, "ss", ns, key);
	while ((r = stmt_step(stmt, err)) > 0) {
		chain->numbers = xrealloc(chain->numbers, chain->n + 1,
					  sizeof(*chain->numbers));
		chain->numbers[chain->n++] = sqlite3_column_int64(stmt, 0);
	}
	return r;
}

int
rows_subtree(struct conn *conn, const char *ns, const char *key,
	     struct strv *keys, bool *ret_all_committed,
	     struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[SUBTREE]);
	bool all_committed = true;
	int r;

	stmt_bind(stmt, "ss", ns, key);
	while ((r = stmt_step(stmt, err)) > 0) {
		strv_add(keys, stmt_text(stmt, 0));
		if (sqlite3_column_int(stmt, 1) != SNAPSHOT_COMMITTED)
			all_committed = false;
	}
	*ret_all_committed = all_committed;
	return r;
}

int
rows_each(struct conn *conn, row_fn each, void *arg, struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, sql[EACH]);
	int r;

	while ((r = stmt_step(stmt, err)) > 0) {
		const struct row_place place = {
			.ns = stmt_text(stmt, 0),
			.key = stmt_text(stmt, 1),
			.number = sqlite3_column_int64(stmt, 2),
			.kind = (enum snapshot_kind)sqlite3_column_int(stmt, 3),
			.parent = sqlite3_column_int64(stmt, 4),
		};

		if (each(arg, &place, err) < 0)
			return -1;
	}
	return r;
}
