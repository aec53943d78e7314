/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Directories of the host (--bind-root) from which those may bind who are no
 * admins. What lies there may be theirs to change at any moment, so a source
 * is opened, over no link and on no other mount, whenever it counts: when it
 * is asked for, when a task is made, and by the shim that mounts it. That
 * holds for whoever binds from there: an admin means the place that he names,
 * too, and not where somebody has it lead.
 */
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

struct host;

/*
 * Adds a directory to those of the host. SKIFF_INVALID_ARGUMENT for one that
 * somebody else than root could put another in place of, or that nobody may
 * bind.
 */
int bind_root_add(struct host *host, const char *dir, struct skiff_error *err);

struct bind_source {
	const char *root; /* borrowed of the host */
	char *below;	  /* relative; "." is the root itself */
	int fd;		  /* O_PATH */
};
void bind_source_done(struct bind_source *source);

/* Whether an absolute path lies below a bind root, by its name. */
bool bind_root_has(const struct host *host, const char *path);
/* Whether a link on its way leads into one, where others decide the rest. */
bool bind_root_is_led_to(const struct host *host, const char *path);

/*
 * SKIFF_PERMISSION_DENIED, reason "bind_not_allowed": it lies below no bind
 * root, or leads elsewhere. SKIFF_NOT_FOUND, and what else open(2) gives.
 */
int bind_root_open(const struct host *host, const char *path,
		   struct bind_source *ret_source, struct skiff_error *err);
