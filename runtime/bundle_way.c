/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from "/" to a root filesystem, for the root of a user namespace,
 * who is nobody on the host.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/bundle.h"
#include "runtime/spec/user_namespace.h"

/* What lies above the daemon's own is up to whoever made it. */
static int
check_way(const char *dir, struct skiff_error *err)
{
	cleanup_free char *path = xstrdup(dir);
	char *slash;
	struct stat st;

	while ((slash = strrchr(path, '/')) != NULL && slash > path) {
		*slash = '\0';
		if (stat(path, &st) < 0)
			return err_errno(err, errno, "%s", path);
		if (st.st_mode & S_IXOTH)
			continue;
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "user namespaces need a state directory that "
			      "everybody can pass through, and %s is closed",
			      path);
		return err_reason(err, "state_unreachable");
	}
	return 0;
}

int
bundle_open_way(const char *run_dir, int task_fd,
		const struct spec_owner *owner, struct skiff_error *err)
{
	static const char *const own[] = { SHIM_DIR_RUN "/.", SHIM_DIR_BUNDLE };
	cleanup_free char *path = xstrdup(run_dir);

	/* The namespace's directory, and that of all tasks. */
	for (int i = 0; i < 2; i++) {
		*strrchr(path, '/') = '\0';
		if (chmod(path, 0711) < 0)
			return err_errno(err, errno, "chmod %s", path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (fchownat(task_fd, own[i], 0, owner->gid, 0) < 0 ||
		    fchmodat(task_fd, own[i], 0710, 0) < 0)
			return err_errno(err, errno, "open %s", own[i]);
	return check_way(run_dir, err);
}
