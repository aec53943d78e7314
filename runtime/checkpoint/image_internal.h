/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What writing and reading of checkpoint images share. */
#include <jansson.h>

#define CHECKPOINT_MANIFEST "application/vnd.oci.image.manifest.v1+json"

/* The digests of a manifest's blobs, in order; the caller frees. */
char *checkpoint_sealed_text(const json_t *manifest);
