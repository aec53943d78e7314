/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database: group commit, durability, full and failing disks, schemas.
 *
 * Some tests run this program again as another process: "write ROOT"
 * appends events and prints each acknowledged id until it is killed, "open
 * ROOT" says whether it can open the database.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/lock.h"
#include "base/proc.h"
#include "store/events/log.h"
#include "store/migrate.h"
#include "tests/unit/store_help.h"
#include "tests/unit/tap.h"

static struct store store;

static int
append(struct tx *tx, const char *key, int64_t *ret_id, struct skiff_error *err)
{
	struct event event = {
		.ns = "n", .topic = "/t/create", .type = "TCreate", .key = key
	};

	return event_append(tx, &event, ret_id, err);
}

/* arg: the id, out. */
static int
append_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	return append(tx, "k", arg, err);
}

static int
append_and_fail_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	if (append(tx, "k", arg, err) < 0)
		return -1;
	return err_set(err, SKIFF_ABORTED, "on purpose");
}

static int64_t
newest_event(void)
{
	struct skiff_error err = ERROR_INIT;
	int64_t oldest;
	int64_t newest = -1;

	(void)event_bounds(store.db, &oldest, &newest, &err);
	return newest;
}

/* --- group commit --------------------------------------------------- */

static void
a_write_is_there_when_the_call_returns(void)
{
	struct skiff_error err = ERROR_INIT;
	int64_t id = 0;

	store_init(&store);
	CHECK(db_write(store.db, append_in, &id, &err) == 0);
	CHECK(id == 1 && newest_event() == 1);
	CHECK(db_write(store.db, append_and_fail_in, &id, &err) < 0);
	CHECK(err.code == SKIFF_ABORTED);
	CHECK_STR(err.text, "on purpose");
	CHECK(newest_event() == 1);
	store_done(&store);
}

#define N_THREADS 16
#define N_EACH 50

static atomic_int n_wrong;

static void *
write_some(void *arg)
{
	int64_t last = 0;

	(void)arg;
	for (int i = 0; i < N_EACH; i++) {
		struct skiff_error err = ERROR_INIT;
		int64_t id = 0;
		bool fails = i % 5 == 4;
		int r =
		    db_write(store.db, fails ? append_and_fail_in : append_in,
			     &id, &err);

		if (fails)
			n_wrong += r >= 0 || err.code != SKIFF_ABORTED;
		else
			n_wrong += r < 0 || id <= last;
		if (!fails)
			last = id;
	}
	return NULL;
}

static void
a_failing_closure_rolls_back_alone(void)
{
	pthread_t threads[N_THREADS];

	store_init(&store);
	for (int i = 0; i < N_THREADS; i++)
		PTOK(pthread_create(&threads[i], NULL, write_some, NULL));
	for (int i = 0; i < N_THREADS; i++)
		PTOK(pthread_join(threads[i], NULL));
	CHECK(n_wrong == 0);
	CHECK(newest_event() == N_THREADS * N_EACH / 5 * 4);
	store_done(&store);
}

static void *
read_some(void *arg)
{
	(void)arg;
	for (int i = 0; i < N_EACH; i++)
		n_wrong += newest_event() < 0;
	return NULL;
}

static void
more_readers_than_connections_take_turns(void)
{
	pthread_t threads[N_THREADS];

	store_init(&store);
	for (int i = 0; i < N_THREADS; i++)
		PTOK(pthread_create(&threads[i], NULL,
				    i % 4 ? read_some : write_some, NULL));
	for (int i = 0; i < N_THREADS; i++)
		PTOK(pthread_join(threads[i], NULL));
	CHECK(n_wrong == 0);
	store_done(&store);
}

static void
count_announcement(void *arg)
{
	++*(int *)arg;
}

