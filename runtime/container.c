/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a container: body → wishes → image → user and spec → directory of
 * the snapshot → one transaction with the snapshot's row and the
 * container's. Two that race for an id meet in the transaction; the loser's
 * directory is removed, and was never named by a row.
 */
#include "config.h"

#include "runtime/container.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/proc.h"
#include "runtime/container_start.h"
#include "runtime/spec/host.h"
#include "runtime/spec/rootfs_view.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/wishes.h"
#include "store/image_content.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"

#define ID_TRIES 8

struct creation {
	const struct container_context *context;
	const char *ns;
	const char *id;
	const char *snapshotter;
	const struct wishes *wishes;
	struct image_content *image; /* NULL: a spec without image */
	char parent[CHAIN_ID_SIZE];  /* snapshot below; "" none */
	json_t *spec;
	struct snapshot_dir *dir;
	json_t *object;
};

static void
creation_done(struct creation *creation)
{
	image_content_free(creation->image);
	json_decref(creation->spec);
	snapshot_dir_free(creation->dir);
	json_decref(creation->object);
}

/* --- the body --------------------------------------------------------- */

static void
check_runtime(const struct wishes *wishes, struct json_faults *faults)
{
	struct skiff_error ignored = ERROR_INIT;
	cleanup_free char *path = NULL;

	if (wishes->runtime_name && *wishes->runtime_name &&
	    proc_find(wishes->runtime_name, &path, &ignored) < 0)
		json_fault(faults, "/runtime/name",
			   "no such program on this host");
}

static int
decode(const json_t *body, const struct host *host, struct wishes *wishes,
       const char **ret_snapshotter, struct json_faults *faults,
       struct skiff_error *err)
{
	struct skiff_error fault = ERROR_INIT;

	*ret_snapshotter = SNAPSHOTTER_DEFAULT;
	wishes_decode(body, wishes, faults);
	if (wishes->labels)
		labels_check(wishes->labels, "/labels", faults);
	if (wishes->snapshotter &&
	    snapshotter_check(wishes->snapshotter, ret_snapshotter, &fault) < 0)
		json_fault(faults, "/snapshotter", "%s", fault.text);
	check_runtime(wishes, faults);
	wishes_check_host(wishes, host, faults);
	if (wishes->spec)
		spec_check(wishes->spec, "/spec", host, faults);
	return json_faults_to_error(faults, err);
}

/* --- the image -------------------------------------------------------- */

static int
not_unpacked(const struct creation *creation, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "image %s is not unpacked for snapshotter %s: pull or "
		      "unpack it first",
		      creation->wishes->image, creation->snapshotter);
	(void)err_object(err, "image", creation->wishes->image);
	return err_reason(err, "image_not_unpacked");
}

static int
load_image(struct creation *creation, struct skiff_error *err)
{
	const struct container_context *context = creation->context;
	const char *name = creation->wishes->image;

	if (!name)
		return 0;
	if (image_content_load(context->db, context->content, creation->ns,
			       name, NULL, &creation->image, err) < 0) {
		/* Named, but the request is not what is wrong with it. */
		if (err->code == SKIFF_INVALID_ARGUMENT) {
			err->code = SKIFF_FAILED_PRECONDITION;
			(void)err_field(err, "");
			(void)err_reason(err, "image_invalid_config");
		}
		return err_wrap(err, "image %s", name);
	}
	if (creation->image->config->n_diff_ids > 0)
		(void)image_config_chain_id(creation->image->config,
					    creation->image->config->n_diff_ids,
					    creation->parent);
	return 0;
}

/* The unpacked layers, or NULL for an image without any. */
static int
open_view(const struct creation *creation, struct rootfs_view **ret_view,
	  struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;

	if (!*creation->parent)
		return 0;
	if (snapshot_dirs(creation->context->snapshots, creation->ns,
			  creation->parent, &dirs, err) < 0)
		return err->code == SKIFF_NOT_FOUND
			   ? not_unpacked(creation, err)
			   : -1;
	return rootfs_view_open(&dirs, ret_view, err);
}

