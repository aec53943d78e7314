/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema's history, applied at start before anybody else has the
 * database.
 */
#include "config.h"

#include "store/migrate.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "store/db_internal.h"

int
migrate_version(sqlite3 *handle, int *ret_version, struct skiff_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc =
	    sqlite3_prepare_v2(handle, "PRAGMA user_version", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_version = sqlite3_column_int(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : sql_error(handle, err);
}

static int
apply(sqlite3 *handle, const struct migration *step, int number,
      struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf sql = STRBUF_INIT;

	strbuf_addf(&sql, "BEGIN IMMEDIATE;%s;PRAGMA user_version=%d;COMMIT",
		    step->sql, number);
	if (sql_exec(handle, sql.buf, err) == 0)
		return 0;
	(void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
	return err_wrap(err, "migration %s", step->name);
}

int
migrate_run(sqlite3 *handle, const struct migration *steps, int n,
	    struct skiff_error *err)
{
	int version = 0;

	if (migrate_version(handle, &version, err) < 0)
		return -1;
	if (version > n)
		return err_set(err, SKIFF_FAILED_PRECONDITION,
			       "the metadata has schema %d, this program knows "
			       "up to %d: a newer skiffd wrote it",
			       version, n);
	for (; version < n; version++) {
		if (apply(handle, &steps[version], version + 1, err) < 0)
			return -1;
		log_debug("metadata: applied %s", steps[version].name);
	}
	return 0;
}