static void
what_is_committed_is_announced_before_the_answer(void)
{
	struct skiff_error err = ERROR_INIT;
	struct subscription *s;
	int64_t id;
	int n = 0;

	store_init(&store);
	s = bus_subscribe(store.bus, "n", "k", count_announcement, &n);
	CHECK(db_write(store.db, append_in, &id, &err) == 0);
	CHECK(n == 1);
	CHECK(db_write(store.db, append_and_fail_in, &id, &err) < 0);
	CHECK(n == 1);
	bus_unsubscribe(s);
	store_done(&store);
}

static void
a_failed_commit_rolls_back_and_says_so(void)
{
	struct skiff_error err = ERROR_INIT;
	int64_t id;

	CHECK(setenv("SKIFF_FAILPOINTS", "db.commit.before=2*error(ENOSPC)",
		     1) == 0);
	CHECK(fault_setup(&err) == 0);
	store_init(&store);
	CHECK(db_write(store.db, append_in, &id, &err) == 0);
	CHECK(db_write(store.db, append_in, &id, &err) < 0);
	CHECK(err.code == SKIFF_INSUFFICIENT_STORAGE);
	CHECK(newest_event() == 1);
	CHECK(db_write(store.db, append_in, &id, &err) == 0);
	CHECK(id == 2 && newest_event() == 2);
	store_done(&store);
}

/* --- disks ---------------------------------------------------------- */

static int
insert_big(int i, struct skiff_error *err)
{
	cleanup_free char *key = xasprintf("%d", i);
	cleanup_free char *json =
	    xasprintf("{\"id\":\"%d\",\"fill\":\"%04000d\"}", i, i);

	return store_insert(&store, RECORD_CONTAINER, "n", key, json, err);
}

static bool
can_read(const char *key)
{
	cleanup_json json_t *object =
	    store_load(&store, RECORD_CONTAINER, "n", key);

	return object != NULL;
}

static void
fill_the_disk(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *ballast = xasprintf("%s/ballast", store.root);
	int n = 0;

	CHECK(store_reopen(&store, &err));
	CHECK(fs_replace_file(AT_FDCWD, ballast, store.root, sizeof(store.root),
			      0600, false, &err) == 0);
	CHECK(truncate(ballast, 0) == 0);
	CHECK(insert_big(n++, &err) == 0);
	CHECK(db_check(store.db, &err) == 0);
	{
		cleanup_close int fd = open(ballast, O_WRONLY | O_CLOEXEC);

		CHECK(posix_fallocate(fd, 0, 2 << 20) == 0);
	}
	while (n < 10000 && insert_big(n, &err) == 0)
		n++;
	CHECK(err.code == SKIFF_INSUFFICIENT_STORAGE);
	CHECK(can_read("0"));
	CHECK(!can_read("10000"));
	CHECK(db_check(store.db, &err) < 0);
	CHECK(err.code == SKIFF_INSUFFICIENT_STORAGE);
	CHECK(unlink(ballast) == 0);
	CHECK(db_check(store.db, &err) == 0);
	CHECK(insert_big(n, &err) == 0);
	CHECK(store_reopen(&store, &err));
	for (int i = 0; i <= n; i++) {
		cleanup_free char *key = xasprintf("%d", i);

		CHECK(can_read(key));
	}
}

static void
a_full_disk_refuses_writes_and_serves_reads(void)
{
	struct skiff_error err = ERROR_INIT;

	store = (struct store){ .root = "/tmp/skiff-store-XXXXXX" };
	CHECK(mkdtemp(store.root) != NULL);
	store.bus = bus_new();
	if (mount("skiff-test", store.root, "tmpfs", 0, "size=6m") < 0) {
		(void)printf("# SKIP needs root: mount: %s\n",
			     strerrordesc_np(errno));
	} else {
		fill_the_disk();
		db_close(store.db);
		store.db = NULL;
		CHECK(umount2(store.root, MNT_DETACH) == 0);
	}
	bus_free(store.bus);
	(void)fs_remove_tree(AT_FDCWD, store.root, &err);
}

