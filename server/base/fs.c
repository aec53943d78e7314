/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files: whole reads, durable writes, trees, and the one door to paths
 * that somebody else chose.
 */
#include "config.h"

#include "base/fs.h"

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

static int
open_resolved(int root_fd, const char *path, const struct open_how *how,
	      int *ret_fd, struct skiff_error *err)
{
	long fd;

	/* EAGAIN: a rename raced with the walk (openat2(2)). */
	for (int i = 0; i < 32; i++) {
		fd = syscall(SYS_openat2, root_fd, path, how, sizeof(*how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	*ret_fd = (int)fd;
	return 0;
}

int
fs_open_in_root(int root_fd, const char *path, int flags, mode_t mode,
		int *ret_fd, struct skiff_error *err)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return open_resolved(root_fd, path, &how, ret_fd, err);
}

int
fs_open_unlinked(const char *path, int flags, int *ret_fd,
		 struct skiff_error *err)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return open_resolved(AT_FDCWD, path, &how, ret_fd, err);
}

int
fs_open_beneath(int root_fd, const char *path, int flags, int *ret_fd,
		struct skiff_error *err)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return open_resolved(root_fd, path, &how, ret_fd, err);
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

int
fs_create_file(int dirfd, const char *name, const void *data, size_t len,
	       mode_t mode, struct skiff_error *err)
{
	cleanup_close int fd =
	    openat(dirfd, name,
		   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return err_errno(err, errno, "create %s", name);
	if (fs_write_all(fd, data, len, err) < 0)
		return err_wrap(err, "%s", name);
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
