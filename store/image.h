/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Images: a name for a descriptor (OCI image-spec, descriptor.md). The
 * content that the descriptor names need not be here.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "store/db.h"

/*
 * Checks an image object {name, target: {media_type, digest, size,
 * annotations?}, labels?} as clients send it; faults by JSON pointer.
 */
struct json_faults;
void image_check(const json_t *image, struct json_faults *faults);

/* The name alone. */
int image_check_name(const char *name, struct skiff_error *err);

/* SKIFF_ALREADY_EXISTS; object gets its stamps. */
int image_create(struct db *db, const char *ns, json_t *image, char **ret_doc,
		 int64_t *ret_revision, struct skiff_error *err);
/* Creates or replaces target and labels (a pull of a moved tag). */
int image_put(struct db *db, const char *ns, json_t *image, char **ret_doc,
	      int64_t *ret_revision, struct skiff_error *err);
/* The target's digest; SKIFF_NOT_FOUND. */
int image_target(struct db *db, const char *ns, const char *name,
		 json_t **ret_target, struct skiff_error *err);
int image_delete(struct db *db, const char *ns, const char *name,
		 int64_t if_match, struct skiff_error *err);
