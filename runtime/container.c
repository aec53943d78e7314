/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a container: body → wishes → image → user and spec → directory of
 * the snapshot → one transaction with the snapshot's row and the
 * container's. Two that race for an id meet in the transaction; the loser's
 * directory is removed, and was never named by a row.
 *
 * The snapshot's key is the container's id. Where a snapshot of another
 * container has that key already (it was renamed, or a client took it) the
 * key is the id with something random behind it.
 */
#include "config.h"

#include "runtime/container.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/proc.h"
#include "runtime/container_ids.h"
#include "runtime/container_internal.h"
#include "runtime/spec/admin_wishes.h"
#include "runtime/spec/host.h"
#include "store/container_use.h"
#include "store/half_made.h"
#include "store/image_content.h"
#include "store/snapshot/snapshots.h"

#define ID_TRIES 8

struct creation {
	struct making making;
	bool will_start;
	char *key;		  /* of the snapshot; NULL: it has none */
	struct snapshot_dir *dir; /* NULL: not ours to make */
	json_t *object;
};

static void
creation_done(struct creation *creation)
{
	making_done(&creation->making);
	free(creation->key);
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

/* What he may not ask for is told before the host is looked at for it. */
static int
decode(const struct container_request *request, const struct host *host,
       struct wishes *wishes, const char **ret_snapshotter,
       struct json_faults *faults, struct skiff_error *err)
{
	struct skiff_error fault = ERROR_INIT;

	*ret_snapshotter = SNAPSHOTTER_DEFAULT;
	wishes_decode(request->body, wishes, faults);
	if (wishes->labels)
		labels_check(wishes->labels, "/labels", faults);
	if (wishes->snapshotter &&
	    snapshotter_check(wishes->snapshotter, ret_snapshotter, &fault) < 0)
		json_fault(faults, "/snapshotter", "%s", fault.text);
	if (!request->is_by_admin &&
	    (admin_wishes_refuse(wishes, host, faults, err) < 0 ||
	     json_faults_to_error(faults, err) < 0))
		return -1;
	check_runtime(wishes, faults);
	wishes_check_host(wishes, host, faults);
	making_check_spec(wishes, host, faults);
	return json_faults_to_error(faults, err);
}

/* --- the record ------------------------------------------------------- */

static const char *
runtime_name(const struct making *making)
{
	const struct oci_runtime *best =
	    host_default_runtime(making->context->host);

	return best ? best->name : RUNTIME_DEFAULT;
}

/* The body as it was given, with what was resolved. */
static json_t *
make_object(const struct creation *creation,
	    const struct container_request *request)
{
	const struct making *making = &creation->making;
	const struct wishes *wishes = making->wishes;
	json_t *object = json_object();

	json_set_text(object, "id", making->id);
	(void)json_object_update_missing(object, (json_t *)request->body);
	if (making->image) {
		json_set_text(object, "image_digest",
			      making->image->target.text);
		making_inherit(making, object);
	}
	if (creation->key) {
		json_set_text(object, "snapshotter", making->snapshotter);
		json_set_text(object, "snapshot_key", creation->key);
	}
	if (!wishes->runtime)
		(void)json_object_set_new(object, "runtime",
					  json_pack("{s:s}", "name",
						    runtime_name(making)));
	json_set_text(object, "spec_origin",
		      wishes->spec ? ORIGIN_CLIENT : ORIGIN_WISHES);
	(void)json_object_set(object, "spec", making->spec);
	if (!request->is_by_admin)
		json_set_bool(object, CONTAINER_RESTRICTED, true);
	return object;
}

/* The snapshot that a client made must be there, and fit to run on. */
static int
check_own_snapshot(struct conn *conn, const struct making *making,
		   struct skiff_error *err)
{
	const char *key = making->wishes->snapshot_key;
	cleanup_free char *name = xasprintf("%s/%s", making->snapshotter, key);
	const struct record_ref ref = { RECORD_SNAPSHOT, making->ns, name };
	cleanup_json json_t *snapshot = NULL;

	if (record_load(conn, &ref, &snapshot, err) < 0)
		return -1;
	if (strcmp(json_get_text(snapshot, "kind"), "committed") != 0)
		return 0;
	(void)err_set(err, SKIFF_INVALID_ARGUMENT,
		      "snapshot %s is committed: prepare an active one or a "
		      "view on top of it",
		      key);
	return err_field(err, "/snapshot_key");
}

static int
check_free(struct conn *conn, const struct creation *creation,
	   struct skiff_error *err)
{
	const struct making *making = &creation->making;
	const struct record_ref ref = { RECORD_CONTAINER, making->ns,
					making->id };

	if (!record_exists(conn, &ref))
		return making->wishes->snapshot_key
			   ? check_own_snapshot(conn, making, err)
			   : 0;
	(void)err_set(err, SKIFF_ALREADY_EXISTS,
		      "container \"%s\": already exists", making->id);
	return err_object(err, "container", making->id);
}

/* Somebody has the id as a key; the container's document says which it is. */
static void
choose_key(struct conn *conn, struct creation *creation)
{
	const struct making *making = &creation->making;
	cleanup_free char *name =
	    xasprintf("%s/%s", making->snapshotter, creation->key);
	const struct record_ref ref = { RECORD_SNAPSHOT, making->ns, name };
	char random[RANDOM_ID_SIZE];

	if (!record_exists(conn, &ref))
		return;
	free(creation->key);
	creation->key = xasprintf("%s-%.8s", making->id, random_id(random));
	json_set_text(creation->object, "snapshot_key", creation->key);
}

static int
insert(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct creation *creation = arg;
	const struct making *making = &creation->making;
	const struct record_ref ref = { RECORD_CONTAINER, making->ns,
					making->id };
	cleanup_json json_t *snapshot = NULL;

	/* Asked first, so that the container is what the error names. */
	if (check_free(tx_conn(tx), creation, err) < 0)
		return -1;
	if (creation->dir) {
		choose_key(tx_conn(tx), creation);
		if (snapshot_prepare_in(
			creation->dir, tx,
			&(struct snapshot_request){
			    .ns = making->ns,
			    .key = creation->key,
			    .parent = *making->parent ? making->parent : NULL,
			    .kind = SNAPSHOT_ACTIVE },
			&snapshot, err) < 0)
			return -1;
	}
	if (container_ids_settle(making->context, tx, making->ns,
				 json_object_get(creation->object, "spec"),
				 err) < 0)
		return -1;
	if (creation->key && container_use_add(tx, making->ns, making->id,
					       creation->key, err) < 0)
		return -1;
	if (creation->will_start &&
	    half_made_add(tx, making->ns, making->id, err) < 0)
		return -1;
	return record_insert(tx, &ref, creation->object, &(struct change){ 0 },
			     err);
}

static int
commit(struct creation *creation, struct container_made *ret,
       struct skiff_error *err)
{
	const struct making *making = &creation->making;
	const struct container_context *context = making->context;

	if (making->image && !making->wishes->snapshot_key &&
	    snapshot_dir_make(context->snapshots, &creation->dir, err) < 0)
		return -1;
	if (fault_hit(FAULT_CONTAINER_COMMIT, err) < 0 ||
	    db_write(context->db, insert, creation, err) < 0 ||
	    fault_hit(FAULT_CONTAINER_COMMITTED, err) < 0)
		return -1;
	ret->revision = json_get_int(creation->object, "revision", 0);
	return 0;
}

/* What a commit would find, as far as one can look without writing. */
static int
try_dry(struct creation *creation, struct skiff_error *err)
{
	const struct making *making = &creation->making;
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(making->context->db);

	if (check_free(conn, creation, err) < 0 ||
	    container_ids_foresee(making->context, conn, making->ns,
				  json_object_get(creation->object, "spec"),
				  err) < 0)
		return -1;
	json_set_text(creation->object, "namespace", making->ns);
	if (!making->wishes->labels)
		(void)json_object_set_new(creation->object, "labels",
					  json_object());
	return 0;
}

static int
try_create(struct creation *creation, const struct container_request *request,
	   struct container_made *ret, struct skiff_error *err)
{
	struct making *making = &creation->making;
	const char *own = making->wishes->snapshot_key;

	if (making_load_image(making, err) < 0 ||
	    making_build_spec(making, err) < 0 ||
	    container_ids_need(making->context, making->spec, err) < 0)
		return -1;
	if (own || making->image)
		creation->key = xstrdup(own ? own : making->id);
	creation->object = make_object(creation, request);
	if ((request->is_dry ? try_dry(creation, err)
			     : commit(creation, ret, err)) < 0)
		return -1;
	(void)snprintf(ret->id, sizeof(ret->id), "%s", making->id);
	/* Who starts it looks at it once more. */
	if (!creation->will_start)
		ret->doc = json_text(creation->object);
	return 0;
}

static int
create(const struct container_context *context,
       const struct container_request *request, struct json_faults *faults,
       struct container_made *ret, struct skiff_error *err)
{
	CLEANUP(wishes_done) struct wishes wishes = { 0 };
	const char *snapshotter;
	char made[CONTAINER_ID_SIZE];

	if (decode(request, context->host, &wishes, &snapshotter, faults, err) <
	    0)
		return -1;
	for (int i = 0;; i++) {
		CLEANUP(creation_done)
		struct creation creation = {
			.will_start = request->will_start,
			.making = {
				.context = context,
				.ns = request->ns,
				.id = wishes.id ? wishes.id
						: container_random_id(made),
				.snapshotter = snapshotter,
				.wishes = &wishes,
			},
		};

		if (try_create(&creation, request, ret, err) == 0)
			return 0;
		if (wishes.id || err->code != SKIFF_ALREADY_EXISTS ||
		    i == ID_TRIES)
			return -1;
		*err = (struct skiff_error)ERROR_INIT;
	}
}

void
container_default_for_users(json_t *body)
{
	if (json_is_object(body) && !json_object_get(body, "userns"))
		json_set_text(body, "userns", "auto");
}

int
container_create(const struct container_context *context,
		 const struct container_request *request,
		 struct json_faults *faults, struct container_made *ret,
		 struct skiff_error *err)
{
	struct container_request his = *request;
	cleanup_json json_t *body = NULL;

	*ret = (struct container_made){ 0 };
	if (request->is_by_admin)
		return create(context, request, faults, ret, err);
	his.body = body = json_copy((json_t *)request->body);
	container_default_for_users(body);
	return create(context, &his, faults, ret, err);
}
