/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bind mounts below the host's bind roots: their sources become places in the
 * bundle, which the shim mounts them on (runtime/shim/binds.c).
 */
#include "config.h"

#include "runtime/bundle_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "runtime/container.h"
#include "runtime/spec/bind_root.h"
#include "runtime/spec/host.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/user_namespace.h"

/* All that are held, so far. */
struct binds {
	const struct host *host;
	bool is_restricted; /* the container: all are held */
	int bundle_fd;
	size_t n;
	struct strbuf list; /* SHIM_FILE_BINDS */
};

/* What the source, a directory or not, can be mounted on. */
static int
make_place(const struct binds *binds, const char *place, int source_fd,
	   struct skiff_error *err)
{
	struct stat st;

	if (fstat(source_fd, &st) < 0)
		return err_errno(err, errno, "mount source");
	if (fs_mkdir_all(binds->bundle_fd, SPEC_SOURCE_BINDS, 0755, err) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		return fs_create_file(binds->bundle_fd, place, "", 0, 0600,
				      err);
	return fs_mkdir_all(binds->bundle_fd, place, 0700, err);
}

static int
hold(struct binds *binds, json_t *mount, struct skiff_error *err)
{
	const char *path = json_get_text(mount, "source");
	cleanup_free char *place =
	    xasprintf(SPEC_SOURCE_BINDS "/%zu", binds->n++);
	CLEANUP(bind_source_done) struct bind_source source = { .fd = -1 };

	if (bind_root_open(binds->host, path, &source, err) < 0)
		return err->code == SKIFF_NOT_FOUND
			   ? bundle_no_source(path, err)
			   : -1;
	strbuf_add(&binds->list, source.root, strlen(source.root) + 1);
	strbuf_add(&binds->list, source.below, strlen(source.below) + 1);
	if (make_place(binds, place, source.fd, err) < 0)
		return -1;
	json_set_text(mount, "source", place);
	return 0;
}

static int
check_way(const struct host *host, const char *path, struct skiff_error *err)
{
	if (!bind_root_is_led_to(host, path))
		return 0;
	(void)err_set(err, SKIFF_PERMISSION_DENIED,
		      "%.512s leads into a --bind-root over a link, where "
		      "others say what it is: name the place itself",
		      path);
	return err_reason(err, "bind_not_allowed");
}

/* A relative source is the daemon's own. */
static int
look_at(struct binds *binds, json_t *mount, struct skiff_error *err)
{
	const char *path = json_get_text(mount, "source");

	if (!bundle_is_bind(mount) || *path != '/')
		return 0;
	return binds->is_restricted || bind_root_has(binds->host, path)
		   ? hold(binds, mount, err)
		   : check_way(binds->host, path, err);
}

static int
look_at_all(struct binds *binds, json_t *mounts, struct skiff_error *err)
{
	json_t *mount;
	size_t i;

	json_array_foreach (mounts, i, mount)
		if (look_at(binds, mount, err) < 0)
			return -1;
	return 0;
}

/* The container, with other mounts. */
static json_t *
with_mounts(const json_t *container, json_t *mounts)
{
	json_t *copy = json_copy((json_t *)container);
	json_t *spec = json_copy(json_object_get(container, "spec"));

	(void)json_object_set(spec, "mounts", mounts);
	(void)json_object_set_new(copy, "spec", spec);
	return copy;
}

static int
check_restricted(const json_t *spec, struct skiff_error *err)
{
	if (spec_has_user_namespace(spec) &&
	    !spec_maps_below(spec, USER_RANGE_SIZE))
		return 0;
	(void)err_set(
	    err, SKIFF_PERMISSION_DENIED,
	    "a container that a user has made or changed needs ids "
	    "of its own (\"userns\": \"auto\"), unless an admin sets its "
	    "\"" CONTAINER_RESTRICTED "\" to false");
	return err_reason(err, "restricted");
}

int
bundle_hold_binds(const struct bundle_request *request, int task_fd,
		  int bundle_fd, json_t **ret_container,
		  struct skiff_error *err)
{
	const json_t *spec = json_object_get(request->container, "spec");
	struct binds binds = {
		.host = request->host,
		.is_restricted =
		    json_get_bool(request->container, CONTAINER_RESTRICTED),
		.bundle_fd = bundle_fd,
		.list = STRBUF_INIT,
	};
	const char *own_root = spec_own_root(spec);
	cleanup_json json_t *mounts = NULL;
	int r;

	if (binds.is_restricted && check_restricted(spec, err) < 0)
		return -1;
	if (!binds.is_restricted && binds.host->bind_roots.n == 0) {
		*ret_container = json_incref((json_t *)request->container);
		return 0;
	}
	if (own_root && check_way(binds.host, own_root, err) < 0)
		return -1;
	mounts = json_deep_copy(json_object_get(spec, "mounts"));
	r = look_at_all(&binds, mounts, err);
	if (r == 0 && binds.n > 0)
		r = fs_create_file(task_fd, SHIM_FILE_BINDS, binds.list.buf,
				   binds.list.len, 0600, err);
	if (r == 0)
		*ret_container = with_mounts(request->container, mounts);
	strbuf_done(&binds.list);
	return r;
}
