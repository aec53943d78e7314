/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a checkpoint: blobs, then the manifest, then the image's name.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "base/strv.h"
#include "runtime/checkpoint/image.h"
#include "runtime/checkpoint/image_internal.h"
#include "runtime/checkpoint/seal.h"
#include "store/content/content.h"
#include "store/image.h"
#include "store/record.h"
#include "store/unpack/diff.h"

#define GC_CONFIG "containerd.io/gc.ref.content.config"
#define GC_LAYER "containerd.io/gc.ref.content.l."

/* --- blobs ------------------------------------------------------------ */

struct blob {
	const char *media_type;
	struct digest digest;
	int64_t size;
};

static json_t *
descriptor_json(const struct blob *blob)
{
	return json_pack("{s:s, s:s, s:I}", "mediaType", blob->media_type,
			 "digest", blob->digest.text, "size",
			 (json_int_t)blob->size);
}

static json_t *
labels_of(const struct checkpoint_parts *parts)
{
	return json_pack("{s:s}", CHECKPOINT_LABEL, parts->operation);
}

static int
commit(struct ingest *ingest, const struct checkpoint_parts *parts,
       const json_t *labels, struct blob *blob, struct skiff_error *err)
{
	blob->size = ingest_offset(ingest);
	return ingest_commit(ingest, parts->ns, labels, blob->media_type,
			     &blob->digest, err) < 0
		   ? -1
		   : 0;
}

static int
write_text(const struct checkpoint_store *store,
	   const struct checkpoint_parts *parts, const char *text,
	   const json_t *labels, struct blob *blob, struct skiff_error *err)
{
	CLEANUP(ingest_freep) struct ingest *ingest = NULL;
	size_t len = strlen(text);

	if (ingest_begin(store->content, NULL, (int64_t)len, &ingest, err) <
		0 ||
	    ingest_write(ingest, text, len, err) < 0)
		return -1;
	return commit(ingest, parts, labels, blob, err);
}

struct tar_target {
	const struct checkpoint_parts *parts;
	struct ingest *ingest;
};

static int
take_tar(void *arg, const void *data, size_t len, struct skiff_error *err)
{
	const struct tar_target *target = arg;

	return ingest_write(target->ingest, data, len, err);
}

static bool
is_cancelled(void *arg)
{
	const struct tar_target *target = arg;
	const struct checkpoint_parts *parts = target->parts;

	return parts->is_cancelled && parts->is_cancelled(parts->cancel_arg);
}

static int
write_tree(const struct checkpoint_store *store,
	   const struct checkpoint_parts *parts, int fd, struct blob *blob,
	   struct skiff_error *err)
{
	CLEANUP(ingest_freep) struct ingest *ingest = NULL;
	cleanup_json json_t *labels = labels_of(parts);
	struct tar_target target = { .parts = parts };
	const struct diff_sink sink = { .write = take_tar,
					.is_cancelled = is_cancelled,
					.arg = &target };
	struct diff_result result;

	if (ingest_begin(store->content, NULL, -1, &ingest, err) < 0)
		return -1;
	target.ingest = ingest;
	if (layer_diff(fd, &sink, &result, err) < 0)
		return -1;
	return commit(ingest, parts, labels, blob, err);
}

/* --- the manifest ----------------------------------------------------- */

struct writing {
	const struct checkpoint_store *store;
	const struct checkpoint_parts *parts;
	struct blob config;
	struct blob state;
	struct blob layer;
	struct blob manifest;
};

static void
add_layer(json_t *layers, json_t *labels, json_t *descriptor)
{
	cleanup_free char *key =
	    xasprintf(GC_LAYER "%zu", json_array_size(layers));

	json_set_text(labels, key, json_get_text(descriptor, "digest"));
	(void)json_array_append_new(layers, descriptor);
}

