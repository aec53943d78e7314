/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fetching what a descriptor names. Errors name the digest and the
 * registry, and carry its words.
 */
#include "base/error.h"
#include "store/registry/manifest.h"
#include "store/registry/remote.h"

/*
 * A small document whole (manifests by default, blobs when is_blob), its
 * size and digest verified: SKIFF_DATA_LOSS, reason "digest_mismatch" or
 * "size_mismatch". The caller frees.
 */
int fetch_document(struct remote *remote, struct http *http,
		   const struct descriptor *descriptor, bool is_blob,
		   char **ret_text, struct skiff_error *err);

/*
 * A blob, byte after byte into body, which sees each byte once: after a
 * broken connection the rest is asked for with Range, and what a server
 * sends again is skipped. At most descriptor->size bytes are passed on,
 * and success means exactly as many; the digest is the receiver's to
 * check.
 */
int fetch_blob(struct remote *remote, struct http *http,
	       const struct descriptor *descriptor, http_body_fn body,
	       void *arg, struct skiff_error *err);
