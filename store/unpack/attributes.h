/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Owner, mode, extended attributes and time of what an entry made.
 *
 * Always in the order chown, chmod, attributes, time: chown and writing
 * clear set-user-ID bits and capabilities.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "store/unpack/tar.h"

struct attributes {
	uid_t uid;
	gid_t gid;
	mode_t mode;
	struct timespec mtime;
};

/* Checks the ids' range; times are brought into 1970 … 2242. */
int attributes_of(const struct tar_entry *entry, struct attributes *ret_attrs,
		  struct skiff_error *err);

/* fd: not of a symlink. want_chown: false where the owner is right already. */
int attributes_set_fd(int fd, const struct attributes *attrs, bool want_chown,
		      struct skiff_error *err);
/* Of symlinks and nodes, never through a symlink. */
int attributes_set_at(int dirfd, const char *name,
		      const struct attributes *attrs, bool is_symlink,
		      struct skiff_error *err);
int attributes_set_time(int fd, const struct attributes *attrs,
			struct skiff_error *err);

enum xattr_verdict { XATTR_KEEP, XATTR_DROP, XATTR_REFUSE };

/*
 * user.* (files and directories) and a sound security.capability (files)
 * are kept; overlay's own, trusted.*, other security.* and system.* are
 * not for a layer to set.
 */
enum xattr_verdict xattr_judge(const char *name, const void *value, size_t len,
			       bool is_directory);
