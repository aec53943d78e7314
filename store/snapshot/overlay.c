/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to mount to see a snapshot (the kernel's
 * Documentation/filesystems/overlayfs.rst).
 *
 * The list of lower directories of a tall stack is longer than the page
 * that mount(2) takes; the mounter changes to snapshots/overlay and uses
 * relative paths then. The document always says whole paths.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "store/snapshot/snapshot_internal.h"

#define PARAMETERS "/sys/module/overlay/parameters/"

/*
 * Distributions build these on or off. On, each makes a mount depend on
 * what another kernel wrote, or lets a layer redirect into another one.
 */
static const struct {
	const char *parameter;
	const char *option;
} fixed_options[] = {
	{ PARAMETERS "index", "index=off" },
	{ PARAMETERS "metacopy", "metacopy=off" },
	{ PARAMETERS "xino_auto", "xino=off" },
	{ PARAMETERS "redirect_dir", "redirect_dir=nofollow" },
};

void
overlay_probe(struct strv *options)
{
	/* Loads the module if it is one and is not there yet. */
	cleanup_close int context = fsopen("overlay", FSOPEN_CLOEXEC);

	(void)context;
	for (size_t i = 0; i < ARRAY_SIZE(fixed_options); i++)
		if (access(fixed_options[i].parameter, F_OK) == 0)
			strv_add(options, fixed_options[i].option);
}

static char *
lower_dirs(const struct snapshots *snapshots, const struct chain *chain)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (size_t i = 1; i < chain->n; i++)
		strbuf_addf(&text, "%s%s/%" PRId64 "/fs",
			    i == 1 ? "lowerdir=" : ":", snapshots->dir_path,
			    chain->numbers[i]);
	return strbuf_steal(&text);
}

static void
fill_bind(struct mount *mount, const struct snapshots *snapshots,
	  int64_t number, const char *mode)
{
	mount->type = xstrdup("bind");
	mount->source =
	    xasprintf("%s/%" PRId64 "/fs", snapshots->dir_path, number);
	strv_add(&mount->options, mode);
	strv_add(&mount->options, "rbind");
}

static void
fill_overlay(struct mount *mount, const struct snapshots *snapshots,
	     enum snapshot_kind kind, const struct chain *chain)
{
	mount->type = xstrdup("overlay");
	mount->source = xstrdup("overlay");
	for (size_t i = 0; i < snapshots->options.n; i++)
		strv_add(&mount->options, snapshots->options.items[i]);
	if (kind == SNAPSHOT_ACTIVE) {
		strv_addf(&mount->options, "workdir=%s/%" PRId64 "/work",
			  snapshots->dir_path, chain->numbers[0]);
		strv_addf(&mount->options, "upperdir=%s/%" PRId64 "/fs",
			  snapshots->dir_path, chain->numbers[0]);
	}
	strv_add_owned(&mount->options, lower_dirs(snapshots, chain));
}

struct mount *
overlay_mount(const struct snapshots *snapshots, enum snapshot_kind kind,
	      const struct chain *chain)
{
	struct mount *mount = xcalloc(1, sizeof(*mount));

	if (chain->n == 1)
		fill_bind(mount, snapshots, chain->numbers[0],
			  kind == SNAPSHOT_ACTIVE ? "rw" : "ro");
	else if (kind == SNAPSHOT_VIEW && chain->n == 2)
		fill_bind(mount, snapshots, chain->numbers[1], "ro");
	else
		fill_overlay(mount, snapshots, kind, chain);
	return mount;
}

static void
mount_done(struct mount *mount)
{
	free(STEAL_PTR(mount->type));
	free(STEAL_PTR(mount->source));
	strv_done(&mount->options);
}

void
mounts_free(struct mount *mounts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mount_done(&mounts[i]);
	free(mounts);
}

json_t *
mounts_to_json(const struct mount *mounts, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *object = json_object();
		json_t *options = json_array();

		json_set_text(object, "type", mounts[i].type);
		json_set_text(object, "source", mounts[i].source);
		for (size_t j = 0; j < mounts[i].options.n; j++)
			(void)json_array_append_new(
			    options, json_string(mounts[i].options.items[j]));
		(void)json_object_set_new(object, "options", options);
		(void)json_array_append_new(array, object);
	}
	return array;
}
