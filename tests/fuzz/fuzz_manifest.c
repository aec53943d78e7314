/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents of registries: each input is tried as a manifest, as an index
 * and as an image configuration. What is accepted is within its limits.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "store/image_config.h"
#include "store/registry/manifest.h"
#include "tests/fuzz/fuzz.h"

static void
try_manifest(const char *text, size_t size, const char *type)
{
	CLEANUP(manifest_freep) struct manifest *manifest = NULL;
	CLEANUP(platform_done) struct platform platform = { 0 };
	const struct descriptor *chosen = NULL;
	struct skiff_error err = ERROR_INIT;

	if (manifest_parse(text, size, type, &manifest, &err) < 0) {
		assert(err.code == SKIFF_INVALID_ARGUMENT && err.reason);
		return;
	}
	assert(manifest->n_items <= INDEX_MANIFESTS_MAX);
	assert(platform_parse("linux/arm/v7", &platform, &err) == 0);
	if (manifest->is_index)
		(void)manifest_choose(manifest, &platform, &chosen, &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(image_config_freep) struct image_config *config = NULL;
	const char *text = (const char *)data;
	struct skiff_error err = ERROR_INIT;
	char chain_id[CHAIN_ID_SIZE];

	try_manifest(text, size, "application/vnd.oci.image.manifest.v1+json");
	try_manifest(text, size, "application/vnd.oci.image.index.v1+json");
	if (image_config_parse(text, size, &config, &err) == 0 &&
	    config->n_diff_ids > 0)
		(void)image_config_chain_id(config, config->n_diff_ids,
					    chain_id);
	return 0;
}
