/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * User strings, of an image's config and of clients: "", "uid", "name",
 * each with ":gid" or ":group", looked up in the image's own /etc/passwd
 * and /etc/group.
 *
 * Digits are always a number, never a name (CVE-2026-46680), and a number
 * that does not fit is refused, never wrapped (CVE-2024-40635). The
 * largest id is 4294967294.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"

struct rootfs_view;

#define USER_TEXT_MAX 256
#define USER_FILE_MAX (1024 * 1024) /* of /etc/passwd, /etc/group */
#define USER_GROUPS_MAX 1024

struct user {
	uint32_t uid;
	uint32_t gid;
	uint32_t *groups; /* gid first, then memberships; no doubles */
	size_t n_groups;
	char *home; /* of /etc/passwd, or "/" */
};

/*
 * view NULL: an image without files. SKIFF_INVALID_ARGUMENT for a string
 * that is malformed or names nobody (reason "user_not_found"),
 * SKIFF_FAILED_PRECONDITION for files that cannot be trusted.
 */
int user_resolve(struct rootfs_view *view, const char *text,
		 struct user *ret_user, struct skiff_error *err);
/*
 * Those of names, each a name in the image's /etc/group or a number, too.
 * Errors as of user_resolve(), with field /group_add/N.
 */
int user_add_groups(struct rootfs_view *view, const struct strv *names,
		    struct user *user, struct skiff_error *err);
void user_done(struct user *user);
