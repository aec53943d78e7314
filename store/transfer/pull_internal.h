/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One pull, between the files that carry it out: pull.c (the whole),
 * pull_blobs.c (documents and labels), pull_layers.c (fetching and
 * unpacking), pull_commit.c (from unpacked directories to snapshots).
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/lock.h"
#include "store/image_config.h"
#include "store/registry/manifest.h"
#include "store/registry/reference.h"
#include "store/registry/remote.h"
#include "store/snapshot/snapshots.h"
#include "store/transfer/operation_internal.h"
#include "store/unpack/apply.h"

struct pull {
	struct operation *op;
	const struct transfer_options *stores;
	struct inflight *inflight;
	const char *ns;
	struct cancel abort; /* one part failed, or the operation's wish */
	struct reference reference;
	struct platform platform;
	bool all_platforms;
	bool want_unpack;
	char *name;
	struct remote *remote;
	struct http *http;    /* of the operation's own thread */
	size_t n_descriptors; /* met so far */
	json_t *snapshots;    /* of the result: chain ids */
};

/* --- pull_blobs.c ----------------------------------------------------- */

/*
 * Before n more descriptors are worked on: indexes may name each other's
 * manifests a thousand times a level, which adds up to more than any disk
 * or patience holds. SKIFF_INVALID_ARGUMENT, SKIFF_CANCELLED.
 */
int pull_count(struct pull *pull, size_t n, struct skiff_error *err);

/*
 * A manifest, index or config: from the content store, or fetched and put
 * there. preset: its text when it is known already (borrowed), or NULL.
 */
struct document {
	const struct descriptor *descriptor;
	const char *kind; /* "manifest", for progress; static */
	bool is_blob;
	const char *preset;
};
int pull_document(struct pull *pull, const struct document *document,
		  char **ret_text, struct skiff_error *err);

/* {"containerd.io/distribution.source.<host>": "repo,repo"} */
json_t *pull_source_labels(struct pull *pull, const struct digest *digest);
/* Merges labels into a blob's record. */
int pull_label(struct pull *pull, const struct descriptor *descriptor,
	       const json_t *labels, struct skiff_error *err);
/* A commit's mismatch is the registry's doing. */
int pull_commit_failed(struct pull *pull, struct skiff_error *err);

/* --- pull_layers.c ---------------------------------------------------- */

struct layer {
	const struct descriptor *descriptor;
	size_t item;		      /* of the progress */
	const struct digest *diff_id; /* NULL: not to be unpacked */
	char chain_id[CHAIN_ID_SIZE];
	bool is_claimed;	  /* entered in the in-flight table */
	struct snapshot_dir *dir; /* while unpacked and not committed */
	struct layer_result result;
};

/* config: NULL when nothing is to be unpacked. */
int pull_layers(struct pull *pull, const struct manifest *manifest,
		const struct image_config *config, struct skiff_error *err);

/* --- pull_commit.c ---------------------------------------------------- */

/* Claims what is not there; records what is there for another namespace. */
int layers_claim(struct pull *pull, struct layer *layers, size_t n,
		 struct skiff_error *err);
/* Syncs and commits what was unpacked, base first. */
int layers_commit(struct pull *pull, struct layer *layers, size_t n,
		  struct skiff_error *err);
void layers_release(struct pull *pull, struct layer *layers, size_t n);
