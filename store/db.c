/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata database: opening it, its connections, their statements.
 *
 * Checkpoints are run by the writer itself (writer.c), never by SQLite's
 * automatic ones: those ignore a failing fsync and try again later, and
 * by then the kernel has forgotten the pages that were lost.
 *
 * No other descriptor of skiff.db may ever be opened in this process:
 * closing it would drop SQLite's POSIX locks.
 */
#include "config.h"

#include "store/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "store/db_internal.h"
#include "store/migrate.h"

#define DB_NAME "skiff.db"
#define SOFT_HEAP_BYTES (INT64_C(64) << 20)
/* For a process before us that is just ending. */
#define BUSY_MS 1000

/* For the first access only: page_size and auto_vacuum of a new file. */
static const char sql_new_file[] = "PRAGMA page_size=4096;"
				   "PRAGMA auto_vacuum=INCREMENTAL;"
				   "PRAGMA application_id=0x534b4946;";

static const char sql_writer[] = "PRAGMA journal_mode=WAL;"
				 "PRAGMA synchronous=FULL;"
				 "PRAGMA wal_autocheckpoint=0;"
				 "PRAGMA journal_size_limit=16777216;"
				 "PRAGMA cache_size=-512;";

static const char sql_reader[] = "PRAGMA query_only=ON;"
				 "PRAGMA wal_autocheckpoint=0;"
				 "PRAGMA cache_size=-128;";

static const char sql_both[] = "PRAGMA foreign_keys=ON;"
			       "PRAGMA trusted_schema=OFF;"
			       "PRAGMA cell_size_check=ON;"
			       "PRAGMA mmap_size=0;"
			       "PRAGMA temp_store=MEMORY;";

/* --- errors --------------------------------------------------------- */

static enum skiff_code
code_from_sqlite(sqlite3 *handle)
{
	int number = sqlite3_system_errno(handle);

	switch (sqlite3_extended_errcode(handle)) {
	case SQLITE_IOERR_NOMEM:
		return SKIFF_RESOURCE_EXHAUSTED;
	case SQLITE_IOERR_WRITE: /* ENOSPC is SQLITE_FULL, a quota is not */
		return number == EDQUOT ? SKIFF_INSUFFICIENT_STORAGE
					: SKIFF_UNAVAILABLE;
	default:
		break;
	}
	switch (sqlite3_errcode(handle) & 0xff) {
	case SQLITE_FULL:
		return SKIFF_INSUFFICIENT_STORAGE;
	case SQLITE_NOMEM:
		return SKIFF_RESOURCE_EXHAUSTED;
	case SQLITE_IOERR:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_BUSY:
		return SKIFF_UNAVAILABLE;
	default:
		return SKIFF_INTERNAL;
	}
}

static bool
is_final(sqlite3 *handle)
{
	int rc = sqlite3_errcode(handle) & 0xff;

	return code_from_sqlite(handle) == SKIFF_UNAVAILABLE &&
	       rc != SQLITE_BUSY;
}

int
sql_error(sqlite3 *handle, struct skiff_error *err)
{
	int number = sqlite3_system_errno(handle);
	enum skiff_code code = code_from_sqlite(handle);

	(void)err_set(err, code, "metadata: %s (%d)%s%s",
		      sqlite3_errmsg(handle), sqlite3_extended_errcode(handle),
		      number ? ": " : "",
		      number ? strerrordesc_np(number) : "");
	err->sys_errno = number;
	return is_final(handle) ? err_reason(err, "metadata_degraded") : -1;
}

