/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pull: from a reference to an image whose content, and by default whose
 * unpacked layers, are here.
 *
 * What is present in any namespace is not fetched again, only recorded in
 * this one. Pulls of the same blobs and layers at the same time fetch and
 * unpack each once. The image's record is written last.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

struct operation_kind;
struct transfers;

/* How a pull runs, for the table of kinds. */
extern const struct operation_kind pull_kind;

/*
 * Starts a pull and returns when its record is committed. body is as
 * clients send it:
 *
 *	{"ref": "docker.io/library/busybox:1.36",
 *	 "name": …, "platform": "linux/arm64/v8", "all_platforms": false,
 *	 "snapshotter": "overlay", "unpack": true,
 *	 "auth": {"username": …, "password": …}}
 *
 * Only ref must be there; name is by default the normalised reference.
 * Faults of the body go to *faults, each with its JSON pointer, and the
 * result is SKIFF_INVALID_ARGUMENT. *ret_id and *ret_doc (the operation)
 * are the caller's to free; the password is kept in memory only.
 */
int pull_start(struct transfers *transfers, const char *ns, const json_t *body,
	       struct json_faults *faults, char **ret_id, char **ret_doc,
	       int64_t *ret_revision, struct skiff_error *err);
