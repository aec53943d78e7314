/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Directories of the host (--bind-root) from which those may bind who are no
 * admins. What lies there may be theirs to change at any moment, so a source
 * is opened, over no link and on no other mount, whenever it counts: when it
 * is asked for, when a task is made, and by the shim that mounts it.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

struct host;

/* Adds a directory to those of the host; SKIFF_INVALID_ARGUMENT. */
int bind_root_add(struct host *host, const char *dir, struct skiff_error *err);

struct bind_wish {
	const char *source; /* absolute */
	bool is_read_only;
	bool has_user_namespace; /* the container */
};

struct bind_source {
	const char *root;  /* borrowed of the host */
	const char *below; /* borrowed of the source; relative */
	int fd;		   /* O_PATH; the caller's */
};

/*
 * SKIFF_PERMISSION_DENIED, reason "bind_not_allowed": it lies below no bind
 * root, or leads elsewhere; or the host's root could write there, and leave
 * set-user-ID programs, since neither is the mount nosuid nor has the
 * container ids of its own. SKIFF_NOT_FOUND.
 */
int bind_root_open(const struct host *host, const struct bind_wish *wish,
		   struct bind_source *ret_source, struct skiff_error *err);
