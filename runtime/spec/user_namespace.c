/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading, writing and checking the id maps of a spec.
 */
#include "config.h"

#include "runtime/spec/user_namespace.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/spec_check.h"
#include "runtime/spec/wishes.h"

#define MAPS_MAX 340 /* user_namespaces(7) */
#define ID_END INT64_C(4294967295)

bool
wishes_have_user_namespace(const struct wishes *wishes)
{
	return wishes->userns && strcmp(wishes->userns, "auto") == 0;
}

static const json_t *
maps_of(const json_t *spec, const char *key)
{
	return json_object_get(json_object_get(spec, "linux"), key);
}

bool
spec_has_user_namespace(const json_t *spec)
{
	const json_t *list =
	    json_object_get(json_object_get(spec, "linux"), "namespaces");
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (strcmp(json_get_text(item, "type"), "user") == 0)
			return !*json_get_text(item, "path");
	return false;
}

bool
spec_has_id_maps(const json_t *spec)
{
	return json_array_size(maps_of(spec, SPEC_UID_MAPS)) > 0 ||
	       json_array_size(maps_of(spec, SPEC_GID_MAPS)) > 0;
}

void
spec_set_id_maps(json_t *spec, int64_t first, int64_t size)
{
	static const char *const keys[] = { SPEC_UID_MAPS, SPEC_GID_MAPS };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		(void)json_object_set_new(
		    json_object_get(spec, "linux"), keys[i],
		    json_pack("[{s:i, s:I, s:I}]", "containerID", 0, "hostID",
			      (json_int_t)first, "size", (json_int_t)size));
}

/* The host's id, or -1. */
static int64_t
host_id(const json_t *maps, int64_t id)
{
	json_t *map;
	size_t i;

	json_array_foreach (maps, i, map) {
		int64_t inside = json_get_int(map, "containerID", 0);

		if (id >= inside && id - inside < json_get_int(map, "size", 0))
			return json_get_int(map, "hostID", 0) + id - inside;
	}
	return -1;
}

bool
spec_owner(const json_t *spec, struct spec_owner *ret_owner)
{
	int64_t uid = host_id(maps_of(spec, SPEC_UID_MAPS), 0);
	int64_t gid = host_id(maps_of(spec, SPEC_GID_MAPS), 0);

	if (!spec_has_user_namespace(spec) || uid < 0 || gid < 0)
		return false;
	*ret_owner = (struct spec_owner){ (uint32_t)uid, (uint32_t)gid };
	return true;
}

static bool
reaches_below(const json_t *maps, int64_t first)
{
	json_t *map;
	size_t i;

	json_array_foreach (maps, i, map)
		if (json_get_int(map, "hostID", 0) < first)
			return true;
	return json_array_size(maps) == 0;
}

bool
spec_maps_below(const json_t *spec, int64_t first)
{
	return reaches_below(maps_of(spec, SPEC_UID_MAPS), first) ||
	       reaches_below(maps_of(spec, SPEC_GID_MAPS), first);
}

static void
add_option(const json_t *maps, const char *name, struct strv *options)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
	json_t *map;
	size_t i;

	json_array_foreach (maps, i, map)
		strbuf_addf(&text, "%s%" PRId64 ":%" PRId64 ":%" PRId64,
			    i == 0 ? name : ",",
			    json_get_int(map, "containerID", 0),
			    json_get_int(map, "hostID", 0),
			    json_get_int(map, "size", 0));
	strv_add(options, text.buf);
}

void
spec_id_map_options(const json_t *spec, struct strv *options)
{
	if (!spec_has_user_namespace(spec) || !spec_has_id_maps(spec))
		return;
	add_option(maps_of(spec, SPEC_UID_MAPS), "uidmap=", options);
	add_option(maps_of(spec, SPEC_GID_MAPS), "gidmap=", options);
}

static int
check_mapped(const json_t *maps, const char *noun, int64_t id,
	     struct skiff_error *err)
{
	if (host_id(maps, id) >= 0)
		return 0;
	(void)err_set(err, SKIFF_INVALID_ARGUMENT,
		      "%s %" PRId64 " is none of those that the container's "
		      "user namespace has",
		      noun, id);
	return err_field(err, "/user");
}

int
spec_check_user_is_mapped(const json_t *spec, const json_t *user,
			  struct skiff_error *err)
{
	const json_t *uids = maps_of(spec, SPEC_UID_MAPS);
	const json_t *gids = maps_of(spec, SPEC_GID_MAPS);
	json_t *group;
	size_t i;

	if (!spec_has_user_namespace(spec))
		return 0;
	if (check_mapped(uids, "user", json_get_int(user, "uid", 0), err) < 0 ||
	    check_mapped(gids, "group", json_get_int(user, "gid", 0), err) < 0)
		return -1;
	json_array_foreach (json_object_get(user, "additionalGids"), i, group)
		if (check_mapped(gids, "group", json_integer_value(group),
				 err) < 0)
			return -1;
	return 0;
}

/* --- a client's own ----------------------------------------------------- */

static bool
is_range(const json_t *map, const char *key, int64_t size)
{
	const json_t *first = json_object_get(map, key);

	return json_is_integer(first) && json_integer_value(first) >= 0 &&
	       json_integer_value(first) <= ID_END - size;
}

static bool
is_map(const json_t *map)
{
	int64_t size = json_get_int(map, "size", 0);

	return size > 0 && size <= ID_END &&
	       is_range(map, "containerID", size) &&
	       is_range(map, "hostID", size);
}

static size_t
check_maps(const struct checked *check, const json_t *linux_part,
	   const char *key)
{
	const json_t *maps = checked_array(check, linux_part, "/linux", key);
	cleanup_free char *pointer = xasprintf("/linux/%s", key);
	json_t *map;
	size_t i;

	if (json_array_size(maps) > MAPS_MAX)
		checked_fault(check, pointer, "more than %d maps", MAPS_MAX);
	json_array_foreach (maps, i, map) {
		cleanup_free char *at = xasprintf("%s/%zu", pointer, i);

		if (!is_map(map))
			checked_fault(check, at,
				      "must have a containerID, a hostID and a "
				      "size, of ids below 4294967295");
	}
	if (json_array_size(maps) > 0 && host_id(maps, 0) < 0)
		checked_fault(check, pointer, "must map the container's root");
	return json_array_size(maps);
}

void
spec_check_id_maps(const struct checked *check, const json_t *linux_part)
{
	size_t n_uid = check_maps(check, linux_part, SPEC_UID_MAPS);
	size_t n_gid = check_maps(check, linux_part, SPEC_GID_MAPS);

	if ((n_uid == 0) != (n_gid == 0))
		checked_fault(check,
			      n_uid ? "/linux/" SPEC_GID_MAPS
				    : "/linux/" SPEC_UID_MAPS,
			      "users and groups must be mapped both, or none");
	if (n_uid + n_gid > 0 && !spec_has_user_namespace(check->spec))
		checked_fault(check,
			      n_uid ? "/linux/" SPEC_UID_MAPS
				    : "/linux/" SPEC_GID_MAPS,
			      "needs a new user namespace");
}
