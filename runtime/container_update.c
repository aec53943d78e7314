/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing a container: the new document is made from the one that is
 * there and the body, looked at as a whole, and written if the one that is
 * there has not changed meanwhile; else once more from the beginning.
 *
 * Three ways to say a change (enum update_kind), one set of rules: what
 * differs between the two documents is all that counts. So a client may
 * send back what it got, with a field changed.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/container_ids.h"
#include "runtime/container_internal.h"
#include "runtime/spec/admin_wishes.h"
#include "runtime/spec/host.h"
#include "runtime/spec/spec.h"
#include "store/image_content.h"

#define TRIES 16

/* What a container is, or what is told of it. */
static const char *const fixed[] = {
	"id",		"image",       "image_digest", "snapshotter",
	"snapshot_key", "spec_origin", "namespace",    "created_at",
	"updated_at",	"revision",    "platform",     CONTAINER_RESTRICTED,
};

/* The rest of a name in a mask is the key, dots and all. */
static const char *const keyed[] = { "labels", "extensions" };

struct updating {
	const struct container_context *context;
	const struct container_update *update;
	struct json_faults *faults;
	json_t *before;
	json_t *after;
};

static void
updating_done(struct updating *updating)
{
	json_decref(updating->before);
	json_decref(updating->after);
}

static bool
is_fixed(const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (strcmp(field, fixed[i]) == 0)
			return true;
	return false;
}

static void
fault_at(const struct updating *updating, const char *field, const char *text)
{
	CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;

	json_pointer_add(&pointer, field);
	json_fault(updating->faults, pointer.buf, "%s", text);
}

/* --- the body, before anything is looked up ----------------------------- */

static void
check_fields(const struct updating *updating)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)updating->update->body, key, value)
		if (!is_fixed(key) && !wish_exists(key))
			fault_at(updating, key, "unknown field");
}

static bool
is_mask_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed); i++) {
		size_t len = strlen(keyed[i]);

		if (strncmp(name, keyed[i], len) == 0 && name[len] == '.')
			return name[len + 1];
	}
	return strcmp(name, "runtime.options") == 0 ||
	       strcmp(name, CONTAINER_RESTRICTED) == 0 ||
	       (wish_exists(name) && !is_fixed(name) &&
		strcmp(name, "runtime") != 0);
}

/* "runtime.name" → "/runtime/name": where the body would have it. */
static void
check_mask(const struct updating *updating)
{
	const struct strv *mask = updating->update->mask;

	for (size_t i = 0; i < mask->n; i++) {
		cleanup_free char *pointer = xasprintf("/%s", mask->items[i]);

		if (is_mask_name(mask->items[i]))
			continue;
		for (char *dot = pointer; (dot = strchr(dot, '.')) != NULL;)
			*dot = '/';
		json_fault(updating->faults, pointer,
			   "cannot update \"%s\" of container \"%s\"",
			   mask->items[i], updating->update->id);
	}
}

/*
 * The types of a whole. What came with a spec that the daemon made comes
 * with it again, so the spec is left out as long as there is something else
 * to make one from.
 */
static void
check_types(const struct updating *updating)
{
	CLEANUP(wishes_done) struct wishes wishes = { 0 };
	const json_t *given = updating->update->body;
	cleanup_json json_t *body = json_copy((json_t *)given);

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (!wish_exists(fixed[i]))
			(void)json_object_del(body, fixed[i]);
	if (json_is_object(json_object_get(body, "spec")) &&
	    (json_object_get(body, "image") ||
	     json_object_get(body, "snapshot_key")))
		(void)json_object_del(body, "spec");
	wishes_decode(body, &wishes, updating->faults);
}

static int
check_body(const struct updating *updating, struct skiff_error *err)
{
	const struct container_update *update = updating->update;
	const json_t *labels = json_object_get(update->body, "labels");
	const json_t *held =
	    json_object_get(update->body, CONTAINER_RESTRICTED);

	if (!json_is_object(update->body))
		json_fault(updating->faults, "", "must be an object");
	else if (update->kind == UPDATE_REPLACE)
		check_types(updating);
	else if (update->kind == UPDATE_MERGE &&
		 json_object_size(update->body) == 0)
		json_fault(updating->faults, "",
			   "at least one field is required");
	if (update->kind != UPDATE_REPLACE)
		check_fields(updating);
	if (update->kind == UPDATE_MASK)
		check_mask(updating);
	if (held && !json_is_boolean(held) &&
	    !(json_is_null(held) && update->kind == UPDATE_MERGE))
		fault_at(updating, CONTAINER_RESTRICTED, "must be a boolean");
	/* Of a patch only those that come. */
	if (labels && update->kind == UPDATE_REPLACE)
		labels_check(labels, "/labels", updating->faults);
	else if (labels)
		label_patch_check(labels, "/labels", updating->faults);
	return json_faults_to_error(updating->faults, err);
}

