/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing a container, with the snapshot that nothing else holds.
 */
#include "config.h"

#include <jansson.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "runtime/container_internal.h"
#include "store/container_use.h"
#include "store/half_made.h"
#include "store/snapshot/snapshots.h"

#define KEEP_LABEL "containerd.io/gc.root"

struct removal {
	const struct container_context *context;
	struct record_ref ref;
	int64_t if_match;
};

int
container_refuse_with_task(struct conn *conn,
			   const struct record_ref *container,
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

/* A client said so itself: the label by which collectors spare it. */
static bool
is_kept(struct conn *conn, const json_t *container, const char *ns)
{
	cleanup_free char *name =
	    xasprintf("%s/%s", json_get_text(container, "snapshotter"),
		      json_get_text(container, "snapshot_key"));
	const struct record_ref ref = { RECORD_SNAPSHOT, ns, name };
	struct skiff_error gone = ERROR_INIT;
	cleanup_json json_t *snapshot = NULL;

	return record_load(conn, &ref, &snapshot, &gone) == 0 &&
	       json_object_get(json_object_get(snapshot, "labels"), KEEP_LABEL);
}

/* 1 while something else holds the snapshot. */
static int
release(struct tx *tx, const struct record_ref *ref, const json_t *container,
	struct skiff_error *err)
{
	const char *key = json_get_text(container, "snapshot_key");
	cleanup_free char *other = NULL;

	if (!*key)
		return 1;
	if (container_use_remove(tx, ref->ns, ref->key, key, err) < 0)
		return -1;
	if (is_kept(tx_conn(tx), container, ref->ns))
		return 1;
	return container_use_find(tx_conn(tx), ref->ns, key, &other, err);
}

static int
remove_rows(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct removal *removal = arg;
	cleanup_json json_t *container = NULL;
	const char *key;
	int r;

	if (record_load(tx_conn(tx), &removal->ref, &container, err) < 0 ||
	    container_refuse_with_task(tx_conn(tx), &removal->ref, err) < 0 ||
	    record_delete(tx, &removal->ref,
			  &(struct change){ .if_match = removal->if_match },
			  err) < 0 ||
	    half_made_remove(tx, removal->ref.ns, removal->ref.key, err) < 0)
		return -1;
	key = json_get_text(container, "snapshot_key");
	r = release(tx, &removal->ref, container, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (snapshot_remove_in(removal->context->snapshots, tx, removal->ref.ns,
			       key, /* if_match= */ 0, err) == 0)
		return 0;
	/* It is gone or has children: no reason to keep the container. */
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