int
sql_exec(sqlite3 *handle, const char *sql, struct skiff_error *err)
{
	if (sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return sql_error(handle, err);
}

void
db_note_error(struct db *db, sqlite3 *handle)
{
	if (code_from_sqlite(handle) == SKIFF_INSUFFICIENT_STORAGE) {
		reserve_enter_full(db);
		return;
	}
	if (!is_final(handle))
		return;
	LOCK_SCOPE(&db->why_lock);
	if (atomic_load(&db->state) == DB_DEGRADED)
		return;
	(void)snprintf(db->why, sizeof(db->why), "%s (%d)",
		       sqlite3_errmsg(handle),
		       sqlite3_extended_errcode(handle));
	atomic_store(&db->state, DB_DEGRADED);
	log_error("metadata: %s; writes are refused until restart", db->why);
}

int
db_check(struct db *db, struct skiff_error *err)
{
	switch (atomic_load(&db->state)) {
	case DB_FULL:
		return reserve_refuse_new(db, err);
	case DB_DEGRADED: {
		LOCK_SCOPE(&db->why_lock);
		(void)err_set(err, SKIFF_UNAVAILABLE,
			      "metadata: writes are refused until restart: %s",
			      db->why);
		return err_reason(err, "metadata_degraded");
	}
	default:
		return 0;
	}
}

/* --- statements ----------------------------------------------------- */

sqlite3_stmt *
conn_stmt(struct conn *conn, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	/* One that is being stepped belongs to a caller further up. */
	for (size_t i = 0; i < conn->n_stmts; i++)
		if (conn->stmts[i].sql == sql &&
		    !sqlite3_stmt_busy(conn->stmts[i].stmt))
			return conn->stmts[i].stmt;
	rc = sqlite3_prepare_v3(conn->handle, sql, -1,
				SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
	if (rc != SQLITE_OK) {
		if (rc == SQLITE_ERROR || rc == SQLITE_MISUSE)
			log_error("metadata: %s: %s", sql,
				  sqlite3_errmsg(conn->handle));
		assert(rc != SQLITE_ERROR && rc != SQLITE_MISUSE);
		db_note_error(conn->db, conn->handle);
		return NULL; /* stmt_step() makes it an error */
	}
	conn->stmts =
	    xrealloc(conn->stmts, conn->n_stmts + 1, sizeof(conn->stmts[0]));
	conn->stmts[conn->n_stmts++] = (struct cached_stmt){ sql, stmt };
	return stmt;
}

void
stmt_resetp(sqlite3_stmt **stmt)
{
	if (!*stmt)
		return;
	(void)sqlite3_reset(*stmt);
	(void)sqlite3_clear_bindings(*stmt);
}

void
stmt_bind(sqlite3_stmt *stmt, const char *types, ...)
{
	va_list ap;

	if (!stmt)
		return;
	/* It may have ended for a caller further up who has not reset it. */
	(void)sqlite3_reset(stmt);
	va_start(ap, types);
	for (int i = 1; types[i - 1]; i++) {
		int rc;

		assert(types[i - 1] == 's' || types[i - 1] == 'i');
		if (types[i - 1] == 's')
			rc =
			    sqlite3_bind_text(stmt, i, va_arg(ap, const char *),
					      -1, SQLITE_STATIC);
		else
			rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
		assert(rc == SQLITE_OK || rc == SQLITE_TOOBIG);
	}
	va_end(ap);
}

int
stmt_step(sqlite3_stmt *stmt, struct skiff_error *err)
{
	if (!stmt) {
		(void)err_set(err, SKIFF_UNAVAILABLE,
			      "metadata: a statement cannot be prepared");
		return err_reason(err, "metadata_degraded");
	}
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return sql_error(sqlite3_db_handle(stmt), err);
	}
}

int
stmt_run(sqlite3_stmt *stmt, struct skiff_error *err)
{
	int r = stmt_step(stmt, err);

	assert(r <= 0);
	return r;
}

const char *
stmt_text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	return text ? (const char *)text : "";
}

/* --- connections ---------------------------------------------------- */

static int
conn_open(struct db *db, struct conn *conn, struct skiff_error *err)
{
	cleanup_free char *path = xasprintf("%s/" DB_NAME, db->root_path);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
		    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	conn->db = db;
	if (sqlite3_open_v2(path, &conn->handle, flags, "unix-excl") !=
	    SQLITE_OK) {
		(void)sql_error(conn->handle, err);
		return err_wrap(err, "open %s", path);
	}
	(void)sqlite3_busy_timeout(conn->handle, BUSY_MS);
	(void)sqlite3_db_config(conn->handle, SQLITE_DBCONFIG_DEFENSIVE, 1,
				NULL);
	return sql_exec(conn->handle, sql_both, err);
}

static void
conn_close(struct conn *conn)
{
	for (size_t i = 0; i < conn->n_stmts; i++)
		(void)sqlite3_finalize(conn->stmts[i].stmt);
	free(conn->stmts);
	(void)sqlite3_close(conn->handle);
}

struct conn *
db_reader_get(struct db *db)
{
	struct conn *conn;
	LOCK_SCOPE(&db->readers_lock);

	while (!db->free_readers)
		(void)cond_wait(&db->reader_is_free, &db->readers_lock,
				DEADLINE_NEVER);
	conn = db->free_readers;
	db->free_readers = conn->next_free;
	return conn;
}

void
db_reader_put(struct conn *conn)
{
	struct db *db = conn->db;

	db_note_error(db, conn->handle);
	LOCK_SCOPE(&db->readers_lock);
	conn->next_free = db->free_readers;
	db->free_readers = conn;
	PTOK(pthread_cond_signal(&db->reader_is_free));
}

/* --- opening -------------------------------------------------------- */

static bool
has_entries(const char *root_path, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", root_path, name);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)) != NULL)
		found = strcmp(entry->d_name, ".") != 0 &&
			strcmp(entry->d_name, "..") != 0;
	(void)closedir(dir);
	return found;
}

/*
 * Metadata that got lost must not come back empty: the sweep at start
 * would take all bytes for garbage.
 */