/* --- the new document ---------------------------------------------------- */

static void
set_or_remove(json_t *object, const char *key, json_t *value)
{
	if (value && !json_is_null(value))
		(void)json_object_set(object, key, value);
	else
		(void)json_object_del(object, key);
}

static json_t *
inner_object(json_t *object, const char *key)
{
	json_t *inner = json_object_get(object, key);

	if (json_is_object(inner))
		return inner;
	inner = json_object();
	(void)json_object_set_new(object, key, inner);
	return inner;
}

static void
apply_mask_name(json_t *after, const json_t *body, const char *name)
{
	const char *dot = strchr(name, '.');
	cleanup_free char *field =
	    xstrndup(name, dot ? (size_t)(dot - name) : strlen(name));

	if (dot)
		set_or_remove(inner_object(after, field), dot + 1,
			      json_object_get(json_object_get(body, field),
					      dot + 1));
	else
		set_or_remove(after, field, json_object_get(body, field));
}

/* All that can change is the body's; what cannot stays when it is absent. */
static json_t *
replaced(const struct updating *updating)
{
	json_t *after = json_deep_copy(updating->update->body);
	const json_t *name =
	    json_object_get(json_object_get(updating->before, "runtime"),
			    "name");
	json_t *runtime = inner_object(after, "runtime");

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		json_t *value = json_object_get(updating->before, fixed[i]);

		if (value && !json_object_get(after, fixed[i]))
			(void)json_object_set(after, fixed[i], value);
	}
	if (!json_object_get(runtime, "name"))
		(void)json_object_set(runtime, "name", (json_t *)name);
	return after;
}

static void
make_after(struct updating *updating)
{
	const struct container_update *update = updating->update;

	if (update->kind == UPDATE_REPLACE) {
		updating->after = replaced(updating);
		return;
	}
	updating->after = json_deep_copy(updating->before);
	if (update->kind == UPDATE_MERGE) {
		json_merge_patch(updating->after, update->body);
		return;
	}
	for (size_t i = 0; i < update->mask->n; i++)
		apply_mask_name(updating->after, update->body,
				update->mask->items[i]);
}

/* --- what differs -------------------------------------------------------- */

static bool
differs(const struct updating *updating, const char *field)
{
	const json_t *before = json_object_get(updating->before, field);
	const json_t *after = json_object_get(updating->after, field);

	return before && after ? !json_equal(before, after) : before != after;
}

typedef bool (*field_fn)(const char *field);

/* Whether a field that is one of those differs. */
static bool
any_differs(const struct updating *updating, field_fn is_one)
{
	const json_t *both[] = { updating->before, updating->after };
	const char *key;
	json_t *value;

	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		json_object_foreach ((json_t *)both[i], key, value)
			if (is_one(key) && differs(updating, key))
				return true;
	return false;
}

static bool
is_reshaped(const struct updating *updating)
{
	return any_differs(updating, wish_shapes_spec);
}

static bool
is_beyond_labels(const char *field)
{
	return strcmp(field, "labels") != 0;
}

static bool
differs_beyond_labels(const struct updating *updating)
{
	return any_differs(updating, is_beyond_labels);
}

/* By an admin, who says so: {"restricted": false}. */
static bool
is_lifting(const struct updating *updating, const char *field)
{
	const json_t *after = json_object_get(updating->after, field);

	return updating->update->is_by_admin &&
	       strcmp(field, CONTAINER_RESTRICTED) == 0 &&
	       (!after || json_is_false(after));
}

static void
check_fixed(const struct updating *updating)
{
	const json_t *before = json_object_get(updating->before, "runtime");
	const json_t *after = json_object_get(updating->after, "runtime");

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (differs(updating, fixed[i]) &&
		    !is_lifting(updating, fixed[i]))
			fault_at(updating, fixed[i], "cannot be updated");
	if (strcmp(json_get_text(before, "name"),
		   json_get_text(after, "name")) != 0)
		json_fault(updating->faults, "/runtime/name",
			   "cannot be updated");
}

bool
container_has_own_spec(const json_t *document)
{
	return strcmp(json_get_text(document, "spec_origin"), ORIGIN_CLIENT) ==
	       0;
}

/*
 * The new spec is the client's: what it replaces goes, unless it was to be
 * changed by the same request, which would be lost.
 */
