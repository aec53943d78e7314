/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories and whole trees: listing, removing, measuring.
 *
 * A container can make a tree of any depth and width, so neither costs
 * stack or descriptors here. One directory is open at a time: its entries
 * are read, those that are no directories are dealt with at once, and the
 * names of some thousand subdirectories are kept. Then the walk goes down
 * to each of these and comes back through "..", which must be the same
 * inode as before: a directory moved away meanwhile is an error, not a way
 * out of the tree.
 */
#include "config.h"

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strv.h"

#define BATCH_MAX 2048
#define REMOVALS_MAX 100

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

struct level {
	ino_t inode;
	dev_t device;
	struct strv subdirs; /* this batch's */
	size_t next;
	long position; /* behind this batch */
	bool is_listed;
};

struct walk {
	int fd; /* the top level's directory */
	dev_t device;
	struct level *levels;
	size_t n;
	size_t cap;
	bool is_removal;
	bool is_refilled; /* what was emptied is not empty */
	uint64_t bytes;
	uint64_t inodes;
};

static void
closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static void
pop(struct walk *walk)
{
	strv_done(&walk->levels[--walk->n].subdirs);
}

static void
walk_done(struct walk *walk)
{
	while (walk->n > 0)
		pop(walk);
	free(walk->levels);
	closep(&walk->fd);
}

/* A file of n links is met n times: count a share of it each time. */
static void
count(struct walk *walk, const struct stat *st)
{
	uint64_t bytes = (uint64_t)st->st_blocks * 512;

	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1) {
		walk->bytes += bytes / st->st_nlink;
		return;
	}
	walk->bytes += bytes;
	walk->inodes++;
}

static int
visit(struct walk *walk, int dirfd, const char *name, struct level *level,
      struct skiff_error *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_errno(err, errno, "stat %s", name);
	}
	if (S_ISDIR(st.st_mode)) {
		if (st.st_dev == walk->device)
			strv_add(&level->subdirs, name);
		else if (walk->is_removal)
			return err_set(err, SKIFF_FAILED_PRECONDITION,
				       "%s is on another file system", name);
		return 0;
	}
	count(walk, &st);
	if (walk->is_removal && unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "unlink %s", name);
	return 0;
}

/* The next batch of the top level's entries. */
static int
list(struct walk *walk, struct level *level, struct skiff_error *err)
{
	CLEANUP(closedirp) DIR *dir = NULL;
	int fd = openat(walk->fd, ".", OPEN_DIR | O_CLOEXEC);
	struct dirent *entry;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		(void)err_errno(err, errno, "list directory");
		closep(&fd);
		return -1;
	}
	strv_done(&level->subdirs);
	level->next = 0;
	/* Removal finds the directory emptier, and begins anew. */
	if (level->position && !walk->is_removal)
		seekdir(dir, level->position);
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (visit(walk, fd, entry->d_name, level, err) < 0)
			return -1;
		if (level->subdirs.n == BATCH_MAX) {
			level->position = telldir(dir);
			return 0;
		}
	}
	if (errno)
		return err_errno(err, errno, "list directory");
	level->is_listed = true;
	return 0;
}

/* Makes the directory fd, which is consumed, the top level. */
static int
push(struct walk *walk, int fd, struct skiff_error *err)
{
	struct level *level;
	struct stat st;

	closep(&walk->fd);
	walk->fd = fd;
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "stat directory");
	if (st.st_dev != walk->device)
		return err_set(err, SKIFF_FAILED_PRECONDITION,
			       "a directory is on another file system");
	if (walk->n == walk->cap) {
		walk->cap = walk->cap ? walk->cap * 2 : 16;
		walk->levels =
		    xrealloc(walk->levels, walk->cap, sizeof(*walk->levels));
	}
	level = &walk->levels[walk->n++];
	*level = (struct level){ .inode = st.st_ino, .device = st.st_dev };
	count(walk, &st);
	return list(walk, level, err);
}

