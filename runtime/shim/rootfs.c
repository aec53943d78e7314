/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root filesystem: mounted in a mount namespace of the shim's own, so
 * that mounts die with it and the host's table stays clean, then checked
 * before the runtime sees it. An image decides what is in it: a /dev that
 * is a symlink makes runc 1.1.5 delete and create files on the host
 * (CVE-2026-41579), hence: /dev, /proc, /sys, /run and /etc are real
 * directories, and mount points are made inside the root by openat2(2).
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fs.h"

#define UNIFIED "/sys/fs/cgroup/unified"
#define ROOTFS SHIM_DIR_BUNDLE "/rootfs"
#define MOUNT_DATA_SIZE 4096 /* the kernel takes one page */
#define MAX_LINKS 16
#define UID_MAP "uidmap="
#define GID_MAP "gidmap="

struct mount_row {
	const char *type;
	const char *source;
	const char *options; /* each NUL-terminated; an empty one ends them */
};

static const struct {
	const char *name;
	unsigned long set;
	unsigned long clear;
} mount_flags[] = {
	{ "ro", MS_RDONLY, 0 },		  { "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },	  { "nodev", MS_NODEV, 0 },
	{ "noexec", MS_NOEXEC, 0 },	  { "noatime", MS_NOATIME, 0 },
	{ "relatime", MS_RELATIME, 0 },	  { "bind", MS_BIND, 0 },
	{ "rbind", MS_BIND | MS_REC, 0 },
};

static const char *const path_options[] = { "lowerdir=", "upperdir=",
					    "workdir=" };

static const char *
path_option_value(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(path_options); i++) {
		size_t len = strlen(path_options[i]);

		if (strncmp(option, path_options[i], len) == 0)
			return option + len;
	}
	return NULL;
}

/* Cuts prefix to what it shares with each of the paths, at a '/'. */
static void
share_prefix(const char *paths, char prefix[PATH_MAX])
{
	for (const char *p = paths; *p;) {
		const char *end = strchrnul(p, ':');
		size_t len = (size_t)(end - p);
		size_t i = 0;

		if (prefix[0] == '\0') {
			if (len >= PATH_MAX)
				return;
			memcpy(prefix, p, len);
			prefix[len] = '\0';
		}
		while (i < len && p[i] == prefix[i])
			i++;
		while (i > 0 && prefix[i - 1] != '/')
			i--;
		prefix[i] = '\0';
		if (i == 0)
			return;
		p = end + (*end == ':');
	}
}

/*
 * A hundred layers with absolute paths do not fit into a page, so overlay
 * is mounted from the directory that all of them share: its name, or ""
 * when paths stay as they are.
 */
static void
find_prefix(const struct mount_row *row, char prefix[PATH_MAX])
{
	prefix[0] = '\0';
	if (strcmp(row->type, "overlay") != 0)
		return;
	for (const char *o = row->options; *o; o += strlen(o) + 1) {
		const char *value = path_option_value(o);

		if (!value)
			continue;
		/* Escaped characters are the kernel's business. */
		if (*value != '/' || strchr(value, '\\')) {
			prefix[0] = '\0';
			return;
		}
		share_prefix(value, prefix);
		if (prefix[0] == '\0')
			return;
	}
}

struct mount_data {
	char text[MOUNT_DATA_SIZE];
	size_t len;
	bool is_full;
};

static void
add_data(struct mount_data *data, const char *text, size_t len)
{
	if (data->len + len >= sizeof(data->text)) {
		data->is_full = true;
		return;
	}
	memcpy(data->text + data->len, text, len);
	data->len += len;
	data->text[data->len] = '\0';
}

static void
add_option(struct mount_data *data, const char *option, size_t prefix_len)
{
	const char *value = prefix_len ? path_option_value(option) : NULL;

	if (data->len > 0)
		add_data(data, ",", 1);
	if (!value) {
		add_data(data, option, strlen(option));
		return;
	}
	add_data(data, option, (size_t)(value - option));
	while (*value) {
		const char *end = strchrnul(value, ':');

		add_data(data, value + prefix_len,
			 (size_t)(end - value) - prefix_len);
		value = end;
		if (*value == ':') {
			add_data(data, ":", 1);
			value++;
		}
	}
}

static bool
is_flag(const char *option, unsigned long *flags)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_flags); i++) {
		if (strcmp(option, mount_flags[i].name) != 0)
			continue;
		*flags |= mount_flags[i].set;
		*flags &= ~mount_flags[i].clear;
		return true;
	}
	return false;
}

