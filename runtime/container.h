/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Containers: the metadata that a task is started from. Making one
 * resolves its image, prepares its snapshot and generates its spec; the
 * record (RECORD_CONTAINER, store/record.h) holds all of it:
 *
 *	{id, image?, image_digest?, runtime: {name, options?}, snapshotter?,
 *	 snapshot_key?, spec, spec_origin, restricted?, …} and the wishes as
 *	 given.
 *
 * Reading, listing and labels are those of every record.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "base/json.h"
#include "base/strv.h"
#include "store/db.h"
#include "store/record.h"

struct content;
struct host;
struct idmap;
struct snapshots;

#define RUNTIME_DEFAULT "runc"

/*
 * True of a container that somebody who is no admin made or changed, until an
 * admin says that it is not: no task is made of it but in a user namespace,
 * with binds below the host's bind roots alone (runtime/spec/bind_root.h).
 */
#define CONTAINER_RESTRICTED "restricted"

struct container_context {
	struct db *db;
	struct content *content;
	struct snapshots *snapshots;
	const struct host *host;
	struct idmap *idmap; /* NULL: the kernel is believed to be able */
};

struct container_request {
	const char *ns;
	const json_t *body; /* runtime/spec/wishes.h */
	bool is_by_admin;   /* else runtime/spec/admin_wishes.h */
	bool is_dry;	    /* the answer alone: nothing is written */
	bool will_start;    /* container_start() follows */
};

struct container_made {
	char id[ID_MAX + 1];
	char *doc;	  /* the caller's; NULL with will_start */
	int64_t revision; /* 0 of a dry run */
};

/*
 * With faults of the body -1 and err as json_faults_to_error() makes it;
 * the list is the caller's. SKIFF_ALREADY_EXISTS: nothing is left of the
 * loser. SKIFF_NOT_FOUND: no such image, or snapshot of the client.
 * SKIFF_FAILED_PRECONDITION: reason "image_not_unpacked",
 * "image_invalid_config", "image_invalid_rootfs". Of a user namespace, as
 * runtime/container_ids.h says. SKIFF_PERMISSION_DENIED, reason "admin_only".
 */
int container_create(const struct container_context *context,
		     const struct container_request *request,
		     struct json_faults *faults, struct container_made *ret,
		     struct skiff_error *err);

/* "calm-otter-3f9a07": 13 characters at least, for people; returns buf. */
#define CONTAINER_ID_SIZE 40
const char *container_random_id(char buf[CONTAINER_ID_SIZE]);

enum update_kind {
	UPDATE_MERGE,	/* a merge patch, RFC 7396 */
	UPDATE_MASK,	/* the fields of mask, as the body has them or not */
	UPDATE_REPLACE, /* the body is the whole */
};

struct container_update {
	const char *ns;
	const char *id;
	enum update_kind kind;
	const json_t *body;
	/* "labels.a", "extensions.x", "runtime.options", "spec", "env" … */
	const struct strv *mask;
	bool is_by_admin;
	bool is_dry;	  /* looked at, not written */
	int64_t if_match; /* as in struct change */
};

/*
 * A running task is not touched: the next one is made from the container
 * as it is then. Fields that say what the container is (id, image,
 * snapshotter, snapshot_key, runtime.name) are faults by name.
 *
 * A change of wishes that shape the spec makes it anew from them and the
 * image's config, which must be there as it was: else
 * SKIFF_FAILED_PRECONDITION, reason "image_changed". A changed spec is the
 * client's from then on, and the wishes that it replaces go.
 *
 * Who is no admin may change more than labels only of a container that he
 * could have made: SKIFF_PERMISSION_DENIED, reason "admin_only". An admin
 * lifts CONTAINER_RESTRICTED by false, and by nothing else: what lies in a
 * bind root is the users' to change, so that it tells nothing of him.
 */
int container_update(const struct container_context *context,
		     const struct container_update *update,
		     struct json_faults *faults, struct container_made *ret,
		     struct skiff_error *err);

struct container_rename {
	const struct container_context *context;
	struct record_ref ref;
	const char *new_id;
	int64_t if_match; /* as in struct change */
	/* For its task, in the same transaction; NULL: it may have none. */
	int (*take_task)(struct tx *tx, void *arg, struct skiff_error *err);
	void *arg;
};

/*
 * Another id, in one transaction; the snapshot keeps its key.
 * SKIFF_ALREADY_EXISTS; SKIFF_FAILED_PRECONDITION, reason "task_exists". One
 * that may have a task is renamed by task_rename().
 */
int container_rename(const struct container_rename *rename,
		     struct container_made *ret, struct skiff_error *err);

/*
 * Removes the record and its snapshot, unless another container has that,
 * too, or its label containerd.io/gc.root keeps it. SKIFF_FAILED_PRECONDITION,
 * reason "task_exists", with the task's state, while it has a task. if_match as
 * in struct change.
 */
int container_delete(const struct container_context *context, const char *ns,
		     const char *id, int64_t if_match, struct skiff_error *err);
