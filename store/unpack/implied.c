/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of directories that a layer's archive did not list.
 *
 * An overlay directory covers that of the layers below, so one made only
 * to hold an entry must look like the one it covers.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "store/unpack/apply.h"
#include "store/unpack/attributes.h"

#define XATTR_SIZE_MAX ((size_t)64 * 1024)

/* What one layer says about a path. */
enum found {
	FOUND_NOTHING,	 /* ask the layer below */
	FOUND_HIDDEN,	 /* no layer below counts */
	FOUND_DIRECTORY, /* this is it */
};

static bool
is_opaque(int fd)
{
	char value;

	return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 &&
	       value == 'y';
}

/* Walks down, part by part, never through a symlink. */
static int
look_in(int layer_fd, const char *path, enum found *ret_found, int *ret_fd,
	struct skiff_error *err)
{
	cleanup_free char *copy = xstrdup(path);
	cleanup_close int fd = -1;
	bool is_hidden = false;
	char *rest = copy;
	const char *part;

	if (fs_open_dir(layer_fd, ".", /* create= */ false, 0, &fd, err) < 0)
		return -1;
	while ((part = strsep(&rest, "/")) != NULL) {
		int next =
		    openat(fd, part,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (next < 0 && errno != ENOENT && errno != ENOTDIR &&
		    errno != ELOOP)
			return err_errno(err, errno, "open %s", path);
		if (next < 0) {
			*ret_found = errno != ENOENT || is_hidden
					 ? FOUND_HIDDEN
					 : FOUND_NOTHING;
			return 0;
		}
		closep(&fd);
		fd = next;
		is_hidden |= is_opaque(fd);
	}
	*ret_found = FOUND_DIRECTORY;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int
copy_xattr(int from, int to, const char *name, struct skiff_error *err)
{
	cleanup_free char *value = xmalloc(XATTR_SIZE_MAX);
	ssize_t n = fgetxattr(from, name, value, XATTR_SIZE_MAX);

	if (n >= 0 && fsetxattr(to, name, value, (size_t)n, 0) < 0)
		return err_errno(err, errno, "copy attribute %s", name);
	return 0;
}

static int
copy_attributes(int from, int to, struct skiff_error *err)
{
	cleanup_free char *names = xmalloc(XATTR_SIZE_MAX);
	ssize_t len = flistxattr(from, names, XATTR_SIZE_MAX);
	struct timespec times[2];
	struct stat st;

	if (fstat(from, &st) < 0)
		return err_errno(err, errno, "stat a lower directory");
	if (fchown(to, st.st_uid, st.st_gid) < 0 ||
	    fchmod(to, st.st_mode & 07777) < 0)
		return err_errno(err, errno,
				 "set an implied directory's "
				 "attributes");
	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(names + i) + 1)
		if (xattr_judge(names + i, "", 0, /* is_directory= */ true) ==
			XATTR_KEEP &&
		    copy_xattr(from, to, names + i, err) < 0)
			return -1;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (futimens(to, times) < 0)
		return err_errno(err, errno, "set a time");
	return 0;
}

/* Is the path, or one above it, cut off from lower layers? */
static int
is_cut_off(int dirfd, const char *path, bool *ret_is_cut_off, int *ret_fd,
	   struct skiff_error *err)
{
	cleanup_free char *copy = xstrdup(path);
	cleanup_close int fd = -1;

	*ret_is_cut_off = false;
	for (char *p = copy;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		closep(&fd);
		fd = -1;
		if (fs_open_in_root(dirfd, copy,
				    O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd,
				    err) < 0)
			return -1;
		*ret_is_cut_off |= is_opaque(fd);
		if (c == '\0')
			break;
		*p = c;
	}
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int
fix_one(int dirfd, const char *path, const int *lower_fds, size_t n_lowers,
	struct skiff_error *err)
{
	cleanup_close int to = -1;
	bool is_alone;

	if (is_cut_off(dirfd, path, &is_alone, &to, err) < 0)
		return -1;
	for (size_t i = 0; i < n_lowers && !is_alone; i++) {
		cleanup_close int from = -1;
		enum found found = FOUND_NOTHING;

		if (look_in(lower_fds[i], path, &found, &from, err) < 0)
			return -1;
		if (found == FOUND_DIRECTORY)
			return copy_attributes(from, to, err);
		is_alone = found == FOUND_HIDDEN;
	}
	return 0;
}

int
layer_fix_implied_parents(int dirfd, const struct strv *implied,
			  const int *lower_fds, size_t n_lowers,
			  struct skiff_error *err)
{
	for (size_t i = 0; i < implied->n; i++)
		if (fix_one(dirfd, implied->items[i], lower_fds, n_lowers,
			    err) < 0)
			return err_wrap(err, "implied directory \"%s\"",
					implied->items[i]);
	return 0;
}
