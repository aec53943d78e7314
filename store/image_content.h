/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an image's name leads to, for one platform: target (an index or a
 * manifest) → manifest → configuration, all read from the content store.
 */
#include <stddef.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "store/image_config.h"

struct content;
struct db;

struct image_content {
	struct digest target;	/* what the name stands for */
	struct digest manifest; /* the platform's */
	char *manifest_text;
	struct digest config_digest;
	char *config_text;
	struct image_config *config;
};

/*
 * platform: "os/arch[/variant]", or NULL for the host's. SKIFF_NOT_FOUND
 * for an image that is not there, content that is missing (object kind
 * "content"), or a platform that the image does not offer; corrupt
 * documents are SKIFF_INVALID_ARGUMENT.
 */
int image_content_load(struct db *db, struct content *content, const char *ns,
		       const char *name, const char *platform,
		       struct image_content **ret_image,
		       struct skiff_error *err);
void image_content_free(struct image_content *image);
DEFINE_CLEANUP(struct image_content *, image_content_free)
