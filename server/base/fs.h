/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files: whole reads, durable writes, trees, and the one door to paths
 * that somebody else chose.
 *
 * Every path relative to a directory descriptor; AT_FDCWD for absolute
 * ones. All descriptors are close-on-exec.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/strv.h"

/* Opens a directory; makes it (one level, mode) when create is set. */
int fs_open_dir(int dirfd, const char *path, bool create, mode_t mode,
		int *ret_fd, struct skiff_error *err);

/* mkdir -p with mode for each directory made. */
int fs_mkdir_all(int dirfd, const char *path, mode_t mode,
		 struct skiff_error *err);

/*
 * Opens a path that an image, a client or a container chose, resolved
 * inside root_fd whatever its symlinks say: openat2(2) with
 * RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS. flags as for open(2);
 * O_CLOEXEC is added.
 */
int fs_open_in_root(int root_fd, const char *path, int flags, mode_t mode,
		    int *ret_fd, struct skiff_error *err);

/* Opens an absolute path over no symbolic link: RESOLVE_NO_SYMLINKS. */
int fs_open_unlinked(const char *path, int flags, int *ret_fd,
		     struct skiff_error *err);

/*
 * Opens a relative path below root_fd, on the same mount, over no symbolic
 * link: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV. Else the
 * sys_errno is EXDEV or ELOOP.
 */
int fs_open_beneath(int root_fd, const char *path, int flags, int *ret_fd,
		    struct skiff_error *err);

/*
 * The whole of a regular file, at most max bytes (SKIFF_TOO_LARGE), with
 * a NUL behind it. The caller frees.
 */
int fs_read_file(int dirfd, const char *path, size_t max, char **ret_text,
		 size_t *ret_len, struct skiff_error *err);
/* The same from an open descriptor, from its present position on. */
int fs_read_fd(int fd, size_t max, char **ret_text, size_t *ret_len,
	       struct skiff_error *err);

int fs_write_all(int fd, const void *data, size_t len, struct skiff_error *err);

/*
 * Replaces dirfd/name whole: temporary file, write, fsync, rename, and
 * fsync of the directory when durable is set. Readers see the old or the
 * new content; with durable also after a power cut.
 */
int fs_replace_file(int dirfd, const char *name, const void *data, size_t len,
		    mode_t mode, bool durable, struct skiff_error *err);

/* Writes a file of a directory that nobody reads yet; not durable. */
int fs_create_file(int dirfd, const char *name, const void *data, size_t len,
		   mode_t mode, struct skiff_error *err);

int fs_sync_dir(int dirfd, struct skiff_error *err);

/* Adds the names in a directory, without "." and "..", in any order. */
int fs_list(int dirfd, const char *path, struct strv *names,
	    struct skiff_error *err);

/*
 * Removes a tree by descriptors, never following a link and never
 * crossing into another file system. A missing path is success. Neither
 * depth nor width of the tree costs stack or descriptors. What somebody
 * still writes into it goes, too, unless they never let up.
 */
int fs_remove_tree(int dirfd, const char *path, struct skiff_error *err);

/*
 * Bytes (st_blocks) and inodes of a tree. A file with n links counts as
 * 1/n of its bytes for each link inside, and as no inode of its own. What
 * other file systems hold below it is not counted.
 */
int fs_usage(int dirfd, const char *path, uint64_t *ret_bytes,
	     uint64_t *ret_inodes, struct skiff_error *err);
