/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an image's name to its configuration.
 */
#include "config.h"

#include "store/image_content.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "store/content/content.h"
#include "store/image.h"
#include "store/registry/manifest.h"

struct lookup {
	struct content *content;
	const char *ns;
	struct platform platform;
	bool is_platform_wished; /* else an image of one alone is taken */
};

static int
read_text(const struct lookup *lookup, const struct digest *digest, size_t max,
	  char **ret_text, size_t *ret_len, struct skiff_error *err)
{
	if (content_read_blob(lookup->content, lookup->ns, digest, max,
			      ret_text, ret_len, err) == 0)
		return 0;
	if (err->code == SKIFF_NOT_FOUND)
		(void)err_object(err, "content", digest->text);
	return -1;
}

static int
read_manifest(const struct lookup *lookup, const struct descriptor *descriptor,
	      char **ret_text, struct manifest **ret_manifest,
	      struct skiff_error *err)
{
	cleanup_free char *text = NULL;
	size_t len;

	if (read_text(lookup, &descriptor->digest, MANIFEST_MAX, &text, &len,
		      err) < 0)
		return -1;
	if (manifest_parse(text, len, descriptor->media_type, ret_manifest,
			   err) < 0)
		return err_wrap(err, "%s", descriptor->digest.text);
	*ret_text = STEAL_PTR(text);
	return 0;
}

/* Down through indexes to the platform's manifest, and its config. */
static int
find_manifest(const struct lookup *lookup, const struct descriptor *target,
	      struct image_content *image, struct descriptor *ret_config,
	      struct skiff_error *err)
{
	CLEANUP(descriptor_done) struct descriptor at = { 0 };

	descriptor_copy(target, &at);
	for (int depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
		CLEANUP(manifest_freep) struct manifest *manifest = NULL;
		cleanup_free char *text = NULL;
		const struct descriptor *chosen;

		if (read_manifest(lookup, &at, &text, &manifest, err) < 0)
			return -1;
		if (!manifest->is_index) {
			image->manifest = at.digest;
			image->manifest_text = STEAL_PTR(text);
			descriptor_copy(&manifest->config, ret_config);
			return 0;
		}
		if (manifest_choose(manifest, &lookup->platform, &chosen, err) <
		    0)
			return -1;
		descriptor_done(&at);
		descriptor_copy(chosen, &at);
	}
	return err_set(err, SKIFF_INVALID_ARGUMENT,
		       "indexes are nested deeper than %d", INDEX_DEPTH_MAX);
}

static int
load_config(const struct lookup *lookup, const struct descriptor *config,
	    struct image_content *image, struct skiff_error *err)
{
	size_t len;

	image->config_digest = config->digest;
	if (media_kind(config->media_type) != MEDIA_CONFIG)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "not a container image: its config is "
			       "\"%.100s\"",
			       config->media_type);
	if (read_text(lookup, &image->config_digest, IMAGE_CONFIG_MAX,
		      &image->config_text, &len, err) < 0)
		return -1;
	return image_config_parse(image->config_text, len, &image->config, err);
}

/* What no index says is said by the config. */
static int
check_platform(const struct lookup *lookup, const struct image_config *config,
	       struct skiff_error *err)
{
	struct platform offer = { .os = config->os,
				  .architecture = config->architecture,
				  .variant = config->variant };

	return lookup->is_platform_wished
		   ? platform_check(&lookup->platform, &offer, err)
		   : 0;
}

static int
load_target(struct db *db, const char *ns, const char *name,
	    struct descriptor *ret, struct skiff_error *err)
{
	cleanup_json json_t *target = NULL;

	if (image_target(db, ns, name, &target, err) < 0)
		return -1;
	if (digest_parse(json_get_text(target, "digest"), &ret->digest, err) <
	    0)
		return -1;
	ret->media_type = xstrdup(json_get_text(target, "media_type"));
	ret->size = json_get_int(target, "size", 0);
	return 0;
}

static int
load(const struct lookup *lookup, struct db *db, const char *name,
     struct image_content *image, struct skiff_error *err)
{
	CLEANUP(descriptor_done) struct descriptor target = { 0 };
	CLEANUP(descriptor_done) struct descriptor config = { 0 };

	if (load_target(db, lookup->ns, name, &target, err) < 0)
		return -1;
	image->target = target.digest;
	if (find_manifest(lookup, &target, image, &config, err) < 0 ||
	    load_config(lookup, &config, image, err) < 0 ||
	    check_platform(lookup, image->config, err) < 0)
		return err_wrap(err, "image %s", name);
	return 0;
}

int
image_content_load(struct db *db, struct content *content, const char *ns,
		   const char *name, const char *platform,
		   struct image_content **ret_image, struct skiff_error *err)
{
	CLEANUP(image_content_freep)
	struct image_content *image = xcalloc(1, sizeof(*image));
	struct lookup lookup = { .content = content,
				 .ns = ns,
				 .is_platform_wished = platform };
	int r;

	if (platform_parse(platform, &lookup.platform, err) < 0)
		return -1;
	r = load(&lookup, db, name, image, err);
	platform_done(&lookup.platform);
	if (r == 0)
		*ret_image = STEAL_PTR(image);
	return r;
}

void
image_content_free(struct image_content *image)
{
	if (!image)
		return;
	free(image->manifest_text);
	free(image->config_text);
	image_config_free(image->config);
	free(image);
}
