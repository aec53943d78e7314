/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of snapshots.
 *
 * Design note: a directory is made before a row names it, and leaves after
 * no row names it any more. That it is there needs no fsync: layers are
 * synced whole before their rows are written (snapshots_sync()), and what a
 * container writes on begins empty, so that a directory which a power cut
 * took is made again by the next start; whatever was synced in it since
 * has brought the directory to the disk, too. The closure that deletes the last
 * row renames the directory to snapshots/trash/<number>. That may outlive
 * the failure of its transaction, so <number> there is undecided: another
 * closure looks whether a row names it (then it goes back), and once that
 * closure's COMMIT stood the tree is renamed to <number>.dead and deleted
 * outside of any transaction. Only one thread can win that rename. Numbers
 * are never used twice, so dead is dead.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/parse.h"
#include "store/snapshot/snapshot_internal.h"

#define DIR_NAME_SIZE 40

static const char *
dir_name(int64_t number, const char *tail, char buf[DIR_NAME_SIZE])
{
	(void)snprintf(buf, DIR_NAME_SIZE, "%" PRId64 "%s", number, tail);
	return buf;
}

/* The number that name is the plain text of, or -1. */
static int64_t
dir_number(const char *name)
{
	struct skiff_error ignored = ERROR_INIT;
	char text[DIR_NAME_SIZE];
	uint64_t number;

	if (parse_u64(name, INT64_MAX, &number, &ignored) < 0 ||
	    strcmp(dir_name((int64_t)number, "", text), name) != 0)
		return -1;
	return (int64_t)number;
}

static int
make_subdir(int dirfd, const char *name, mode_t mode, int *ret_fd,
	    struct skiff_error *err)
{
	cleanup_close int fd = -1;

	if (fs_open_dir(dirfd, name, true, mode, &fd, err) < 0)
		return -1;
	/* The umask took part in mkdir(2). */
	if (fchmod(fd, mode) < 0)
		return err_errno(err, errno, "chmod %s", name);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* What is inside; finds some of it made when a power cut took the rest. */
static int
make_subdirs(const struct snapshots *snapshots, int64_t number, int *ret_fd,
	     struct skiff_error *err)
{
	cleanup_close int top = -1;
	cleanup_close int work = -1;
	char name[DIR_NAME_SIZE];

	(void)dir_name(number, "", name);
	if (fs_open_dir(snapshots->dir_fd, name, false, 0, &top, err) < 0 ||
	    make_subdir(top, "work", 0700, &work, err) < 0)
		return -1;
	return make_subdir(top, "fs", 0755, ret_fd, err);
}

static int
make_tree(struct snapshot_dir *dir, struct skiff_error *err)
{
	char name[DIR_NAME_SIZE];

	(void)dir_name(dir->number, "", name);
	if (fault_hit(FAULT_SNAPSHOT_MKDIR, err) < 0)
		return -1;
	if (mkdirat(dir->snapshots->dir_fd, name, 0700) < 0)
		return err_errno(err, errno, "mkdir %s", name);
	return make_subdirs(dir->snapshots, dir->number, &dir->fd, err);
}

int
snapshot_dir_make(struct snapshots *snapshots, struct snapshot_dir **ret,
		  struct skiff_error *err)
{
	CLEANUP(snapshot_dir_freep)
	struct snapshot_dir *dir = xcalloc(1, sizeof(*dir));

	dir->snapshots = snapshots;
	dir->number = atomic_fetch_add(&snapshots->last_number, 1) + 1;
	dir->fd = -1;
	if (make_tree(dir, err) < 0)
		return err_wrap(err, "snapshot directory");
	*ret = STEAL_PTR(dir);
	return 0;
}

int
dirs_own_like(const struct snapshots *snapshots, int fd, int64_t parent,
	      struct skiff_error *err)
{
	char path[DIR_NAME_SIZE];
	struct stat st;

