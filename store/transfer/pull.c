/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pull: resolve → index → manifest → config → layers → image record.
 */
#include "config.h"

#include "store/transfer/pull.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/id.h"
#include "store/image.h"
#include "store/registry/resolve.h"
#include "store/transfer/pull_internal.h"

/* --- the request ------------------------------------------------------ */

struct pull_body {
	char *ref;
	char *name;
	char *platform;
	char *snapshotter;
	bool all_platforms;
	bool unpack;
	json_t *auth;
};

static const struct json_field body_fields[] = {
	JSON_TEXT(struct pull_body, ref, "ref", JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_TEXT(struct pull_body, name, "name", 0),
	JSON_TEXT(struct pull_body, platform, "platform", 0),
	JSON_TEXT(struct pull_body, snapshotter, "snapshotter", 0),
	JSON_BOOL(struct pull_body, all_platforms, "all_platforms", 0),
	JSON_BOOL(struct pull_body, unpack, "unpack", 0),
	JSON_OBJECT(struct pull_body, auth, "auth", 0),
};

struct auth_body {
	char *username;
	char *password;
};

static const struct json_field auth_fields[] = {
	JSON_TEXT(struct auth_body, username, "username",
		  JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_TEXT(struct auth_body, password, "password", JSON_REQUIRED),
};

static void
body_done(struct pull_body *body)
{
	json_release(body_fields, ARRAY_SIZE(body_fields), body);
}

/* One check whose error becomes a fault. */
static void
fault_if(int r, struct json_faults *faults, const char *pointer,
	 const struct skiff_error *err)
{
	if (r < 0)
		json_fault(faults, pointer, "%s", err->text);
}

static void
check_body(const struct pull_body *body, struct json_faults *faults)
{
	CLEANUP(reference_done) struct reference reference = { 0 };
	CLEANUP(platform_done) struct platform platform = { 0 };
	struct skiff_error err = ERROR_INIT;
	const char *snapshotter;

	if (body->ref)
		fault_if(reference_parse(body->ref, &reference, &err), faults,
			 "/ref", &err);
	if (body->name)
		fault_if(name_check("image name", body->name, &err), faults,
			 "/name", &err);
	if (body->platform)
		fault_if(platform_parse(body->platform, &platform, &err),
			 faults, "/platform", &err);
	if (body->snapshotter)
		fault_if(snapshotter_check(body->snapshotter, &snapshotter,
					   &err),
			 faults, "/snapshotter", &err);
	if (body->platform && body->all_platforms)
		json_fault(faults, "/platform",
			   "has no meaning with all_platforms");
}

/* What is stored of the request: everything but the secrets. */
static json_t *
request_of(const struct pull_body *body)
{
	json_t *request = json_object();

	json_set_text(request, "ref", body->ref);
	json_set_text(request, "name", body->name);
	json_set_text(request, "platform", body->platform);
	json_set_text(request, "snapshotter", body->snapshotter);
	json_set_bool(request, "all_platforms", body->all_platforms);
	json_set_bool(request, "unpack", body->unpack);
	return request;
}

static void
take_auth(const json_t *json, struct credentials *credentials,
	  struct json_faults *faults)
{
	struct auth_body auth = { 0 };

	json_decode(json, "/auth", auth_fields, ARRAY_SIZE(auth_fields), &auth,
		    faults);
	credentials->username = auth.username;
	credentials->password = auth.password;
}

int
pull_start(struct transfers *transfers, const char *ns, const json_t *body,
	   struct json_faults *faults, char **ret_id, char **ret_doc,
	   int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(body_done) struct pull_body pull = { .unpack = true };
	cleanup_json json_t *request = NULL;
	struct operation_request start = { .ns = ns, .kind = &pull_kind };
	int r = -1;

	if (id_check("namespace", ns, err) < 0)
		return -1;
	json_decode(body, "", body_fields, ARRAY_SIZE(body_fields), &pull,
		    faults);
	check_body(&pull, faults);
	if (pull.auth)
		take_auth(pull.auth, &start.credentials, faults);
	if (json_faults_to_error(faults, err) == 0) {
		request = request_of(&pull);
		start.request = request;
		start.ref = pull.ref;
		r = operation_start(transfers, &start, ret_id, ret_doc,
				    ret_revision, err);
	}
	credentials_done(&start.credentials);
	return r;
}

/* --- one image -------------------------------------------------------- */

static int
check_config(const struct pull *pull, const struct manifest *manifest,
	     const struct image_config *config, struct skiff_error *err)
{
	struct platform offer = { .os = config->os,
				  .architecture = config->architecture,
				  .variant = config->variant };

	if (config->n_diff_ids != manifest->n_items) {
		(void)err_set(err, SKIFF_INVALID_ARGUMENT,
			      "number of layers and diff_ids do not match: "
			      "manifest has %zu, config %zu",
			      manifest->n_items, config->n_diff_ids);
		return err_reason(err, "image_invalid_manifest");
	}
	return platform_check(&pull->platform, &offer, err);
}

static int
get_config(struct pull *pull, const struct manifest *manifest,
	   struct image_config **ret_config, struct skiff_error *err)
{
	struct document document = { .descriptor = &manifest->config,
				     .kind = "config",
				     .is_blob = true };
	cleanup_free char *text = NULL;

	if (media_kind(manifest->config.media_type) != MEDIA_CONFIG) {
		(void)err_set(err, SKIFF_INVALID_ARGUMENT,
			      "not a container image: its config is \"%.100s\"",
			      manifest->config.media_type);
		return err_reason(err, "image_invalid_manifest");
	}
	if (pull_document(pull, &document, &text, err) < 0)
		return -1;
	return image_config_parse(text, (size_t)manifest->config.size,
				  ret_config, err);
}

/* containerd.io/gc.ref.content.…: what keeps what. */
static json_t *
reference_labels(const struct manifest *manifest)
{
	json_t *labels = json_object();

	if (!manifest->is_index)
		json_set_text(labels, "containerd.io/gc.ref.content.config",
			      manifest->config.digest.text);
	for (size_t i = 0; i < manifest->n_items; i++) {
		cleanup_free char *key =
		    xasprintf("containerd.io/gc.ref.content.%s.%zu",
			      manifest->is_index ? "m" : "l", i);

		json_set_text(labels, key, manifest->items[i].digest.text);
	}
	return labels;
}

static int
label_unpacked(struct pull *pull, const struct manifest *manifest,
	       const struct image_config *config, struct skiff_error *err)
{
	char chain_id[CHAIN_ID_SIZE];
	cleanup_json json_t *labels = json_object();

	if (config->n_diff_ids == 0)
		return 0;
	(void)image_config_chain_id(config, config->n_diff_ids, chain_id);
	json_set_text(labels,
		      "containerd.io/gc.ref.snapshot." SNAPSHOTTER_DEFAULT,
		      chain_id);
	if (pull_label(pull, &manifest->config, labels, err) < 0)
		return -1;
	return json_array_append_new(pull->snapshots, json_string(chain_id));
}

/* The platform's image: config and layers. */
static int
pull_image(struct pull *pull, const struct manifest *manifest, bool want_unpack,
	   struct skiff_error *err)
{
	CLEANUP(image_config_freep) struct image_config *config = NULL;

	if (get_config(pull, manifest, &config, err) < 0)
		return -1;
	if (want_unpack && check_config(pull, manifest, config, err) < 0)
		return -1;
	if (pull_layers(pull, manifest, want_unpack ? config : NULL, err) < 0)
		return -1;
	return want_unpack ? label_unpacked(pull, manifest, config, err) : 0;
}

/* --- indexes ---------------------------------------------------------- */

static int pull_target(struct pull *pull, const struct document *document,
		       int depth, bool want_unpack, struct skiff_error *err);

static int
pull_item(struct pull *pull, const struct descriptor *item, int depth,
	  bool want_unpack, struct skiff_error *err)
{
	struct document document = { .descriptor = item };

	document.kind =
	    media_kind(item->media_type) == MEDIA_INDEX ? "index" : "manifest";
	return pull_target(pull, &document, depth + 1, want_unpack, err);
}

static int
pull_index(struct pull *pull, const struct manifest *index, int depth,
	   bool want_unpack, struct skiff_error *err)
{
	struct skiff_error none = ERROR_INIT;
	const struct descriptor *chosen = NULL;

	if (manifest_choose(index, &pull->platform, &chosen, &none) < 0 &&
	    !pull->all_platforms) {
		*err = none;
		return -1;
	}
	if (!pull->all_platforms)
		return pull_item(pull, chosen, depth, want_unpack, err);
	for (size_t i = 0; i < index->n_items; i++) {
		const struct descriptor *item = &index->items[i];
		enum media_kind kind = media_kind(item->media_type);

		if (item->is_attestation ||
		    (kind != MEDIA_MANIFEST && kind != MEDIA_INDEX))
			continue;
		if (pull_item(pull, item, depth, want_unpack && item == chosen,
			      err) < 0)
			return -1;
	}
	return 0;
}

static int
pull_target(struct pull *pull, const struct document *document, int depth,
	    bool want_unpack, struct skiff_error *err)
{
	const struct descriptor *descriptor = document->descriptor;
	CLEANUP(manifest_freep) struct manifest *manifest = NULL;
	cleanup_json json_t *labels = NULL;
	cleanup_free char *text = NULL;

	if (depth > INDEX_DEPTH_MAX) {
		(void)err_set(err, SKIFF_INVALID_ARGUMENT,
			      "indexes are nested deeper than %d",
			      INDEX_DEPTH_MAX);
		return err_reason(err, "image_invalid_manifest");
	}
	if (pull_document(pull, document, &text, err) < 0)
		return -1;
	if (manifest_parse(text, (size_t)descriptor->size,
			   descriptor->media_type, &manifest, err) < 0)
		return err_wrap(err, "%s", descriptor->digest.text);
	labels = reference_labels(manifest);
	if (pull_label(pull, descriptor, labels, err) < 0)
		return -1;
	return manifest->is_index
		   ? pull_index(pull, manifest, depth, want_unpack, err)
		   : pull_image(pull, manifest, want_unpack, err);
}

/* --- the whole -------------------------------------------------------- */

static void
pull_done(struct pull *pull)
{
	http_free(pull->http);
	remote_free(pull->remote);
	reference_done(&pull->reference);
	platform_done(&pull->platform);
	free(pull->name);
	json_decref(pull->snapshots);
}

static int
pull_init(struct pull *pull, struct operation *op, struct skiff_error *err)
{
	const json_t *request = operation_request(op);
	const struct credentials *credentials = operation_credentials(op);
	const char *platform = json_get_text(request, "platform");
	const char *name = json_get_text(request, "name");
	struct remote_options remote = {
		.reference = &pull->reference,
		.username = credentials->username,
		.password = credentials->password,
		.ca_file = operation_stores(op)->ca_file,
		.cancel = &pull->abort,
	};

	pull->op = op;
	pull->stores = operation_stores(op);
	pull->inflight = operation_inflight(op);
	pull->ns = operation_ns(op);
	pull->abort.parent = operation_cancel_token(op);
	pull->all_platforms = json_get_bool(request, "all_platforms");
	pull->want_unpack = json_get_bool(request, "unpack");
	pull->snapshots = json_array();
	if (reference_parse(json_get_text(request, "ref"), &pull->reference,
			    err) < 0 ||
	    platform_parse(platform, &pull->platform, err) < 0)
		return -1;
	pull->name = xstrdup(*name ? name : pull->reference.text);
	pull->remote = remote_new(&remote);
	pull->http = remote_http(pull->remote);
	return 0;
}

static json_t *
image_of(const struct pull *pull, const struct descriptor *target)
{
	json_t *json = json_object();
	json_t *image = json_object();

	json_set_text(json, "media_type", target->media_type);
	json_set_text(json, "digest", target->digest.text);
	json_set_int(json, "size", target->size);
	json_set_text(image, "name", pull->name);
	(void)json_object_set_new(image, "target", json);
	return image;
}

static int
record_image(struct pull *pull, const struct descriptor *target,
	     json_t **ret_result, struct skiff_error *err)
{
	cleanup_json json_t *image = image_of(pull, target);
	json_t *result = image_of(pull, target);
	cleanup_free char *doc = NULL;
	int64_t revision;

	(void)json_object_set(result, "snapshots", pull->snapshots);
	if (cancel_is_set(&pull->abort))
		(void)cancel_error(err);
	else if (fault_hit(FAULT_PULL_IMAGE, err) == 0 &&
		 image_put(pull->stores->db, pull->ns, image, &doc, &revision,
			   err) == 0 &&
		 fault_hit(FAULT_PULL_RECORDED, err) == 0) {
		*ret_result = result;
		return 0;
	}
	json_decref(result);
	return -1;
}

static int
pull_reference(struct pull *pull, json_t **ret_result, struct skiff_error *err)
{
	CLEANUP(resolved_done) struct resolved resolved = { 0 };
	struct document document = { .descriptor = &resolved.target };

	if (resolve(pull->remote, pull->http, &pull->reference, &resolved,
		    err) < 0)
		return -1;
	document.preset = resolved.text;
	document.kind = media_kind(resolved.target.media_type) == MEDIA_INDEX
			    ? "index"
			    : "manifest";
	if (pull_target(pull, &document, 1, pull->want_unpack, err) < 0)
		return -1;
	return record_image(pull, &resolved.target, ret_result, err);
}

static int
pull_run(struct operation *op, json_t **ret_result, struct skiff_error *err)
{
	struct pull pull = { 0 };
	int r = pull_init(&pull, op, err);

	if (r == 0)
		r = pull_reference(&pull, ret_result, err);
	if (r < 0)
		(void)err_wrap(err, "pull %s",
			       json_get_text(operation_request(op), "ref"));
	pull_done(&pull);
	return r;
}

const struct operation_kind pull_kind = { .name = "pull", .run = pull_run };
