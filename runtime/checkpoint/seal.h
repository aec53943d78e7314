/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The seal of a checkpoint: says that this daemon wrote it, of these very
 * blobs. The key is ROOT/checkpoint.key (0600), made when first needed.
 */
#include <stdbool.h>

#include "base/digest.h"
#include "base/error.h"

#define CHECKPOINT_SEAL "dev.skiff.checkpoint.seal"

/* text: what is sealed. */
int checkpoint_seal(const char *root, const char *text, struct digest *ret_seal,
		    struct skiff_error *err);
/* Takes the same time whatever seal says. A missing key is no seal. */
bool checkpoint_is_sealed(const char *root, const char *text, const char *seal);