	(void)dir_name(parent, "/fs", path);
	if (fstatat(snapshots->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "stat %s", path);
	if ((st.st_uid != 0 || st.st_gid != 0) &&
	    fchown(fd, st.st_uid, st.st_gid) < 0)
		return err_errno(err, errno, "chown snapshot directory");
	return 0;
}

int
snapshot_dir_fd(const struct snapshot_dir *dir)
{
	return dir->fd;
}

/* Takes a directory that no row names, or will name, from dirfd. */
static void
delete_tree(struct snapshots *snapshots, int dirfd, int64_t number)
{
	struct skiff_error err = ERROR_INIT;
	char name[DIR_NAME_SIZE];
	char dead[DIR_NAME_SIZE];

	(void)dir_name(number, "", name);
	(void)dir_name(number, ".dead", dead);
	if (renameat(dirfd, name, snapshots->trash_fd, dead) < 0)
		return;
	if (fault_hit(FAULT_SNAPSHOT_DELETE, &err) < 0 ||
	    fs_remove_tree(snapshots->trash_fd, dead, &err) < 0)
		log_failure(LOG_WARN, &err,
			    "delete snapshot directory %s, ignoring", name);
}

void
snapshot_dir_free(struct snapshot_dir *dir)
{
	struct skiff_error ignored = ERROR_INIT;
	struct conn *conn;
	int is_named;

	if (!dir)
		return;
	/* Its number is its own: what is committed now is the last word. */
	conn = db_reader_get(dir->snapshots->db);
	is_named = rows_name_dir(conn, dir->number, &ignored);
	db_reader_put(conn);
	if (is_named == 0)
		delete_tree(dir->snapshots, dir->snapshots->dir_fd,
			    dir->number);
	closep(&dir->fd);
	free(dir);
}

int
dirs_drop(struct snapshots *snapshots, struct tx *tx, int64_t number,
	  struct skiff_error *err)
{
	int is_named = rows_name_dir(tx_conn(tx), number, err);
	char name[DIR_NAME_SIZE];

	if (is_named != 0)
		return is_named < 0 ? -1 : 0;
	if (fault_hit(FAULT_SNAPSHOT_TRASH, err) < 0)
		return -1;
	(void)dir_name(number, "", name);
	if (renameat(snapshots->dir_fd, name, snapshots->trash_fd, name) < 0 &&
	    errno != ENOENT)
		return err_errno(err, errno, "move %s to the trash", name);
	return 0;
}

struct sorting {
	struct snapshots *snapshots;
	const struct strv *names;
	int64_t *dead;
	size_t n_dead;
};

static int
sort_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct sorting *sorting = arg;
	struct snapshots *snapshots = sorting->snapshots;

