/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A checkpoint as an OCI image in the content store.
 *
 *	manifest  artifactType CHECKPOINT_ARTIFACT
 *	  config  what was checkpointed: the container's spec and image, how
 *		  it was dumped (CHECKPOINT_CONFIG)
 *	  layers  criu's files (CHECKPOINT_STATE), the writable layer
 *		  (CHECKPOINT_LAYER), then the states that the first builds on
 *
 * Whoever can write criu's files decides which processes they become, with
 * which rights, and no check of ours can see through them. So the manifest
 * carries a seal, made with a key that never leaves the daemon's root: an
 * image without it came from elsewhere, and is refused unless the daemon
 * was told to trust such. What it says beside that is checked all the same.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "store/registry/manifest.h"

#define CHECKPOINT_ARTIFACT "application/vnd.skiff.container.checkpoint.v1"
#define CHECKPOINT_CONFIG                                                      \
	"application/vnd.skiff.container.checkpoint.config.v1+json"
/* As containerd calls them. */
#define CHECKPOINT_STATE                                                       \
	"application/vnd.containerd.container.criu.checkpoint.criu.tar"
#define CHECKPOINT_LAYER "application/vnd.oci.image.layer.v1.tar"

/* On every blob: the operation that wrote it. */
#define CHECKPOINT_LABEL "skiff.checkpoint.operation"

/* Incremental checkpoints stand on each other, no deeper than this. */
#define CHECKPOINT_DEPTH_MAX 16

struct content;
struct db;
struct layer_result;

/* Where images are, and what seals them. All borrowed. */
struct checkpoint_store {
	struct db *db;
	struct content *content;
	const char *root; /* the daemon's, for the key */
};

/* --- writing ----------------------------------------------------------- */

struct checkpoint_parts {
	const char *ns;
	const char *name;		       /* of the image */
	const char *container;		       /* for the event */
	const char *operation;		       /* for the labels */
	const json_t *config;		       /* the config document */
	int state_fd;			       /* criu's directory */
	int upper_fd;			       /* of the snapshot */
	const struct checkpoint_image *parent; /* or NULL */
	bool (*is_cancelled)(void *arg);       /* or NULL */
	void *cancel_arg;
};

/*
 * Writes the blobs, then in one transaction the image's record and the
 * event /tasks/checkpointed. *ret_result is {image, digest, size}.
 * SKIFF_ALREADY_EXISTS: the name. A failure may leave blobs:
 * checkpoint_drop_blobs().
 */
int checkpoint_image_write(const struct checkpoint_store *store,
			   const struct checkpoint_parts *parts,
			   json_t **ret_result, struct skiff_error *err);
/* SKIFF_ALREADY_EXISTS when an image of that name is there. */
int checkpoint_check_name(const struct checkpoint_store *store, const char *ns,
			  const char *name, struct skiff_error *err);
/*
 * Removes the blobs of an operation that did not get as far as the image's
 * record, but for those that another image has, too.
 */
int checkpoint_drop_blobs(const struct checkpoint_store *store, const char *ns,
			  const char *operation, struct skiff_error *err);

/* --- reading ----------------------------------------------------------- */

struct checkpoint_image {
	char *name;
	json_t *config;		   /* {spec, container, …}, checked */
	struct descriptor *states; /* the newest first */
	size_t n_states;
	struct descriptor layer;
	bool is_sealed;
};

/*
 * SKIFF_NOT_FOUND (image or blob), SKIFF_FAILED_PRECONDITION with reason
 * "not_a_checkpoint" or "checkpoint_invalid".
 */
int checkpoint_image_load(const struct checkpoint_store *store, const char *ns,
			  const char *name, struct checkpoint_image **ret_image,
			  struct skiff_error *err);
/*
 * SKIFF_PERMISSION_DENIED, reason "checkpoint_foreign", for one without this
 * daemon's seal, unless those of others are trusted.
 */
int checkpoint_check_origin(const struct checkpoint_image *image,
			    bool trusts_others, struct skiff_error *err);
void checkpoint_image_free(struct checkpoint_image *image);
DEFINE_CLEANUP(struct checkpoint_image *, checkpoint_image_free)

/*
 * criu's files of all states into dirfd/<first>, dirfd/<first + 1>, …, each
 * with a link "parent" to the next: regular files with plain names, nothing
 * else.
 */
int checkpoint_unpack_states(const struct checkpoint_store *store,
			     const char *ns,
			     const struct checkpoint_image *image, size_t first,
			     int dirfd, struct skiff_error *err);
/* The writable layer into an empty directory. */
int checkpoint_unpack_layer(const struct checkpoint_store *store,
			    const char *ns,
			    const struct checkpoint_image *image, int fd,
			    struct layer_result *ret_result,
			    struct skiff_error *err);
