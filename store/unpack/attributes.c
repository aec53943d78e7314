/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner, mode, extended attributes and time of what an entry made.
 */
#include "config.h"

#include "store/unpack/attributes.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/unpack/refusal.h"

#define TIME_MAX (INT64_C(1) << 33)
#define ID_MAX_VALUE INT64_C(4294967294) /* (uid_t)-1 means "leave it" */

int
attributes_of(const struct tar_entry *entry, struct attributes *ret_attrs,
	      struct skiff_error *err)
{
	int64_t seconds = entry->mtime_s;
	int64_t ns = entry->mtime_ns;

	if (entry->uid < 0 || entry->uid > ID_MAX_VALUE)
		return layer_fault(err, "uid %lld is out of range",
				   (long long)entry->uid);
	if (entry->gid < 0 || entry->gid > ID_MAX_VALUE)
		return layer_fault(err, "gid %lld is out of range",
				   (long long)entry->gid);
	if (seconds < 0 || seconds > TIME_MAX || ns < 0 || ns >= 1000000000) {
		seconds = seconds < 0	       ? 0
			  : seconds > TIME_MAX ? TIME_MAX
					       : seconds;
		ns = 0;
	}
	*ret_attrs = (struct attributes){
		.uid = (uid_t)entry->uid,
		.gid = (gid_t)entry->gid,
		.mode = entry->mode,
		.mtime = { .tv_sec = seconds, .tv_nsec = (long)ns },
	};
	return 0;
}

int
attributes_set_fd(int fd, const struct attributes *attrs, bool want_chown,
		  struct skiff_error *err)
{
	if (want_chown && fchown(fd, attrs->uid, attrs->gid) < 0)
		return err_errno(err, errno, "chown");
	if (fchmod(fd, attrs->mode) < 0)
		return err_errno(err, errno, "chmod");
	return 0;
}

int
attributes_set_at(int dirfd, const char *name, const struct attributes *attrs,
		  bool is_symlink, struct skiff_error *err)
{
	struct timespec times[2] = { attrs->mtime, attrs->mtime };

	if (fchownat(dirfd, name, attrs->uid, attrs->gid, AT_SYMLINK_NOFOLLOW) <
	    0)
		return err_errno(err, errno, "chown");
	if (!is_symlink &&
	    fchmodat(dirfd, name, attrs->mode, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "chmod");
	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "set a time");
	return 0;
}

int
attributes_set_time(int fd, const struct attributes *attrs,
		    struct skiff_error *err)
{
	struct timespec times[2] = { attrs->mtime, attrs->mtime };

	if (futimens(fd, times) < 0)
		return err_errno(err, errno, "set a time");
	return 0;
}

/* struct vfs_cap_data of revision 2, vfs_ns_cap_data of revision 3. */
static bool
is_capability(const void *value, size_t len)
{
	uint32_t magic;

	if (len < sizeof(magic))
		return false;
	memcpy(&magic, value, sizeof(magic));
	magic = le32toh(magic);
	if (magic &
	    ~(uint32_t)(VFS_CAP_REVISION_MASK | VFS_CAP_FLAGS_EFFECTIVE))
		return false;
	switch (magic & VFS_CAP_REVISION_MASK) {
	case VFS_CAP_REVISION_2:
		return len == XATTR_CAPS_SZ_2;
	case VFS_CAP_REVISION_3:
		return len == XATTR_CAPS_SZ_3;
	default:
		return false;
	}
}

enum xattr_verdict
xattr_judge(const char *name, const void *value, size_t len, bool is_directory)
{
	if (strcmp(name, "security.capability") == 0) {
		if (!is_capability(value, len))
			return XATTR_REFUSE;
		return is_directory ? XATTR_DROP : XATTR_KEEP;
	}
	if (strncmp(name, "user.", 5) != 0 || name[5] == '\0' ||
	    strncmp(name, "user.overlay.", 13) == 0)
		return XATTR_DROP;
	return XATTR_KEEP;
}