static int
make_spec(struct creation *creation, struct skiff_error *err)
{
	const struct container_context *context = creation->context;
	CLEANUP(rootfs_view_freep) struct rootfs_view *view = NULL;

	if (creation->image && open_view(creation, &view, err) < 0)
		return -1;
	if (creation->wishes->spec) {
		creation->spec =
		    spec_adopt(creation->wishes->spec, context->host,
			       creation->ns, creation->id);
		return 0;
	}
	/* Without a spec of its own a container names an image. */
	assert(creation->image);
	return spec_build(
	    &(struct spec_request){ .host = context->host,
				    .ns = creation->ns,
				    .id = creation->id,
				    .wishes = creation->wishes,
				    .image = creation->image->config,
				    .view = view,
				    .has_seccomp = context->host->has_seccomp },
	    &creation->spec, err);
}

/* --- the record ------------------------------------------------------- */

/* In labels of its own: those of the body are the request's. */
static void
mark_starting(json_t *object)
{
	json_t *labels = json_deep_copy(json_object_get(object, "labels"));

	if (!labels)
		labels = json_object();
	json_set_text(labels, CONTAINER_STARTING, "true");
	(void)json_object_set_new(object, "labels", labels);
}

/* The body as it was given, with what was resolved. */
static json_t *
make_object(const struct creation *creation, const json_t *body)
{
	const struct wishes *wishes = creation->wishes;
	json_t *object = json_object();

	json_set_text(object, "id", creation->id);
	(void)json_object_update_missing(object, (json_t *)body);
	if (creation->image) {
		const char *stop = creation->image->config->stop_signal;

		json_set_text(object, "image_digest",
			      creation->image->target.text);
		json_set_text(object, "snapshotter", creation->snapshotter);
		json_set_text(object, "snapshot_key", creation->id);
		if (!wishes->stop_signal && stop && signal_number(stop) > 0)
			json_set_text(object, "stop_signal", stop);
	}
	if (!wishes->runtime)
		(void)json_object_set_new(object, "runtime",
					  json_pack("{s:s}", "name",
						    RUNTIME_DEFAULT));
	(void)json_object_set(object, "spec", creation->spec);
	if (creation->context->will_start)
		mark_starting(object);
	return object;
}

static int
insert(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct creation *creation = arg;
	const struct record_ref ref = { RECORD_CONTAINER, creation->ns,
					creation->id };
	cleanup_json json_t *snapshot = NULL;

	/* Asked first, so that the container is what the error names. */
	if (record_exists(tx_conn(tx), &ref)) {
		(void)err_set(err, SKIFF_ALREADY_EXISTS,
			      "container \"%s\": already exists", creation->id);
		return err_object(err, "container", creation->id);
	}
	if (creation->dir &&
	    snapshot_prepare_in(
		creation->dir, tx,
		&(struct snapshot_request){
		    .ns = creation->ns,
		    .key = creation->id,
		    .parent = *creation->parent ? creation->parent : NULL,
		    .kind = SNAPSHOT_ACTIVE },
		&snapshot, err) < 0)
		return -1;
	return record_insert(tx, &ref, creation->object, &(struct change){ 0 },
			     err);
}

static int
commit(struct creation *creation, const json_t *body, char **ret_doc,
       int64_t *ret_revision, struct skiff_error *err)
{
	const struct container_context *context = creation->context;

	if (creation->image &&
	    snapshot_dir_make(context->snapshots, &creation->dir, err) < 0)
		return -1;
	creation->object = make_object(creation, body);
	if (fault_hit(FAULT_CONTAINER_COMMIT, err) < 0 ||
	    db_write(context->db, insert, creation, err) < 0 ||
	    fault_hit(FAULT_CONTAINER_COMMITTED, err) < 0)
		return -1;
	*ret_revision = json_get_int(creation->object, "revision", 0);
	*ret_doc = json_text(creation->object);
	return 0;
}

