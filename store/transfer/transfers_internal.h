/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table of running operations, between the files that keep it:
 * operation.c (life), progress.c (what people see), recover.c (after a
 * restart).
 */
#include <stdatomic.h>

#include "base/id.h"
#include "base/lock.h"
#include "base/workpool.h"
#include "store/transfer/operation_internal.h"

struct progress_item {
	struct digest digest;
	const char *kind;
	const char *state;
	int64_t offset;
	int64_t total;
};

struct operation {
	struct operation *next; /* guarded by transfers->lock */
	struct transfers *transfers;
	/* constant: */
	char id[RANDOM_ID_SIZE];
	char *ns;
	const struct operation_kind *kind;
	json_t *request;
	void *context; /* of kinds of other rooms, or NULL */
	struct credentials credentials;
	int n_interruptions; /* deaths of daemons while it ran */
	struct cancel cancel;
	struct lock lock;
	/* guarded by lock: */
	struct progress_item *items;
	size_t n_items;
	enum operation_state state;
	json_t *result;
	json_t *error;
	char *log; /* or NULL */
	_Atomic int64_t announced_ns;
};

struct transfers {
	struct transfer_options options;
	char *ca_file;
	struct inflight *inflight;
	struct cancel stop;
	struct workpool *pool;
	struct lock lock;
	struct operation *first; /* guarded by lock */
};

extern const char *const operation_state_names[];

/* Queues it; it is freed when it has ended. */
void operation_queue(struct operation *op);
struct operation *operation_new(struct transfers *transfers, const char *ns,
				const struct operation_kind *kind,
				const json_t *request);
void operation_free(struct operation *op);
DEFINE_CLEANUP(struct operation *, operation_free)

/* NULL when it does not run. The caller holds transfers->lock. */
struct operation *operation_find_locked(struct transfers *transfers,
					const char *ns, const char *id);

/* Puts state, progress, result and error into the stored object. */
void operation_render(struct operation *op, json_t *object);
/* Stores what operation_render() says, with its event. */
int operation_store(struct operation *op, struct skiff_error *err);

/* Everything of an earlier life; before any operation_start(). */
int operations_recover(struct transfers *transfers, struct skiff_error *err);
/* Keeps the newest ended ones. */
void operations_trim(struct transfers *transfers);
