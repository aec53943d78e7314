/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Manifests and indexes: Docker's schema 2 and OCI's, which differ in
 * their media types only (OCI image-spec v1.1, manifest.md, image-index.md,
 * descriptor.md).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"

#define MANIFEST_MAX (4 * 1024 * 1024)
#define MANIFEST_LAYERS_MAX 512
#define INDEX_MANIFESTS_MAX 1000
/* An index may name an index; no deeper than this. */
#define INDEX_DEPTH_MAX 4
#define LAYER_SIZE_MAX (INT64_C(1) << 40)

enum media_kind {
	MEDIA_OTHER,
	MEDIA_INDEX,
	MEDIA_MANIFEST,
	MEDIA_CONFIG,
	MEDIA_LAYER,
	MEDIA_SCHEMA1,
};

/* media_type: lower case, without parameters. */
enum media_kind media_kind(const char *media_type);
/* What a client that can read all of the above sends as Accept. */
extern const char media_accept[];

struct platform {
	char *os;
	char *architecture;
	char *variant; /* or NULL */
};
void platform_done(struct platform *platform);
/*
 * "os/arch[/variant]" with the usual other spellings (x86_64, aarch64);
 * NULL or "": this machine. SKIFF_INVALID_ARGUMENT.
 */
int platform_parse(const char *text, struct platform *ret_platform,
		   struct skiff_error *err);

/* Of an image's own config: SKIFF_NOT_FOUND, reason "platform_not_found". */
int platform_check(const struct platform *wish, const struct platform *offer,
		   struct skiff_error *err);

struct descriptor {
	char *media_type;
	struct digest digest;
	int64_t size;
	bool has_platform;
	struct platform platform;
	/* Says something about another manifest, is no image itself. */
	bool is_attestation;
};
void descriptor_done(struct descriptor *descriptor);
void descriptor_copy(const struct descriptor *from, struct descriptor *ret);

struct manifest {
	bool is_index;
	char *media_type;
	struct descriptor config; /* not of an index */
	struct descriptor *items; /* layers (base first), or manifests */
	size_t n_items;
};

/*
 * media_type: what the registry's Content-Type, or the descriptor that led
 * here, says; the document may not contradict it. SKIFF_INVALID_ARGUMENT,
 * reason "image_invalid_manifest": not JSON, a field missing or of the
 * wrong type, both layers and manifests, a Docker schema 1 document, more
 * than the limits above.
 */
int manifest_parse(const char *text, size_t len, const char *media_type,
		   struct manifest **ret_manifest, struct skiff_error *err);
void manifest_free(struct manifest *manifest);
DEFINE_CLEANUP(struct manifest *, manifest_free)

/*
 * The entry of an index that suits the platform best; borrowed.
 * SKIFF_NOT_FOUND, reason "platform_not_found", says what there is.
 */
int manifest_choose(const struct manifest *index,
		    const struct platform *platform,
		    const struct descriptor **ret_descriptor,
		    struct skiff_error *err);
