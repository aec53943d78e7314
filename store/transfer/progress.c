/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people see of an operation: its progress, and the document.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/events/bus.h"
#include "store/record.h"
#include "store/transfer/problem.h"
#include "store/transfer/transfers_internal.h"

#define ANNOUNCE_EVERY_NS (100 * NS_PER_MS)

/* --- progress --------------------------------------------------------- */

static void
announce(struct operation *op, bool is_step)
{
	int64_t now = clock_monotonic_ns();

	if (!is_step &&
	    now - atomic_load(&op->announced_ns) < ANNOUNCE_EVERY_NS)
		return;
	atomic_store(&op->announced_ns, now);
	bus_announce(op->transfers->options.bus, op->ns, op->id);
}

size_t
progress_add(struct operation *op, const struct digest *digest,
	     const char *kind, int64_t total)
{
	size_t item;

	lock_take(&op->lock);
	item = op->n_items++;
	op->items =
	    xrealloc(op->items, op->n_items, sizeof(struct progress_item));
	op->items[item] = (struct progress_item){ .digest = *digest,
						  .kind = kind,
						  .state = "waiting",
						  .total = total };
	lock_release(&op->lock);
	announce(op, /* is_step= */ true);
	return item;
}

void
progress_state(struct operation *op, size_t item, const char *state)
{
	lock_take(&op->lock);
	op->items[item].state = state;
	if (strcmp(state, "done") == 0)
		op->items[item].offset = op->items[item].total;
	lock_release(&op->lock);
	announce(op, /* is_step= */ true);
}

void
progress_offset(struct operation *op, size_t item, int64_t offset)
{
	lock_take(&op->lock);
	op->items[item].offset = offset;
	lock_release(&op->lock);
	announce(op, /* is_step= */ false);
}

/* --- the document ----------------------------------------------------- */

static json_t *
item_to_json(const struct progress_item *item)
{
	json_t *json = json_object();

	json_set_text(json, "digest", item->digest.text);
	json_set_text(json, "kind", item->kind);
	json_set_text(json, "state", item->state);
	json_set_int(json, "offset", item->offset);
	json_set_int(json, "total", item->total);
	return json;
}

void
operation_render(struct operation *op, json_t *object)
{
	json_t *progress = json_array();
	LOCK_SCOPE(&op->lock);

	for (size_t i = 0; i < op->n_items; i++)
		(void)json_array_append_new(progress,
					    item_to_json(&op->items[i]));
	json_set_text(object, "state", operation_state_names[op->state]);
	(void)json_object_set_new(object, "progress", progress);
	if (op->n_interruptions > 0)
		json_set_int(object, "interruptions", op->n_interruptions);
	if (op->result)
		(void)json_object_set_new(object, "result",
					  json_deep_copy(op->result));
	if (op->error)
		(void)json_object_set_new(object, "error",
					  json_deep_copy(op->error));
}

static enum operation_state
state_of(const json_t *object)
{
	const char *name = json_get_text(object, "state");

	for (int i = OPERATION_PENDING; i <= OPERATION_CANCELLED; i++)
		if (strcmp(operation_state_names[i], name) == 0)
			return (enum operation_state)i;
	return OPERATION_FAILED;
}

/*
 * The object as stored, under what memory knows. The table is asked first:
 * an operation that is not in it any more has stored its end.
 */
static json_t *
overlay(struct transfers *transfers, const char *ns, const char *id)
{
	LOCK_SCOPE(&transfers->lock);
	struct operation *op = operation_find_locked(transfers, ns, id);
	json_t *live = NULL;

	if (op) {
		live = json_object();
		operation_render(op, live);
	}
	return live;
}

int
operation_get(struct transfers *transfers, const char *ns, const char *id,
	      struct operation_view *ret_view, struct skiff_error *err)
{
	struct record_ref ref = { .kind = RECORD_OPERATION,
				  .ns = ns,
				  .key = id };
	struct operation_view view = { 0 };
	cleanup_json json_t *object = NULL;
	cleanup_json json_t *live = overlay(transfers, ns, id);
	cleanup_free char *doc = NULL;

	if (record_get(transfers->options.db, &ref, &doc, &view.revision, err) <
		0 ||
	    json_parse(doc, strlen(doc), &object, err) < 0)
		return -1;
	view.state = state_of(object);
	if (live && view.state <= OPERATION_RUNNING) {
		(void)json_object_update(object, live);
		view.state = state_of(object);
		view.doc = json_text(object);
	} else {
		view.doc = STEAL_PTR(doc);
	}
	view.is_ended = view.state > OPERATION_RUNNING;
	*ret_view = view;
	return 0;
}

void
operation_view_done(struct operation_view *view)
{
	free(view->doc);
	*view = (struct operation_view){ 0 };
}

int
operation_result(const struct operation_view *view, struct skiff_error *err)
{
	cleanup_json json_t *object = NULL;

	if (view->state != OPERATION_FAILED &&
	    view->state != OPERATION_CANCELLED)
		return 0;
	if (json_parse(view->doc, strlen(view->doc), &object, err) < 0)
		return -1;
	return problem_to_error(json_object_get(object, "error"), err);
}

char *
operation_log(const struct operation_view *view)
{
	struct skiff_error ignored = ERROR_INIT;
	cleanup_json json_t *object = NULL;
	const char *log;

	if (view->state != OPERATION_FAILED ||
	    json_parse(view->doc, strlen(view->doc), &object, &ignored) < 0)
		return NULL;
	log = json_get_text(json_object_get(object, "error"), "log");
	return *log ? xstrdup(log) : NULL;
}
