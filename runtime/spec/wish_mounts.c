/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts[] of the wishes: what may be mounted where, with which options.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/rules.h"
#include "runtime/spec/wishes_internal.h"

static const struct json_field mount_fields[] = {
	JSON_TEXT(struct wish_mount, type, "type", JSON_REQUIRED),
	JSON_TEXT(struct wish_mount, source, "source", 0),
	JSON_TEXT(struct wish_mount, target, "target", JSON_REQUIRED),
	JSON_STRV(struct wish_mount, options, "options", 0),
};

/*
 * Mount options that a client may give. shared and rshared are missing:
 * the mounts lie in a namespace of the shim's own.
 */
static const char *const bind_options[] = {
	"bind",	 "rbind",  "ro",      "rw",	  "nosuid",	"suid",
	"nodev", "dev",	   "noexec",  "exec",	  "private",	"rprivate",
	"slave", "rslave", "noatime", "relatime", "nodiratime", "nosymfollow",
};

static const char *const tmpfs_options[] = {
	"ro",	      "rw",	     "nosuid",	    "suid",    "nodev",
	"dev",	      "noexec",	     "exec",	    "noatime", "relatime",
	"nodiratime", "strictatime", "nosymfollow",
};

static const char *const tmpfs_values[] = { "size=", "mode=", "uid=", "gid=",
					    "nr_inodes=" };

/* Where the runtime itself mounts, or where a mount would undo it. */
static const char *const closed_targets[] = { "/proc", "/sys", "/dev" };

static void
check_option(const struct wish_mount *mount, const char *option, size_t i,
	     size_t j, struct json_faults *faults)
{
	bool is_bind = strcmp(mount->type, "bind") == 0;
	cleanup_free char *pointer = NULL;

	if (is_bind
		? wish_is_one_of(option, bind_options, ARRAY_SIZE(bind_options))
		: wish_is_one_of(option, tmpfs_options,
				 ARRAY_SIZE(tmpfs_options)))
		return;
	for (size_t k = 0; !is_bind && k < ARRAY_SIZE(tmpfs_values); k++) {
		size_t len = strlen(tmpfs_values[k]);
		const char *value = option + len;

		if (strncmp(option, tmpfs_values[k], len) == 0 && *value &&
		    strspn(value, "0123456789kmgKMG%") == strlen(value))
			return;
	}
	pointer = xasprintf("/mounts/%zu/options/%zu", i, j);
	json_fault(faults, pointer, "no such option of a %s mount",
		   mount->type);
}

static void
check_target(const struct wishes *wishes, size_t i, struct json_faults *faults)
{
	const char *target = wishes->mount_list[i].target;
	cleanup_free char *pointer = xasprintf("/mounts/%zu/target", i);
	const char *fault = path_fault(target);

	if (fault) {
		json_fault(faults, pointer, "%s", fault);
		return;
	}
	path_normalise(wishes->mount_list[i].target);
	if (strcmp(target, "/") == 0)
		json_fault(faults, pointer, "must not be the root");
	for (size_t k = 0; k < ARRAY_SIZE(closed_targets); k++)
		if (path_is_below(target, closed_targets[k]) &&
		    strcmp(target, "/dev/shm") != 0)
			json_fault(faults, pointer,
				   "nothing can be mounted on %s or below",
				   closed_targets[k]);
	for (size_t k = 0; k < i; k++) {
		const struct wish_mount *other = &wishes->mount_list[k];

		if (other->target && strcmp(other->target, target) == 0)
			json_fault(faults, pointer,
				   "is the target of /mounts/%zu too", k);
	}
}

/*
 * A mount point inside a bind mount would be made by the runtime in the
 * host's directory, where others may swap it for a link (CVE-2024-45310).
 */
static void
check_nesting(const struct wishes *wishes, struct json_faults *faults)
{
	for (size_t i = 0; i < wishes->n_mounts; i++)
		for (size_t k = 0; k < wishes->n_mounts; k++) {
			const struct wish_mount *in = &wishes->mount_list[i];
			const struct wish_mount *out = &wishes->mount_list[k];
			cleanup_free char *pointer = NULL;

			if (i == k || !in->target || !out->target ||
			    !out->type || strcmp(out->type, "bind") != 0 ||
			    !path_is_below(in->target, out->target) ||
			    strcmp(in->target, out->target) == 0)
				continue;
			pointer = xasprintf("/mounts/%zu/target", i);
			json_fault(faults, pointer,
				   "lies inside the bind mount /mounts/%zu", k);
		}
}

static void
check_mount(struct wishes *wishes, size_t i, struct json_faults *faults)
{
	struct wish_mount *mount = &wishes->mount_list[i];
	cleanup_free char *source = xasprintf("/mounts/%zu/source", i);

	if (mount->target)
		check_target(wishes, i, faults);
	if (!mount->type)
		return;
	if (strcmp(mount->type, "bind") == 0) {
		if (!mount->source)
			json_fault(faults, source, "is required for a bind");
		else if (strcmp(mount->source, "/") == 0)
			json_fault(faults, source, "must not be the root");
		else
			wish_check_path(faults, source, mount->source);
	} else if (strcmp(mount->type, "tmpfs") == 0) {
		if (mount->source)
			json_fault(faults, source, "a tmpfs has no source");
	} else {
		cleanup_free char *type = xasprintf("/mounts/%zu/type", i);

		json_fault(faults, type, "must be \"bind\" or \"tmpfs\"");
		return;
	}
	for (size_t j = 0; j < mount->options.n; j++)
		check_option(mount, mount->options.items[j], i, j, faults);
}

void
wishes_decode_mounts(struct wishes *wishes, struct json_faults *faults)
{
	size_t n = json_array_size(wishes->mounts);

	if (n > MOUNTS_MAX) {
		json_fault(faults, "/mounts", "more than %d mounts",
			   MOUNTS_MAX);
		return;
	}
	wishes->mount_list = xcalloc(n ? n : 1, sizeof(*wishes->mount_list));
	wishes->n_mounts = n;
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *prefix = xasprintf("/mounts/%zu", i);

		json_decode(json_array_get(wishes->mounts, i), prefix,
			    mount_fields, ARRAY_SIZE(mount_fields),
			    &wishes->mount_list[i], faults);
		check_mount(wishes, i, faults);
	}
	check_nesting(wishes, faults);
}

void
wishes_mounts_done(struct wishes *wishes)
{
	for (size_t i = 0; i < wishes->n_mounts; i++)
		json_release(mount_fields, ARRAY_SIZE(mount_fields),
			     &wishes->mount_list[i]);
	free(wishes->mount_list);
}

void
wishes_check_sources(const struct wishes *wishes, const struct host *host,
		     struct json_faults *faults)
{
	for (size_t i = 0; i < wishes->n_mounts; i++) {
		const char *source = wishes->mount_list[i].source;
		cleanup_free char *pointer = xasprintf("/mounts/%zu/source", i);
		const char *fault = NULL;

		/* What is no path, or "/", has been told. */
		if (source && !path_fault(source) && strcmp(source, "/") != 0)
			fault = mount_source_fault(source, host);
		if (fault)
			json_fault(faults, pointer, "%s", fault);
	}
}
