/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit.
 *
 * There is no writing thread. A caller that finds nobody writing leads:
 * it runs its own closure and all that queued up meanwhile in one
 * transaction, each in a savepoint, commits once, and hands the lead to
 * the first of those that came during the commit. So a lone caller pays
 * no thread switch, and many share one fsync.
 *
 * The leader has the connection to itself, without holding a lock.
 */
#include "config.h"

#include "store/db.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "store/db_internal.h"
#include "store/events/bus.h"

/* Closures in one transaction: bounds what one COMMIT makes others wait. */
#define BATCH_MAX 128
/* Pages in the write-ahead log that make a checkpoint worth its fsyncs. */
#define CHECKPOINT_PAGES 1000

enum request_state { REQUEST_WAITS, REQUEST_LEADS, REQUEST_IS_DONE };

struct write_request {
	tx_fn fn;
	void *arg;
	struct skiff_error *err;
	int result;
	enum request_state state; /* guarded by db->queue_lock */
	pthread_cond_t changed;
	struct write_request *next;
};

/* --- what a transaction gathers ------------------------------------- */

struct conn *
tx_conn(struct tx *tx)
{
	return tx->conn;
}

void
tx_announce(struct tx *tx, const char *ns, const char *key)
{
	tx->announcements = xrealloc(tx->announcements, tx->n_announcements + 1,
				     sizeof(tx->announcements[0]));
	tx->announcements[tx->n_announcements++] =
	    (struct announcement){ xstrdup(ns), xstrdup(key) };
}

/* Forgets what was gathered since the mark: it was rolled back. */
static void
tx_forget(struct tx *tx, size_t n_announcements)
{
	while (tx->n_announcements > n_announcements) {
		struct announcement *last =
		    &tx->announcements[--tx->n_announcements];

		free(last->ns);
		free(last->key);
	}
	tx->last_event_id = -1;
}

static void
tx_committed(struct tx *tx, struct bus *bus)
{
	for (size_t i = 0; bus && i < tx->n_announcements; i++)
		bus_announce(bus, tx->announcements[i].ns,
			     tx->announcements[i].key);
}

static void
tx_done(struct tx *tx)
{
	tx_forget(tx, 0);
	free(tx->announcements);
}

/* --- one transaction ------------------------------------------------ */

static bool
is_in_transaction(const struct tx *tx)
{
	return !sqlite3_get_autocommit(tx->conn->handle);
}

static int
run(struct tx *tx, const char *sql, struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(tx->conn, sql);
	int r = stmt_run(stmt, err);

	if (r < 0)
		db_note_error(tx->conn->db, tx->conn->handle);
	return r;
}

static const char sql_begin[] = "BEGIN IMMEDIATE";
static const char sql_savepoint[] = "SAVEPOINT one";
static const char sql_undo[] = "ROLLBACK TO one";
static const char sql_release[] = "RELEASE one";
static const char sql_rollback[] = "ROLLBACK";
static const char sql_commit[] = "COMMIT";

static void
roll_back(struct tx *tx)
{
	struct skiff_error ignored = ERROR_INIT;

	tx_forget(tx, 0);
	if (is_in_transaction(tx))
		(void)run(tx, sql_rollback, &ignored);
}

/* Returns -1 when the whole transaction is lost. */
static int
run_in_savepoint(struct tx *tx, struct write_request *request)
{
	size_t n_announcements = tx->n_announcements;
	struct skiff_error *err = request->err;

	if (run(tx, sql_savepoint, err) < 0) {
		request->result = -1;
		return -1;
	}
	request->result = request->fn(tx, request->arg, err);
	if (request->result >= 0) {
		if (run(tx, sql_release, err) == 0)
			return 0;
		request->result = -1;
		return -1;
	}
	db_note_error(tx->conn->db, tx->conn->handle);
	/* SQLite ends the transaction by itself after some errors. */
	if (!is_in_transaction(tx))
		return -1;
	tx_forget(tx, n_announcements);
	if (run(tx, sql_undo, err) < 0 || run(tx, sql_release, err) < 0)
		return -1;
	return 0;
}

static int
commit(struct tx *tx, struct skiff_error *err)
{
	struct skiff_error ignored = ERROR_INIT;

	if (fault_hit(FAULT_DB_COMMIT_BEFORE, err) < 0 ||
	    run(tx, sql_commit, err) < 0)
		return -1;
	/* It is durable now: only a crash or a delay can follow. */
	(void)fault_hit(FAULT_DB_COMMIT_AFTER, &ignored);
	return 0;
}