	for (size_t i = 0; i < sorting->names->n; i++) {
		const char *name = sorting->names->items[i];
		int64_t number = dir_number(name);
		int is_named;

		if (number < 0)
			continue;
		is_named = rows_name_dir(tx_conn(tx), number, err);
		if (is_named < 0)
			return -1;
		/* A deletion that did not come to pass: back to its place. */
		if (is_named)
			(void)renameat2(snapshots->trash_fd, name,
					snapshots->dir_fd, name,
					RENAME_NOREPLACE);
		else
			sorting->dead[sorting->n_dead++] = number;
	}
	return 0;
}

static int
empty_trash(struct snapshots *snapshots, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv names = STRV_INIT;
	cleanup_free int64_t *dead = NULL;
	struct sorting sorting = { .snapshots = snapshots, .names = &names };

	if (fs_list(snapshots->trash_fd, ".", &names, err) < 0)
		return -1;
	if (names.n == 0)
		return 0;
	dead = xcalloc(names.n, sizeof(*dead));
	sorting.dead = dead;
	if (db_write(snapshots->db, sort_in, &sorting, err) < 0)
		return -1;
	for (size_t i = 0; i < sorting.n_dead; i++)
		delete_tree(snapshots, snapshots->trash_fd, dead[i]);
	return 0;
}

void
snapshots_empty_trash(struct snapshots *snapshots)
{
	struct skiff_error err = ERROR_INIT;

	if (empty_trash(snapshots, &err) < 0)
		log_failure(LOG_WARN, &err,
			    "empty the snapshot trash, ignoring");
}

/* --- the sweep at start ---------------------------------------------- */

/* Whatever was decided in an earlier life, or never was a snapshot. */
static int
remove_unnamed(struct snapshots *snapshots, int dirfd, struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(snapshots->db);
	CLEANUP(strv_done) struct strv names = STRV_INIT;
	struct skiff_error failure = ERROR_INIT;
	int64_t last = atomic_load(&snapshots->last_number);

	if (fs_list(dirfd, ".", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		int64_t number = dir_number(names.items[i]);
		int is_named =
		    number < 0 ? 0 : rows_name_dir(conn, number, err);

		if (is_named < 0)
			return -1;
		if (number > last)
			last = number;
		if (!is_named &&
		    fs_remove_tree(dirfd, names.items[i], &failure) < 0)
			log_failure(LOG_WARN, &failure,
				    "snapshots: remove %s, ignoring",
				    names.items[i]);
	}
	atomic_store(&snapshots->last_number, last);
	return 0;
}

struct lost {
	struct snapshots *snapshots;
	struct strv ns;
	struct strv keys;
};

static bool
is_dir(const struct snapshots *snapshots, const char *path)
{
	struct stat st;

	return fstatat(snapshots->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) ==
		   0 &&
	       S_ISDIR(st.st_mode);
}

/* Of what nobody committed: it was empty, or the disk has lost more. */
static void
make_again(const struct lost *lost, const struct row_place *place)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_close int fd = -1;
	char name[DIR_NAME_SIZE];

	(void)dir_name(place->number, "", name);
	log_warn("snapshot %s of namespace %s: its directory is missing, "
		 "making it again, empty",
		 place->key, place->ns);
	if ((mkdirat(lost->snapshots->dir_fd, name, 0700) < 0 &&
	     errno != EEXIST && err_errno(&err, errno, "mkdir")) ||
	    make_subdirs(lost->snapshots, place->number, &fd, &err) < 0 ||
	    (place->parent &&
	     dirs_own_like(lost->snapshots, fd, place->parent, &err) < 0))
		log_failure(LOG_ERROR, &err, "snapshot directory %s, ignoring",
			    name);
}

static int
find_lost(void *arg, const struct row_place *place, struct skiff_error *err)
{
	struct lost *lost = arg;
	char path[DIR_NAME_SIZE];

	(void)err;
	if (is_dir(lost->snapshots, dir_name(place->number, "/fs", path)) &&
	    (place->kind == SNAPSHOT_COMMITTED ||
	     is_dir(lost->snapshots, dir_name(place->number, "/work", path))))
		return 0;
	if (place->kind != SNAPSHOT_COMMITTED) {
		make_again(lost, place);
		return 0;
	}
	strv_add(&lost->ns, place->ns);
	strv_add(&lost->keys, place->key);
	return 0;
}

static int
remove_lost_one(struct snapshots *snapshots, struct tx *tx, const char *ns,
		const char *key, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv keys = STRV_INIT;
	bool all_committed = false;

	if (rows_subtree(tx_conn(tx), ns, key, &keys, &all_committed, err) < 0)
		return -1;
	log_error("snapshot %s of namespace %s: its directory is missing, %s",
		  key, ns,
		  all_committed ? "removing it and what stands on it"
				: "and something active stands on it");
	for (size_t i = 0; all_committed && i < keys.n; i++)
		if (snapshot_remove_in(snapshots, tx, ns, keys.items[i], 0,
				       err) < 0)
			return -1;
	return 0;
}

static int
remove_lost_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct lost *lost = arg;

	for (size_t i = 0; i < lost->ns.n; i++)
		if (remove_lost_one(lost->snapshots, tx, lost->ns.items[i],
				    lost->keys.items[i], err) < 0)
			return -1;
	return 0;
}

/*
 * A row must not claim what is not there: while it does, no pull would
 * unpack the layer again.
 */
static int
remove_lost(struct snapshots *snapshots, struct skiff_error *err)
{
	struct lost lost = { .snapshots = snapshots };
	struct conn *conn = db_reader_get(snapshots->db);
	int r = rows_each(conn, find_lost, &lost, err);

	db_reader_put(conn);
	if (r == 0 && lost.ns.n > 0)
		r = db_write(snapshots->db, remove_lost_in, &lost, err);
	strv_done(&lost.ns);
	strv_done(&lost.keys);
	return r;
}

static int
load_last_number(struct snapshots *snapshots, struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(snapshots->db);
	int64_t last = 0;

	if (rows_last_number(conn, &last, err) < 0)
		return -1;
	atomic_store(&snapshots->last_number, last);
	return 0;
}

int
dirs_sweep(struct snapshots *snapshots, struct skiff_error *err)
{
	if (load_last_number(snapshots, err) < 0)
		return -1;
	/* First what was moved by mistake goes back, then rows count. */
	if (empty_trash(snapshots, err) < 0 ||
	    remove_unnamed(snapshots, snapshots->dir_fd, err) < 0 ||
	    remove_unnamed(snapshots, snapshots->trash_fd, err) < 0)
		return -1;
	if (remove_lost(snapshots, err) < 0)
		return -1;
	return empty_trash(snapshots, err);
}
