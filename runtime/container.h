/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Containers: the metadata that a task is started from. Making one
 * resolves its image, prepares its snapshot and generates its spec; the
 * record (RECORD_CONTAINER, store/record.h) holds all of it:
 *
 *	{id, image?, image_digest?, runtime: {name, options?}, snapshotter?,
 *	 snapshot_key?, spec, …} and the wishes as they were given.
 *
 * Reading, listing and labels are those of every record.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "store/db.h"

struct content;
struct host;
struct snapshots;

#define RUNTIME_DEFAULT "runc"

struct container_context {
	struct db *db;
	struct content *content;
	struct snapshots *snapshots;
	const struct host *host;
	/* container_create(): to be followed by container_start(). */
	bool will_start;
};

/*
 * body: the request (runtime/spec/wishes.h). With faults of the body -1
 * and err as json_faults_to_error() makes it; the list is the caller's.
 * SKIFF_ALREADY_EXISTS: nothing is left of the loser. SKIFF_NOT_FOUND: no
 * such image. SKIFF_FAILED_PRECONDITION: reason "image_not_unpacked",
 * "image_invalid_config", "image_invalid_rootfs".
 */
int container_create(const struct container_context *context, const char *ns,
		     const json_t *body, struct json_faults *faults,
		     char **ret_doc, int64_t *ret_revision,
		     struct skiff_error *err);

/* "calm-otter-3f9a07": 13 characters at least, for people; returns buf. */
#define CONTAINER_ID_SIZE 40
const char *container_random_id(char buf[CONTAINER_ID_SIZE]);

/*
 * Removes the record and the snapshot that was made with it.
 * SKIFF_FAILED_PRECONDITION, reason "task_exists", with the task's state,
 * while it has a task. if_match as in struct change.
 */
int container_delete(const struct container_context *context, const char *ns,
		     const char *id, int64_t if_match, struct skiff_error *err);