static bool
is_map(const char *option)
{
	return strncmp(option, UID_MAP, strlen(UID_MAP)) == 0 ||
	       strncmp(option, GID_MAP, strlen(GID_MAP)) == 0;
}

/* Both or none of them. */
static bool
find_maps(const struct mount_row *row, struct shim_id_maps *ret_maps)
{
	for (const char *o = row->options; *o; o += strlen(o) + 1) {
		if (strncmp(o, UID_MAP, strlen(UID_MAP)) == 0)
			ret_maps->uids = o + strlen(UID_MAP);
		if (strncmp(o, GID_MAP, strlen(GID_MAP)) == 0)
			ret_maps->gids = o + strlen(GID_MAP);
	}
	return ret_maps->uids && ret_maps->gids;
}

static int
mount_bind(const struct mount_row *row, const char *target, unsigned long flags,
	   struct skiff_error *err)
{
	unsigned long kind = flags & (MS_BIND | MS_REC);

	if (mount(row->source, target, NULL, kind, NULL) < 0)
		return err_errno(err, errno, "bind %s", row->source);
	/* The kernel takes other flags only of a mount that is there. */
	flags &= ~(unsigned long)MS_REC;
	if (flags != MS_BIND &&
	    mount(NULL, target, NULL, flags | MS_REMOUNT, NULL) < 0)
		return err_errno(err, errno, "remount %s", row->source);
	return 0;
}

/* prefix: of an overlay, the directory that its paths share, or "". */
static int
mount_plain(const struct mount_row *row, const char *prefix, const char *target,
	    struct skiff_error *err)
{
	struct mount_data data = { .len = 0 };
	size_t prefix_len = strlen(prefix);
	unsigned long flags = 0;

	for (const char *o = row->options; *o; o += strlen(o) + 1)
		if (!is_flag(o, &flags) && !is_map(o))
			add_option(&data, o, prefix_len);
	if (flags & MS_BIND)
		return mount_bind(row, target, flags, err);
	if (data.is_full)
		return err_set(err, SKIFF_TOO_LARGE,
			       "mount options of %s exceed a page", row->type);
	if (prefix_len > 0 && chdir(prefix) < 0)
		return err_errno(err, errno, "%s", prefix);
	if (mount(row->source, target, row->type, flags,
		  data.len ? data.text : NULL) < 0)
		return err_errno(err, errno, "mount %s (%.512s)", row->type,
				 data.text);
	return 0;
}

/* As the container's root, who is then the owner of all that it writes. */
static int
mount_owned(const struct shim *shim, const struct mount_row *row,
	    const char *prefix, const char *target, struct skiff_error *err)
{
	int r;

	if (shim_idmap_enter(shim, err) < 0)
		return -1;
	r = mount_plain(row, prefix, target, err);
	shim_idmap_leave(shim);
	return r;
}

static int
mount_row(const struct shim *shim, const struct mount_row *row,
	  const char *target, struct skiff_error *err)
{
	struct shim_id_maps maps = { .uids = NULL };
	char prefix[PATH_MAX];
	const char *origin;
	int r;

	find_prefix(row, prefix);
	if (!find_maps(row, &maps))
		return mount_owned(shim, row, prefix, target, err);
	origin = strcmp(row->type, "overlay") == 0 ? prefix : row->source;
	if (*origin != '/')
		return err_set(err, SKIFF_UNIMPLEMENTED,
			       "ids of a %s that lies in no one directory",
			       row->type);
	if (shim_idmap_cover(origin, &maps, err) < 0)
		return -1;
	r = mount_owned(shim, row, prefix, target, err);
	shim_idmap_uncover(origin);
	return r;
}

static int
next_row(const char **p, const char *end, struct mount_row *ret_row,
	 struct skiff_error *err)
{
	const char *option;

	ret_row->type = shim_next_word(p, end);
	ret_row->source = ret_row->type ? shim_next_word(p, end) : NULL;
	ret_row->options = *p;
	do {
		option = ret_row->source ? shim_next_word(p, end) : NULL;
		if (!option)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       SHIM_FILE_MOUNTS " is not whole");
	} while (*option);
	return 0;
}

