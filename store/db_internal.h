/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What db.c, writer.c and migrate.c share; events/log.c too, for what a
 * transaction gathers.
 */
#include <stdatomic.h>
#include <stddef.h>

#include "base/lock.h"
#include "store/db.h"

#define N_READERS 4

struct cached_stmt {
	const char *sql;
	sqlite3_stmt *stmt;
};

struct conn {
	struct db *db;
	sqlite3 *handle;
	struct cached_stmt *stmts;
	size_t n_stmts;
	struct conn *next_free; /* guarded by db->readers_lock */
};

struct announcement {
	char *ns;
	char *key;
};

struct tx {
	struct conn *conn;
	int64_t now_ns;	       /* one time for all that a closure writes */
	int64_t last_event_id; /* -1: not read yet */
	struct announcement *announcements;
	size_t n_announcements;
};

/* Why no write is accepted any more. */
enum db_state { DB_HEALTHY, DB_FULL, DB_DEGRADED };

struct write_request;

struct db {
	char *root_path;
	struct bus *bus;
	struct conn writer; /* belongs to the thread that leads */
	int wal_pages;	    /* after the last commit; the leader's */

	struct lock queue_lock;
	struct write_request *queue_head; /* guarded by queue_lock */
	struct write_request **queue_tail;
	bool has_leader;

	struct lock readers_lock;
	pthread_cond_t reader_is_free;
	struct conn readers[N_READERS];
	struct conn *free_readers; /* guarded by readers_lock */

	atomic_int state;     /* enum db_state */
	struct lock why_lock; /* and of the reserve's file */
	char why[512];	      /* guarded by why_lock */
	bool reserve_is_used; /* guarded by why_lock */
};

/* Fills *err from the connection's last error; returns -1. */
int sql_error(sqlite3 *handle, struct skiff_error *err);
int sql_exec(sqlite3 *handle, const char *sql, struct skiff_error *err);

/* Takes note of a full disk, or of an error that is final for writing. */
void db_note_error(struct db *db, sqlite3 *handle);

/* --- a full disk, store/reserve.c --------------------------------------- */

/* Best effort: small disks do without. */
void reserve_make(struct db *db);
void reserve_enter_full(struct db *db);
/* Whether there is room again. */
bool reserve_leave_full(struct db *db);
/* SKIFF_INSUFFICIENT_STORAGE while the disk is full. */
int reserve_refuse_new(struct db *db, struct skiff_error *err);

/* Wakes (ns, key) after the COMMIT. */
void tx_announce(struct tx *tx, const char *ns, const char *key);

/* The id of the newest event ever; 0 before the first. */
int event_last(struct conn *conn, int64_t *ret_id, struct skiff_error *err);
