/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bind mounts of a container that is held to the host's bind roots: their
 * sources become places in the bundle, which the shim mounts them on
 * (runtime/shim/binds.c).
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
#include "runtime/spec/spec.h"
#include "runtime/spec/user_namespace.h"

/* All that are held, so far. */
struct binds {
	const struct host *host;
	bool has_user_namespace;
	int bundle_fd;
	size_t n;
	struct strbuf list; /* SHIM_FILE_BINDS */
};

static bool
has_option(const json_t *mount, const char *name)
{
	json_t *option;
	size_t i;

	json_array_foreach (json_object_get(mount, "options"), i, option)
		if (strcmp(json_string_value(option), name) == 0)
			return true;
	return false;
}

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
	const char *text = json_get_text(mount, "source");
	struct bind_wish wish = {
		.source = text,
		.is_read_only =
		    (has_option(mount, "ro") || has_option(mount, "rro")) &&
		    !has_option(mount, "rw"),
		.has_user_namespace = binds->has_user_namespace,
	};
	cleanup_free char *place =
	    xasprintf(SPEC_SOURCE_BINDS "/%zu", binds->n++);
	struct bind_source source = { .fd = -1 };
	int r;

	if (bind_root_open(binds->host, &wish, &source, err) < 0)
		return err->code == SKIFF_NOT_FOUND
			   ? bundle_no_source(text, err)
			   : -1;
	strbuf_add(&binds->list, source.root, strlen(source.root) + 1);
	strbuf_add(&binds->list, source.below, strlen(source.below) + 1);
	r = make_place(binds, place, source.fd, err);
	closep(&source.fd);
	json_set_text(mount, "source", place);
	return r;
}

/* A relative source is the daemon's own. */
static bool
is_wished(const json_t *mount)
{
	return bundle_is_bind(mount) && *json_get_text(mount, "source") == '/';
}

static int
hold_all(struct binds *binds, json_t *mounts, struct skiff_error *err)
{
	json_t *mount;
	size_t i;

	json_array_foreach (mounts, i, mount)
		if (is_wished(mount) && hold(binds, mount, err) < 0)
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

int
bundle_hold_binds(const struct bundle_request *request, int task_fd,
		  int bundle_fd, json_t **ret_container,
		  struct skiff_error *err)
{
	const json_t *spec = json_object_get(request->container, "spec");
	struct binds binds = {
		.host = request->host,
		.has_user_namespace = spec_has_user_namespace(spec),
		.bundle_fd = bundle_fd,
		.list = STRBUF_INIT,
	};
	cleanup_json json_t *mounts = NULL;
	int r;

	if (!json_get_bool(request->container, CONTAINER_RESTRICTED)) {
		*ret_container = json_incref((json_t *)request->container);
		return 0;
	}
	mounts = json_deep_copy(json_object_get(spec, "mounts"));
	r = hold_all(&binds, mounts, err);
	if (r == 0 && binds.n > 0)
		r = fs_create_file(task_fd, SHIM_FILE_BINDS, binds.list.buf,
				   binds.list.len, 0600, err);
	if (r == 0)
		*ret_container = with_mounts(request->container, mounts);
	strbuf_done(&binds.list);
	return r;
}
