/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A task's directory: what the shim and the runtime need of a container,
 * written before they start.
 *
 *	<task dir>/run		a link to <run dir>, and in that:
 *	bundle/config.json	0600
 *	bundle/rootfs/		where the shim mounts
 *	bundle/etc/		generated hosts, hostname, resolv.conf
 *	bundle/init		a link to skiff-init, where it is wished
 *	bundle/binds/		places for binds below a bind root
 *	mounts, mountpoints	SHIM_PROTOCOL.md
 *	boot			the boot of the machine that it was made in
 *	container.json		the container's document, but for its spec
 *
 * None of it is worth anything after a reboot, so it goes where the machine
 * keeps such things, in memory mostly. What the task leaves (its log, how it
 * ended, its execs, checkpoints) lies in the task directory itself.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "runtime/shim_proto.h"

struct host;
struct mount;
struct spec_owner;

#define BUNDLE_BOOT SHIM_DIR_RUN "/boot"
#define BUNDLE_CONFIG_FILE SHIM_DIR_BUNDLE "/config.json"
#define BUNDLE_CONTAINER_FILE SHIM_DIR_RUN "/container.json"

struct bundle_request {
	const char *boot_id;	 /* of the machine, now */
	const char *task_dir;	 /* absolute; its parents are made, 0700 */
	const char *run_dir;	 /* the same */
	const json_t *container; /* its document, with the spec of this run */
	const struct host *host; /* whose bind roots count */
	const char *init_path;	 /* of skiff-init */
	/* Of the mount namespace with the shared memory to take, or NULL. */
	const char *shm_namespace;
	/* Of skiff-shim, for a hook that sets up the network; or NULL. */
	const char *network_hook;
	const struct mount *mounts; /* of its snapshot */
	size_t n_mounts;
	bool is_renewal; /* another run in a directory that is there */
};

/*
 * Makes the directory anew (the caller holds the task's record, so what
 * lies there is an earlier life's). On failure nothing is left. A renewal
 * keeps the directory and its log, and removes all else first.
 * SKIFF_FAILED_PRECONDITION, reason "mount_source_not_found", names a bind
 * mount whose source is not there; reason "init_not_found": skiff-init is not;
 * reason "state_unreachable": the root of a user namespace cannot get there.
 * SKIFF_PERMISSION_DENIED, reason "bind_not_allowed" and "restricted": see
 * runtime/spec/bind_root.h and CONTAINER_RESTRICTED.
 */
int bundle_make(const struct bundle_request *request, struct skiff_error *err);

/*
 * runtime/bundle_way.c: lets the root of a user namespace through to the
 * root filesystem, and nobody else further than to the task's directory.
 */
int bundle_open_way(const char *run_dir, int task_fd,
		    const struct spec_owner *owner, struct skiff_error *err);

/* Nobody takes the shim that its directory names for a living one. */
int bundle_forget_shim(const char *task_dir, struct skiff_error *err);
/* Removes one of the two, and the namespace's when it was the last one. */
int bundle_remove_dir(const char *dir, struct skiff_error *err);
/* Both. */
int bundle_remove(const char *task_dir, const char *run_dir,
		  struct skiff_error *err);
