/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An image's configuration (OCI image-spec v1.1, config.md): what a
 * container gets by default, and the digests of the unpacked layers.
 *
 *	CLEANUP(image_config_freep) struct image_config *config = NULL;
 *	if (image_config_parse(text, len, &config, err) < 0) …
 */
#include <jansson.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/strv.h"

/* Larger documents are refused, whatever is in them. */
#define IMAGE_CONFIG_MAX (8 * 1024 * 1024)
#define IMAGE_LAYERS_MAX 512

struct image_config {
	char *os;
	char *architecture;
	char *variant; /* or NULL */
	char *created; /* as the image says it, or NULL */
	/* From "config"; absent is NULL or empty: */
	struct strv env; /* each KEY=value */
	struct strv entrypoint;
	struct strv cmd;
	char *working_dir;
	char *user;
	char *stop_signal;
	json_t *healthcheck; /* docker's, as it is, or NULL */
	json_t *labels;	     /* object of strings, or NULL */
	struct strv volumes;
	struct strv exposed_ports; /* "80/tcp" */
	/* "rootfs": the base layer first */
	struct digest *diff_ids;
	size_t n_diff_ids;
};

/*
 * Every field that is used must have its type; unknown ones are ignored,
 * as the specification asks. SKIFF_INVALID_ARGUMENT, reason
 * "image_invalid_config", and the faulty field.
 */
int image_config_parse(const char *text, size_t len,
		       struct image_config **ret_config,
		       struct skiff_error *err);
void image_config_free(struct image_config *config);
DEFINE_CLEANUP(struct image_config *, image_config_free)

#define CHAIN_ID_SIZE DIGEST_TEXT_SIZE
/*
 * The chain id of the first n layers, n >= 1, into buf, which it returns
 * (OCI image-spec, config.md, "Layer ChainID"). The key of their snapshot.
 */
const char *image_config_chain_id(const struct image_config *config, size_t n,
				  char buf[CHAIN_ID_SIZE]);
