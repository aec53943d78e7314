/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests and indexes.
 *
 * A document that could be read as both (layers and manifests, or a type
 * that contradicts its header) is refused: two programs must not see two
 * images under one digest (CVE-2021-41190).
 */
#include "config.h"

#include "store/registry/manifest.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "store/image_config.h"
#include "store/registry/document.h"

#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

struct media_row {
	const char *name;
	enum media_kind kind;
};

static const struct media_row media_rows[] = {
	{ OCI "index.v1+json", MEDIA_INDEX },
	{ DOCKER "distribution.manifest.list.v2+json", MEDIA_INDEX },
	{ OCI "manifest.v1+json", MEDIA_MANIFEST },
	{ DOCKER "distribution.manifest.v2+json", MEDIA_MANIFEST },
	{ OCI "config.v1+json", MEDIA_CONFIG },
	{ DOCKER "container.image.v1+json", MEDIA_CONFIG },
	{ OCI "layer.v1.tar", MEDIA_LAYER },
	{ OCI "layer.v1.tar+gzip", MEDIA_LAYER },
	{ OCI "layer.v1.tar+zstd", MEDIA_LAYER },
	{ OCI "layer.nondistributable.v1.tar", MEDIA_LAYER },
	{ OCI "layer.nondistributable.v1.tar+gzip", MEDIA_LAYER },
	{ OCI "layer.nondistributable.v1.tar+zstd", MEDIA_LAYER },
	{ DOCKER "image.rootfs.diff.tar", MEDIA_LAYER },
	{ DOCKER "image.rootfs.diff.tar.gzip", MEDIA_LAYER },
	{ DOCKER "image.rootfs.diff.tar.zstd", MEDIA_LAYER },
	{ DOCKER "image.rootfs.foreign.diff.tar", MEDIA_LAYER },
	{ DOCKER "image.rootfs.foreign.diff.tar.gzip", MEDIA_LAYER },
	{ DOCKER "distribution.manifest.v1+json", MEDIA_SCHEMA1 },
	{ DOCKER "distribution.manifest.v1+prettyjws", MEDIA_SCHEMA1 },
};

const char media_accept[] =
    OCI "index.v1+json, " OCI "manifest.v1+json, " DOCKER
	"distribution.manifest.list.v2+json, " DOCKER
	"distribution.manifest.v2+json";

static const struct document_kind manifest_kind = {
	.name = "manifest",
	.reason = "image_invalid_manifest",
	.bytes_max = MANIFEST_MAX,
	.values_max = 65536,
	.depth_max = 16,
};

enum media_kind
media_kind(const char *media_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(media_rows); i++)
		if (strcmp(media_rows[i].name, media_type) == 0)
			return media_rows[i].kind;
	return MEDIA_OTHER;
}

/* --- descriptors ------------------------------------------------------ */

static char *
copy_or_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void
descriptor_done(struct descriptor *descriptor)
{
	free(descriptor->media_type);
	platform_done(&descriptor->platform);
	*descriptor = (struct descriptor){ 0 };
}

void
descriptor_copy(const struct descriptor *from, struct descriptor *ret)
{
	*ret = *from;
	ret->media_type = copy_or_null(from->media_type);
	ret->platform.os = copy_or_null(from->platform.os);
	ret->platform.architecture = copy_or_null(from->platform.architecture);
	ret->platform.variant = copy_or_null(from->platform.variant);
}

static int
parse_platform(const struct node *node, struct descriptor *descriptor,
	       struct skiff_error *err)
{
	const char *architecture;
	const char *variant;
	const char *os;
	int r;

	if (node_text(node, "os", true, &os, err) != 1 ||
	    node_text(node, "architecture", true, &architecture, err) != 1)
		return -1;
	r = node_text(node, "variant", false, &variant, err);
	if (r < 0)
		return -1;
	descriptor->has_platform = true;
	descriptor->platform.os = xstrdup(os);
	descriptor->platform.architecture = xstrdup(architecture);
	if (r == 1 && *variant)
		descriptor->platform.variant = xstrdup(variant);
	descriptor->is_attestation = strcmp(os, "unknown") == 0;
	return 0;
}

/* A descriptor that may be of use; size at most max. */
static int
parse_descriptor(const struct node *node, int64_t max, struct descriptor *ret,
		 struct skiff_error *err)
{
	CLEANUP(descriptor_done) struct descriptor descriptor = { 0 };
	const json_t *annotations;
	struct node platform;
	const char *type;
	int r;

