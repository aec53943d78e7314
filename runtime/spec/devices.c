/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices: linux.devices, the nodes in the container's /dev, and
 * linux.resources.devices, what the kernel lets it do with them.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/spec_internal.h"
#include "runtime/spec/wishes.h"

#define DEV_DEPTH_MAX 4
#define DEV_NODES_MAX 1024

/* null zero full random urandom tty console ptmx, and every pts. */
static const struct device {
	int major;
	int minor; /* -1: all */
} devices[] = {
	{ 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 },	   { 1, 9 },
	{ 5, 0 }, { 5, 1 }, { 5, 2 }, { 136, -1 },
};

/* Of the host's /dev, what the runtime makes anew in the container's. */
static const char *const own_names[] = { "pts",	   "shm",     "fd",
					 "mqueue", "console", "ptmx",
					 "stdin",  "stdout",  "stderr" };

static const char *
type_of(mode_t mode)
{
	return S_ISBLK(mode) ? "b" : "c";
}

/* --- nodes ------------------------------------------------------------ */

static void
add_node(json_t *nodes, const char *path, const struct stat *node)
{
	(void)json_array_append_new(
	    nodes, json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:I}", "path",
			     path, "type", type_of(node->st_mode), "major",
			     (int)major(node->st_rdev), "minor",
			     (int)minor(node->st_rdev), "fileMode",
			     (int)(node->st_mode & 0777), "uid",
			     (json_int_t)node->st_uid, "gid",
			     (json_int_t)node->st_gid));
}

static bool
is_own_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_names); i++)
		if (strcmp(name, own_names[i]) == 0)
			return true;
	return *name == '.';
}

/* Takes dir_fd. */
static void
add_nodes_below(json_t *nodes, int dir_fd, const char *path, int depth)
{
	DIR *dir = fdopendir(dir_fd);
	const struct dirent *entry;

	if (!dir) {
		(void)close(dir_fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL &&
	       json_array_size(nodes) < DEV_NODES_MAX) {
		cleanup_free char *inner =
		    xasprintf("%s/%s", path, entry->d_name);
		struct stat st;
		int fd;

		if (is_own_name(entry->d_name) ||
		    fstatat(dirfd(dir), entry->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			add_node(nodes, inner, &st);
		if (!S_ISDIR(st.st_mode) || depth == DEV_DEPTH_MAX)
			continue;
		fd = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			add_nodes_below(nodes, fd, inner, depth + 1);
	}
	(void)closedir(dir);
}

json_t *
spec_devices(const struct wishes *wishes)
{
	json_t *nodes = json_array();
	int fd = -1;

	if (wishes->privileged)
		fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		add_nodes_below(nodes, fd, "/dev", 1);
	for (size_t i = 0; i < wishes->n_devices; i++) {
		const struct wish_device *device = &wishes->device_list[i];

		if (device->node.st_mode)
			add_node(nodes,
				 device->container_path ? device->container_path
							: device->path,
				 &device->node);
	}
	if (json_array_size(nodes) > 0)
		return nodes;
	json_decref(nodes);
	return NULL;
}

/* --- rules ------------------------------------------------------------- */

static void
add_default_rules(json_t *rules)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		json_t *rule =
		    json_pack("{s:b, s:s, s:i, s:s}", "allow", 1, "type", "c",
			      "major", devices[i].major, "access", "rwm");

		if (devices[i].minor >= 0)
			json_set_int(rule, "minor", devices[i].minor);
		(void)json_array_append_new(rules, rule);
	}
}

json_t *
spec_device_rules(const struct wishes *wishes)
{
	json_t *rules = json_array();

	/* A missing first deny would turn the list into its opposite. */
	(void)json_array_append_new(rules, json_pack("{s:b, s:s}", "allow",
						     wishes->privileged ? 1 : 0,
						     "access", "rwm"));
	if (wishes->privileged)
		return rules;
	add_default_rules(rules);
	for (size_t i = 0; i < wishes->n_devices; i++) {
		const struct wish_device *device = &wishes->device_list[i];
		dev_t number = device->node.st_rdev;

		if (!device->node.st_mode)
			continue;
		(void)json_array_append_new(
		    rules, json_pack("{s:b, s:s, s:i, s:i, s:s}", "allow", 1,
				     "type", type_of(device->node.st_mode),
				     "major", (int)major(number), "minor",
				     (int)minor(number), "access",
				     device->permissions ? device->permissions
							 : "rwm"));
	}
	return rules;
}