static void
an_io_error_ends_writing_until_restart(void)
{
	struct skiff_error err = ERROR_INIT;
	struct rlimit limit;
	struct rlimit tight;
	int n = 0;

	store_init(&store);
	CHECK(insert_big(n++, &err) == 0);
	/* A write beyond the limit is EFBIG, an error like no full disk. */
	CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	tight = (struct rlimit){ 1 << 20, limit.rlim_max };
	CHECK(setrlimit(RLIMIT_FSIZE, &tight) == 0);
	while (n < 10000 && insert_big(n, &err) == 0)
		n++;
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK(err.code == SKIFF_UNAVAILABLE);
	CHECK_STR(err.reason, "metadata_degraded");
	CHECK(can_read("0"));
	err = (struct skiff_error)ERROR_INIT;
	CHECK(insert_big(n, &err) < 0);
	CHECK(err.code == SKIFF_UNAVAILABLE);
	CHECK_STR(err.reason, "metadata_degraded");
	CHECK(db_check(store.db, &err) < 0);
	CHECK(store_reopen(&store, &err));
	CHECK(db_check(store.db, &err) == 0);
	for (int i = 0; i < n; i++) {
		cleanup_free char *key = xasprintf("%d", i);

		CHECK(can_read(key));
	}
	CHECK(insert_big(n, &err) == 0);
	store_done(&store);
}

static void
the_log_is_copied_back_as_it_grows(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *wal = NULL;
	struct stat st = { 0 };

	store_init(&store);
	wal = xasprintf("%s/skiff.db-wal", store.root);
	for (int i = 0; i < 2000; i++)
		CHECK(insert_big(i, &err) == 0);
	CHECK(stat(wal, &st) == 0);
	CHECK(st.st_size > 0 && st.st_size < 6 << 20);
	db_close(STEAL_PTR(store.db));
	CHECK(stat(wal, &st) < 0);
	store_done(&store);
}

/* --- schemas -------------------------------------------------------- */

static sqlite3 *
open_raw(const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", store.root, name);
	sqlite3 *handle = NULL;

	CHECK(sqlite3_open_v2(path, &handle,
			      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
			      "unix-excl") == SQLITE_OK);
	return handle;
}

static void
run_raw(const char *sql)
{
	sqlite3 *handle = open_raw("skiff.db");

	CHECK(sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK);
	(void)sqlite3_close(handle);
}

static void
a_schema_from_the_future_is_refused_untouched(void)
{
	struct skiff_error err = ERROR_INIT;

	store_init(&store);
	db_close(STEAL_PTR(store.db));
	run_raw("PRAGMA user_version=9999");
	CHECK(!store_reopen(&store, &err));
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK(strstr(err.text, "9999") != NULL);
	store_done(&store);
}

static void
lost_metadata_does_not_come_back_empty(void)
{
	static const char *const names[] = { "content", "snapshots" };
	struct skiff_error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *db = NULL;
		cleanup_free char *bytes = NULL;

		store_init(&store);
		db = xasprintf("%s/skiff.db", store.root);
		bytes = xasprintf("%s/%s/blobs", store.root, names[i]);
		CHECK(fs_mkdir_all(AT_FDCWD, bytes, 0700, &err) == 0);
		CHECK(store_reopen(&store, &err));
		db_close(STEAL_PTR(store.db));
		CHECK(unlink(db) == 0);
		CHECK(!store_reopen(&store, &err));
		CHECK(err.code == SKIFF_FAILED_PRECONDITION);
		CHECK(strstr(err.text, names[i]) != NULL);
		store_done(&store);
	}
}

static void
what_is_no_database_is_an_error(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *db = NULL;
	char garbage[8192];

	store_init(&store);
	db_close(STEAL_PTR(store.db));
	db = xasprintf("%s/skiff.db", store.root);
	memset(garbage, 'x', sizeof(garbage));
	CHECK(fs_replace_file(AT_FDCWD, db, garbage, sizeof(garbage), 0600,
			      false, &err) == 0);
	CHECK(!store_reopen(&store, &err));
	CHECK(err.code == SKIFF_UNAVAILABLE);
	store_done(&store);
}

