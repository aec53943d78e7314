/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of ids in the metadata: the pool, and who has what of it.
 */
#include "config.h"

#include "store/user_range.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "store/db_internal.h"
#include "store/host_ids.h"

enum statement { FIND, FIND_OTHER, FIND_USED, INSERT, NEXT, SET_NEXT, DROP };

static const char *const sql[] = {
	[FIND] = "SELECT first FROM user_range "
		 "WHERE ns = ? AND is_given ORDER BY first LIMIT 1",
	/* Ranges end in the order of the index, so the first one decides. */
	[FIND_OTHER] = "SELECT ns FROM user_range "
		       "WHERE last >= ? AND first <= ? AND ns <> ? "
		       "ORDER BY last LIMIT 1",
	[FIND_USED] = "SELECT last FROM user_range "
		      "WHERE last >= ? AND first <= ? "
		      "ORDER BY last LIMIT 1",
	[INSERT] = "INSERT OR IGNORE INTO user_range "
		   "(ns, first, last, is_given) VALUES (?, ?, ?, ?)",
	[NEXT] = "SELECT next FROM user_range_number",
	/* Beyond the pool it is that of another pool, before. */
	[SET_NEXT] = "UPDATE user_range_number SET next = ?1 "
		     "WHERE next < ?1 OR next > ?2",
	[DROP] = "DELETE FROM user_range WHERE ns = ?",
};

int
user_range_find(struct conn *conn, const char *ns, int64_t *ret_first,
		struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, sql[FIND]);
	int r;

	stmt_bind(stmt, "s", ns);
	r = stmt_step(stmt, err);
	if (r > 0)
		*ret_first = sqlite3_column_int64(stmt, 0);
	return r;
}

/* --- a free one --------------------------------------------------------- */

/* 1 and the end of what is there, 0 when nobody has any of it. */
static int
find_used(struct conn *conn, int64_t first, int64_t *ret_last,
	  struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[FIND_USED]);
	int r;

	stmt_bind(stmt, "ii", first, first + USER_RANGE_SIZE - 1);
	r = stmt_step(stmt, err);
	if (r > 0)
		*ret_last = sqlite3_column_int64(stmt, 0);
	return r;
}

struct search {
	const struct user_pool *pool;
	struct host_ids people;
};

static void
search_done(struct search *search)
{
	host_ids_done(&search->people);
}

/* 1 found, from first on; 0 none. */
static int
find_free(struct conn *conn, const struct search *search, int64_t first,
	  int64_t *ret_first, struct skiff_error *err)
{
	while (first + USER_RANGE_SIZE - 1 <= search->pool->last) {
		int64_t end = first + USER_RANGE_SIZE - 1;
		int64_t last;
		int r = find_used(conn, first, &last, err);

		if (r < 0)
			return -1;
		if (r == 0 &&
		    !host_ids_are_taken(&search->people, first, end, &last)) {
			*ret_first = first;
			return 1;
		}
		first = (last / USER_RANGE_SIZE + 1) * USER_RANGE_SIZE;
	}
	return 0;
}

static int
read_next(struct conn *conn, int64_t *ret_next, struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, sql[NEXT]);

	if (stmt_step(stmt, err) < 0)
		return -1;
	*ret_next = sqlite3_column_int64(stmt, 0);
	return 0;
}

int
user_range_foresee(struct conn *conn, const struct user_pool *pool,
		   const char *ns, int64_t *ret_first, struct skiff_error *err)
{
	/* Ranges begin at whole multiples. */
	int64_t first = (pool->first + USER_RANGE_SIZE - 1) / USER_RANGE_SIZE *
			USER_RANGE_SIZE;
	CLEANUP(search_done) struct search search = { .pool = pool };
	int r = user_range_find(conn, ns, ret_first, err);
	int64_t next;

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (read_next(conn, &next, err) < 0 ||
	    host_ids_load(&search.people, err) < 0)
		return -1;
	if (next < first || next > pool->last + 1)
		next = first;
	r = find_free(conn, &search, next, ret_first, err);
	if (r == 0)
		r = find_free(conn, &search, first, ret_first, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	(void)err_set(err, SKIFF_RESOURCE_EXHAUSTED,
		      "no user ids are left for namespace %s: other "
		      "namespaces have them all",
		      ns);
	return err_reason(err, "user_ids_exhausted");
}

/* --- writing ------------------------------------------------------------ */

static int
insert(struct tx *tx, const char *ns, int64_t first, int64_t last,
       bool is_given, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx_conn(tx), sql[INSERT]);

	stmt_bind(stmt, "siii", ns, first, last, (int64_t)is_given);
	return stmt_run(stmt, err);
}

int
user_range_take(struct tx *tx, const struct user_pool *pool, const char *ns,
		int64_t *ret_first, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *set = conn_stmt(tx_conn(tx), sql[SET_NEXT]);

	if (user_range_foresee(tx_conn(tx), pool, ns, ret_first, err) < 0 ||
	    insert(tx, ns, *ret_first, *ret_first + USER_RANGE_SIZE - 1, true,
		   err) < 0)
		return -1;
	stmt_bind(set, "ii", *ret_first + USER_RANGE_SIZE, pool->last + 1);
	return stmt_run(set, err);
}

int
user_range_check(struct conn *conn, const char *ns, int64_t first, int64_t last,
		 struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[FIND_OTHER]);
	int r;

	stmt_bind(stmt, "iis", first, last, ns);
	r = stmt_step(stmt, err);
	if (r <= 0)
		return r;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "host ids %" PRId64 " to %" PRId64
		      ": some are those of namespace %s",
		      first, last, stmt_text(stmt, 0));
	return err_reason(err, "user_ids_in_use");
}

int
user_range_claim(struct tx *tx, const struct user_pool *pool, const char *ns,
		 int64_t first, int64_t last, struct skiff_error *err)
{
	if (user_range_check(tx_conn(tx), ns, first, last, err) < 0)
		return -1;
	if (last < pool->first)
		return 0;
	return insert(tx, ns, first < pool->first ? pool->first : first, last,
		      false, err);
}

int
user_range_drop(struct tx *tx, const char *ns, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx_conn(tx), sql[DROP]);

	stmt_bind(stmt, "s", ns);
	return stmt_run(stmt, err);
}
