/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of the snapshot store share: rows (rows.c), directories
 * (dirs.c), mounts (overlay.c), and the life of a snapshot (snapshots.c,
 * layers.c).
 */
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strv.h"
#include "store/db.h"
#include "store/snapshot/snapshots.h"

struct snapshots {
	struct db *db;	/* borrowed */
	char *dir_path; /* <root>/snapshots/overlay */
	int dir_fd;	/* the same, holds <number>/fs and <number>/work */
	int trash_fd;	/* <root>/snapshots/trash */
	_Atomic int64_t last_number;
	struct strv options; /* of every overlay mount */
};

/* --- rows ------------------------------------------------------------ */

struct snapshot_row {
	enum snapshot_kind kind;
	int64_t number; /* of its directory */
	char *parent;	/* or NULL */
	char *chain_id; /* or NULL: nobody verified what it holds */
};
void snapshot_row_done(struct snapshot_row *row);

/* 1 found, 0 not, -1 error. */
int rows_find(struct conn *conn, const char *ns, const char *key,
	      struct snapshot_row *ret_row, struct skiff_error *err);
/* The directory of a layer, whatever the namespace; 1, 0, -1. */
int rows_find_layer(struct conn *conn, const char *chain_id,
		    int64_t *ret_number, struct skiff_error *err);
int rows_insert(struct tx *tx, const char *ns, const char *key,
		const struct snapshot_row *row, struct skiff_error *err);
/* Another directory for a row that is there. */
int rows_set_dir(struct tx *tx, const char *ns, const char *key, int64_t number,
		 struct skiff_error *err);
int rows_delete(struct tx *tx, const char *ns, const char *key,
		struct skiff_error *err);
/* 1, 0, -1. */
int rows_has_child(struct conn *conn, const char *ns, const char *key,
		   struct skiff_error *err);
/* Whether any row of any namespace has the directory; 1, 0, -1. */
int rows_name_dir(struct conn *conn, int64_t number, struct skiff_error *err);
/* The highest number that a row ever had. */
int rows_last_number(struct conn *conn, int64_t *ret_number,
		     struct skiff_error *err);

/* Directories from a snapshot down to its lowest parent. */
struct chain {
	int64_t *numbers;
	size_t n;
};
void chain_done(struct chain *chain);
int rows_chain(struct conn *conn, const char *ns, const char *key,
	       struct chain *chain, struct skiff_error *err);

/* A snapshot and all that stands on it, children before parents. */
int rows_subtree(struct conn *conn, const char *ns, const char *key,
		 struct strv *keys, bool *ret_all_committed,
		 struct skiff_error *err);
struct row_place {
	const char *ns;
	const char *key;
	int64_t number;
	int64_t parent; /* its number, 0 without one */
	enum snapshot_kind kind;
};
typedef int (*row_fn)(void *arg, const struct row_place *place,
		      struct skiff_error *err);
int rows_each(struct conn *conn, row_fn each, void *arg,
	      struct skiff_error *err);

/* --- directories ----------------------------------------------------- */

/* A new layer's root belongs to who owns the root below it. */
int dirs_own_like(const struct snapshots *snapshots, int fd, int64_t parent,
		  struct skiff_error *err);

struct snapshot_dir {
	struct snapshots *snapshots;
	int64_t number;
	int fd; /* of fs/ */
};

/* For a closure: out of the way if no row names it any more. */
int dirs_drop(struct snapshots *snapshots, struct tx *tx, int64_t number,
	      struct skiff_error *err);
/* What snapshots_open() does after a crash. */
int dirs_sweep(struct snapshots *snapshots, struct skiff_error *err);

/* --- mounts ---------------------------------------------------------- */

/* Options of this kernel's overlay that must not depend on its build. */
void overlay_probe(struct strv *options);
/* The one mount that shows a chain's first snapshot, of kind. */
struct mount *overlay_mount(const struct snapshots *snapshots,
			    enum snapshot_kind kind, const struct chain *chain);

/* --- records --------------------------------------------------------- */

struct new_snapshot {
	const char *ns;
	const char *key;
	const struct snapshot_row *row;
	const json_t *labels;	    /* or NULL */
	const char *verb;	    /* "prepare", "view", "commit" */
	const char *committed_from; /* the active's key, or NULL */
};
/* Record, event and row. *ret_object may be NULL. */
int snapshot_insert(struct tx *tx, const struct new_snapshot *snapshot,
		    json_t **ret_object, struct skiff_error *err);
/*
 * Fills row for a child of parent (NULL or "": none), which must be
 * committed; *ret_parent is the parent's own row.
 */
int snapshot_find_parent(struct conn *conn, const char *ns, const char *parent,
			 struct snapshot_row *ret_parent,
			 struct skiff_error *err);
