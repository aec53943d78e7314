/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "store/container_use.h"

#include "base/alloc.h"
#include "base/cleanup.h"
#include "store/db_internal.h"

enum statement { ADD, REMOVE, FIND };

static const char *const sql[] = {
	[ADD] = "INSERT INTO container_snapshot (ns, key, id) VALUES (?, ?, ?)",
	[REMOVE] = "DELETE FROM container_snapshot "
		   "WHERE ns = ? AND key = ? AND id = ?",
	[FIND] = "SELECT id FROM container_snapshot "
		 "WHERE ns = ? AND key = ? LIMIT 1",
};

static int
run(struct tx *tx, enum statement which, const char *ns, const char *key,
    const char *id, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx_conn(tx), sql[which]);

	stmt_bind(stmt, "sss", ns, key, id);
	return stmt_run(stmt, err);
}

int
container_use_add(struct tx *tx, const char *ns, const char *id,
		  const char *key, struct skiff_error *err)
{
	return run(tx, ADD, ns, key, id, err);
}

int
container_use_remove(struct tx *tx, const char *ns, const char *id,
		     const char *key, struct skiff_error *err)
{
	return run(tx, REMOVE, ns, key, id, err);
}

int
container_use_find(struct conn *conn, const char *ns, const char *key,
		   char **ret_id, struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, sql[FIND]);
	int r;

	stmt_bind(stmt, "ss", ns, key);
	r = stmt_step(stmt, err);
	if (r > 0)
		*ret_id = xstrdup(stmt_text(stmt, 0));
	return r;
}