/* All CREATE statements, for comparing schemas. */
static char *
schema(sqlite3 *handle)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	sqlite3_stmt *stmt = NULL;

	CHECK(sqlite3_prepare_v2(handle,
				 "SELECT name, sql FROM sqlite_schema "
				 "ORDER BY name",
				 -1, &stmt, NULL) == SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		strbuf_addf(&out, "%s: %s\n", stmt_text(stmt, 0),
			    stmt_text(stmt, 1));
	(void)sqlite3_finalize(stmt);
	return strbuf_steal(&out);
}

static void
every_older_schema_migrates_with_its_rows(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *newest = NULL;
	sqlite3 *handle;

	store_init(&store);
	handle = open_raw("newest.db");
	CHECK(migrate_run(handle, migrations, n_migrations, &err) == 0);
	newest = schema(handle);
	(void)sqlite3_close(handle);
	for (int n = 1; n < n_migrations; n++) {
		cleanup_free char *name = xasprintf("from%d.db", n);
		cleanup_free char *migrated = NULL;
		int version = 0;

		handle = open_raw(name);
		CHECK(migrate_run(handle, migrations, n, &err) == 0);
		CHECK(sqlite3_exec(handle,
				   "INSERT INTO record VALUES "
				   "(2,'n','a',1,1,1,'{}');"
				   "INSERT INTO label VALUES "
				   "(2,'n','a','x','y');"
				   "INSERT INTO event VALUES (1,'n','t','{}')",
				   NULL, NULL, NULL) == SQLITE_OK);
		CHECK(migrate_run(handle, migrations, n_migrations, &err) == 0);
		CHECK(migrate_version(handle, &version, &err) == 0);
		CHECK(version == n_migrations);
		migrated = schema(handle);
		CHECK_STR(migrated, newest);
		(void)sqlite3_close(handle);
	}
	store_done(&store);
}

/* The one exec of a database. */
static char *
exec_doc(sqlite3 *handle)
{
	sqlite3_stmt *stmt = NULL;
	char *doc;

	CHECK(sqlite3_prepare_v2(handle, "SELECT doc FROM record WHERE kind=8",
				 -1, &stmt, NULL) == SQLITE_OK);
	CHECK(sqlite3_step(stmt) == SQLITE_ROW);
	doc = xstrdup(stmt_text(stmt, 0));
	(void)sqlite3_finalize(stmt);
	return doc;
}

static void
an_older_exec_is_given_the_name_of_its_task(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *doc = NULL;
	sqlite3 *handle;

	store_init(&store);
	handle = open_raw("execs.db");
	CHECK(migrate_run(handle, migrations, 5, &err) == 0);
	CHECK(sqlite3_exec(handle,
			   "INSERT INTO record VALUES (8,'n','c/e',1,1,1,"
			   "'{\"id\":\"e\",\"container\":\"c\"}')",
			   NULL, NULL, NULL) == SQLITE_OK);
	CHECK(migrate_run(handle, migrations, n_migrations, &err) == 0);
	doc = exec_doc(handle);
	CHECK_STR(doc, "{\"id\":\"e\",\"container\":\"c\",\"task\":\"c\"}");
	(void)sqlite3_close(handle);
	store_done(&store);
}

static void
a_failing_migration_leaves_the_schema_before_it(void)
{
	static const struct migration steps[] = {
		{ "0001_good", "CREATE TABLE a (x)" },
		{ "0002_bad", "CREATE TABLE b (x); CREATE TABLE a (x)" },
	};
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *left = NULL;
	sqlite3 *handle;
	int version = 0;

	store_init(&store);
	handle = open_raw("other.db");
	CHECK(migrate_run(handle, steps, 2, &err) < 0);
	CHECK(strstr(err.text, "migration 0002_bad") != NULL);
	CHECK(migrate_version(handle, &version, &err) == 0 && version == 1);
	left = schema(handle);
	CHECK_STR(left, "a: CREATE TABLE a (x)\n");
	(void)sqlite3_close(handle);
	store_done(&store);
}