/* Back to the level below, whose present subdirectory is done. */
static int
leave(struct walk *walk, struct skiff_error *err)
{
	int fd = openat(walk->fd, "..", OPEN_DIR | O_CLOEXEC);
	struct level *level;
	const char *name;
	struct stat st;

	pop(walk);
	level = &walk->levels[walk->n - 1];
	name = level->subdirs.items[level->next++];
	if (fd < 0)
		return err_errno(err, errno, "open the parent of %s", name);
	closep(&walk->fd);
	walk->fd = fd;
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "stat the parent of %s", name);
	if (st.st_ino != level->inode || st.st_dev != level->device)
		return err_set(err, SKIFF_UNAVAILABLE,
			       "%s was moved away meanwhile", name);
	if (walk->is_removal && unlinkat(fd, name, AT_REMOVEDIR) < 0 &&
	    errno != ENOENT) {
		walk->is_refilled = errno == ENOTEMPTY;
		return err_errno(err, errno, "rmdir %s", name);
	}
	return 0;
}

/* EXDEV for a mount, also one of the same file system. */
static int
open_below(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = OPEN_DIR,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return (int)fd;
}

static int
step(struct walk *walk, struct level *level, struct skiff_error *err)
{
	const char *name;
	int fd;

	if (level->next == level->subdirs.n)
		return list(walk, level, err);
	name = level->subdirs.items[level->next];
	fd = open_below(walk->fd, name);
	if (fd >= 0)
		return push(walk, fd, err);
	if (errno == EXDEV && walk->is_removal)
		return err_set(err, SKIFF_FAILED_PRECONDITION,
			       "%s is on another file system", name);
	/* Gone, or no directory any more: nothing below it. */
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP &&
	    errno != EXDEV)
		return err_errno(err, errno, "open %s", name);
	level->next++;
	return 0;
}

static int
walk_tree(struct walk *walk, int dirfd, const char *path,
	  struct skiff_error *err)
{
	int fd = openat(dirfd, path, OPEN_DIR | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (push(walk, fd, err) < 0)
		return -1;
	for (;;) {
		struct level *level = &walk->levels[walk->n - 1];

		if (level->next < level->subdirs.n || !level->is_listed) {
			if (step(walk, level, err) < 0)
				return -1;
		} else if (walk->n == 1) {
			return 0;
		} else if (leave(walk, err) < 0) {
			return -1;
		}
	}
}

int
fs_list(int dirfd, const char *path, struct strv *names,
	struct skiff_error *err)
{
	CLEANUP(closedirp) DIR *dir = NULL;
	int fd = openat(dirfd, path, OPEN_DIR | O_CLOEXEC);
	struct dirent *entry;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		(void)err_errno(err, errno, "list %s", path);
		closep(&fd);
		return -1;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			strv_add(names, entry->d_name);
	if (errno)
		return err_errno(err, errno, "list %s", path);
	return 0;
}

static int
remove_once(int dirfd, const char *path, bool *ret_is_refilled,
	    struct skiff_error *err)
{
	CLEANUP(walk_done) struct walk walk = { .fd = -1, .is_removal = true };
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_errno(err, errno, "stat %s", path);
	}
	walk.device = st.st_dev;
	if (S_ISDIR(st.st_mode) && walk_tree(&walk, dirfd, path, err) < 0) {
		*ret_is_refilled = walk.is_refilled;
		return err_wrap(err, "%s", path);
	}
	if (unlinkat(dirfd, path, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 &&
	    errno != ENOENT) {
		*ret_is_refilled = errno == ENOTEMPTY;
		return err_errno(err, errno, "remove %s", path);
	}
	return 0;
}

int
fs_remove_tree(int dirfd, const char *path, struct skiff_error *err)
{
	for (int i = 1;; i++) {
		bool is_refilled = false;

		if (remove_once(dirfd, path, &is_refilled, err) == 0)
			return 0;
		if (!is_refilled || i == REMOVALS_MAX)
			return -1;
		*err = (struct skiff_error)ERROR_INIT;
	}
}

int
fs_usage(int dirfd, const char *path, uint64_t *ret_bytes, uint64_t *ret_inodes,
	 struct skiff_error *err)
{
	CLEANUP(walk_done) struct walk walk = { .fd = -1 };
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "stat %s", path);
	walk.device = st.st_dev;
	if (!S_ISDIR(st.st_mode))
		count(&walk, &st);
	else if (walk_tree(&walk, dirfd, path, err) < 0)
		return err_wrap(err, "%s", path);
	*ret_bytes = walk.bytes;
	*ret_inodes = walk.inodes;
	return 0;
}
