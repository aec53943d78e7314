/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The metadata database: one writing connection with group commit, a pool
 * of reading ones.
 *
 * SQLite in WAL mode with synchronous=FULL: an acknowledged write survives
 * a power cut. The VFS is unix-excl: no other process can open the file,
 * and there is no -shm file that a full disk could break. Only the writing
 * connection writes or checkpoints.
 *
 *	static int
 *	insert_it(struct tx *tx, void *arg, struct skiff_error *err) { … }
 *
 *	if (db_write(db, insert_it, &request, err) < 0) …
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct bus;
struct conn; /* one connection with its prepared statements */
struct db;
struct tx; /* the open transaction, inside a db_write() closure */

/*
 * Opens or makes skiff.db in the directory root_path and migrates it.
 * Committed events are announced on bus (borrowed, may be NULL).
 * SKIFF_FAILED_PRECONDITION for a schema from the future.
 */
int db_open(const char *root_path, struct bus *bus, struct db **ret_db,
	    struct skiff_error *err);
void db_close(struct db *db);
DEFINE_CLEANUP(struct db *, db_close)

/* Says why writes are refused, or 0: for /readyz. */
int db_check(struct db *db, struct skiff_error *err);

typedef int (*tx_fn)(struct tx *tx, void *arg, struct skiff_error *err);

/*
 * Runs fn in a savepoint of a transaction that it may share with others,
 * and returns after the COMMIT is durable. When fn fails only its own
 * changes are rolled back. Returns what fn did (at least 0) or -1.
 *
 * fn may run on another thread, which holds locks of its own: fn takes
 * none of a rank below LOCK_RANK_WRITER, is short, runs once, and must not
 * call db_write(). Errors of the commit itself: SKIFF_INSUFFICIENT_STORAGE,
 * SKIFF_UNAVAILABLE (reason "metadata_degraded", until restart, after an
 * I/O error).
 */
int db_write(struct db *db, tx_fn fn, void *arg, struct skiff_error *err);
struct conn *tx_conn(struct tx *tx);

/* A reading connection; blocks while all are in use. Hold it briefly. */
struct conn *db_reader_get(struct db *db);
void db_reader_put(struct conn *conn);
DEFINE_CLEANUP(struct conn *, db_reader_put)

/*
 * The statement for sql, prepared once a connection and found again by
 * the address of the text, which must be static. Reset by the attribute:
 *
 *	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, sql[GET]);
 */
sqlite3_stmt *conn_stmt(struct conn *conn, const char *sql);
void stmt_resetp(sqlite3_stmt **stmt);

/*
 * Binds parameters 1, 2, …: 's' const char * (NULL binds NULL), 'i'
 * int64_t. The texts must live until the reset.
 */
void stmt_bind(sqlite3_stmt *stmt, const char *types, ...);
/* 1 a row, 0 done, -1 error. */
int stmt_step(sqlite3_stmt *stmt, struct skiff_error *err);
/* One step of a statement without rows. */
int stmt_run(sqlite3_stmt *stmt, struct skiff_error *err);
/* Column text, "" for NULL; valid until the next step. */
const char *stmt_text(sqlite3_stmt *stmt, int column);
