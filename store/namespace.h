/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Namespaces: made by name or by the first write to them, deleted when
 * nothing roots anything in them any more.
 */
#include <jansson.h>

#include "base/error.h"
#include "store/db.h"

struct content;
struct snapshots;

/* *ret_doc is the object. SKIFF_ALREADY_EXISTS. */
int namespace_create(struct db *db, const char *name, json_t *labels,
		     char **ret_doc, int64_t *ret_revision,
		     struct skiff_error *err);

/*
 * SKIFF_FAILED_PRECONDITION, reason "namespace_not_empty", text "namespace
 * default must be empty: 2 images, 1 container", while it holds images,
 * containers, tasks, running operations, active or view snapshots, or
 * anything labelled containerd.io/gc.root. Content and committed snapshots
 * that are left go in the same transaction, their bytes after it.
 */
int namespace_delete(struct db *db, struct content *content,
		     struct snapshots *snapshots, const char *name,
		     int64_t if_match, struct skiff_error *err);