	if (node_text(node, "mediaType", true, &type, err) != 1 ||
	    node_digest(node, "digest", &descriptor.digest, err) < 0 ||
	    node_int(node, "size", max, &descriptor.size, err) < 0)
		return -1;
	if (!*type || strlen(type) > 255)
		return node_fault(node, "mediaType", err,
				  "must be 1 to 255 characters");
	descriptor.media_type = xstrdup(type);
	r = node_object(node, "platform", false, &platform, err);
	if (r < 0 ||
	    (r == 1 && parse_platform(&platform, &descriptor, err) < 0))
		return -1;
	r = node_map(node, "annotations", &annotations, err);
	if (r < 0)
		return -1;
	if (r == 1 && *json_get_text(annotations, "vnd.docker.reference.type"))
		descriptor.is_attestation = true;
	*ret = descriptor;
	descriptor = (struct descriptor){ 0 };
	return 0;
}

static int
parse_items(const struct node *root, const char *key, size_t n_max,
	    int64_t size_max, struct manifest *manifest,
	    struct skiff_error *err)
{
	struct node array;
	size_t n;

	if (node_array(root, key, true, n_max, &array, err) < 0)
		return -1;
	n = json_array_size(array.json);
	manifest->items = xcalloc(n + 1, sizeof(*manifest->items));
	for (; manifest->n_items < n; manifest->n_items++) {
		struct node item;

		if (node_item(&array, manifest->n_items, &item, err) < 0 ||
		    parse_descriptor(&item, size_max,
				     &manifest->items[manifest->n_items],
				     err) < 0)
			return -1;
	}
	return 0;
}

/* --- documents -------------------------------------------------------- */

static int
refuse_schema1(const struct node *root, struct skiff_error *err)
{
	return node_fault(root, "schemaVersion", err,
			  "is 1: Docker schema 1 images are not supported; "
			  "push the image again with a newer client");
}

/* What kind of document it is: header, body and shape must agree. */
static int
check_kind(const struct node *root, const char *media_type, bool *ret_is_index,
	   struct skiff_error *err)
{
	enum media_kind kind = media_kind(media_type);
	bool has_manifests = json_object_get(root->json, "manifests") != NULL;
	bool has_layers = json_object_get(root->json, "layers") != NULL ||
			  json_object_get(root->json, "config") != NULL;
	const char *body_type;
	int64_t version;
	int r;

	if (kind == MEDIA_SCHEMA1 ||
	    json_object_get(root->json, "fsLayers") != NULL)
		return refuse_schema1(root, err);
	if (node_int(root, "schemaVersion", INT32_MAX, &version, err) < 0)
		return -1;
	if (version == 1)
		return refuse_schema1(root, err);
	if (version != 2)
		return node_fault(root, "schemaVersion", err, "must be 2");
	r = node_text(root, "mediaType", false, &body_type, err);
	if (r < 0)
		return -1;
	if (r == 1 && strcmp(body_type, media_type) != 0)
		return node_fault(root, "mediaType", err,
				  "is \"%.100s\", but it came as \"%.100s\"",
				  body_type, media_type);
	if (has_manifests && has_layers)
		return node_fault(root, "manifests", err,
				  "and layers or config in one document: it "
				  "is ambiguous");
	if (kind != MEDIA_INDEX && kind != MEDIA_MANIFEST)
		return node_fault(root, NULL, err,
				  "came as \"%.100s\", which is neither an "
				  "image manifest nor an index",
				  media_type);
	*ret_is_index = kind == MEDIA_INDEX;
	return 0;
}

static int
parse_image(const struct node *root, struct manifest *manifest,
	    struct skiff_error *err)
{
	struct node config;

	if (node_object(root, "config", true, &config, err) < 0 ||
	    parse_descriptor(&config, IMAGE_CONFIG_MAX, &manifest->config,
			     err) < 0)
		return -1;
	return parse_items(root, "layers", MANIFEST_LAYERS_MAX, LAYER_SIZE_MAX,
			   manifest, err);
}

int
manifest_parse(const char *text, size_t len, const char *media_type,
	       struct manifest **ret_manifest, struct skiff_error *err)
{
	CLEANUP(manifest_freep) struct manifest *manifest = NULL;
	cleanup_json json_t *json = NULL;
	struct node root;

	if (document_parse(&manifest_kind, text, len, &json, err) < 0)
		return -1;
	root = node_root(&manifest_kind, json);
	manifest = xcalloc(1, sizeof(*manifest));
	manifest->media_type = xstrdup(media_type);
	if (check_kind(&root, media_type, &manifest->is_index, err) < 0)
		return -1;
	if (manifest->is_index) {
		if (parse_items(&root, "manifests", INDEX_MANIFESTS_MAX,
				MANIFEST_MAX, manifest, err) < 0)
			return -1;
	} else if (parse_image(&root, manifest, err) < 0) {
		return -1;
	}
	*ret_manifest = STEAL_PTR(manifest);
	return 0;
}

void
manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return;
	for (size_t i = 0; manifest->items && i <= manifest->n_items; i++)
		descriptor_done(&manifest->items[i]);
	free(manifest->items);
	descriptor_done(&manifest->config);
	free(manifest->media_type);
	free(manifest);
}
