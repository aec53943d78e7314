/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared memory of another container, whose IPC namespace ours joins:
 * its /dev/shm, cloned in its mount namespace and moved into our bundle, from
 * where the runtime binds it. To bind it from here would be refused, since a
 * mount is bound only in the namespace that it is in.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define PATH_SHM "/dev/shm"

static int
unavailable(int number, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "the container that is joined has no " PATH_SHM
		      " of its own: errno %d",
		      number);
	return err_reason(err, "namespace_unavailable");
}

/*
 * Root is that container's here, and what lies in it its own affair: no link
 * is followed, least of all one of its /proc.
 */
static int
clone_shm(struct skiff_error *err)
{
	struct skiff_error fault = ERROR_INIT;
	cleanup_close int fd = -1;
	int tree;

	if (fs_open_unlinked(PATH_SHM, O_PATH | O_DIRECTORY, &fd, &fault) < 0)
		return unavailable(fault.sys_errno, err);
	tree = open_tree(fd, "",
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	return tree < 0 ? unavailable(errno, err) : tree;
}

/* There and back; without the way back the shim cannot go on. */
static int
take(struct shim *shim, const char *namespace, int *ret_tree,
     struct skiff_error *err)
{
	cleanup_close int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int other = open(namespace, O_RDONLY | O_CLOEXEC);

	if (own < 0 || root < 0 || other < 0 || setns(other, CLONE_NEWNS) < 0)
		return err_errno(err, errno,
				 "mount namespace of the container");
	*ret_tree = clone_shm(err);
	if (setns(own, CLONE_NEWNS) < 0 || fchdir(root) < 0 ||
	    chroot(".") < 0 || fchdir(shim->task_fd) < 0)
		return err_errno(err, errno, "own mount namespace");
	return *ret_tree < 0 ? -1 : 0;
}

int
shim_shm_take(struct shim *shim, struct skiff_error *err)
{
	struct skiff_error absent = ERROR_INIT;
	cleanup_close int tree = -1;
	char namespace[64];

	if (shim_read_small(shim->task_fd, SHIM_FILE_SHM, namespace,
			    sizeof(namespace), &absent) < 0)
		goto unread;
	if (take(shim, namespace, &tree, err) < 0)
		return -1;
	if (move_mount(tree, "", shim->task_fd, SHIM_DIR_SHM,
		       MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(err, errno, "mount on " SHIM_DIR_SHM);
	return 0;

unread:
	if (absent.sys_errno == ENOENT)
		return 0;
	*err = absent;
	return -1;
}

void
shim_shm_drop(struct shim *shim)
{
	char target[PATH_MAX];

	(void)snprintf(target, sizeof(target), "%s/" SHIM_DIR_SHM,
		       shim->task_dir);
	(void)umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
}
