/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room for deletions on a full disk.
 *
 * Even a deletion must be written before it frees anything. So the root
 * directory holds a file of allocated blocks that nobody reads: when the
 * database finds the disk full it is removed, and until there is room to
 * make it again nothing new is recorded. What ends or deletes things goes
 * on in its place.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "store/db_internal.h"

#define RESERVE_NAME "reserve"
#define RESERVE_BYTES (UINT64_C(4) << 20)
/* A disk with less than this is too small to take any of it away. */
#define RESERVE_DISK_BYTES (UINT64_C(32) << 20)
/* Below this much free space the disk still counts as full. */
#define FULL_UNTIL_BYTES (UINT64_C(1) << 20)

static uint64_t
free_bytes(const struct db *db)
{
	struct statvfs fs;

	if (statvfs(db->root_path, &fs) < 0)
		return 0;
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

static char *
reserve_path(const struct db *db)
{
	return xasprintf("%s/" RESERVE_NAME, db->root_path);
}

void
reserve_make(struct db *db)
{
	cleanup_free char *path = reserve_path(db);
	cleanup_close int fd = -1;
	int r;

	if (access(path, F_OK) < 0 && free_bytes(db) < RESERVE_DISK_BYTES)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE_BYTES);
	if (r == 0)
		return;
	log_warn("%s: %s, doing without", path, strerrordesc_np(r));
	(void)unlink(path);
}

void
reserve_enter_full(struct db *db)
{
	cleanup_free char *path = reserve_path(db);
	int healthy = DB_HEALTHY;

	LOCK_SCOPE(&db->why_lock);
	if (!atomic_compare_exchange_strong(&db->state, &healthy, DB_FULL))
		return;
	log_error("metadata: the disk of %s is full; nothing new is recorded "
		  "until there is room",
		  db->root_path);
	db->reserve_is_used = unlink(path) == 0;
}

bool
reserve_leave_full(struct db *db)
{
	uint64_t needed = FULL_UNTIL_BYTES;
	int full = DB_FULL;

	LOCK_SCOPE(&db->why_lock);
	if (db->reserve_is_used)
		needed += RESERVE_BYTES;
	if (free_bytes(db) < needed)
		return false;
	if (atomic_compare_exchange_strong(&db->state, &full, DB_HEALTHY) &&
	    db->reserve_is_used)
		reserve_make(db);
	return true;
}

int
reserve_refuse_new(struct db *db, struct skiff_error *err)
{
	if (atomic_load(&db->state) != DB_FULL || reserve_leave_full(db))
		return 0;
	return err_set(err, SKIFF_INSUFFICIENT_STORAGE,
		       "metadata: the disk of %s is full", db->root_path);
}