static int
mount_list(struct shim *shim, struct skiff_error *err)
{
	struct mount_row row = { 0 };
	char target[PATH_MAX];
	const char *p = (const char *)shim_scratch;
	const char *end;
	int r = 0;

	(void)snprintf(target, sizeof(target), "%s/" ROOTFS, shim->task_dir);
	if (shim_read_list(shim, SHIM_FILE_MOUNTS, &end, err) < 0)
		return -1;
	while (r == 0 && p < end) {
		if (next_row(&p, end, &row, err) < 0)
			return -1;
		r = mount_row(shim, &row, target, err);
		if (fchdir(shim->task_fd) < 0)
			return err_errno(err, errno, "%s", shim->task_dir);
	}
	return r;
}

/*
 * crun runs nothing where the unified hierarchy is mounted beside v1, though
 * none of the controllers that it needs is there. Here it is not, then.
 */
static int
hide_unified(const struct shim *shim, struct skiff_error *err)
{
	const char *slash = strrchr(shim->runtime, '/');

	if (strcmp(slash ? slash + 1 : shim->runtime, "crun") != 0 ||
	    umount2(UNIFIED, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 ||
	    errno == ENOENT || errno == EINVAL)
		return 0;
	return err_errno(err, errno, "unmount " UNIFIED);
}

/*
 * A descriptor stays in the namespace where it was opened: below the old
 * one of the task's directory our mounts would not be seen.
 */
static int
enter_namespace(struct shim *shim, struct skiff_error *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_errno(err, errno, "new mount namespace");
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_errno(err, errno, "make mounts slave");
	closep(&shim->task_fd);
	shim->task_fd =
	    open(shim->task_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (shim->task_fd < 0 || fchdir(shim->task_fd) < 0)
		return err_errno(err, errno, "%s", shim->task_dir);
	return hide_unified(shim, err);
}

int
shim_rootfs_mount(struct shim *shim, struct skiff_error *err)
{
	if (fault_hit(FAULT_SHIM_MOUNT_BEFORE, err) < 0 ||
	    enter_namespace(shim, err) < 0)
		return -1;
	if (mkdirat(shim->task_fd, ROOTFS, 0755) < 0 && errno != EEXIST)
		return err_errno(err, errno, "mkdir " ROOTFS);
	if (mount_list(shim, err) < 0) {
		(void)err_reason(err, "mount_failed");
		return err_wrap(err, "root filesystem");
	}
	if (shim_binds_mount(shim, err) < 0 || shim_shm_take(shim, err) < 0)
		return -1;
	shim->rootfs_fd =
	    openat(shim->task_fd, ROOTFS,
		   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (shim->rootfs_fd < 0)
		return err_errno(err, errno, "open " ROOTFS);
	return fault_hit(FAULT_SHIM_MOUNT_AFTER, err);
}

void
shim_rootfs_unmount(struct shim *shim)
{
	char target[PATH_MAX];

	closep(&shim->rootfs_fd);
	shim->rootfs_fd = -1;
	(void)snprintf(target, sizeof(target), "%s/" ROOTFS, shim->task_dir);
	while (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		continue;
	shim_binds_drop(shim);
	shim_shm_drop(shim);
}

static int
bad_rootfs(struct skiff_error *err, const char *path, const char *what)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "root filesystem: %.512s %s", path, what);
	return err_reason(err, "image_invalid_rootfs");
}

static int
check_system_dir(struct shim *shim, const char *name, struct skiff_error *err)
{
	char path[16];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/%s", name);
	if (fstatat(shim->rootfs_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode)
			   ? 0
			   : bad_rootfs(err, path, "is not a directory");
	if (errno != ENOENT)
		return err_errno(err, errno, "root filesystem: %s", path);
	if (mkdirat(shim->rootfs_fd, name, 0755) == 0)
		return 0;
	return errno == EROFS
		   ? bad_rootfs(err, path,
				"is missing, and it cannot be written to")
		   : err_errno(err, errno, "root filesystem: mkdir %s", path);
}

static int
make_leaf(int parent, const char *name, bool is_dir)
{
	int fd;

	if (is_dir)
		return mkdirat(parent, name, 0755);
	fd = openat(parent, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	closep(&fd);
	return fd < 0 ? -1 : 0;
}

/*
 * Makes the last component of path, whose parent is there. A symlink that
 * leads nowhere is replaced in path by what it names, for another try (1):
 * images have them (/etc/resolv.conf) and runtimes follow them in root.
 */
static int
make_component(struct shim *shim, char path[PATH_MAX], bool is_dir,
	       struct skiff_error *err)
{
	cleanup_close int parent = -1;
	char link[PATH_MAX];
	char *slash = strrchr(path, '/');
	size_t room = (size_t)(PATH_MAX - (slash - path));
	int saved;
	ssize_t n;

	*slash = '\0';
	if (fs_open_in_root(shim->rootfs_fd, *path ? path : "/",
			    O_PATH | O_DIRECTORY, 0, &parent, err) < 0)
		return bad_rootfs(err, path, "is not a directory");
	*slash = '/';
	if (make_leaf(parent, slash + 1, is_dir) == 0)
		return 0;
	saved = errno;
	if (saved == EROFS)
		return bad_rootfs(err, path,
				  "is missing, and it cannot be written to");
	n = readlinkat(parent, slash + 1, link, sizeof(link) - 1);
	if (saved != EEXIST || n <= 0)
		return err_errno(err, saved, "root filesystem: make %s", path);
	link[n] = '\0';
	if (*link == '/')
		(void)snprintf(path, PATH_MAX, "%s", link);
	else if ((size_t)snprintf(slash, room, "/%s", link) >= room)
		return bad_rootfs(err, link, "is too long a link");
	return 1;
}

/* mkdir -p in root, for what stands before the last component. */
static int
make_parents(struct shim *shim, char path[PATH_MAX], struct skiff_error *err)
{
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		cleanup_close int fd = -1;
		struct skiff_error absent = ERROR_INIT;
		int r = 0;

		*p = '\0';
		if (fs_open_in_root(shim->rootfs_fd, path, O_PATH, 0, &fd,
				    &absent) < 0) {
			char copy[PATH_MAX];

			(void)snprintf(copy, sizeof(copy), "%s", path);
			r = make_component(shim, copy, true, err);
			if (r > 0)
				r = bad_rootfs(err, path, "leads nowhere");
		}
		*p = '/';
		if (r < 0)
			return -1;
	}
	return 0;
}

static int
make_mountpoint(struct shim *shim, const char *wanted, bool is_dir,
		struct skiff_error *err)
{
	char path[PATH_MAX];

	if (*wanted != '/' || strlen(wanted) >= sizeof(path))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "mount point \"%.256s\" is not absolute",
			       wanted);
	(void)snprintf(path, sizeof(path), "%s", wanted);
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
	for (int i = 0; i < MAX_LINKS; i++) {
		struct skiff_error absent = ERROR_INIT;
		cleanup_close int fd = -1;
		struct stat st;
		int r;

		if (fs_open_in_root(shim->rootfs_fd, path, O_PATH, 0, &fd,
				    &absent) == 0 &&
		    fstat(fd, &st) == 0) {
			if (S_ISDIR(st.st_mode) != is_dir)
				return bad_rootfs(err, wanted,
						  is_dir ? "is a file"
							 : "is a directory");
			return 0;
		}
		if (absent.sys_errno != ENOENT)
			return bad_rootfs(err, wanted, "cannot be resolved");
		if (make_parents(shim, path, err) < 0)
			return -1;
		r = make_component(shim, path, is_dir, err);
		if (r <= 0)
			return r;
	}
	return bad_rootfs(err, wanted, "has too many links");
}

/* The runtime mounts over these; what is below them is never the image's. */
static bool
is_hidden(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0 ||
	       strncmp(path, "/proc/", 6) == 0 ||
	       strncmp(path, "/sys/", 5) == 0;
}

static int
check_all(struct shim *shim, struct skiff_error *err)
{
	static const char *const system_dirs[] = { "dev", "proc", "sys", "run",
						   "etc" };
	const char *p = (const char *)shim_scratch;
	const char *word;
	const char *end;

	for (size_t i = 0; i < ARRAY_SIZE(system_dirs); i++)
		if (check_system_dir(shim, system_dirs[i], err) < 0)
			return -1;
	if (shim_read_list(shim, SHIM_FILE_MOUNTPOINTS, &end, err) < 0)
		return -1;
	while ((word = shim_next_word(&p, end)) != NULL) {
		if (*word != 'd' && *word != 'f')
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       SHIM_FILE_MOUNTPOINTS " is not whole");
		if (is_hidden(word + 1) || strcmp(word + 1, "/") == 0)
			continue;
		if (make_mountpoint(shim, word + 1, *word == 'd', err) < 0)
			return -1;
	}
	return 0;
}

int
shim_rootfs_check(struct shim *shim, struct skiff_error *err)
{
	int r;

	if (shim_idmap_enter(shim, err) < 0)
		return -1;
	r = check_all(shim, err);
	shim_idmap_leave(shim);
	return r;
}
