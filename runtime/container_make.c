/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container's spec is made from: wishes, the image's config, and
 * the files of the image (or of the client's own snapshot), in which the
 * user is looked up.
 */
#include "config.h"

#include "runtime/container_internal.h"

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/id.h"
#include "base/json.h"
#include "runtime/spec/health.h"
#include "runtime/spec/host.h"
#include "runtime/spec/rootfs_view.h"
#include "runtime/spec/spec.h"
#include "store/image_content.h"
#include "store/snapshot/snapshots.h"

#if defined(__x86_64__)
#define ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "unknown"
#endif

void
making_done(struct making *making)
{
	image_content_free(making->image);
	json_decref(making->spec);
	making->image = NULL;
	making->spec = NULL;
}

void
making_check_spec(const struct wishes *wishes, const struct host *host,
		  struct json_faults *faults)
{
	if (wishes->spec)
		spec_check(wishes->spec, "/spec", host, faults);
	/* One root filesystem, and no doubt which. */
	if (wishes->spec && spec_own_root(wishes->spec) &&
	    (wishes->image || wishes->snapshot_key))
		json_fault(faults, "/spec/root/path",
			   "must be \"rootfs\": the files are those of the "
			   "%s",
			   wishes->snapshot_key ? "snapshot" : "image");
	if (wishes->snapshot_key && *wishes->snapshot_key) {
		struct skiff_error err = ERROR_INIT;

		if (name_check("snapshot", wishes->snapshot_key, &err) < 0)
			json_fault(faults, "/snapshot_key", "%s", err.text);
	}
}

/* --- the image -------------------------------------------------------- */

static int
not_unpacked(const struct making *making, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "image %s is not unpacked for snapshotter %s: pull or "
		      "unpack it first",
		      making->wishes->image, making->snapshotter);
	(void)err_object(err, "image", making->wishes->image);
	return err_reason(err, "image_not_unpacked");
}

int
making_load_image(struct making *making, struct skiff_error *err)
{
	const struct container_context *context = making->context;
	const char *name = making->wishes->image;

	if (!name)
		return 0;
	if (image_content_load(context->db, context->content, making->ns, name,
			       making->wishes->platform, &making->image,
			       err) < 0) {
		/* Named, but the request is not what is wrong with it. */
		if (err->code == SKIFF_INVALID_ARGUMENT) {
			err->code = SKIFF_FAILED_PRECONDITION;
			(void)err_field(err, "");
			(void)err_reason(err, "image_invalid_config");
		}
		return err_wrap(err, "image %s", name);
	}
	if (making->image->config->n_diff_ids > 0)
		(void)image_config_chain_id(making->image->config,
					    making->image->config->n_diff_ids,
					    making->parent);
	return 0;
}

void
making_inherit(const struct making *making, json_t *object)
{
	const struct image_config *config = making->image->config;
	json_t *health = NULL;

	if (!json_object_get(object, "stop_signal") && config->stop_signal &&
	    signal_number(config->stop_signal) > 0)
		json_set_text(object, "stop_signal", config->stop_signal);
	if (!json_object_get(object, "health"))
		health = health_of_image(config->healthcheck);
	if (health)
		(void)json_object_set_new(object, "health", health);
}

/* --- the spec --------------------------------------------------------- */

/* The client's snapshot, else the unpacked layers; NULL for neither. */
static int
open_view(const struct making *making, struct rootfs_view **ret_view,
	  struct skiff_error *err)
{
	const char *own = making->wishes->snapshot_key;
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;
	const char *key = own ? own : making->parent;

	if (!*key)
		return 0;
	if (snapshot_dirs(making->context->snapshots, making->ns, key, &dirs,
			  err) < 0)
		return err->code == SKIFF_NOT_FOUND && !own
			   ? not_unpacked(making, err)
			   : -1;
	return rootfs_view_open(&dirs, ret_view, err);
}

static bool
has_seccomp(const struct making *making)
{
	const struct host *host = making->context->host;
	const struct oci_runtime *best = host_default_runtime(host);
	const char *name = making->wishes->runtime_name;

	if (!name)
		return best && best->has_seccomp;
	return host_runtime_has_seccomp(host, name);
}

int
making_build_spec(struct making *making, struct skiff_error *err)
{
	static const struct image_config no_image = {
		.architecture = (char *)ARCHITECTURE,
	};
	const struct container_context *context = making->context;
	CLEANUP(rootfs_view_freep) struct rootfs_view *view = NULL;
	struct spec_request request = {
		.host = context->host,
		.ns = making->ns,
		.id = making->id,
		.wishes = making->wishes,
		.image = making->image ? making->image->config : &no_image,
		.has_seccomp = has_seccomp(making),
	};

	if (open_view(making, &view, err) < 0)
		return -1;
	if (making->wishes->spec) {
		making->spec = spec_adopt(making->wishes->spec, context->host,
					  making->ns, making->id);
		return 0;
	}
	request.view = view;
	return spec_build(&request, &making->spec, err);
}
