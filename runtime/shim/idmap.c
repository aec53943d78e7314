/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a container that has a user namespace.
 *
 * On the disk they belong to the ids that the container knows, 0 and up:
 * layers are shared, compared and packed as those of any other. So the
 * directory that a root filesystem is mounted from is covered by a clone
 * of itself which shows each id as the host's id of it (mount_setattr(2),
 * MOUNT_ATTR_IDMAP). The cover is seen in our mount namespace alone, and
 * goes once the mount is made, which keeps what it stands on.
 *
 * To such a mount the host's root is nobody, who cannot make a file there.
 * So what is done there is done with the file ids of the container's root,
 * and with our capabilities, of which setfsuid(2) takes some away. What
 * overlayfs does by itself it does as whoever mounted it: the same.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAP_TEXT_MAX 4096 /* the kernel takes one page */

/* --- a user namespace to copy the ids from ------------------------------ */

/* Its memory is a copy of ours. It holds the namespace until it is killed. */
static __attribute__((no_sanitize("address", "undefined", "thread"))) int
holder_main(void *arg)
{
	pid_t *parent = arg;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == *parent)
		(void)pause();
	(void)syscall(SYS_exit_group, 0);
	return 0;
}

/* "0:524288:65536,…" as the kernel wants it: a line each. */
static int
write_map(pid_t pid, const char *name, const char *map, struct skiff_error *err)
{
	cleanup_close int fd = -1;
	char text[MAP_TEXT_MAX];
	char path[64];
	size_t len = strlen(map);

	if (len >= sizeof(text))
		return err_set(err, SKIFF_TOO_LARGE, "%s exceeds a page", name);
	for (size_t i = 0; i < len; i++)
		text[i] = map[i] == ':' ? ' ' : map[i] == ',' ? '\n' : map[i];
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		return err_errno(err, errno, "%s %.64s", name, map);
	return 0;
}

static int
fill_namespace(pid_t pid, const struct shim_id_maps *maps, int *ret_fd,
	       struct skiff_error *err)
{
	char path[64];

	if (write_map(pid, "uid_map", maps->uids, err) < 0 ||
	    write_map(pid, "gid_map", maps->gids, err) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno(err, errno, "%s", path) : 0;
}

static int
make_namespace(const struct shim_id_maps *maps, int *ret_fd,
	       struct skiff_error *err)
{
	/* Of the copy, where nothing else is needed. */
	unsigned char *stack_top = shim_scratch + SHIM_SCRATCH_SIZE;
	pid_t self = getpid();
	pid_t pid =
	    clone(holder_main, stack_top, CLONE_NEWUSER | SIGCHLD, &self);
	siginfo_t info;
	int r;

	if (pid < 0)
		return err_errno(err, errno, "new user namespace");
	r = fill_namespace(pid, maps, ret_fd, err);
	(void)kill(pid, SIGKILL);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
		continue;
	return r;
}

/* --- covering ----------------------------------------------------------- */

int
shim_idmap_cover(const char *dir, const struct shim_id_maps *maps,
		 struct skiff_error *err)
{
	cleanup_close int namespace_fd = -1;
	cleanup_close int tree = -1;
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_IDMAP };

	if (make_namespace(maps, &namespace_fd, err) < 0)
		return -1;
	attributes.userns_fd = (uint64_t)namespace_fd;
	tree = open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return err_errno(err, errno, "clone %s", dir);
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes,
			  sizeof(attributes)) < 0)
		return err_errno(err, errno, "map the ids of %s", dir);
	if (move_mount(tree, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(err, errno, "cover %s", dir);
	return 0;
}

void
shim_idmap_uncover(const char *dir)
{
	(void)umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW);
}

/* --- as the container's root -------------------------------------------- */

int
shim_idmap_enter(const struct shim *shim, struct skiff_error *err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[2] = { 0 };

	if (!shim->has_owner)
		return 0;
	if (syscall(SYS_capget, &head, caps) < 0)
		return err_errno(err, errno, "capabilities");
	(void)setfsgid(shim->owner_gid);
	(void)setfsuid(shim->owner_uid);
	if (syscall(SYS_capset, &head, caps) == 0)
		return 0;
	(void)err_errno(err, errno, "capabilities");
	shim_idmap_leave(shim);
	return -1;
}

void
shim_idmap_leave(const struct shim *shim)
{
	if (!shim->has_owner)
		return;
	(void)setfsuid(0);
	(void)setfsgid(0);
}

/* --- whether the kernel can --------------------------------------------- */

static int
try_overlay(const char *dir, const char *lowers, struct skiff_error *err)
{
	static const struct shim_id_maps maps = { .uids = "0:524288:65536",
						  .gids = "0:524288:65536" };

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_errno(err, errno, "new mount namespace");
	if (shim_idmap_cover(dir, &maps, err) < 0)
		return -1;
	if (chdir(dir) < 0 ||
	    mount("overlay", dir, "overlay", MS_RDONLY, lowers) < 0)
		return err_errno(err, errno,
				 "overlay above files with mapped ids");
	return 0;
}

int
shim_idmap_main(char **argv)
{
	struct skiff_error err = ERROR_INIT;
	char lowers[PATH_MAX];

	if (!argv[0] || !argv[1] || !argv[2])
		return SHIM_EXIT_USAGE;
	(void)snprintf(lowers, sizeof(lowers), "lowerdir=%s:%s", argv[1],
		       argv[2]);
	if (try_overlay(argv[0], lowers, &err) == 0)
		return 0;
	(void)printf("%s", err.text);
	return EXIT_FAILURE;
}
