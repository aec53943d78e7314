/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From a reference to a descriptor: what a tag, or a digest, stands for
 * at its registry now.
 */
#include "base/error.h"
#include "store/registry/manifest.h"
#include "store/registry/remote.h"

struct resolved {
	struct descriptor target;
	char *text; /* the document, when it had to be fetched; or NULL */
	size_t len;
};
void resolved_done(struct resolved *resolved);

/*
 * Asks with HEAD, and where that does not tell all with GET. A document
 * that came along was hashed; a Docker-Content-Digest that lies, or is
 * not the reference's digest, is SKIFF_DATA_LOSS, reason
 * "digest_mismatch". Errors carry the registry's words.
 */
int resolve(struct remote *remote, struct http *http,
	    const struct reference *reference, struct resolved *ret_resolved,
	    struct skiff_error *err);
