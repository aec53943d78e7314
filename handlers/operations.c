/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/operations, and N/images/pull which begins one; others begin theirs
 * elsewhere, and answer alike.
 *
 * The same operation is answered in three ways: at once, when it has ended
 * (?wait=true), or as server-sent events of its progress.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "handlers/common.h"
#include "handlers/operations.h"
#include "handlers/outbox.h"
#include "handlers/watch.h"
#include "http/sse.h"
#include "store/transfer/operation.h"
#include "store/transfer/pull.h"
#include "store/filter.h"

/* One client that waits for an operation, or follows it. */
struct follower {
	struct request *request; /* outlives it */
	struct services *services;
	struct watch *watch;
	char *ns;
	char *id;
	/* Streams only: */
	struct outbox outbox;
	char *last_doc;
	bool is_done;
};

static struct follower *
follower_new(struct request *request, struct services *services, const char *ns,
	     const char *id)
{
	struct follower *follower = xcalloc(1, sizeof(*follower));

	follower->request = request;
	follower->services = services;
	follower->ns = xstrdup(ns);
	follower->id = xstrdup(id);
	follower->outbox = (struct outbox)OUTBOX_INIT;
	follower->watch = watch_new(services->bus, ns, id, request);
	return follower;
}

static void
follower_free(void *arg)
{
	struct follower *follower = arg;

	watch_free(follower->watch);
	outbox_done(&follower->outbox);
	free(follower->last_doc);
	free(follower->ns);
	free(follower->id);
	free(follower);
}

/* --- ?wait=true ------------------------------------------------------ */

static int
poll_end(void *arg, bool timed_out, struct response **ret,
	 struct skiff_error *err)
{
	CLEANUP(operation_view_done) struct operation_view view = { 0 };
	struct follower *follower = arg;

	if (operation_get(follower->services->transfers, follower->ns,
			  follower->id, &view, err) < 0)
		return -1;
	if (!view.is_ended) {
		if (timed_out)
			return err_set(err, SKIFF_DEADLINE_EXCEEDED,
				       "operation %s is still running",
				       follower->id);
		return 0;
	}
	if (operation_result(&view, err) < 0) {
		request_set_log(follower->request, operation_log(&view));
		return -1;
	}
	*ret = document_response(200, STEAL_PTR(view.doc), view.revision);
	return 0;
}

static const struct wait_ops wait_for_end = {
	.poll = poll_end,
	.free = follower_free,
};

/* --- Accept: text/event-stream --------------------------------------- */

/* Puts the present state into the outbox, unless it was told already. */
static void
render(struct follower *follower)
{
	CLEANUP(operation_view_done) struct operation_view view = { 0 };
	struct skiff_error err = ERROR_INIT;
	const char *event;

	if (operation_get(follower->services->transfers, follower->ns,
			  follower->id, &view, &err) < 0) {
		follower->is_done = true;
		return;
	}
	follower->is_done = view.is_ended;
	if (follower->last_doc && strcmp(follower->last_doc, view.doc) == 0)
		return;
	event = view.is_ended ? "end" : "progress";
	sse_event(&follower->outbox.text, (uint64_t)view.revision, event,
		  view.doc, strlen(view.doc));
	free(follower->last_doc);
	follower->last_doc = STEAL_PTR(view.doc);
}

static ssize_t
read_progress(void *arg, char *buf, size_t max)
{
	struct follower *follower = arg;

	if (outbox_is_empty(&follower->outbox)) {
		if (follower->is_done)
			return -1;
		render(follower);
	}
	if (outbox_is_empty(&follower->outbox) && follower->is_done)
		return -1;
	return outbox_send(&follower->outbox, buf, max);
}

static const struct stream_ops follow_progress = {
	.read = read_progress,
	.idle = idle_comment,
	.free = follower_free,
};

/* NULL: the client wants the answer at once. */
static struct response *
follow_operation(struct request *request, struct services *services,
		 const char *ns, const char *id, bool want_wait)
{
	struct response *response = NULL;

	if (request_accepts(request, SSE_CONTENT_TYPE)) {
		response =
		    response_stream(200, SSE_CONTENT_TYPE, &follow_progress,
				    follower_new(request, services, ns, id));
		response_header(response, "Cache-Control", "no-store");
	} else if (want_wait) {
		response =
		    response_wait(&wait_for_end,
				  follower_new(request, services, ns, id),
				  DEADLINE_NEVER);
	}
	return response;
}

struct response *
operation_response(struct request *request, struct services *services,
		   struct begun *begun)
{
	struct response *response =
	    follow_operation(request, services, begun->ns, begun->id,
			     begun->want_wait);

	if (!response)
		response = document_response(202, STEAL_PTR(begun->doc),
					     begun->revision);
	response_headerf(response, "Location",
			 "/v1/namespaces/%s/operations/%s", begun->ns,
			 begun->id);
	return response;
}

void
begun_done(struct begun *begun)
{
	free(begun->doc);
	free(begun->id);
}

int
images_pull(struct request *request, void *context, struct response **ret,
	    struct skiff_error *err)
{
	struct services *services = context;
	CLEANUP(begun_done) struct begun begun = { 0 };
	json_t *body;

	/* What may be wrong is asked before anything is begun. */
	if (take_namespace(request, &begun.ns, err) < 0 ||
	    request_query_bool(request, "wait", false, &begun.want_wait, err) <
		0 ||
	    request_json(request, &body, err) < 0 ||
	    pull_start(services->transfers, begun.ns, body,
		       request_faults(request), &begun.id, &begun.doc,
		       &begun.revision, err) < 0)
		return -1;
	*ret = operation_response(request, services, &begun);
	return 0;
}

static int
take_operation(struct request *request, const char **ret_ns,
	       const char **ret_id, struct skiff_error *err)
{
	*ret_id = request_param(request, "id");
	if (take_namespace(request, ret_ns, err) < 0)
		return -1;
	return id_check("operation", *ret_id, err);
}

static const struct filter_field list_fields[] = {
	{ .name = "id" },
	{ .name = "kind" },
	{ .name = "state" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

int
operations_list(struct request *request, void *context, struct response **ret,
		struct skiff_error *err)
{
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	return answer_list(request, context,
			   &(struct wanted){ .kind = RECORD_OPERATION,
					     .ns = ns,
					     .fields = list_fields },
			   ret, err);
}

int
operations_get(struct request *request, void *context, struct response **ret,
	       struct skiff_error *err)
{
	CLEANUP(operation_view_done) struct operation_view view = { 0 };
	struct services *services = context;
	bool want_wait;
	const char *id;
	const char *ns;

	if (take_operation(request, &ns, &id, err) < 0 ||
	    request_query_bool(request, "wait", false, &want_wait, err) < 0 ||
	    operation_get(services->transfers, ns, id, &view, err) < 0)
		return -1;
	*ret = follow_operation(request, services, ns, id, want_wait);
	if (!*ret)
		*ret =
		    document_response(200, STEAL_PTR(view.doc), view.revision);
	return 0;
}

int
operations_delete(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	struct services *services = context;
	const char *id;
	const char *ns;

	if (take_operation(request, &ns, &id, err) < 0 ||
	    operation_cancel(services->transfers, ns, id, err) < 0)
		return -1;
	*ret = response_empty(204);
	return 0;
}
