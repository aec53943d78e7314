/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of the layer being unpacked.
 *
 * Two ways to a parent directory. The quick one lets the kernel resolve
 * the path inside the root (openat2); a small cache of descriptors saves
 * most of these. If the kernel finds a part missing, the slow one walks by
 * hand, part by part without following anything, expands symlinks itself
 * and makes what is missing: also behind a symlink whose target does not
 * exist, as the archive's author saw it.
 *
 * A directory is known by its inode number, so that a path which leads
 * elsewhere at the end is noticed and left alone.
 */
#include "config.h"

#include "store/unpack/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "store/unpack/refusal.h"

#define LINKS_MAX 40
/* Of all that is kept about directories. */
#define MEMORY_MAX ((size_t)48 * 1024 * 1024)

struct tree_dir {
	uint64_t inode;
	char *path;
	struct timespec mtime;
	bool is_implied;
};

bool
is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int
tree_set_opaque(int fd, struct skiff_error *err)
{
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_errno(err, errno, "set trusted.overlay.opaque");
	return 0;
}

static int
check_part(const char *part, size_t len, struct skiff_error *err)
{
	if (len > LAYER_NAME_MAX)
		return layer_limit(err, "a part of the name has more than "
					"255 bytes");
	if (len == 2 && memcmp(part, "..", 2) == 0)
		return layer_fault(err, "the name has a part \"..\"");
	return 0;
}

int
layer_path_parse(const char *text, struct layer_path *ret_path,
		 bool *ret_is_skipped, struct skiff_error *err)
{
	struct layer_path *path = ret_path;
	size_t depth = 0;

	path->len = 0;
	path->parent_len = 0;
	*ret_is_skipped = false;
	for (size_t n; *text; text += n) {
		n = strcspn(text, "/");
		if (n == 0) {
			n = 1;
			continue;
		}
		if (n == 1 && *text == '.')
			continue;
		if (check_part(text, n, err) < 0)
			return -1;
		if (path->len + n + 2 > sizeof(path->text))
			return layer_limit(err, "the name has more than 4095 "
						"bytes");
		if (++depth > LAYER_DEPTH_MAX)
			return layer_limit(err, "the name has more than 256 "
						"parts");
		if (!*ret_is_skipped && path->len > 0 &&
		    strncmp(path->name, ".wh.", 4) == 0)
			return layer_fault(err, "something below a whiteout");
		path->parent_len = path->len;
		if (path->len > 0)
			path->text[path->len++] = '/';
		path->name = path->text + path->len;
		memcpy(path->text + path->len, text, n);
		path->len += n;
		path->text[path->len] = '\0';
		if (strncmp(path->name, ".wh..wh.", 8) == 0 &&
		    strcmp(path->name, ".wh..wh..opq") != 0)
			*ret_is_skipped = true;
	}
	path->text[path->len] = '\0';
	if (path->len == 0)
		path->name = path->text;
	return 0;
}

int
tree_init(struct tree *tree, int root_fd, struct skiff_error *err)
{
	struct stat st;

	memset(tree, 0, sizeof(*tree));
	tree->root_fd = root_fd;
	for (size_t i = 0; i < TREE_CACHE_SIZE; i++)
		tree->cache[i].fd = -1;
	if (fstat(root_fd, &st) < 0)
		return err_errno(err, errno, "stat the layer's directory");
	tree->has_setgid = (st.st_mode & S_ISGID) != 0;
	return 0;
}

static void
drop(struct tree_cached *cached)
{
	closep(&cached->fd);
	cached->fd = -1;
	free(STEAL_PTR(cached->path));
}

/* Before something on a cached path goes away. */
static void
forget_all(struct tree *tree)
{
	for (size_t i = 0; i < TREE_CACHE_SIZE; i++)
		drop(&tree->cache[i]);
}

void
tree_done(struct tree *tree)
{
	forget_all(tree);
	for (size_t i = 0; i < tree->n_dirs; i++)
		free(tree->dirs[i].path);
	free(tree->dirs);
	free(tree->slots);
}

static uint32_t
hash_path(const char *text, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	return hash;
}