/* --- other processes ------------------------------------------------ */

static FILE *
start_self(char *verb, pid_t *ret_pid, int *ret_pidfd)
{
	char name[] = "test_db";
	char *argv[] = { name, verb, store.root, NULL };
	struct skiff_error err = ERROR_INIT;
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return NULL;
	if (proc_spawn(&(struct proc_options){ .path = "/proc/self/exe",
					       .argv = argv,
					       .stdout_fd = pipe_fds[1] },
		       ret_pid, ret_pidfd, &err) < 0)
		(void)printf("# %s\n", err.text);
	(void)close(pipe_fds[1]);
	return fdopen(pipe_fds[0], "r");
}

static void
what_was_acknowledged_survives_a_kill(void)
{
	struct skiff_error err = ERROR_INIT;
	long acknowledged = 0;
	char line[64];

	store_init(&store);
	for (int round = 0; round < 3; round++) {
		cleanup_fclose FILE *out = NULL;
		cleanup_close int pidfd = -1;
		pid_t pid = 0;
		int status = 0;

		db_close(STEAL_PTR(store.db));
		out = start_self((char[]){ "write" }, &pid, &pidfd);
		for (int i = 0; i < 50 && fgets(line, sizeof(line), out); i++)
			acknowledged = strtol(line, NULL, 10);
		CHECK(proc_signal(pidfd, SIGKILL, &err) == 0);
		CHECK(proc_wait(pidfd, deadline_in_ms(10000), &status, &err) ==
		      0);
		CHECK(status == 128 + SIGKILL);
		CHECK(store_reopen(&store, &err));
		CHECK(acknowledged >= 50 * (round + 1));
		CHECK(newest_event() >= acknowledged);
	}
	store_done(&store);
}

static void
another_process_cannot_open_it(void)
{
	cleanup_fclose FILE *out = NULL;
	cleanup_close int pidfd = -1;
	struct skiff_error err = ERROR_INIT;
	pid_t pid = 0;
	char line[256] = "";
	int status = 0;

	store_init(&store);
	out = start_self((char[]){ "open" }, &pid, &pidfd);
	CHECK(fgets(line, sizeof(line), out) != NULL);
	CHECK(strstr(line, "in use by another process") != NULL);
	CHECK(proc_wait(pidfd, deadline_in_ms(10000), &status, &err) == 0);
	store_done(&store);
}

/* The other processes. */
static int
run_as(const char *verb, const char *root)
{
	struct skiff_error err = ERROR_INIT;
	CLEANUP(db_closep) struct db *db = NULL;
	int64_t id;

	if (db_open(root, NULL, &db, &err) < 0) {
		(void)printf("%s\n", err.text);
		return 1;
	}
	while (strcmp(verb, "write") == 0 &&
	       db_write(db, append_in, &id, &err) == 0) {
		(void)printf("%ld\n", (long)id);
		(void)fflush(stdout);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TEST(a_write_is_there_when_the_call_returns),
		TEST(a_failing_closure_rolls_back_alone),
		TEST(more_readers_than_connections_take_turns),
		TEST(what_is_committed_is_announced_before_the_answer),
		TEST(a_failed_commit_rolls_back_and_says_so),
		TEST(a_full_disk_refuses_writes_and_serves_reads),
		TEST(an_io_error_ends_writing_until_restart),
		TEST(the_log_is_copied_back_as_it_grows),
		TEST(a_schema_from_the_future_is_refused_untouched),
		TEST(lost_metadata_does_not_come_back_empty),
		TEST(what_is_no_database_is_an_error),
		TEST(every_older_schema_migrates_with_its_rows),
		TEST(an_older_exec_is_given_the_name_of_its_task),
		TEST(a_failing_migration_leaves_the_schema_before_it),
		TEST(what_was_acknowledged_survives_a_kill),
		TEST(another_process_cannot_open_it),
	};

	if (argc == 3)
		return run_as(argv[1], argv[2]);
	return tap_run(tests, ARRAY_SIZE(tests));
}
