/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The OCI config.json of a container: made from wishes and an image's
 * config, with safe defaults, or brought by the client and checked.
 *
 * Paths of the bundle are relative in it ("rootfs", "etc/hosts"), so that
 * the stored document does not know where the daemon keeps its files.
 * Source: OCI runtime-spec v1.0.2, config.md, config-linux.md.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

struct host;
struct image_config;
struct rootfs_view;
struct wishes;

#define SPEC_MAX_BYTES (1024 * 1024)
#define SPEC_ROOT "rootfs" /* in the bundle */

/* Files that bundle_make() writes when a spec's mounts name them. */
#define SPEC_SOURCE_RESOLV_CONF "etc/resolv.conf"
#define SPEC_SOURCE_HOSTS "etc/hosts"
#define SPEC_SOURCE_HOSTNAME "etc/hostname"
/* The same for a link to skiff-init, and where it is in the container. */
#define SPEC_SOURCE_INIT "init"
/* The same for the shared memory of another container. */
#define SPEC_SOURCE_SHM "shm"
/* And for what lies below a bind root: "binds/0" … */
#define SPEC_SOURCE_BINDS "binds"
#define SPEC_INIT "/dev/init"

struct spec_request {
	const struct host *host;
	const char *ns;
	const char *id;
	const struct wishes *wishes;
	const struct image_config *image;
	struct rootfs_view *view; /* for the user, or NULL */
	bool has_seccomp;	  /* the runtime knows it */
};

/*
 * SKIFF_INVALID_ARGUMENT with a field for a wish that this image or host
 * cannot fulfil; SKIFF_FAILED_PRECONDITION, reason "image_invalid_config"
 * or "image_invalid_rootfs", for what is the image's fault.
 */
int spec_build(const struct spec_request *request, json_t **ret_spec,
	       struct skiff_error *err);

/* Checks a client's own spec; fields are pointers below prefix. */
void spec_check(const json_t *spec, const char *prefix, const struct host *host,
		struct json_faults *faults);
/*
 * A copy of a checked spec of a client, with root.path SPEC_ROOT unless it is
 * a directory of the client's own. The cgroup is the daemon's to choose, and
 * no capability is inheritable or ambient, whatever it says.
 */
json_t *spec_adopt(const json_t *spec, const struct host *host, const char *ns,
		   const char *id);

/* What a spec says of its container's id, for another id. */
struct spec_names {
	const struct host *host;
	const char *ns;
	const char *old_id;
	const char *new_id;
	bool keep_hostname; /* it was wished */
};
void spec_rename(json_t *spec, const struct spec_names *names);

/* root.path when it is the client's own directory, else NULL; borrowed. */
const char *spec_own_root(const json_t *spec);
/* linux.cgroupsPath, or NULL; borrowed. */
const char *spec_cgroups_path(const json_t *spec);