static void
add_parents(const struct checkpoint_image *parent, json_t *layers,
	    json_t *labels)
{
	for (size_t i = 0; parent && i < parent->n_states; i++) {
		const struct descriptor *state = &parent->states[i];
		const struct blob blob = { .media_type = CHECKPOINT_STATE,
					   .digest = state->digest,
					   .size = state->size };

		add_layer(layers, labels, descriptor_json(&blob));
	}
}

static json_t *
make_manifest(const struct writing *w, json_t *labels, struct skiff_error *err)
{
	json_t *config = descriptor_json(&w->config);
	json_t *layers = json_array();
	cleanup_json json_t *manifest = NULL;
	cleanup_free char *sealed = NULL;
	char now[RFC3339_SIZE];
	struct digest seal;

	json_set_text(labels, GC_CONFIG, w->config.digest.text);
	add_layer(layers, labels, descriptor_json(&w->state));
	add_layer(layers, labels, descriptor_json(&w->layer));
	add_parents(w->parts->parent, layers, labels);
	manifest =
	    json_pack("{s:i, s:s, s:s, s:o, s:o, s:{s:s}}", "schemaVersion", 2,
		      "mediaType", CHECKPOINT_MANIFEST, "artifactType",
		      CHECKPOINT_ARTIFACT, "config", config, "layers", layers,
		      "annotations", "org.opencontainers.image.created",
		      rfc3339_format(clock_realtime_ns(), now));
	sealed = checkpoint_sealed_text(manifest);
	if (checkpoint_seal(w->store->root, sealed, &seal, err) < 0)
		return NULL;
	json_set_text(json_object_get(manifest, "annotations"), CHECKPOINT_SEAL,
		      seal.text);
	return STEAL_PTR(manifest);
}

static int
write_manifest(struct writing *w, struct skiff_error *err)
{
	cleanup_json json_t *labels = labels_of(w->parts);
	cleanup_json json_t *manifest = make_manifest(w, labels, err);
	cleanup_free char *text = NULL;

	if (!manifest)
		return -1;
	text = json_text(manifest);
	w->manifest.media_type = CHECKPOINT_MANIFEST;
	return write_text(w->store, w->parts, text, labels, &w->manifest, err);
}

/* --- the name --------------------------------------------------------- */

/* What the task says now, with the event. It may have ended meanwhile. */
static int
tell_event(struct tx *tx, const struct checkpoint_parts *parts,
	   struct skiff_error *err)
{
	const struct record_ref ref = { RECORD_TASK, parts->ns,
					parts->container };
	cleanup_json json_t *event =
	    json_pack("{s:s, s:s}", "container_id", parts->container,
		      "checkpoint", parts->name);
	const struct change change = { .verb = "checkpointed", .event = event };
	cleanup_json json_t *task = NULL;

	if (record_load(tx_conn(tx), &ref, &task, err) < 0)
		return -1;
	return record_update(tx, &ref, task, &change, err);
}

static int
name_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct writing *w = arg;
	const struct record_ref ref = { RECORD_IMAGE, w->parts->ns,
					w->parts->name };
	cleanup_json json_t *image =
	    json_pack("{s:s, s:{s:s, s:s, s:I}}", "name", w->parts->name,
		      "target", "media_type", CHECKPOINT_MANIFEST, "digest",
		      w->manifest.digest.text, "size",
		      (json_int_t)w->manifest.size);

	if (record_insert(tx, &ref, image, NULL, err) < 0)
		return err_wrap(err, "image %s", w->parts->name);
	return tell_event(tx, w->parts, err);
}

int
checkpoint_check_name(const struct checkpoint_store *store, const char *ns,
		      const char *name, struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(store->db);
	const struct record_ref ref = { RECORD_IMAGE, ns, name };

	if (!record_exists(conn, &ref))
		return 0;
	(void)err_set(err, SKIFF_ALREADY_EXISTS, "image \"%s\": already exists",
		      name);
	return err_object(err, "image", name);
}

