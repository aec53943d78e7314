/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of an operation: recorded, queued, run by a transfer thread,
 * ended.
 *
 * An operation is in the table from before its record exists until after
 * its end is stored. So who finds no running one may trust the record, and
 * who finds one puts what memory knows over it.
 */
#include "config.h"

#include "store/transfer/operation.h"

#include <string.h>
#include <time.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/footprint.h"
#include "base/json.h"
#include "base/log.h"
#include "store/events/bus.h"
#include "store/record.h"
#include "store/transfer/problem.h"
#include "store/transfer/transfers_internal.h"

#define N_THREADS 4

const char *const operation_state_names[] = {
	[OPERATION_PENDING] = "pending",     [OPERATION_RUNNING] = "running",
	[OPERATION_SUCCEEDED] = "succeeded", [OPERATION_FAILED] = "failed",
	[OPERATION_CANCELLED] = "cancelled",
};

/* --- objects ---------------------------------------------------------- */

void
credentials_done(struct credentials *credentials)
{
	if (credentials->password)
		explicit_bzero(credentials->password,
			       strlen(credentials->password));
	free(credentials->username);
	free(credentials->password);
	*credentials = (struct credentials){ 0 };
}

/* Ids begin with the time, so that lists are in order. */
static void
make_id(char id[RANDOM_ID_SIZE])
{
	char random[RANDOM_ID_SIZE];

	(void)snprintf(id, RANDOM_ID_SIZE, "%016llx%.16s",
		       (unsigned long long)clock_realtime_ns(),
		       random_id(random));
}

struct operation *
operation_new(struct transfers *transfers, const char *ns,
	      const struct operation_kind *kind, const json_t *request)
{
	struct operation *op = xcalloc(1, sizeof(*op));

	op->transfers = transfers;
	op->ns = xstrdup(ns);
	op->kind = kind;
	op->request = json_deep_copy(request);
	op->cancel.parent = &transfers->stop;
	lock_init(&op->lock, LOCK_RANK_LEAF);
	make_id(op->id);
	return op;
}

void
operation_free(struct operation *op)
{
	if (!op)
		return;
	free(op->ns);
	json_decref(op->request);
	json_decref(op->result);
	json_decref(op->error);
	free(op->log);
	credentials_done(&op->credentials);
	free(op->items);
	lock_done(&op->lock);
	free(op);
}

struct operation *
operation_find_locked(struct transfers *transfers, const char *ns,
		      const char *id)
{
	for (struct operation *op = transfers->first; op; op = op->next)
		if (strcmp(op->id, id) == 0 && strcmp(op->ns, ns) == 0)
			return op;
	return NULL;
}

static void
table_add(struct operation *op)
{
	LOCK_SCOPE(&op->transfers->lock);

	op->next = op->transfers->first;
	op->transfers->first = op;
}

static void
table_remove(struct operation *op)
{
	LOCK_SCOPE(&op->transfers->lock);
	struct operation **at = &op->transfers->first;

	while (*at != op)
		at = &(*at)->next;
	*at = op->next;
}

/* --- records ---------------------------------------------------------- */

static struct record_ref
record_of(const struct operation *op)
{
	return (struct record_ref){ .kind = RECORD_OPERATION,
				    .ns = op->ns,
				    .key = op->id };
}

struct store_request {
	struct operation *op;
	json_t *object;
};

static int
store_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct store_request *store = arg;
	struct record_ref ref = record_of(store->op);
	cleanup_json json_t *object = NULL;

	if (record_load(tx_conn(tx), &ref, &object, err) < 0)
		return -1;
	operation_render(store->op, object);
	return record_update(tx, &ref, object, NULL, err);
}

int
operation_store(struct operation *op, struct skiff_error *err)
{
	struct store_request store = { .op = op };

	return db_write(op->transfers->options.db, store_in, &store, err);
}

static int
insert_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct store_request *store = arg;
	struct record_ref ref = record_of(store->op);

	return record_insert(tx, &ref, store->object, NULL, err);
}

/* --- running ---------------------------------------------------------- */

