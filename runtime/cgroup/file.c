/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing cgroup files. They are short, and the kernel makes
 * them on the spot: one read gives the whole.
 */
#include "config.h"

#include "runtime/cgroup/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

int
cgroup_open_at(const struct cgroup_dirs *dirs, size_t i, const char *name,
	       int flags)
{
	char path[CGROUP_TEXT_MAX + 64];

	if (!cgroup_may_have(dirs, i, name)) {
		errno = ENOENT;
		return -1;
	}
	(void)snprintf(path, sizeof(path), "%s/%s", cgroup_dir(dirs, i), name);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW);
}

int
cgroup_open(const struct cgroup_dirs *dirs, const char *name, int flags)
{
	for (size_t i = 0; i < dirs->n; i++) {
		int fd = cgroup_open_at(dirs, i, name, flags);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

bool
cgroup_read_fd(int taken, char *buf, size_t cap)
{
	cleanup_close int fd = taken;
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return false;
	while (len < cap - 1 && (n = read(fd, buf + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return false;
	buf[len] = '\0';
	return true;
}

bool
cgroup_read(const struct cgroup_dirs *dirs, const char *name, char *buf,
	    size_t cap)
{
	return cgroup_read_fd(cgroup_open(dirs, name, O_RDONLY), buf, cap);
}

bool
cgroup_exists(const struct cgroup_dirs *dirs)
{
	for (size_t i = 0; i < dirs->n; i++)
		if (access(cgroup_dir(dirs, i), F_OK) == 0)
			return true;
	return false;
}

int
cgroup_write(const struct cgroup_dirs *dirs, const char *name, const char *text,
	     struct skiff_error *err)
{
	cleanup_close int fd = cgroup_open(dirs, name, O_WRONLY);

	if (fd < 0)
		return err_set(err, SKIFF_NOT_FOUND, "cgroup has no %s", name);
	if (write(fd, text, strlen(text)) < 0)
		return err_errno(err, errno, "write %s to %s", text, name);
	return 0;
}