static void
take_over_spec(struct updating *updating)
{
	const json_t *copy = json_copy(updating->after);
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)copy, key, value) {
		if (!wish_shapes_spec(key))
			continue;
		if (differs(updating, key))
			fault_at(updating, key,
				 "a whole spec leaves no room for it");
		(void)json_object_del(updating->after, key);
	}
	json_decref((json_t *)copy);
	json_set_text(updating->after, "spec_origin", ORIGIN_CLIENT);
}

/* --- the whole, looked at as if it were new ------------------------------ */

/* What a client could have sent to make this container. */
static json_t *
as_request(const struct updating *updating)
{
	json_t *body = json_copy(updating->after);

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (!wish_exists(fixed[i]))
			(void)json_object_del(body, fixed[i]);
	if (!container_has_own_spec(updating->after))
		(void)json_object_del(body, "spec");
	/* Checked as they came. */
	(void)json_object_del(body, "labels");
	return body;
}

static int
image_changed(const struct updating *updating, struct skiff_error *err)
{
	const char *image = json_get_text(updating->after, "image");

	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "image %s is not what container %s was made from: "
		      "change the spec, or make a new container",
		      image, updating->update->id);
	(void)err_object(err, "image", image);
	return err_reason(err, "image_changed");
}

/* Of what a new container has from its image. */
static bool
lacks_inherited(const json_t *document)
{
	return !json_object_get(document, "health") ||
	       !json_object_get(document, "stop_signal");
}

static bool
loses_inherited(const struct updating *updating)
{
	return (differs(updating, "health") &&
		!json_object_get(updating->after, "health")) ||
	       (differs(updating, "stop_signal") &&
		!json_object_get(updating->after, "stop_signal"));
}

static bool
is_image_of(const struct making *making, const json_t *document)
{
	return strcmp(making->image->target.text,
		      json_get_text(document, "image_digest")) == 0;
}

/*
 * A whole that does not say it has it from the image, as when it was made.
 * Where the image is gone that is refused only if something would be lost.
 */
static int
inherit(struct updating *updating, struct skiff_error *err)
{
	json_t *image = json_object_get(updating->before, "image");
	json_t *platform = json_object_get(updating->before, "platform");
	struct wishes wishes = {
		.image = (char *)json_string_value(image),
		.platform = (char *)json_string_value(platform),
	};
	CLEANUP(making_done)
	struct making making = {
		.context = updating->context,
		.ns = updating->update->ns,
		.id = updating->update->id,
		.wishes = &wishes,
	};

	if (updating->update->kind != UPDATE_REPLACE || !wishes.image ||
	    !lacks_inherited(updating->after))
		return 0;
	if (making_load_image(&making, err) < 0) {
		if (err->code != SKIFF_NOT_FOUND || loses_inherited(updating))
			return -1;
		*err = (struct skiff_error)ERROR_INIT;
		return 0;
	}
	if (is_image_of(&making, updating->after))
		making_inherit(&making, updating->after);
	else if (loses_inherited(updating))
		return image_changed(updating, err);
	return 0;
}

static int
remake_spec(struct updating *updating, struct wishes *wishes,
	    struct skiff_error *err)
{
	const char *ns = updating->update->ns;
	const char *id = updating->update->id;
	CLEANUP(making_done)
	struct making making = {
		.context = updating->context,
		.ns = ns,
		.id = id,
		.snapshotter = json_get_text(updating->after, "snapshotter"),
		.wishes = wishes,
	};

	if (wishes->spec) {
		(void)json_object_set_new(updating->after, "spec",
					  spec_adopt(wishes->spec,
						     updating->context->host,
						     ns, id));
		return 0;
	}
	if (making_load_image(&making, err) < 0)
		return -1;
	if (making.image && !is_image_of(&making, updating->after))
		return image_changed(updating, err);
	if (making_build_spec(&making, err) < 0)
		return -1;
	(void)json_object_set(updating->after, "spec", making.spec);
	return 0;
}

static int
check_whole(struct updating *updating, bool is_remade, struct skiff_error *err)
{
	CLEANUP(wishes_done) struct wishes wishes = { 0 };
	const struct host *host = updating->context->host;
	cleanup_json json_t *body = as_request(updating);

	wishes_decode(body, &wishes, updating->faults);
	if (!updating->update->is_by_admin &&
	    admin_wishes_refuse(&wishes, host, updating->faults, err) < 0)
		return -1;
	if (json_faults_to_error(updating->faults, err) < 0)
		return -1;
	if (is_remade) {
		wishes_check_host(&wishes, host, updating->faults);
		making_check_spec(&wishes, host, updating->faults);
	}
	if (json_faults_to_error(updating->faults, err) < 0)
		return -1;
	return is_remade ? remake_spec(updating, &wishes, err) : 0;
}

