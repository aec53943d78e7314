/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts[] (OCI runtime-spec, config.md, "Mounts"): what every container
 * has, the files that the daemon generates, and what was wished. A wish
 * takes the place of a default or generated mount with the same target.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/spec_internal.h"
#include "runtime/spec/wishes.h"

#define OPTIONS_MAX 8
#define TMPFS_SIZE "size=64m" /* of a wish that names none */

struct fixed_mount {
	const char *destination;
	const char *type;
	const char *source;
	const char *options[OPTIONS_MAX]; /* NULL ends them */
};

static const struct fixed_mount defaults[] = {
	{ "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ "/dev",
	  "tmpfs",
	  "tmpfs",
	  { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
	    "gid=5" } },
	{ "/dev/shm",
	  "tmpfs",
	  "shm",
	  { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys/fs/cgroup",
	  "cgroup",
	  "cgroup",
	  { "nosuid", "noexec", "nodev", "relatime", "ro" } },
	{ "/run",
	  "tmpfs",
	  "tmpfs",
	  { "nosuid", "nodev", "strictatime", "mode=755", "size=65536k" } },
};

/* With a read-only root something must be left to write to. */
static const struct fixed_mount writable_tmp = {
	"/tmp", "tmpfs", "tmpfs", { "nosuid", "nodev", "mode=1777", "size=64m" }
};

/* Shared memory belongs to the IPC namespace. */
static const struct fixed_mount host_shm = { "/dev/shm",
					     "bind",
					     "/dev/shm",
					     { "rbind", "nosuid", "noexec",
					       "nodev", "rprivate" } };

static const struct fixed_mount joined_shm = { "/dev/shm",
					       "bind",
					       SPEC_SOURCE_SHM,
					       { "bind", "nosuid", "noexec",
						 "nodev", "rprivate" } };

static const struct fixed_mount init = { SPEC_INIT,
					 "bind",
					 SPEC_SOURCE_INIT,
					 { "bind", "nosuid", "nodev",
					   "rprivate" } };

static const struct fixed_mount generated[] = {
	{ "/etc/hostname",
	  "bind",
	  SPEC_SOURCE_HOSTNAME,
	  { "bind", "nosuid", "nodev", "rprivate" } },
	{ "/etc/hosts",
	  "bind",
	  SPEC_SOURCE_HOSTS,
	  { "bind", "nosuid", "nodev", "rprivate" } },
	{ "/etc/resolv.conf",
	  "bind",
	  SPEC_SOURCE_RESOLV_CONF,
	  { "bind", "nosuid", "nodev", "rprivate" } },
};

static bool
is_wished(const struct wishes *wishes, const char *target)
{
	for (size_t i = 0; i < wishes->n_mounts; i++)
		if (strcmp(wishes->mount_list[i].target, target) == 0)
			return true;
	return false;
}

static void
add_fixed(json_t *mounts, const struct wishes *wishes,
	  const struct fixed_mount *mount, bool is_read_only)
{
	json_t *options = json_array();

	if (is_wished(wishes, mount->destination)) {
		json_decref(options);
		return;
	}
	for (size_t n = 0; n < OPTIONS_MAX && mount->options[n]; n++)
		/* /sys and the cgroups are a privileged one's to write. */
		if (!wishes->privileged || strcmp(mount->options[n], "ro") != 0)
			(void)json_array_append_new(options,
						    json_string(
							mount->options[n]));
	if (is_read_only)
		(void)json_array_append_new(options, json_string("ro"));
	(void)json_array_append_new(
	    mounts, json_pack("{s:s, s:s, s:s, s:o}", "destination",
			      mount->destination, "type", mount->type, "source",
			      mount->source, "options", options));
}

/* The wish says option, or its opposite. */
static bool
has_either(const struct strv *options, const char *option, const char *other)
{
	return strv_has(options, option) || strv_has(options, other);
}

static bool
has_value(const struct strv *options, const char *prefix)
{
	for (size_t i = 0; i < options->n; i++)
		if (strncmp(options->items[i], prefix, strlen(prefix)) == 0)
			return true;
	return false;
}

static void
default_options(const struct wish_mount *mount, struct strv *out)
{
	const struct strv *given = &mount->options;

	if (strcmp(mount->type, "bind") == 0) {
		if (!has_either(given, "bind", "rbind"))
			strv_add(out, "bind");
		if (!has_either(given, "private", "rprivate") &&
		    !has_either(given, "slave", "rslave"))
			strv_add(out, "rprivate");
	} else {
		if (!has_either(given, "noexec", "exec"))
			strv_add(out, "noexec");
		if (!has_value(given, "mode="))
			strv_add(out, "mode=1777");
		if (!has_value(given, "size="))
			strv_add(out, TMPFS_SIZE);
	}
	if (!has_either(given, "nosuid", "suid"))
		strv_add(out, "nosuid");
	if (!has_either(given, "nodev", "dev"))
		strv_add(out, "nodev");
}

static void
add_wished(json_t *mounts, const struct wish_mount *mount)
{
	CLEANUP(strv_done) struct strv options = STRV_INIT;
	bool is_recursive = strv_has(&mount->options, "rbind");

	default_options(mount, &options);
	for (size_t i = 0; i < mount->options.n; i++) {
		const char *option = mount->options.items[i];
		/* "ro" alone would leave the mounts below it writable. */
		bool is_ro = is_recursive && strcmp(option, "ro") == 0;

		strv_add(&options, is_ro ? "rro" : option);
	}
	(void)json_array_append_new(
	    mounts,
	    json_pack("{s:s, s:s, s:s, s:o}", "destination", mount->target,
		      "type", mount->type, "source",
		      mount->source ? mount->source : mount->type, "options",
		      spec_strings((const char *const *)options.items,
				   options.n)));
}

static const struct fixed_mount *
shm_mount(const struct wishes *wishes, const struct fixed_mount *own)
{
	if (namespace_is_host(wishes->ipc))
		return &host_shm;
	return namespace_container(wishes->ipc) ? &joined_shm : own;
}

static int
by_target(const void *a, const void *b)
{
	const struct wish_mount *const *left = a;
	const struct wish_mount *const *right = b;

	return strcmp((*left)->target, (*right)->target);
}

json_t *
spec_mounts(const struct wishes *wishes)
{
	cleanup_free const struct wish_mount **sorted = NULL;
	json_t *mounts = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		add_fixed(mounts, wishes,
			  strcmp(defaults[i].destination, "/dev/shm") == 0
			      ? shm_mount(wishes, &defaults[i])
			      : &defaults[i],
			  false);
	if (wishes->init)
		add_fixed(mounts, wishes, &init, true);
	if (wishes->read_only)
		add_fixed(mounts, wishes, &writable_tmp, false);
	for (size_t i = 0; i < ARRAY_SIZE(generated); i++)
		add_fixed(mounts, wishes, &generated[i], wishes->read_only);
	/* A directory sorts before what lies in it. */
	sorted = xcalloc(wishes->n_mounts + 1, sizeof(struct wish_mount *));
	for (size_t i = 0; i < wishes->n_mounts; i++)
		sorted[i] = &wishes->mount_list[i];
	qsort(sorted, wishes->n_mounts, sizeof(struct wish_mount *), by_target);
	for (size_t i = 0; i < wishes->n_mounts; i++)
		add_wished(mounts, sorted[i]);
	return mounts;
}
