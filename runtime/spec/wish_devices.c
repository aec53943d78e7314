/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices[] of the wishes: nodes of the host's /dev that the container
 * gets, too. They lie below /dev in it, which is a fresh tmpfs: anywhere
 * else the image's links would decide where they are made.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/user_namespace.h"
#include "runtime/spec/wishes_internal.h"

#define DEVICES_MAX 256

static const struct json_field device_fields[] = {
	JSON_TEXT(struct wish_device, path, "path",
		  JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_TEXT(struct wish_device, container_path, "container_path",
		  JSON_NOT_EMPTY),
	JSON_TEXT(struct wish_device, permissions, "permissions",
		  JSON_NOT_EMPTY),
};

/* What the runtime makes, or mounts, by itself. */
static const char *const closed_paths[] = {
	"/dev/pts",   "/dev/shm",    "/dev/mqueue", "/dev/console", "/dev/ptmx",
	"/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd",
};

static const char *
device_path_fault(const char *path)
{
	const char *fault = path_fault(path);

	if (fault)
		return fault;
	if (!path_is_below(path, "/dev") || strlen(path) <= strlen("/dev/"))
		return "must be below /dev";
	return NULL;
}

static const char *
inner_path_fault(const char *path)
{
	const char *fault = device_path_fault(path);

	for (size_t i = 0; !fault && i < ARRAY_SIZE(closed_paths); i++)
		if (path_is_below(path, closed_paths[i]))
			return "is not a place for a device";
	return fault;
}

static bool
are_permissions(const char *text)
{
	for (; *text; text++)
		if (!strchr("rwm", *text) || strchr(text + 1, *text))
			return false;
	return true;
}

static void
decode_device(struct wishes *wishes, size_t i, struct json_faults *faults)
{
	cleanup_free char *prefix = xasprintf("/devices/%zu", i);
	cleanup_free char *path = xasprintf("%s/path", prefix);
	cleanup_free char *inner = xasprintf("%s/container_path", prefix);
	cleanup_free char *rights = xasprintf("%s/permissions", prefix);
	struct wish_device *device = &wishes->device_list[i];
	const char *fault;

	json_decode(json_array_get(wishes->devices, i), prefix, device_fields,
		    ARRAY_SIZE(device_fields), device, faults);
	if (!device->path)
		return;
	fault = device_path_fault(device->path);
	if (fault)
		json_fault(faults, path, "%s", fault);
	fault = inner_path_fault(device->container_path ? device->container_path
							: device->path);
	if (fault && device->container_path)
		json_fault(faults, inner, "%s", fault);
	else if (fault && !device_path_fault(device->path))
		json_fault(faults, path, "%s", fault);
	if (device->permissions && !are_permissions(device->permissions))
		json_fault(faults, rights,
			   "must be of the letters r, w and m, each once");
}

void
wishes_decode_devices(struct wishes *wishes, struct json_faults *faults)
{
	size_t n = json_array_size(wishes->devices);

	if (n > DEVICES_MAX) {
		json_fault(faults, "/devices", "more than %d devices",
			   DEVICES_MAX);
		return;
	}
	wishes->device_list = xcalloc(n + 1, sizeof(*wishes->device_list));
	wishes->n_devices = n;
	for (size_t i = 0; i < n; i++)
		decode_device(wishes, i, faults);
}

/*
 * A user namespace can make no node: the runtime binds the host's own, by
 * the path that it shall have, and its owner is nobody in there.
 */
static void
check_bound(const struct wish_device *device, const char *prefix,
	    struct json_faults *faults)
{
	cleanup_free char *inner = xasprintf("%s/container_path", prefix);
	cleanup_free char *path = xasprintf("%s/path", prefix);

	if (device->container_path &&
	    strcmp(device->container_path, device->path) != 0)
		json_fault(faults, inner,
			   "must be the host's path: a user namespace has no "
			   "nodes but the host's own");
	if ((device->node.st_mode & 06) != 06)
		json_fault(faults, path,
			   "its owner is not in the user namespace, and others "
			   "may not read and write it");
}

void
wishes_find_devices(struct wishes *wishes, struct json_faults *faults)
{
	for (size_t i = 0; i < wishes->n_devices; i++) {
		struct wish_device *device = &wishes->device_list[i];
		cleanup_free char *prefix = xasprintf("/devices/%zu", i);
		cleanup_free char *pointer = xasprintf("%s/path", prefix);

		if (!device->path || device_path_fault(device->path))
			continue;
		if (stat(device->path, &device->node) < 0) {
			json_fault(faults, pointer, "%s", strerror(errno));
			continue;
		}
		if (S_ISCHR(device->node.st_mode) ||
		    S_ISBLK(device->node.st_mode)) {
			if (wishes_have_user_namespace(wishes))
				check_bound(device, prefix, faults);
			continue;
		}
		device->node.st_mode = 0;
		json_fault(faults, pointer, "is not a device");
	}
}

void
wishes_devices_done(struct wishes *wishes)
{
	for (size_t i = 0; i < wishes->n_devices; i++)
		json_release(device_fields, ARRAY_SIZE(device_fields),
			     &wishes->device_list[i]);
	free(wishes->device_list);
}
