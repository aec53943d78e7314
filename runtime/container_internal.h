/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Shared by the files that make and change containers: what their spec is
 * made from.
 */
#include <jansson.h>

#include "runtime/container.h"
#include "runtime/spec/wishes.h"
#include "store/image_config.h"
#include "store/record.h"

struct image_content;

/* Who made the spec; the field spec_origin of the document. */
#define ORIGIN_CLIENT "client"
#define ORIGIN_WISHES "wishes"

struct making {
	const struct container_context *context;
	const char *ns;
	const char *id;
	const char *snapshotter;
	const struct wishes *wishes;
	struct image_content *image; /* NULL: without an image */
	char parent[CHAIN_ID_SIZE];  /* snapshot below; "" none */
	json_t *spec;
};

/* container_make.c: the checks, the image, then the spec. */
void making_check_spec(const struct wishes *wishes, const struct host *host,
		       struct json_faults *faults);
int making_load_image(struct making *making, struct skiff_error *err);
/*
 * Gives the document what the image says and it does not: how to stop it,
 * and its health. No part of the spec, but made from the image like that.
 */
void making_inherit(const struct making *making, json_t *object);
int making_build_spec(struct making *making, struct skiff_error *err);
void making_done(struct making *making);

/*
 * SKIFF_FAILED_PRECONDITION, reason "task_exists", with its state, while
 * the container has a task.
 */
int container_refuse_with_task(struct conn *conn, const struct record_ref *ref,
			       struct skiff_error *err);

/* What a user does not wish otherwise: ids of the container's own. */
void container_default_for_users(json_t *body);
/* The spec is the client's, not made from wishes. */
bool container_has_own_spec(const json_t *document);
int container_give(const char *id, const json_t *object,
		   struct container_made *ret);
