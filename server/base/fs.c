/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files: whole reads, durable writes, trees, and the one door to paths
 * that somebody else chose.
 */
#include "config.h"

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"

static void
closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

int
fs_open_dir(int dirfd, const char *path, bool create, mode_t mode, int *ret_fd,
	    struct skiff_error *err)
{
	int fd;

	if (create && mkdirat(dirfd, path, mode) < 0 && errno != EEXIST)
		return err_errno(err, errno, "mkdir %s", path);
	fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	*ret_fd = fd;
	return 0;
}

int
fs_mkdir_all(int dirfd, const char *path, mode_t mode, struct skiff_error *err)
{
	cleanup_free char *partial = xstrdup(path);

	for (char *p = partial + 1; p[-1] != '\0'; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdirat(dirfd, partial, mode) < 0 && errno != EEXIST)
			return err_errno(err, errno, "mkdir %s", partial);
		*p = c;
	}
	return 0;
}

int
fs_open_in_root(int root_fd, const char *path, int flags, mode_t mode,
		int *ret_fd, struct skiff_error *err)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	/* EAGAIN: a rename raced with the walk (openat2(2)). */
	for (int i = 0; i < 32; i++) {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	*ret_fd = (int)fd;
	return 0;
}

int
fs_read_fd(int fd, size_t max, char **ret_text, size_t *ret_len,
	   struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (;;) {
		ssize_t n = read(fd, strbuf_grow(&text, 16384), 16384);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read");
		if (n == 0)
			break;
		strbuf_advance(&text, (size_t)n);
		if (text.len > max)
			return err_set(err, SKIFF_TOO_LARGE,
				       "more than %zu bytes", max);
	}
	if (ret_len)
		*ret_len = text.len;
	*ret_text = strbuf_steal(&text);
	return 0;
}

int
fs_read_file(int dirfd, const char *path, size_t max, char **ret_text,
	     size_t *ret_len, struct skiff_error *err)
{
	cleanup_close int fd = -1;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (fs_read_fd(fd, max, ret_text, ret_len, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}

int
fs_write_all(int fd, const void *data, size_t len, struct skiff_error *err)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fs_sync_dir(int dirfd, struct skiff_error *err)
{
	if (fsync(dirfd) < 0)
		return err_errno(err, errno, "fsync directory");
	return 0;
}

static int
write_temporary(int dirfd, const char *name, const void *data, size_t len,
		mode_t mode, bool durable, struct skiff_error *err)
{
	cleanup_close int fd = -1;

	(void)unlinkat(dirfd, name, 0);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_errno(err, errno, "create %s", name);
	if (fchmod(fd, mode) < 0)
		return err_errno(err, errno, "chmod %s", name);
	if (fs_write_all(fd, data, len, err) < 0)
		return err_wrap(err, "%s", name);
	if (durable && fsync(fd) < 0)
		return err_errno(err, errno, "fsync %s", name);
	return 0;
}

int
fs_replace_file(int dirfd, const char *name, const void *data, size_t len,
		mode_t mode, bool durable, struct skiff_error *err)
{
	cleanup_free char *temporary = xasprintf("%s.new", name);

	if (write_temporary(dirfd, temporary, data, len, mode, durable, err) <
		0 ||
	    (renameat(dirfd, temporary, dirfd, name) < 0 &&
	     err_errno(err, errno, "rename %s", temporary) < 0)) {
		(void)unlinkat(dirfd, temporary, 0);
		return -1;
	}
	return durable ? fs_sync_dir(dirfd, err) : 0;
}

/* Calls visit for every entry of the directory fd, which is consumed. */
typedef int (*entry_fn)(int dirfd, const char *name, const struct stat *st,
			void *arg, struct skiff_error *err);

static int
for_each_entry(int fd, entry_fn visit, void *arg, struct skiff_error *err)
{
	CLEANUP(closedirp) DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		(void)close(fd);
		return err_errno(err, errno, "list directory");
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_errno(err, errno, "stat %s", entry->d_name);
		if (visit(fd, entry->d_name, &st, arg, err) < 0)
			return -1;
	}
	if (errno)
		return err_errno(err, errno, "list directory");
	return 0;
}

static int
open_subdir(int dirfd, const char *name)
{
	return openat(dirfd, name,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int
remove_entry(int dirfd, const char *name, const struct stat *st, void *arg,
	     struct skiff_error *err)
{
	const dev_t *device = arg;
	int fd;

	if (!S_ISDIR(st->st_mode)) {
		if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
			return err_errno(err, errno, "unlink %s", name);
		return 0;
	}
	if (st->st_dev != *device)
		return err_set(err, SKIFF_FAILED_PRECONDITION,
			       "%s is on another file system", name);
	fd = open_subdir(dirfd, name);
	if (fd < 0)
		return err_errno(err, errno, "open %s", name);
	if (for_each_entry(fd, remove_entry, arg, err) < 0)
		return err_wrap(err, "%s", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno(err, errno, "rmdir %s", name);
	return 0;
}

int
fs_list(int dirfd, const char *path, struct strv *names,
	struct skiff_error *err)
{
	CLEANUP(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	int fd = open_subdir(dirfd, path);

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return err_errno(err, errno, "list %s", path);
	}
	while (errno = 0, (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			strv_add(names, entry->d_name);
	if (errno)
		return err_errno(err, errno, "list %s", path);
	return 0;
}

int
fs_remove_tree(int dirfd, const char *path, struct skiff_error *err)
{
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_errno(err, errno, "stat %s", path);
	}
	return remove_entry(dirfd, path, &st, &st.st_dev, err);
}

struct usage {
	uint64_t bytes;
	uint64_t inodes;
};

static int
add_usage(int dirfd, const char *name, const struct stat *st, void *arg,
	  struct skiff_error *err)
{
	struct usage *usage = arg;
	int fd;

	/* A file of n links is met n times: count a share of it each time. */
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1) {
		usage->bytes += (uint64_t)st->st_blocks * 512 / st->st_nlink;
		return 0;
	}
	usage->bytes += (uint64_t)st->st_blocks * 512;
	usage->inodes++;
	if (!S_ISDIR(st->st_mode))
		return 0;
	fd = open_subdir(dirfd, name);
	if (fd < 0)
		return err_errno(err, errno, "open %s", name);
	return for_each_entry(fd, add_usage, arg, err);
}

int
fs_usage(int dirfd, const char *path, uint64_t *ret_bytes, uint64_t *ret_inodes,
	 struct skiff_error *err)
{
	struct usage usage = { 0 };
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "stat %s", path);
	if (add_usage(dirfd, path, &st, &usage, err) < 0)
		return -1;
	*ret_bytes = usage.bytes;
	*ret_inodes = usage.inodes;
	return 0;
}
