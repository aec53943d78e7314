/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources of bind mounts that somebody else may change while they are
 * mounted: opened below their bind root, over no link, and mounted in our
 * bundle, from where the runtime binds them. What it was given as a path it
 * would look up once more, and follow whatever is there by then.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static void
target_path(const struct shim *shim, size_t number, char target[PATH_MAX])
{
	(void)snprintf(target, PATH_MAX, "%s/" SHIM_DIR_BINDS "/%zu",
		       shim->task_dir, number);
}

static int
open_source(const char *root, const char *below, int *ret_fd,
	    struct skiff_error *err)
{
	struct skiff_error fault = ERROR_INIT;
	cleanup_close int root_fd = -1;

	if (fs_open_unlinked(root, O_PATH | O_DIRECTORY, &root_fd, &fault) ==
		0 &&
	    fs_open_beneath(root_fd, below, O_PATH, ret_fd, &fault) == 0)
		return 0;
	/* The daemon could, a moment ago. */
	return err_set(err, SKIFF_FAILED_PRECONDITION,
		       "mount source %s/%s was changed meanwhile: %.256s", root,
		       below, fault.text);
}

static int
mount_source(const struct shim *shim, const char *root, const char *below,
	     size_t number, struct skiff_error *err)
{
	cleanup_close int fd = -1;
	char target[PATH_MAX];
	char source[32];

	if (open_source(root, below, &fd, err) < 0)
		return -1;
	(void)snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	target_path(shim, number, target);
	/* Without what is mounted below it: see fs_open_beneath(). */
	if (mount(source, target, NULL, MS_BIND, NULL) == 0)
		/* Nor what will be. */
		return mount(NULL, target, NULL, MS_PRIVATE, NULL) == 0
			   ? 0
			   : err_errno(err, errno, "private %s", target);
	/* A file in place of a directory, or the other way. */
	if (errno == ENOTDIR)
		return err_set(err, SKIFF_FAILED_PRECONDITION,
			       "mount source %s/%s was changed meanwhile", root,
			       below);
	return err_errno(err, errno, "bind %s/%s", root, below);
}

int
shim_binds_mount(struct shim *shim, struct skiff_error *err)
{
	const char *p = (const char *)shim_scratch;
	struct skiff_error absent = ERROR_INIT;
	const char *end;
	const char *root;

	if (shim_read_list(shim, SHIM_FILE_BINDS, &end, &absent) < 0) {
		if (absent.sys_errno == ENOENT)
			return 0;
		*err = absent;
		return -1;
	}
	for (size_t i = 0; (root = shim_next_word(&p, end)) != NULL; i++) {
		const char *below = shim_next_word(&p, end);

		if (!below)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       SHIM_FILE_BINDS " is not whole");
		if (mount_source(shim, root, below, i, err) < 0)
			return err_reason(err, "mount_failed");
	}
	return 0;
}

void
shim_binds_drop(struct shim *shim)
{
	char target[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0; i++) {
		target_path(shim, i, target);
		r = umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
}
