/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks/{id}/metrics and N/metrics: what tasks use, once or as
 * server-sent events, all from the one sampler of runtime/metrics.h.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/strv.h"
#include "handlers/common.h"
#include "handlers/outbox.h"
#include "http/sse.h"
#include "runtime/metrics.h"
#include "store/filter.h"

#define INTERVAL_MAX_NS (3600 * NS_PER_SECOND)

/* --- one task ------------------------------------------------------------- */

struct stream {
	struct metrics_reader *reader;
	struct waker *waker;
	struct outbox outbox;
};

static void
stream_free(void *arg)
{
	struct stream *stream = arg;

	if (stream->reader)
		metrics_reader_free(stream->reader);
	waker_unref(stream->waker);
	outbox_done(&stream->outbox);
	free(stream);
}
DEFINE_CLEANUP(struct stream *, stream_free)

static ssize_t
read_stream(void *arg, char *buf, size_t max)
{
	struct stream *stream = arg;
	cleanup_json json_t *figures = NULL;
	cleanup_free char *text = NULL;
	int r;

	if (!outbox_is_empty(&stream->outbox))
		return outbox_send(&stream->outbox, buf, max);
	r = metrics_reader_next(stream->reader, &figures);
	if (r <= 0)
		return r;
	text = json_text(figures);
	sse_event(&stream->outbox.text, 0, "metrics", text, strlen(text));
	return outbox_send(&stream->outbox, buf, max);
}

static const struct stream_ops stream_ops = {
	.read = read_stream,
	.idle = idle_comment,
	.free = stream_free,
};

static void
wake(void *arg)
{
	waker_wake(arg);
}

static int
answer_stream(struct request *request, struct services *services,
	      const struct record_ref *ref, struct response **ret,
	      struct skiff_error *err)
{
	CLEANUP(stream_freep) struct stream *stream = NULL;
	struct metrics_wish wish = { .ns = ref->ns,
				     .id = ref->key,
				     .wake = wake };

	if (request_query_duration(request, "interval", METRICS_PERIOD_NS,
				   &wish.interval_ns, err) < 0)
		return -1;
	if (wish.interval_ns < METRICS_PERIOD_NS ||
	    wish.interval_ns > INTERVAL_MAX_NS)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "interval must be between 1s and 1h");
	stream = xcalloc(1, sizeof(*stream));
	stream->outbox = (struct outbox)OUTBOX_INIT;
	stream->waker = request_waker(request);
	wish.arg = stream->waker;
	if (metrics_reader_new(services->tasks, &wish, &stream->reader, err) <
	    0)
		return -1;
	*ret = response_stream(200, SSE_CONTENT_TYPE, &stream_ops,
			       STEAL_PTR(stream));
	response_header(*ret, "Cache-Control", "no-store");
	return 0;
}

int
tasks_metrics(struct request *request, void *context, struct response **ret,
	      struct skiff_error *err)
{
	struct services *services = context;
	cleanup_json json_t *figures = NULL;
	struct record_ref ref;

	if (take_task(request, &ref, err) < 0)
		return -1;
	if (request_query(request, "interval") ||
	    request_accepts(request, SSE_CONTENT_TYPE))
		return answer_stream(request, services, &ref, ret, err);
	if (metrics_get(services->tasks, ref.ns, ref.key, &figures, err) < 0)
		return -1;
	*ret = response_json(200, figures);
	return 0;
}

/* --- all of a namespace ----------------------------------------------------
 */

static const struct filter_field filter_fields[] = {
	{ .name = "id" },
	{ .name = "state" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

struct listing {
	const struct filters *filters;
	struct strv ids;
};

static int
note_task(void *arg, const char *ns, const char *id, json_t *task,
	  struct skiff_error *err)
{
	struct listing *listing = arg;

	(void)ns;
	(void)err;
	if (strcmp(json_get_text(task, "state"), "stopped") != 0 &&
	    filters_match(listing->filters, task))
		strv_add(&listing->ids, id);
	return 0;
}

int
metrics_list(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	CLEANUP(filters_freep) struct filters *filters = NULL;
	struct services *services = context;
	struct listing listing = { .ids = STRV_INIT };
	cleanup_json json_t *answer = NULL;
	json_t *items = json_array();
	struct conn *conn;
	const char *ns;
	int r;

	answer = json_pack("{s:o}", "items", items);
	if (take_namespace(request, &ns, err) < 0 ||
	    take_filters(request, filter_fields, &filters, err) < 0)
		return -1;
	listing.filters = filters;
	conn = db_reader_get(services->db);
	r = record_each(conn, RECORD_TASK, ns, note_task, &listing, err);
	db_reader_put(conn);
	for (size_t i = 0; r == 0 && i < listing.ids.n; i++) {
		struct skiff_error ended = ERROR_INIT;
		json_t *figures;

		/* What has ended by now is left out. */
		if (metrics_get(services->tasks, ns, listing.ids.items[i],
				&figures, &ended) == 0)
			(void)json_array_append_new(items, figures);
	}
	strv_done(&listing.ids);
	if (r < 0)
		return -1;
	*ret = response_json(200, answer);
	return 0;
}