static int
try_create(struct creation *creation, const json_t *body, char **ret_doc,
	   int64_t *ret_revision, struct skiff_error *err)
{
	if (load_image(creation, err) < 0 || make_spec(creation, err) < 0)
		return -1;
	return commit(creation, body, ret_doc, ret_revision, err);
}

int
container_create(const struct container_context *context, const char *ns,
		 const json_t *body, struct json_faults *faults, char **ret_doc,
		 int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(wishes_done) struct wishes wishes = { 0 };
	const char *snapshotter;
	char made[CONTAINER_ID_SIZE];

	if (decode(body, context->host, &wishes, &snapshotter, faults, err) < 0)
		return -1;
	for (int i = 0;; i++) {
		CLEANUP(creation_done)
		struct creation creation = {
			.context = context,
			.ns = ns,
			.id = wishes.id ? wishes.id : container_random_id(made),
			.snapshotter = snapshotter,
			.wishes = &wishes,
		};

		if (try_create(&creation, body, ret_doc, ret_revision, err) ==
		    0)
			return 0;
		if (wishes.id || err->code != SKIFF_ALREADY_EXISTS ||
		    i == ID_TRIES)
			return -1;
		*err = (struct skiff_error)ERROR_INIT;
	}
}

/* --- removal ---------------------------------------------------------- */

struct removal {
	const struct container_context *context;
	struct record_ref ref;
	int64_t if_match;
};

static int
refuse_with_task(struct conn *conn, const struct record_ref *container,
		 struct skiff_error *err)
{
	const struct record_ref ref = { RECORD_TASK, container->ns,
					container->key };
	cleanup_json json_t *task = NULL;
	const char *state;

	if (!record_exists(conn, &ref))
		return 0;
	if (record_load(conn, &ref, &task, err) < 0)
		return -1;
	state = json_get_text(task, "state");
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "container \"%s\" has a task, which is %s: delete it "
		      "first",
		      container->key, state);
	(void)err_reason(err, "task_exists");
	(void)err_object(err, "container", container->key);
	return err_state(err, state);
}

static int
remove_rows(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct removal *removal = arg;
	cleanup_json json_t *container = NULL;
	const char *key;

	if (record_load(tx_conn(tx), &removal->ref, &container, err) < 0 ||
	    refuse_with_task(tx_conn(tx), &removal->ref, err) < 0 ||
	    record_delete(tx, &removal->ref,
			  &(struct change){ .if_match = removal->if_match },
			  err) < 0)
		return -1;
	key = json_get_text(container, "snapshot_key");
	if (!*key)
		return 0;
	if (snapshot_remove_in(removal->context->snapshots, tx, removal->ref.ns,
			       key, /* if_match= */ 0, err) == 0)
		return 0;
	/* Somebody removed or holds it: no reason to keep the container. */
	if (err->code != SKIFF_NOT_FOUND &&
	    err->code != SKIFF_FAILED_PRECONDITION)
		return err_wrap(err, "snapshot %s", key);
	*err = (struct skiff_error)ERROR_INIT;
	return 0;
}

int
container_delete(const struct container_context *context, const char *ns,
		 const char *id, int64_t if_match, struct skiff_error *err)
{
	struct removal removal = { context,
				   { RECORD_CONTAINER, ns, id },
				   if_match };
	int r;

	if (fault_hit(FAULT_CONTAINER_DELETE, err) < 0)
		return -1;
	r = db_write(context->db, remove_rows, &removal, err);
	if (r == 0)
		r = fault_hit(FAULT_CONTAINER_DELETED, err);
	/* After a failure it brings back what the closure moved away. */
	snapshots_empty_trash(context->snapshots);
	return r;
}
