/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations of an earlier life: what ran goes on, or ends where it was
 * given credentials, which no restart survives, and where it was under way
 * each time that daemons died; what ended long ago goes.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "store/record.h"
#include "store/transfer/problem.h"
#include "store/transfer/pull.h"
#include "store/transfer/transfers_internal.h"

#define KEEP_MAX 1000
/* More than KEEP_MAX by this: they are trimmed in batches. */
#define TRIM_SLACK 100
/* Who is there when so many daemons die may be why. */
#define INTERRUPTIONS_MAX 5

static const struct operation_kind *const kinds[] = { &pull_kind };

/* Of rooms above: what such a one worked on is not there any more. */
static const struct operation_kind other_kind = { .name = "other" };

static const struct operation_kind *
kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

/* --- going on --------------------------------------------------------- */

struct found {
	struct transfers *transfers;
	struct operation *first; /* a list of its own */
	struct strv ended;	 /* ns, id, ns, id, … */
};

/* Leaves err as it is where the operation can go on. */
static void
why_lost(const struct operation *op, bool has_credentials,
	 struct skiff_error *err)
{
	if (op->kind == &other_kind) {
		(void)err_set(err, SKIFF_UNAVAILABLE,
			      "the daemon was restarted before it was done");
		(void)err_reason(err, "interrupted");
	} else if (has_credentials) {
		(void)err_set(err, SKIFF_UNAUTHENTICATED,
			      "the daemon was restarted, and credentials are "
			      "never stored: send the request again to go on");
		(void)err_reason(err, "credentials_required");
	} else if (op->n_interruptions >= INTERRUPTIONS_MAX) {
		(void)err_set(err, SKIFF_UNAVAILABLE,
			      "the daemon died %d times while it ran: send the "
			      "request again to go on all the same",
			      op->n_interruptions);
		(void)err_reason(err, "interrupted");
	}
}

static int
look_at(void *arg, const char *ns, const char *key, json_t *object,
	struct skiff_error *err)
{
	struct found *found = arg;
	const char *state = json_get_text(object, "state");
	const struct operation_kind *kind;
	struct skiff_error lost = ERROR_INIT;
	struct operation *op;

	(void)err;
	if (strcmp(state, "pending") != 0 && strcmp(state, "running") != 0)
		return 0;
	kind = kind_of(json_get_text(object, "kind"));
	op = operation_new(found->transfers, ns, kind ? kind : &other_kind,
			   json_object_get(object, "request"));
	(void)snprintf(op->id, sizeof(op->id), "%s", key);
	op->n_interruptions = (int)json_get_int(object, "interruptions", 0) +
			      (strcmp(state, "running") == 0);
	why_lost(op, json_get_bool(object, "has_credentials"), &lost);
	if (lost.code != SKIFF_OK) {
		op->state = OPERATION_FAILED;
		op->error = problem_from_error(&lost);
	}
	op->next = found->first;
	found->first = op;
	return 0;
}

static int
each_record(struct transfers *transfers, record_fn look, struct found *found,
	    struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(transfers->options.db);

	return record_each(conn, RECORD_OPERATION, NULL, look, found, err);
}

int
operations_recover(struct transfers *transfers, struct skiff_error *err)
{
	struct found found = { .transfers = transfers };
	struct operation *op;
	int r = each_record(transfers, look_at, &found, err);

	while ((op = found.first) != NULL) {
		found.first = op->next;
		if (r == 0 && op->state == OPERATION_PENDING) {
			operation_queue(op);
			continue;
		}
		if (r == 0)
			r = operation_store(op, err);
		operation_free(op);
	}
	if (r == 0)
		operations_trim(transfers);
	return r;
}

/* --- trimming --------------------------------------------------------- */

static int
collect_ended(void *arg, const char *ns, const char *key, json_t *object,
	      struct skiff_error *err)
{
	struct found *found = arg;
	const char *state = json_get_text(object, "state");

	(void)err;
	if (strcmp(state, "pending") == 0 || strcmp(state, "running") == 0)
		return 0;
	/* Ids begin with the time: sorting by them is sorting by age. */
	strv_addf(&found->ended, "%s %s", key, ns);
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct trim {
	char **items;
	size_t n;
};

static int
trim_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct trim *trim = arg;

	for (size_t i = 0; i < trim->n; i++) {
		cleanup_free char *key = xstrdup(trim->items[i]);
		char *space = strchr(key, ' ');
		struct record_ref ref = { .kind = RECORD_OPERATION,
					  .ns = space + 1,
					  .key = key };

		*space = '\0';
		if (record_delete(tx, &ref, NULL, err) < 0 &&
		    err->code != SKIFF_NOT_FOUND)
			return -1;
	}
	return 0;
}

static int64_t
count_all(struct transfers *transfers)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(transfers->options.db);

	return record_count(conn, RECORD_OPERATION, NULL);
}

void
operations_trim(struct transfers *transfers)
{
	struct found found = { .transfers = transfers };
	struct skiff_error err = ERROR_INIT;
	struct trim trim;
	int r = 0;

	if (count_all(transfers) <= KEEP_MAX + TRIM_SLACK)
		return;
	r = each_record(transfers, collect_ended, &found, &err);
	if (r == 0 && found.ended.n > KEEP_MAX) {
		qsort(found.ended.items, found.ended.n, sizeof(char *),
		      by_text);
		trim = (struct trim){ .items = found.ended.items,
				      .n = found.ended.n - KEEP_MAX };
		r = db_write(transfers->options.db, trim_in, &trim, &err);
	}
	if (r < 0)
		log_failure(LOG_WARN, &err, "trim operations, ignoring");
	strv_done(&found.ended);
}