/* -1 when it is not there. */
static int
cache_get(struct tree *tree, const char *text, size_t len)
{
	uint32_t hash = hash_path(text, len);

	for (size_t i = 0; i < TREE_CACHE_SIZE; i++) {
		struct tree_cached *cached = &tree->cache[i];

		if (cached->fd >= 0 && cached->hash == hash &&
		    cached->len == len &&
		    memcmp(cached->path, text, len) == 0) {
			cached->used_at = ++tree->now;
			return cached->fd;
		}
	}
	return -1;
}

/* Takes over fd, in the place of the one used longest ago. */
static int
cache_put(struct tree *tree, const char *text, size_t len, int fd)
{
	struct tree_cached *oldest = &tree->cache[0];

	for (size_t i = 1; i < TREE_CACHE_SIZE && oldest->fd >= 0; i++)
		if (tree->cache[i].fd < 0 ||
		    tree->cache[i].used_at < oldest->used_at)
			oldest = &tree->cache[i];
	drop(oldest);
	oldest->path = xstrndup(text, len);
	oldest->len = len;
	oldest->hash = hash_path(text, len);
	oldest->used_at = ++tree->now;
	oldest->fd = fd;
	return fd;
}

static uint32_t *
find_slot(struct tree *tree, uint64_t inode)
{
	size_t mask = tree->n_slots - 1;
	size_t i = (size_t)(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

	while (tree->slots[i] != 0 &&
	       tree->dirs[tree->slots[i] - 1].inode != inode)
		i = (i + 1) & mask;
	return &tree->slots[i];
}

static void
grow(struct tree *tree)
{
	size_t n = tree->cap_dirs ? tree->cap_dirs * 2 : 256;

	tree->dirs = xrealloc(tree->dirs, n, sizeof(*tree->dirs));
	tree->cap_dirs = n;
	free(tree->slots);
	tree->n_slots = n * 2;
	tree->slots = xcalloc(tree->n_slots, sizeof(*tree->slots));
	for (size_t i = 0; i < tree->n_dirs; i++)
		*find_slot(tree, tree->dirs[i].inode) = (uint32_t)i + 1;
}

/* A number met before is a directory's that was listed twice or removed. */
static int
note(struct tree *tree, const struct tree_dir *dir, const char *path,
     size_t len, struct skiff_error *err)
{
	uint32_t *slot;
	struct tree_dir *known;

	if (tree->n_dirs == tree->cap_dirs)
		grow(tree);
	slot = find_slot(tree, dir->inode);
	if (*slot == 0) {
		known = &tree->dirs[tree->n_dirs++];
		*slot = (uint32_t)tree->n_dirs;
	} else {
		known = &tree->dirs[*slot - 1];
		tree->memory -= strlen(known->path) + 1 + sizeof(*known);
		free(known->path);
	}
	*known = *dir;
	known->path = xstrndup(path, len);
	tree->memory += len + 1 + sizeof(*known);
	if (tree->memory > MEMORY_MAX)
		return layer_limit(err, "too many directories");
	return 0;
}

int
tree_add(struct tree *tree, const struct layer_path *path, int fd,
	 const struct stat *st, const struct timespec *mtime,
	 struct skiff_error *err)
{
	struct tree_dir dir = { .inode = st->st_ino, .mtime = *mtime };

	if (cache_get(tree, path->text, path->len) < 0)
		(void)cache_put(tree, path->text, path->len, fd);
	else
		(void)close(fd);
	return note(tree, &dir, path->text, path->len, err);
}

int
tree_remove(struct tree *tree, int dirfd, const char *name, mode_t *ret_type,
	    struct skiff_error *err)
{
	struct stat st;

	*ret_type = 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "stat");
	*ret_type = st.st_mode & S_IFMT;
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(dirfd, name, 0) < 0)
			return err_errno(err, errno, "unlink");
	} else if (fs_remove_tree(dirfd, name, err) < 0) {
		return -1;
	}
	/* Both may stand on a cached path. dirfd may be a cached one itself,
	 * and is still in use: only its path is forgotten. */
	if (!S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
		return 0;
	for (size_t i = 0; i < TREE_CACHE_SIZE; i++) {
		if (tree->cache[i].fd == dirfd)
			tree->cache[i].len = SIZE_MAX;
		else
			drop(&tree->cache[i]);
	}
	return 0;
}