static void
set_state(struct operation *op, enum operation_state state)
{
	LOCK_SCOPE(&op->lock);

	op->state = state;
}

static void
set_end(struct operation *op, int r, json_t *result,
	const struct skiff_error *run_err)
{
	LOCK_SCOPE(&op->lock);

	if (r == 0) {
		op->state = OPERATION_SUCCEEDED;
		op->result = result;
		return;
	}
	op->state = run_err->code == SKIFF_CANCELLED ? OPERATION_CANCELLED
						     : OPERATION_FAILED;
	op->error = problem_from_error(run_err);
	json_set_text(op->error, "log", op->log);
}

/* The daemon stops in good order: that is not what it may be the cause of. */
static void
put_off(struct operation *op)
{
	struct skiff_error err = ERROR_INIT;

	set_state(op, OPERATION_PENDING);
	if (operation_store(op, &err) < 0)
		log_failure(LOG_WARN, &err, "operation %s, ignoring", op->id);
}

/* False: the daemon stops, and the next one goes on with it. */
static bool
run(struct operation *op)
{
	struct skiff_error run_err = ERROR_INIT;
	struct skiff_error err = ERROR_INIT;
	json_t *result = NULL;
	int r;

	if (cancel_is_set(&op->transfers->stop))
		return false;
	set_state(op, OPERATION_RUNNING);
	if (operation_store(op, &err) < 0)
		log_failure(LOG_WARN, &err, "operation %s, ignoring", op->id);
	if (cancel_is_set(&op->cancel))
		r = cancel_error(&run_err);
	else
		r = op->kind->run(op, &result, &run_err);
	if (r < 0 && cancel_is_set(&op->transfers->stop)) {
		put_off(op);
		return false;
	}
	if (r < 0)
		log_failure(run_err.code == SKIFF_CANCELLED ? LOG_DEBUG
							    : LOG_INFO,
			    &run_err, "%s %s in %s", op->kind->name, op->id,
			    op->ns);
	set_end(op, r, result, &run_err);
	return true;
}

/* False when the daemon stops: then it will run again. */
static bool
pause_before_retry(const struct operation *op)
{
	const struct timespec slice = { .tv_nsec = 100000000 };

	for (int i = 0; i < 10; i++) {
		if (cancel_is_set(&op->transfers->stop))
			return false;
		(void)nanosleep(&slice, NULL);
	}
	return true;
}

/*
 * A disk that is full may have ended it, and keeps the end from being
 * stored. Who waits hears of it from memory; the record follows as soon as
 * it can, or would claim that the operation runs.
 */
static void
store_end(struct operation *op)
{
	for (bool is_first = true;; is_first = false) {
		struct skiff_error err = ERROR_INIT;

		if (fault_hit(FAULT_OPERATION_END, &err) == 0 &&
		    operation_store(op, &err) == 0)
			return;
		if (is_first) {
			log_failure(LOG_ERROR, &err,
				    "store the end of operation %s, trying "
				    "again",
				    op->id);
			bus_announce(op->transfers->options.bus, op->ns,
				     op->id);
		}
		if (!pause_before_retry(op))
			return;
	}
}

static bool
is_idle(struct transfers *transfers)
{
	LOCK_SCOPE(&transfers->lock);

	return !transfers->first;
}

static void
run_job(void *arg)
{
	struct operation *op = arg;
	struct transfers *transfers = op->transfers;

	if (run(op))
		store_end(op);
	table_remove(op);
	operations_trim(transfers);
	bus_announce(transfers->options.bus, op->ns, op->id);
	operation_free(op);
	/* Buffers, and what only transfers need of the libraries. */
	if (is_idle(transfers))
		footprint_trim();
}

void
operation_queue(struct operation *op)
{
	table_add(op);
	workpool_add(op->transfers->pool, /* is_slow= */ false, run_job, op);
}

static int
insert(struct operation *op, json_t *object, struct skiff_error *err)
{
	struct store_request store = { .op = op, .object = object };

	if (fault_hit(FAULT_OPERATION_CREATE, err) < 0)
		return -1;
	return db_write(op->transfers->options.db, insert_in, &store, err);
}

