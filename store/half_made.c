/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "store/half_made.h"

#include "base/cleanup.h"
#include "store/db_internal.h"

enum statement { ADD, REMOVE, HAS, LIST };

static const char *const sql[] = {
	[ADD] = "INSERT INTO half_made (ns, id) VALUES (?, ?)",
	[REMOVE] = "DELETE FROM half_made WHERE ns = ? AND id = ?",
	[HAS] = "SELECT 1 FROM half_made WHERE ns = ? AND id = ?",
	[LIST] = "SELECT ns, id FROM half_made",
};

static int
run(struct tx *tx, enum statement which, const char *ns, const char *id,
    struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx_conn(tx), sql[which]);

	stmt_bind(stmt, "ss", ns, id);
	return stmt_run(stmt, err);
}

int
half_made_add(struct tx *tx, const char *ns, const char *id,
	      struct skiff_error *err)
{
	return run(tx, ADD, ns, id, err);
}

int
half_made_remove(struct tx *tx, const char *ns, const char *id,
		 struct skiff_error *err)
{
	return run(tx, REMOVE, ns, id, err);
}

bool
half_made_has(struct conn *conn, const char *ns, const char *id)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, sql[HAS]);
	struct skiff_error ignored = ERROR_INIT;

	stmt_bind(stmt, "ss", ns, id);
	return stmt_step(stmt, &ignored) > 0;
}

int
half_made_list(struct conn *conn, struct strv *names, struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, sql[LIST]);
	int r;

	while ((r = stmt_step(stmt, err)) > 0) {
		strv_add(names, stmt_text(stmt, 0));
		strv_add(names, stmt_text(stmt, 1));
	}
	return r;
}