/* The walk by hand. */
struct walk {
	struct tree *tree;
	int fd;		      /* the directory reached, owned */
	struct layer_path at; /* its real path */
	size_t depth;
	char rest[2 * LAYER_PATH_SIZE]; /* what is still to be walked */
	size_t own_len; /* bytes at the end of rest not from a symlink */
	int n_links;
	bool create;
};

static int
walk_to(struct walk *walk, int fd)
{
	closep(&walk->fd);
	walk->fd = fd;
	return 0;
}

static int
walk_up(struct walk *walk, bool to_root, struct skiff_error *err)
{
	struct layer_path *at = &walk->at;
	char *slash;
	int fd;

	at->text[at->len] = '\0';
	slash = to_root ? NULL : strrchr(at->text, '/');
	at->len = slash ? (size_t)(slash - at->text) : 0;
	at->text[at->len] = '\0';
	walk->depth = to_root || walk->depth == 0 ? 0 : walk->depth - 1;
	if (fs_open_in_root(walk->tree->root_fd, at->len ? at->text : ".",
			    O_RDONLY | O_DIRECTORY, 0, &fd, err) < 0)
		return -1;
	return walk_to(walk, fd);
}

static int
walk_down(struct walk *walk, const char *part, struct skiff_error *err)
{
	struct layer_path *at = &walk->at;
	size_t n = strlen(part);
	int fd;

	if (at->len + n + 2 > sizeof(at->text) ||
	    ++walk->depth > LAYER_DEPTH_MAX)
		return layer_limit(err, "the directory lies too deep");
	if (at->len > 0)
		at->text[at->len++] = '/';
	memcpy(at->text + at->len, part, n + 1);
	at->len += n;
	fd = openat(walk->fd, part,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open a directory");
	return walk_to(walk, fd);
}

static int
walk_through_link(struct walk *walk, const char *part, struct skiff_error *err)
{
	char target[LAYER_PATH_SIZE];
	size_t rest_len = strlen(walk->rest);
	ssize_t n = readlinkat(walk->fd, part, target, sizeof(target));

	if (n < 0)
		return err_errno(err, errno, "read a symlink");
	if (++walk->n_links > LINKS_MAX)
		return layer_fault(err, "too many symlinks on the way");
	if ((size_t)n + 1 + rest_len + 1 > sizeof(walk->rest))
		return layer_limit(err, "the symlinks on the way are too long");
	memmove(walk->rest + n + 1, walk->rest, rest_len + 1);
	memcpy(walk->rest, target, (size_t)n);
	walk->rest[n] = '/';
	return target[0] == '/' ? walk_up(walk, /* to_root= */ true, err) : 0;
}

/* A directory that the archive does not list. */
static int
walk_make(struct walk *walk, const char *part, bool is_opaque,
	  struct skiff_error *err)
{
	struct tree_dir dir = { .is_implied = true };
	struct stat st;

	if (strncmp(part, ".wh.", 4) == 0)
		return layer_fault(err, "something below a whiteout");
	if (mkdirat(walk->fd, part, 0755) < 0)
		return err_errno(err, errno, "mkdir");
	if (walk_down(walk, part, err) < 0)
		return -1;
	if (fchown(walk->fd, geteuid(), getegid()) < 0 ||
	    fchmod(walk->fd, 0755) < 0 || fstat(walk->fd, &st) < 0)
		return err_errno(err, errno, "make a parent directory");
	if (is_opaque && tree_set_opaque(walk->fd, err) < 0)
		return -1;
	dir.inode = st.st_ino;
	walk->tree->n_implied++;
	return note(walk->tree, &dir, walk->at.text, walk->at.len, err);
}

static int
walk_step(struct walk *walk, const char *part, bool is_own,
	  struct skiff_error *err)
{
	struct stat st;
	mode_t type;

	if (strcmp(part, "..") == 0)
		return walk_up(walk, /* to_root= */ false, err);
	if (fstatat(walk->fd, part, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return err_errno(err, errno, "stat a directory");
		if (!walk->create)
			return layer_fault(err, "it is not in the layer");
		return walk_make(walk, part, /* is_opaque= */ false, err);
	}
	if (S_ISDIR(st.st_mode))
		return walk_down(walk, part, err);
	if (S_ISLNK(st.st_mode))
		return walk_through_link(walk, part, err);
	if (!walk->create)
		return layer_fault(err, "it is not in the layer");
	if (!is_own && !is_whiteout(&st))
		return layer_fault(err, "a symlink on the way leads to a file");
	if (tree_remove(walk->tree, walk->fd, part, &type, err) < 0)
		return -1;
	return walk_make(walk, part, /* is_opaque= */ true, err);
}

static int
walk_all(struct walk *walk, struct skiff_error *err)
{
	char part[LAYER_NAME_MAX + 1];

	for (;;) {
		char *rest = walk->rest + strspn(walk->rest, "/");
		size_t n = strcspn(rest, "/");
		bool is_own = strlen(rest) <= walk->own_len;

		if (n == 0)
			return 0;
		if (n > LAYER_NAME_MAX)
			return layer_limit(err, "a symlink on the way has a "
						"part of more than 255 bytes");
		memcpy(part, rest, n);
		part[n] = '\0';
		rest += n;
		memmove(walk->rest, rest, strlen(rest) + 1);
		if (is_own)
			walk->own_len = strlen(walk->rest);
		if (strcmp(part, ".") != 0 &&
		    walk_step(walk, part, is_own, err) < 0)
			return -1;
	}
}

static int
open_slowly(struct tree *tree, const char *text, size_t len, bool create,
	    int *ret_fd, struct skiff_error *err)
{
	cleanup_free struct walk *walk = xcalloc(1, sizeof(*walk));

	walk->tree = tree;
	walk->fd = -1;
	walk->create = create;
	memcpy(walk->rest, text, len);
	walk->own_len = len;
	if (walk_up(walk, /* to_root= */ true, err) < 0 ||
	    walk_all(walk, err) < 0) {
		closep(&walk->fd);
		return -1;
	}
	*ret_fd = walk->fd;
	return 0;
}

int
tree_open(struct tree *tree, const char *text, size_t len, bool create,
	  int *ret_fd, struct skiff_error *err)
{
	char path[LAYER_PATH_SIZE];
	struct skiff_error reason;
	int fd;

	if (len == 0) {
		*ret_fd = tree->root_fd;
		return 0;
	}
	fd = cache_get(tree, text, len);
	if (fd < 0) {
		memcpy(path, text, len);
		path[len] = '\0';
		if (fs_open_in_root(tree->root_fd, path, O_RDONLY | O_DIRECTORY,
				    0, &fd, &reason) < 0 &&
		    open_slowly(tree, text, len, create, &fd, err) < 0)
			return -1;
		(void)cache_put(tree, text, len, fd);
	}
	*ret_fd = fd;
	return 0;
}

int
tree_parent(struct tree *tree, const struct layer_path *path, int *ret_fd,
	    struct skiff_error *err)
{
	return tree_open(tree, path->text, path->parent_len, /* create= */ true,
			 ret_fd, err);
}

/* Opens a noted directory if its path still leads to it, else -1. */
static int
reopen(struct tree *tree, const struct tree_dir *dir)
{
	struct skiff_error ignored;
	cleanup_close int fd = -1;
	struct stat st;

	if (fs_open_in_root(tree->root_fd, dir->path[0] ? dir->path : ".",
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd,
			    &ignored) < 0)
		return -1;
	if (fstat(fd, &st) < 0 || st.st_ino != dir->inode)
		return -1;
	return STEAL_FD(fd);
}

int
tree_finish(struct tree *tree, struct strv *ret_implied,
	    struct skiff_error *err)
{
	forget_all(tree);
	for (size_t i = 0; i < tree->n_dirs; i++) {
		const struct tree_dir *dir = &tree->dirs[i];
		struct timespec times[2] = { dir->mtime, dir->mtime };
		cleanup_close int fd = reopen(tree, dir);

		if (fd < 0)
			continue;
		if (dir->is_implied)
			strv_add(ret_implied, dir->path);
		else if (futimens(fd, times) < 0)
			return err_errno(err, errno, "set a time");
	}
	return 0;
}