/* All that had succeeded fail with why; the others keep their errors. */
static void
fail_all(struct write_request *batch, const struct skiff_error *why)
{
	for (; batch; batch = batch->next) {
		if (batch->result < 0)
			continue;
		batch->result = -1;
		*batch->err = *why;
	}
}

/* Others learn that the transaction is lost, not whose object it was. */
static void
blame(const struct write_request *request, struct skiff_error *why)
{
	(void)err_set(why, request->err->code,
		      "metadata: the transaction was rolled back");
	if (request->err->reason)
		(void)err_reason(why, request->err->reason);
}

static void
run_batch(struct db *db, struct write_request *batch)
{
	struct skiff_error why = ERROR_INIT;
	struct write_request *last = batch;
	struct tx tx = { .conn = &db->writer, .last_event_id = -1 };
	bool is_lost;
	bool has_changes = false;

	if (atomic_load(&db->state) == DB_DEGRADED) {
		(void)db_check(db, &why);
		fail_all(batch, &why);
		return;
	}
	is_lost = run(&tx, sql_begin, &why) < 0;
	for (; !is_lost && last; last = last->next) {
		tx.now_ns = clock_realtime_ns();
		is_lost = run_in_savepoint(&tx, last) < 0;
		has_changes |= last->result >= 0;
		if (is_lost)
			blame(last, &why);
	}
	if (!is_lost && has_changes)
		is_lost = commit(&tx, &why) < 0;
	if (is_lost || !has_changes)
		roll_back(&tx);
	else
		tx_committed(&tx, db->bus);
	if (is_lost)
		fail_all(batch, &why);
	else if (atomic_load(&db->state) == DB_FULL)
		(void)reserve_leave_full(db);
	tx_done(&tx);
}

/*
 * Copies the log into the database when it has grown. A reader that holds
 * on to old pages only makes it stop early.
 */
static void
checkpoint(struct db *db)
{
	sqlite3 *handle = db->writer.handle;
	int rc;

	if (db->wal_pages < CHECKPOINT_PAGES ||
	    atomic_load(&db->state) == DB_DEGRADED)
		return;
	db->wal_pages = 0;
	rc = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
				       NULL, NULL);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		db_note_error(db, handle);
}

/* --- leading -------------------------------------------------------- */

static struct write_request *
take_batch_locked(struct db *db)
{
	struct write_request *batch = db->queue_head;
	struct write_request **end = &db->queue_head;

	assert(lock_is_held(&db->queue_lock));
	for (int i = 0; *end && i < BATCH_MAX; i++)
		end = &(*end)->next;
	db->queue_head = *end;
	if (!db->queue_head)
		db->queue_tail = &db->queue_head;
	*end = NULL;
	return batch;
}

static void
lead(struct db *db)
{
	struct write_request *batch;

	lock_take(&db->queue_lock);
	batch = take_batch_locked(db);
	lock_release(&db->queue_lock);

	run_batch(db, batch);

	lock_take(&db->queue_lock);
	while (batch) {
		struct write_request *next = batch->next;

		batch->state = REQUEST_IS_DONE;
		PTOK(pthread_cond_signal(&batch->changed));
		batch = next;
	}
	lock_release(&db->queue_lock);

	checkpoint(db);

	lock_take(&db->queue_lock);
	if (db->queue_head) {
		db->queue_head->state = REQUEST_LEADS;
		PTOK(pthread_cond_signal(&db->queue_head->changed));
	} else {
		db->has_leader = false;
	}
	lock_release(&db->queue_lock);
}

int
db_write(struct db *db, tx_fn fn, void *arg, struct skiff_error *err)
{
	struct write_request request = { .fn = fn, .arg = arg, .err = err };
	bool is_leader;

	cond_init(&request.changed);
	lock_take(&db->queue_lock);
	*db->queue_tail = &request;
	db->queue_tail = &request.next;
	if (!db->has_leader) {
		db->has_leader = true;
		request.state = REQUEST_LEADS;
	}
	while (request.state == REQUEST_WAITS)
		(void)cond_wait(&request.changed, &db->queue_lock,
				DEADLINE_NEVER);
	is_leader = request.state == REQUEST_LEADS;
	lock_release(&db->queue_lock);
	if (is_leader)
		lead(db);
	PTOK(pthread_cond_destroy(&request.changed));
	return request.result;
}
