/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a process of ours into a cgroup of ours.
 */
#include "config.h"

#include "runtime/cgroup/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/cgroup/file.h"
#include "runtime/cgroup/path.h"

static bool
is_cpuset(const struct cgroup_dirs *dirs, size_t i)
{
	return strncmp(cgroup_dir(dirs, i), "/sys/fs/cgroup/cpuset/",
		       strlen("/sys/fs/cgroup/cpuset/")) == 0;
}

/* With its parent; what is above must be there. */
static void
make_dir(const char *dir)
{
	const char *slash = strrchr(dir, '/');
	char parent[PATH_MAX];

	if (mkdir(dir, 0755) == 0 || errno != ENOENT)
		return;
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - dir), dir);
	(void)mkdir(parent, 0755);
	(void)mkdir(dir, 0755);
}

void
cgroup_enter(const char *path, pid_t pid)
{
	struct skiff_error unknown = ERROR_INIT;
	struct cgroup_dirs dirs;
	char text[16];

	if (cgroup_dirs_from_path(path, &dirs, &unknown) < 0)
		return;
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < dirs.n; i++) {
		cleanup_close int fd = -1;

		if (is_cpuset(&dirs, i))
			continue;
		make_dir(cgroup_dir(&dirs, i));
		fd = cgroup_open_at(&dirs, i, "cgroup.procs", O_WRONLY);
		if (fd < 0 || write(fd, text, strlen(text)) < 0)
			(void)rmdir(cgroup_dir(&dirs, i));
	}
}
