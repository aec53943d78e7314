/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The directories of the layer being unpacked.
 *
 * Finds the directory in which an entry stands, inside the layer's root
 * whatever the symlinks met say, and makes it when the archive did not
 * list it. Knows every directory made, because times are set last and
 * because implied directories take their attributes from lower layers.
 *
 *	tree_init(&tree, root_fd, err);
 *	tree_parent(&tree, &path, &fd, err);
 *	mkdirat(fd, path.name, …);
 *	tree_finish(&tree, err);
 *
 * Nobody else may change the tree meanwhile. One thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/error.h"
#include "base/strv.h"

#define LAYER_PATH_SIZE 4096 /* with the NUL: what one system call takes */
#define LAYER_DEPTH_MAX 256
#define LAYER_NAME_MAX 255

/* A checked path: no empty, "." or ".." part, no slash at the ends. */
struct layer_path {
	char text[LAYER_PATH_SIZE]; /* "" is the root */
	size_t len;
	size_t parent_len; /* text[parent_len] is '/' unless 0 */
	const char *name;  /* the last part, within text */
};

/*
 * Leading slashes are dropped; ".." is refused, and so are whiteout names
 * before the last part. *ret_is_skipped tells a path below an aufs
 * directory of its own (".wh..wh.plnk"), which is nobody's content.
 */
int layer_path_parse(const char *text, struct layer_path *ret_path,
		     bool *ret_is_skipped, struct skiff_error *err);

struct tree_dir;
struct tree_cached {
	char *path;
	size_t len;
	uint32_t hash;
	int fd;
	uint64_t used_at;
};

#define TREE_CACHE_SIZE 32

struct tree {
	int root_fd;
	struct tree_cached cache[TREE_CACHE_SIZE];
	uint64_t now;	       /* of the cache's uses */
	struct tree_dir *dirs; /* every directory made, in order */
	size_t n_dirs;
	size_t cap_dirs;
	uint32_t *slots; /* hash of inode numbers: index + 1, or 0 */
	size_t n_slots;
	size_t memory; /* bytes held for dirs */
	uint64_t n_implied;
	bool has_setgid; /* new files may inherit a group */
};

int tree_init(struct tree *tree, int root_fd, struct skiff_error *err);
void tree_done(struct tree *tree);

/*
 * The directory holding path's last part; made if missing. The descriptor
 * is the tree's and good until the next call of a tree function.
 */
int tree_parent(struct tree *tree, const struct layer_path *path, int *ret_fd,
		struct skiff_error *err);
/* The same for the first len bytes of text, which is a checked path. */
int tree_open(struct tree *tree, const char *text, size_t len, bool create,
	      int *ret_fd, struct skiff_error *err);

/* Notes a directory that the archive lists, and takes over its fd. */
int tree_add(struct tree *tree, const struct layer_path *path, int fd,
	     const struct stat *st, const struct timespec *mtime,
	     struct skiff_error *err);
/*
 * Removes dirfd/name, whatever it is. ret_type: the file type that was
 * there; 0 for none.
 */
int tree_remove(struct tree *tree, int dirfd, const char *name,
		mode_t *ret_type, struct skiff_error *err);
/* Sets the directories' times, and adds the paths of those implied. */
int tree_finish(struct tree *tree, struct strv *ret_implied,
		struct skiff_error *err);

/* Hides what lower layers have below this directory. */
int tree_set_opaque(int fd, struct skiff_error *err);
bool is_whiteout(const struct stat *st);