int
operation_start(struct transfers *transfers, struct operation_request *request,
		char **ret_id, char **ret_doc, int64_t *ret_revision,
		struct skiff_error *err)
{
	CLEANUP(operation_freep)
	struct operation *op = operation_new(transfers, request->ns,
					     request->kind, request->request);
	cleanup_json json_t *object = json_object();
	bool has_credentials = request->credentials.username != NULL;

	op->context = request->context;
	op->credentials = request->credentials;
	request->credentials = (struct credentials){ 0 };
	json_set_text(object, "id", op->id);
	json_set_text(object, "kind", op->kind->name);
	json_set_text(object, "state", operation_state_names[op->state]);
	json_set_text(object, "ref", request->ref);
	(void)json_object_set(object, "request", op->request);
	json_set_bool(object, "has_credentials", has_credentials);
	(void)json_object_set_new(object, "progress", json_array());
	table_add(op);
	if (insert(op, object, err) < 0) {
		table_remove(op);
		return -1;
	}
	*ret_id = xstrdup(op->id);
	*ret_doc = json_text(object);
	*ret_revision = json_get_int(object, "revision", 0);
	workpool_add(transfers->pool, /* is_slow= */ false, run_job,
		     STEAL_PTR(op));
	return 0;
}

static int
remove_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	return record_delete(tx, arg, NULL, err);
}

int
operation_cancel(struct transfers *transfers, const char *ns, const char *id,
		 struct skiff_error *err)
{
	struct record_ref ref = { .kind = RECORD_OPERATION,
				  .ns = ns,
				  .key = id };
	struct operation *op;

	lock_take(&transfers->lock);
	op = operation_find_locked(transfers, ns, id);
	if (op)
		atomic_store(&op->cancel.is_set, true);
	lock_release(&transfers->lock);
	if (op)
		return 0;
	return db_write(transfers->options.db, remove_in, &ref, err);
}

/* --- what kinds see --------------------------------------------------- */

const struct transfer_options *
operation_stores(const struct operation *op)
{
	return &op->transfers->options;
}

struct inflight *
operation_inflight(const struct operation *op)
{
	return op->transfers->inflight;
}

const char *
operation_id(const struct operation *op)
{
	return op->id;
}

const char *
operation_ns(const struct operation *op)
{
	return op->ns;
}

const json_t *
operation_request(const struct operation *op)
{
	return op->request;
}

void *
operation_context(const struct operation *op)
{
	return op->context;
}

bool
operation_is_interrupted(const struct operation *op)
{
	return cancel_is_set(&op->transfers->stop);
}

void
operation_set_log(struct operation *op, char *log)
{
	LOCK_SCOPE(&op->lock);

	free(op->log);
	op->log = log;
}

const struct credentials *
operation_credentials(const struct operation *op)
{
	return &op->credentials;
}

const struct cancel *
operation_cancel_token(const struct operation *op)
{
	return &op->cancel;
}

/* --- all of them ------------------------------------------------------ */

int
transfers_open(const struct transfer_options *options,
	       struct transfers **ret_transfers, struct skiff_error *err)
{
	CLEANUP(transfers_closep)
	struct transfers *transfers = xcalloc(1, sizeof(*transfers));

	transfers->options = *options;
	if (options->ca_file)
		transfers->options.ca_file = transfers->ca_file =
		    xstrdup(options->ca_file);
	transfers->inflight = inflight_new();
	lock_init(&transfers->lock, LOCK_RANK_TRANSFER);
	transfers->pool = workpool_new("transfer", N_THREADS);
	if (operations_recover(transfers, err) < 0)
		return -1;
	*ret_transfers = STEAL_PTR(transfers);
	return 0;
}

void
transfers_close(struct transfers *transfers)
{
	if (!transfers)
		return;
	atomic_store(&transfers->stop.is_set, true);
	workpool_free(transfers->pool);
	inflight_free(transfers->inflight);
	lock_done(&transfers->lock);
	free(transfers->ca_file);
	free(transfers);
}
