/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The event log: one row a change, written in the transaction of the
 * change (no change without its event, no event without its change). Its
 * ids are the revisions of the whole daemon: they only grow, without
 * gaps.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

struct event {
	const char *ns;
	const char *topic;     /* "/images/create" */
	const char *type;      /* "ImageCreate"; "skiff.events.v1." is added */
	const char *key;       /* the object, for the bus */
	const json_t *payload; /* borrowed; {} when NULL */
};

int event_append(struct tx *tx, const struct event *event, int64_t *ret_id,
		 struct skiff_error *err);

/* Oldest and newest id in the log; 0, 0 while it is empty. */
int event_bounds(struct db *db, int64_t *ret_oldest, int64_t *ret_newest,
		 struct skiff_error *err);

/* doc: {"id","timestamp","namespace","topic","type","event"}. */
typedef void (*event_fn)(void *arg, int64_t id, const char *topic,
			 const char *doc);

/*
 * Calls each for at most limit events after the id, in order; ns NULL:
 * all namespaces. Returns how many, or -1.
 */
int event_read(struct db *db, const char *ns, int64_t after, int limit,
	       event_fn each, void *arg, struct skiff_error *err);

/* Removes the oldest so that keep stay; at start, in batches. */
int event_trim(struct db *db, int64_t keep, struct skiff_error *err);