/* Labels are no change that counts. */
static void
settle_rights(const struct updating *updating)
{
	json_t *after = updating->after;

	if (!json_is_true(json_object_get(after, CONTAINER_RESTRICTED)))
		(void)json_object_del(after, CONTAINER_RESTRICTED);
	if (!updating->update->is_by_admin && differs_beyond_labels(updating)) {
		container_default_for_users(after);
		json_set_bool(after, CONTAINER_RESTRICTED, true);
	}
}

static int
settle(struct updating *updating, struct skiff_error *err)
{
	bool was_clients = container_has_own_spec(updating->before);
	bool has_spec = json_object_get(updating->after, "spec");
	bool is_spec_new;

	check_fixed(updating);
	if (inherit(updating, err) < 0)
		return -1;
	/* One that the daemon makes need not be named in a whole. */
	if (!has_spec && !was_clients)
		(void)json_object_set(updating->after, "spec",
				      json_object_get(updating->before,
						      "spec"));
	else if (!has_spec)
		json_set_text(updating->after, "spec_origin", ORIGIN_WISHES);
	settle_rights(updating);
	is_spec_new = differs(updating, "spec");
	if (is_spec_new && !was_clients)
		take_over_spec(updating);
	if (!differs_beyond_labels(updating))
		return json_faults_to_error(updating->faults, err);
	return check_whole(updating, is_spec_new || is_reshaped(updating), err);
}

/* --- writing ------------------------------------------------------------- */

static int
load(struct updating *updating, struct skiff_error *err)
{
	const struct container_update *update = updating->update;
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(updating->context->db);
	const struct record_ref ref = { RECORD_CONTAINER, update->ns,
					update->id };

	return record_load(conn, &ref, &updating->before, err);
}

struct writing {
	const struct container_context *context;
	struct record_ref ref;
	json_t *object;
	int64_t if_match;
};

static int
write_update(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct writing *writing = arg;

	if (container_ids_settle(writing->context, tx, writing->ref.ns,
				 json_object_get(writing->object, "spec"),
				 err) < 0)
		return -1;
	return record_update(tx, &writing->ref, writing->object,
			     &(struct change){ .if_match = writing->if_match },
			     err);
}

int
container_give(const char *id, const json_t *object, struct container_made *ret)
{
	(void)snprintf(ret->id, sizeof(ret->id), "%s", id);
	ret->revision = json_get_int(object, "revision", 0);
	ret->doc = json_text(object);
	return 0;
}

static int
try_dry(struct updating *updating, struct container_made *ret,
	struct skiff_error *err)
{
	const struct container_update *update = updating->update;
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(updating->context->db);

	if (container_ids_foresee(updating->context, conn, update->ns,
				  json_object_get(updating->after, "spec"),
				  err) < 0)
		return -1;
	return container_give(update->id, updating->after, ret);
}

/* 1: it has changed while it was looked at. */
static int
try_update(struct updating *updating, struct container_made *ret,
	   struct skiff_error *err)
{
	const struct container_update *update = updating->update;
	struct writing writing = {
		.context = updating->context,
		.ref = { RECORD_CONTAINER, update->ns, update->id },
	};

	if (load(updating, err) < 0)
		return -1;
	writing.if_match = json_get_int(updating->before, "revision", 0);
	if (record_match(&writing.ref, writing.if_match, update->if_match,
			 err) < 0)
		return -1;
	make_after(updating);
	if (settle(updating, err) < 0 ||
	    (differs(updating, "spec") &&
	     container_ids_need(updating->context,
				json_object_get(updating->after, "spec"),
				err) < 0))
		return -1;
	if (update->is_dry)
		return try_dry(updating, ret, err);
	writing.object = updating->after;
	if (db_write(updating->context->db, write_update, &writing, err) == 0)
		return container_give(update->id, updating->after, ret);
	return err->code == SKIFF_ABORTED && !update->if_match ? 1 : -1;
}

int
container_update(const struct container_context *context,
		 const struct container_update *update,
		 struct json_faults *faults, struct container_made *ret,
		 struct skiff_error *err)
{
	const struct updating checked = { .context = context,
					  .update = update,
					  .faults = faults };

	if (check_body(&checked, err) < 0)
		return -1;
	for (int i = 0;; i++) {
		CLEANUP(updating_done) struct updating updating = checked;
		int r = try_update(&updating, ret, err);

		if (r <= 0 || i == TRIES)
			return r == 0 ? 0 : -1;
		*err = (struct skiff_error)ERROR_INIT;
	}
}