int
checkpoint_image_write(const struct checkpoint_store *store,
		       const struct checkpoint_parts *parts,
		       json_t **ret_result, struct skiff_error *err)
{
	struct writing w = { .store = store, .parts = parts };
	cleanup_json json_t *labels = labels_of(parts);
	cleanup_free char *config = json_text(parts->config);

	w.config.media_type = CHECKPOINT_CONFIG;
	w.state.media_type = CHECKPOINT_STATE;
	w.layer.media_type = CHECKPOINT_LAYER;
	if (fault_hit(FAULT_CHECKPOINT_STATE, err) < 0 ||
	    write_tree(store, parts, parts->state_fd, &w.state, err) < 0)
		return err_wrap(err, "process state");
	if (fault_hit(FAULT_CHECKPOINT_LAYER, err) < 0 ||
	    write_tree(store, parts, parts->upper_fd, &w.layer, err) < 0)
		return err_wrap(err, "writable layer");
	if (write_text(store, parts, config, labels, &w.config, err) < 0 ||
	    write_manifest(&w, err) < 0 ||
	    fault_hit(FAULT_CHECKPOINT_IMAGE, err) < 0 ||
	    db_write(store->db, name_in, &w, err) < 0)
		return -1;
	*ret_result = json_pack("{s:s, s:s, s:I}", "image", parts->name,
				"digest", w.manifest.digest.text, "size",
				(json_int_t)w.state.size + w.layer.size);
	return fault_hit(FAULT_CHECKPOINT_RECORDED, err);
}

/* --- undoing ---------------------------------------------------------- */

struct leftovers {
	const char *operation;
	struct strv ours; /* digests */
	struct strv held; /* by others' manifests */
	bool has_image;	  /* it came to its end after all */
};

static int
sort_blob(void *arg, const char *ns, const char *key, json_t *object,
	  struct skiff_error *err)
{
	struct leftovers *left = arg;
	const json_t *labels = json_object_get(object, "labels");
	const char *name;
	json_t *value;

	(void)ns;
	(void)err;
	if (strcmp(json_get_text(labels, CHECKPOINT_LABEL), left->operation) ==
	    0)
		strv_add(&left->ours, key);
	else
		json_object_foreach ((json_t *)labels, name, value)
			if (strncmp(name, GC_CONFIG, 28) == 0)
				strv_add(&left->held, json_string_value(value));
	return 0;
}

static bool
is_among(const struct strv *digests, const char *digest)
{
	for (size_t i = 0; i < digests->n; i++)
		if (strcmp(digests->items[i], digest) == 0)
			return true;
	return false;
}

static int
look_for_image(void *arg, const char *ns, const char *key, json_t *object,
	       struct skiff_error *err)
{
	struct leftovers *left = arg;
	const json_t *target = json_object_get(object, "target");

	(void)ns;
	(void)key;
	(void)err;
	if (is_among(&left->ours, json_get_text(target, "digest")))
		left->has_image = true;
	return 0;
}

static int
drop(const struct checkpoint_store *store, const char *ns, const char *text,
     struct skiff_error *err)
{
	struct digest digest;

	if (digest_parse(text, &digest, err) < 0)
		return -1;
	if (content_delete(store->content, ns, &digest, /* if_match= */ 0,
			   err) < 0 &&
	    err->code != SKIFF_NOT_FOUND)
		return -1;
	return 0;
}

int
checkpoint_drop_blobs(const struct checkpoint_store *store, const char *ns,
		      const char *operation, struct skiff_error *err)
{
	struct leftovers left = { .operation = operation };
	struct conn *conn = db_reader_get(store->db);
	int r = record_each(conn, RECORD_CONTENT, ns, sort_blob, &left, err);

	if (r == 0)
		r = record_each(conn, RECORD_IMAGE, ns, look_for_image, &left,
				err);
	db_reader_put(conn);
	for (size_t i = 0; r == 0 && !left.has_image && i < left.ours.n; i++)
		if (!is_among(&left.held, left.ours.items[i]))
			r = drop(store, ns, left.ours.items[i], err);
	strv_done(&left.ours);
	strv_done(&left.held);
	return r;
}