static int
refuse_empty(const struct db *db, struct skiff_error *err)
{
	static const char *const names[] = { "content", "snapshots" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (has_entries(db->root_path, names[i]))
			return err_set(err, SKIFF_FAILED_PRECONDITION,
				       "%s has %s but its " DB_NAME
				       " is missing or empty: restore it, or "
				       "remove %s",
				       db->root_path, names[i], names[i]);
	return 0;
}

/* After an unclean end, which leaves the write-ahead log behind. */
static int
quick_check(sqlite3 *handle, struct skiff_error *err)
{
	cleanup_free char *answer = NULL;
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(handle, "PRAGMA quick_check(1)", -1, &stmt,
			       NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		answer = xstrdup(stmt_text(stmt, 0));
	(void)sqlite3_finalize(stmt);
	if (!answer)
		return sql_error(handle, err);
	if (strcmp(answer, "ok") != 0)
		return err_set(err, SKIFF_DATA_LOSS, "metadata: %s", answer);
	return 0;
}

static bool
has_log(const struct db *db)
{
	cleanup_free char *path =
	    xasprintf("%s/" DB_NAME "-wal", db->root_path);
	struct stat st;

	return stat(path, &st) == 0 && st.st_size > 0;
}

static int
count_wal_pages(void *arg, sqlite3 *handle, const char *name, int n_pages)
{
	struct db *db = arg;

	(void)handle;
	(void)name;
	db->wal_pages = n_pages;
	return SQLITE_OK;
}

static int
writer_open(struct db *db, struct skiff_error *err)
{
	bool was_unclean = has_log(db);
	sqlite3 *handle;
	int version = 0;

	if (conn_open(db, &db->writer, err) < 0)
		return -1;
	handle = db->writer.handle;
	if (migrate_version(handle, &version, err) < 0) {
		if (sqlite3_errcode(handle) == SQLITE_BUSY)
			return err_set(err, SKIFF_FAILED_PRECONDITION,
				       "%s/" DB_NAME
				       " is in use by another process",
				       db->root_path);
		return -1;
	}
	if (version == 0 && (refuse_empty(db, err) < 0 ||
			     sql_exec(handle, sql_new_file, err) < 0))
		return -1;
	if (sql_exec(handle, sql_writer, err) < 0)
		return -1;
	(void)sqlite3_wal_hook(handle, count_wal_pages, db);
	if (was_unclean && quick_check(handle, err) < 0)
		return -1;
	return migrate_run(handle, migrations, n_migrations, err);
}

static int
readers_open(struct db *db, struct skiff_error *err)
{
	for (size_t i = 0; i < N_READERS; i++) {
		struct conn *conn = &db->readers[i];

		if (conn_open(db, conn, err) < 0 ||
		    sql_exec(conn->handle, sql_reader, err) < 0)
			return -1;
		conn->next_free = db->free_readers;
		db->free_readers = conn;
	}
	return 0;
}

/* SQLite gives the mode of the database to what it makes beside it. */
static int
make_private(int root_fd, struct skiff_error *err)
{
	cleanup_close int fd =
	    openat(root_fd, DB_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(err, errno, "open " DB_NAME);
	if (fchmod(fd, 0600) < 0)
		return err_errno(err, errno, "chmod " DB_NAME);
	return 0;
}

int
db_open(const char *root_path, struct bus *bus, struct db **ret_db,
	struct skiff_error *err)
{
	CLEANUP(db_closep) struct db *db = xcalloc(1, sizeof(*db));
	cleanup_close int root_fd = -1;

	db->root_path = xstrdup(root_path);
	db->bus = bus;
	db->queue_tail = &db->queue_head;
	lock_init(&db->queue_lock, LOCK_RANK_WRITER);
	lock_init(&db->readers_lock, LOCK_RANK_READERS);
	lock_init(&db->why_lock, LOCK_RANK_LEAF);
	cond_init(&db->reader_is_free);
	(void)sqlite3_soft_heap_limit64(SOFT_HEAP_BYTES);
	if (fs_open_dir(AT_FDCWD, root_path, /* create= */ false, 0, &root_fd,
			err) < 0 ||
	    make_private(root_fd, err) < 0 || writer_open(db, err) < 0 ||
	    readers_open(db, err) < 0 || fs_sync_dir(root_fd, err) < 0)
		return -1;
	reserve_make(db);
	*ret_db = STEAL_PTR(db);
	return 0;
}

void
db_close(struct db *db)
{
	if (!db)
		return;
	assert(!db->has_leader);
	for (size_t i = 0; i < N_READERS; i++)
		conn_close(&db->readers[i]);
	/* The last one to close checkpoints: not after a failed fsync. */
	if (db->writer.handle && atomic_load(&db->state) == DB_DEGRADED)
		(void)sqlite3_db_config(db->writer.handle,
					SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
					NULL);
	conn_close(&db->writer);
	PTOK(pthread_cond_destroy(&db->reader_is_free));
	lock_done(&db->why_lock);
	lock_done(&db->readers_lock);
	lock_done(&db->queue_lock);
	free(db->root_path);
	free(db);
}
