/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/events and N/events: what happened, from any point on, as
 * server-sent events or as a JSON object a line.
 *
 * A follower holds no queue: it remembers the last id that it sent and
 * reads on from the event log when the bus wakes it. So a slow client
 * costs nothing, a restart loses nothing, and Last-Event-ID resumes
 * without a gap.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "handlers/common.h"
#include "handlers/outbox.h"
#include "handlers/watch.h"
#include "http/sse.h"
#include "store/events/log.h"

#define BATCH 256
#define SSE_RETRY_MS 2000

struct follower {
	struct services *services;
	struct watch *watch;
	char *ns; /* NULL: all */
	int64_t after;
	bool is_sse;
	bool does_follow;
	bool is_stopping; /* of the daemon: the last word is due */
	bool is_done;
	struct outbox outbox;
};

static void
follower_free(void *arg)
{
	struct follower *follower = arg;

	watch_free(follower->watch);
	outbox_done(&follower->outbox);
	free(follower->ns);
	free(follower);
}

static void
take_event(void *arg, int64_t id, const char *topic, const char *doc)
{
	struct follower *follower = arg;

	follower->after = id;
	if (follower->is_sse) {
		sse_event(&follower->outbox.text, (uint64_t)id, topic, doc,
			  strlen(doc));
	} else {
		strbuf_adds(&follower->outbox.text, doc);
		strbuf_addch(&follower->outbox.text, '\n');
	}
}

/* The ids from after on to before oldest are not in the log any more. */
static void
tell_gap(struct follower *follower, int64_t oldest)
{
	char text[64];
	int n;

	n = snprintf(text, sizeof(text),
		     "{\"from\":%" PRId64 ",\"to\":%" PRId64 "}",
		     follower->after + 1, oldest - 1);
	if (follower->is_sse)
		sse_event(&follower->outbox.text, 0, "gap", text, (size_t)n);
	else
		strbuf_addf(&follower->outbox.text, "{\"gap\":%s}\n", text);
	follower->after = oldest - 1;
}

/* The next batch into the outbox; 1 when there may be more, 0 the end. */
static int
read_batch(struct follower *follower, struct skiff_error *err)
{
	int64_t oldest;
	int64_t newest;
	int n;

	if (event_bounds(follower->services->db, &oldest, &newest, err) < 0)
		return -1;
	if (follower->after + 1 < oldest)
		tell_gap(follower, oldest);
	n = event_read(follower->services->db, follower->ns, follower->after,
		       BATCH, take_event, follower, err);
	if (n < 0)
		return -1;
	/* What was left out up to here belongs to other namespaces. */
	if (n < BATCH && follower->after < newest)
		follower->after = newest;
	return n > 0;
}

static void
read_on(struct follower *follower)
{
	struct skiff_error err = ERROR_INIT;
	int r = read_batch(follower, &err);

	if (r < 0)
		log_failure(LOG_WARN, &err, "event stream");
	follower->is_done = r < 0 || (r == 0 && !follower->does_follow);
	if (follower->is_done && follower->is_stopping)
		sse_event(&follower->outbox.text, 0, "shutdown", "{}", 2);
}

static ssize_t
read_events(void *arg, char *buf, size_t max)
{
	struct follower *follower = arg;

	if (outbox_is_empty(&follower->outbox) && !follower->is_done)
		read_on(follower);
	if (outbox_is_empty(&follower->outbox) && follower->is_done)
		return -1;
	return outbox_send(&follower->outbox, buf, max);
}

/* A line of JSON objects may be empty. */
static ssize_t
idle_events(void *arg, char *buf, size_t max)
{
	struct follower *follower = arg;

	/* So that its place keeps up while others' events are trimmed. */
	if (outbox_is_empty(&follower->outbox) && !follower->is_done)
		read_on(follower);
	if (!outbox_is_empty(&follower->outbox))
		return outbox_send(&follower->outbox, buf, max);
	if (follower->is_sse)
		return idle_comment(arg, buf, max);
	*buf = '\n';
	return 1;
}

/* The daemon stops: what is in the log by now, then a last word. */
static void
stop_events(void *arg)
{
	struct follower *follower = arg;

	follower->does_follow = false;
	follower->is_stopping = follower->is_sse;
}

static const struct stream_ops stream = {
	.read = read_events,
	.idle = idle_events,
	.stopping = stop_events,
	.free = follower_free,
};

/*
 * Where to begin: ?after or Last-Event-ID, else with what happens from now
 * on. 1 when the place was given.
 */
static int
take_start(struct request *request, int64_t newest, int64_t *ret_after,
	   struct skiff_error *err)
{
	const char *text = request_query(request, "after");
	uint64_t after;

	if (!text)
		text = request_header(request, "Last-Event-ID");
	if (!text) {
		*ret_after = newest;
		return 0;
	}
	if (parse_u64(text, INT64_MAX, &after, err) < 0)
		return err_wrap(err, "after");
	if ((int64_t)after > newest)
		return err_set(err, SKIFF_OUT_OF_RANGE,
			       "after=%" PRIu64 " lies in the future: the "
			       "newest event is %" PRId64,
			       after, newest);
	*ret_after = (int64_t)after;
	return 1;
}

static int
answer_events(struct request *request, struct services *services,
	      const char *ns, struct response **ret, struct skiff_error *err)
{
	struct follower *follower;
	bool does_follow;
	int64_t oldest;
	int64_t newest;
	int64_t after = 0;
	int has_start;

	if (request_query_bool(request, "follow", true, &does_follow, err) <
		0 ||
	    event_bounds(services->db, &oldest, &newest, err) < 0)
		return -1;
	has_start = take_start(request, newest, &after, err);
	if (has_start < 0)
		return -1;

	follower = xcalloc(1, sizeof(*follower));
	follower->services = services;
	follower->ns = ns ? xstrdup(ns) : NULL;
	/* The whole history, without a place to begin and without an end. */
	follower->after = has_start || does_follow ? after : oldest - 1;
	follower->is_sse = !request_accepts(request, "application/x-ndjson");
	follower->does_follow = does_follow;
	follower->outbox = (struct outbox)OUTBOX_INIT;
	follower->watch = watch_new(services->bus, ns, NULL, request);
	if (follower->is_sse)
		sse_retry(&follower->outbox.text, SSE_RETRY_MS);

	*ret = response_stream(200,
			       follower->is_sse ? SSE_CONTENT_TYPE
						: "application/x-ndjson",
			       &stream, follower);
	response_header(*ret, "Cache-Control", "no-store");
	return 0;
}

int
events_all(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	return answer_events(request, context, NULL, ret, err);
}

int
events_of_namespace(struct request *request, void *context,
		    struct response **ret, struct skiff_error *err)
{
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	return answer_events(request, context, ns, ret, err);
}
