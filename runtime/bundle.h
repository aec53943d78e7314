/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A task's directory: what the shim and the runtime need of a container,
 * written before they start.
 *
 *	<task dir>/bundle/config.json	0600
 *	<task dir>/bundle/rootfs/	where the shim mounts
 *	<task dir>/bundle/etc/		generated hosts, hostname, resolv.conf
 *	<task dir>/bundle/init		a link to skiff-init, where it is wished
 *	<task dir>/mounts, mountpoints	SHIM_PROTOCOL.md
 *	<task dir>/boot		the boot of the machine that it was made in
 *
 * Not synced: a power cut ends the task that they belong to.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct mount;

#define BUNDLE_BOOT "boot"

struct bundle_request {
	const char *boot_id;	    /* of the machine, now */
	const char *task_dir;	    /* absolute; its parents are made, 0700 */
	const json_t *spec;	    /* of the container's document */
	const json_t *dns;	    /* the same, or NULL */
	const char *init_path;	    /* of skiff-init */
	const struct mount *mounts; /* of its snapshot */
	size_t n_mounts;
	bool is_renewal; /* another run in a directory that is there */
};

/*
 * Makes the directory anew (the caller holds the task's record, so what
 * lies there is an earlier life's). On failure nothing is left. A renewal
 * keeps the directory and its log, and removes all else first.
 * SKIFF_FAILED_PRECONDITION, reason "mount_source_not_found", names a bind
 * mount whose source is not there; reason "init_not_found": skiff-init is not.
 */
int bundle_make(const struct bundle_request *request, struct skiff_error *err);

/* Nobody takes the shim that its directory names for a living one. */
int bundle_forget_shim(const char *task_dir, struct skiff_error *err);
/* Removes the directory, and the namespace's when it was the last one. */
int bundle_remove(const char *task_dir, struct skiff_error *err);
