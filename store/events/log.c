/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event log. The id of an event is part of its document, so it is
 * chosen here: one more than the last that SQLite's sequence knows. A
 * rolled back savepoint takes the sequence back with it; that is why ids
 * have no gaps.
 */
#include "config.h"

#include "store/events/log.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "store/db_internal.h"

#define TYPE_PREFIX "skiff.events.v1."
/* Rows that one transaction of event_trim() removes. */
#define TRIM_BATCH 1000

enum {
	EVENT_LAST,
	EVENT_INSERT,
	EVENT_BOUNDS,
	EVENT_READ,
	EVENT_READ_NS,
	EVENT_TRIM,
	N_STATEMENTS
};

static const char *const sql[N_STATEMENTS] = {
	[EVENT_LAST] = "SELECT seq FROM sqlite_sequence WHERE name='event'",
	[EVENT_INSERT] = "INSERT INTO event (id, ns, topic, doc) "
			 "VALUES (?1, ?2, ?3, ?4)",
	[EVENT_BOUNDS] = "SELECT (SELECT min(id) FROM event), "
			 "(SELECT max(id) FROM event)",
	[EVENT_READ] = "SELECT id, topic, doc FROM event "
		       "WHERE id > ?1 ORDER BY id LIMIT ?2",
	[EVENT_READ_NS] = "SELECT id, topic, doc FROM event "
			  "WHERE ns = ?3 AND id > ?1 ORDER BY id LIMIT ?2",
	[EVENT_TRIM] = "DELETE FROM event WHERE id IN (SELECT id FROM event "
		       "WHERE id <= (SELECT max(id) FROM event) - ?1 "
		       "ORDER BY id LIMIT ?2)",
};

int
event_last(struct conn *conn, int64_t *ret_id, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[EVENT_LAST]);
	int r = stmt_step(stmt, err);

	if (r < 0)
		return -1;
	*ret_id = r > 0 ? sqlite3_column_int64(stmt, 0) : 0;
	return 0;
}

static char *
render(const struct event *event, int64_t id, int64_t now_ns)
{
	cleanup_json json_t *doc = json_object();
	cleanup_free char *type = xasprintf(TYPE_PREFIX "%s", event->type);

	json_set_int(doc, "id", id);
	json_set_time(doc, "timestamp", now_ns);
	json_set_text(doc, "namespace", event->ns);
	json_set_text(doc, "topic", event->topic);
	json_set_text(doc, "type", type);
	(void)json_object_set_new(doc, "event",
				  event->payload
				      ? json_incref((json_t *)event->payload)
				      : json_object());
	return json_text(doc);
}

int
event_append(struct tx *tx, const struct event *event, int64_t *ret_id,
	     struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx->conn, sql[EVENT_INSERT]);
	cleanup_free char *doc = NULL;
	int64_t id;

	if (tx->last_event_id < 0 &&
	    event_last(tx->conn, &tx->last_event_id, err) < 0)
		return -1;
	id = tx->last_event_id + 1;
	doc = render(event, id, tx->now_ns);
	stmt_bind(stmt, "isss", id, event->ns, event->topic, doc);
	if (stmt_run(stmt, err) < 0)
		return -1;
	tx->last_event_id = id;
	tx_announce(tx, event->ns, event->key);
	*ret_id = id;
	return 0;
}

int
event_bounds(struct db *db, int64_t *ret_oldest, int64_t *ret_newest,
	     struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(db);
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[EVENT_BOUNDS]);

	if (stmt_step(stmt, err) < 0)
		return -1;
	*ret_oldest = sqlite3_column_int64(stmt, 0);
	*ret_newest = sqlite3_column_int64(stmt, 1);
	return 0;
}

int
event_read(struct db *db, const char *ns, int64_t after, int limit,
	   event_fn each, void *arg, struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(db);
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt =
	    conn_stmt(conn, sql[ns ? EVENT_READ_NS : EVENT_READ]);
	int n = 0;
	int r;

	stmt_bind(stmt, ns ? "iis" : "ii", after, (int64_t)limit, ns);
	while ((r = stmt_step(stmt, err)) > 0) {
		each(arg, sqlite3_column_int64(stmt, 0), stmt_text(stmt, 1),
		     stmt_text(stmt, 2));
		n++;
	}
	return r < 0 ? -1 : n;
}

/* arg: how many to keep. Returns 1 while there may be more to remove. */
static int
trim_some(struct tx *tx, void *arg, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx->conn, sql[EVENT_TRIM]);

	stmt_bind(stmt, "ii", *(const int64_t *)arg, (int64_t)TRIM_BATCH);
	if (stmt_run(stmt, err) < 0)
		return -1;
	return sqlite3_changes(tx->conn->handle) == TRIM_BATCH;
}

int
event_trim(struct db *db, int64_t keep, struct skiff_error *err)
{
	int r;

	do
		r = db_write(db, trim_some, &keep, err);
	while (r > 0);
	return r;
}
