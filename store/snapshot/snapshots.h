/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Snapshots: layers of a file system, named by keys.
 *
 * One driver so far: overlay. A snapshot's bytes lie in
 * snapshots/overlay/<number>/fs, beside it work/ for the kernel; numbers
 * are never used twice. A committed layer that an image's unpacking made is
 * known by its chain id, and snapshots of several namespaces share its
 * directory. Directory first, then the row: a directory that no row names
 * is removed at the next start.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strv.h"
#include "store/db.h"

#define SNAPSHOTTER_DEFAULT "overlay"

struct snapshots;

enum snapshot_kind { SNAPSHOT_VIEW, SNAPSHOT_ACTIVE, SNAPSHOT_COMMITTED };

struct mount {
	char *type; /* "overlay", "bind" */
	char *source;
	struct strv options;
};

/* root_path: the daemon's root directory, absolute. Sweeps at start. */
int snapshots_open(struct db *db, const char *root_path,
		   struct snapshots **ret_snapshots, struct skiff_error *err);
void snapshots_close(struct snapshots *snapshots);
DEFINE_CLEANUP(struct snapshots *, snapshots_close)

/* "default" and "overlay" → "overlay"; else SKIFF_NOT_FOUND. */
int snapshotter_check(const char *name, const char **ret_name,
		      struct skiff_error *err);

struct snapshot_request {
	const char *ns;
	const char *key;
	const char *parent;	 /* NULL or "": none */
	enum snapshot_kind kind; /* VIEW or ACTIVE */
	const json_t *labels;	 /* or NULL */
};

/*
 * Makes an active or view snapshot; *ret_object, the caller's, has its
 * "mounts" too. SKIFF_ALREADY_EXISTS, SKIFF_NOT_FOUND (parent),
 * SKIFF_INVALID_ARGUMENT (parent not committed).
 */
int snapshot_prepare(struct snapshots *snapshots,
		     const struct snapshot_request *request,
		     json_t **ret_object, struct skiff_error *err);

/*
 * The same in two steps, for a caller that writes more in the same
 * transaction (a container with its snapshot): the directory now, the row
 * in the caller's closure. snapshot_dir_free() removes a directory whose
 * row was not written.
 */
struct snapshot_dir;
int snapshot_dir_make(struct snapshots *snapshots, struct snapshot_dir **ret,
		      struct skiff_error *err);
int snapshot_prepare_in(struct snapshot_dir *dir, struct tx *tx,
			const struct snapshot_request *request,
			json_t **ret_object, struct skiff_error *err);
void snapshot_dir_free(struct snapshot_dir *dir);
DEFINE_CLEANUP(struct snapshot_dir *, snapshot_dir_free)

/*
 * Active → committed under a new name; durable before it is said.
 * SKIFF_FAILED_PRECONDITION, reason "snapshot_in_use": a container has it.
 */
int snapshot_commit(struct snapshots *snapshots, const char *ns,
		    const char *name, const char *key, const json_t *labels,
		    json_t **ret_object, struct skiff_error *err);
/*
 * SKIFF_FAILED_PRECONDITION: "cannot remove snapshot with child", or reason
 * "snapshot_in_use" for that of a container (snapshot_remove() only). The
 * directory goes when no snapshot names it any more.
 */
int snapshot_remove(struct snapshots *snapshots, const char *ns,
		    const char *key, int64_t if_match, struct skiff_error *err);
int snapshot_remove_in(struct snapshots *snapshots, struct tx *tx,
		       const char *ns, const char *key, int64_t if_match,
		       struct skiff_error *err);
/* After transactions with snapshot_remove_in(): deletes the trees. */
void snapshots_empty_trash(struct snapshots *snapshots);

/* What to mount to see it; not for committed ones. The caller frees. */
int snapshot_mounts(struct snapshots *snapshots, const char *ns,
		    const char *key, struct mount **ret_mounts, size_t *ret_n,
		    struct skiff_error *err);
void mounts_free(struct mount *mounts, size_t n);
json_t *mounts_to_json(const struct mount *mounts, size_t n);
/* Own bytes and inodes, without the parents'. */
int snapshot_usage(struct snapshots *snapshots, const char *ns, const char *key,
		   uint64_t *ret_bytes, uint64_t *ret_inodes,
		   struct skiff_error *err);
/* Absolute fs/ directories of a snapshot and its parents, top first. */
int snapshot_dirs(struct snapshots *snapshots, const char *ns, const char *key,
		  struct strv *ret_dirs, struct skiff_error *err);

/* --- other files for a snapshot --------------------------------------- */

/*
 * What to mount to see an active snapshot as it will be once dir has taken
 * the place of its directory. The caller frees.
 */
int snapshot_mounts_with(struct snapshot_dir *dir, const char *ns,
			 const char *key, struct mount **ret_mounts,
			 size_t *ret_n, struct skiff_error *err);
/*
 * In a transaction: dir, filled and synced, takes that place;
 * snapshots_empty_trash() afterwards. SKIFF_NOT_FOUND,
 * SKIFF_FAILED_PRECONDITION (not active).
 */
int snapshot_replace_in(struct snapshot_dir *dir, struct tx *tx, const char *ns,
			const char *key, struct skiff_error *err);

/* --- layers of images ------------------------------------------------ */

/* The open fs/ directory of a new snapshot_dir, for unpacking; borrowed. */
int snapshot_dir_fd(const struct snapshot_dir *dir);
/* One syncfs(2) for all that was unpacked below the root. */
int snapshots_sync(struct snapshots *snapshots, struct skiff_error *err);

struct layer_request {
	const char *ns;
	const char *chain_id; /* becomes the snapshot's key */
	const char *parent;   /* chain id below, or NULL */
	const json_t *labels; /* or NULL */
};
/*
 * Records an unpacked and synced directory as a committed snapshot. If
 * somebody else was faster the directory is not used, and that is success.
 */
int layer_commit(struct snapshot_dir *dir, const struct layer_request *request,
		 struct skiff_error *err);
/*
 * A layer that is here for some namespace, recorded in this one too: 1
 * done (or it was), 0 it is not here.
 */
int layer_adopt(struct snapshots *snapshots,
		const struct layer_request *request, struct skiff_error *err);
