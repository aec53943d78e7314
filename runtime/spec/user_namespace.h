/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The user namespace of a spec (OCI runtime-spec, config-linux.md, "User
 * namespace mappings"): which ids of the host are those of the container.
 *
 * One that is new and says nothing of ids is to have those of the
 * container's namespace in Skiff (store/user_range.h).
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/strv.h"

struct checked;
struct wishes;

#define SPEC_UID_MAPS "uidMappings"
#define SPEC_GID_MAPS "gidMappings"

/* Whether the wish "userns" is one. */
bool wishes_have_user_namespace(const struct wishes *wishes);

/* A new one, not one that is joined. */
bool spec_has_user_namespace(const json_t *spec);
bool spec_has_id_maps(const json_t *spec);
/* size ids of the host from first on, for users and groups. */
void spec_set_id_maps(json_t *spec, int64_t first, int64_t size);

/* Whom the container's root is on the host. */
struct spec_owner {
	uint32_t uid;
	uint32_t gid;
};
/* False: it is the host's root, or cannot be told. */
bool spec_owner(const json_t *spec, struct spec_owner *ret_owner);

/* Whether an id of it is the host's below first, or it has no maps. */
bool spec_maps_below(const json_t *spec, int64_t first);

/* "uidmap=0:524288:65536", "gidmap=…" for a mount; none without maps. */
void spec_id_map_options(const json_t *spec, struct strv *options);

/*
 * That the ids of a process's "user" are mapped: SKIFF_INVALID_ARGUMENT,
 * field "/user".
 */
int spec_check_user_is_mapped(const json_t *spec, const json_t *user,
			      struct skiff_error *err);

/* Of a client's own spec: the maps. */
void spec_check_id_maps(const struct checked *check, const json_t *linux_part);
