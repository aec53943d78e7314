/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the kinds of operation (pull, …) see of operations.
 *
 * A kind is a row {name, run}. run works in a transfer thread, with what
 * the operation offers: its request, its credentials, its wish to stop,
 * its progress, and the stores behind it. Rooms above the store have kinds
 * of their own; those get a context, and do not go on after a restart but
 * end as failed, reason "interrupted".
 */
#include <jansson.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "store/registry/http.h"
#include "store/transfer/inflight.h"
#include "store/transfer/operation.h"

struct operation;

struct operation_kind {
	const char *name; /* "pull", "checkpoint" */
	int (*run)(struct operation *operation, json_t **ret_result,
		   struct skiff_error *err);
};

struct credentials {
	char *username; /* NULL: none */
	char *password;
};
void credentials_done(struct credentials *credentials);

struct operation_request {
	const char *ns;
	const struct operation_kind *kind;
	const char *ref;		/* for people */
	json_t *request;		/* borrowed; without secrets */
	void *context;			/* of the kind; borrowed */
	struct credentials credentials; /* taken over */
};

/* Records it as pending and queues it. All three results as pull_start(). */
int operation_start(struct transfers *transfers,
		    struct operation_request *request, char **ret_id,
		    char **ret_doc, int64_t *ret_revision,
		    struct skiff_error *err);

/* Constant while the operation runs: */
const struct transfer_options *operation_stores(const struct operation *op);
struct inflight *operation_inflight(const struct operation *op);
const char *operation_id(const struct operation *op);
const char *operation_ns(const struct operation *op);
const json_t *operation_request(const struct operation *op);
void *operation_context(const struct operation *op);
const struct credentials *operation_credentials(const struct operation *op);
const struct cancel *operation_cancel_token(const struct operation *op);
/* Set when the daemon ends, not when somebody cancelled. */
bool operation_is_interrupted(const struct operation *op);

/*
 * A text too long for an error (a program's log), shown beside it as
 * "log", should the operation fail. Taken over.
 */
void operation_set_log(struct operation *op, char *log);

/*
 * Progress: one item a descriptor. kind ("layer") and state ("waiting",
 * "downloading", "unpacking", "done") are static. Any thread.
 */
size_t progress_add(struct operation *op, const struct digest *digest,
		    const char *kind, int64_t total);
void progress_state(struct operation *op, size_t item, const char *state);
void progress_offset(struct operation *op, size_t item, int64_t offset);
