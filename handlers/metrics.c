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

#define INTERVAL_MAX_NS (3600 * NS_PER_SECOND)

static bool
wants_stream(struct request *request)
{
	return request_query(request, "interval") ||
	       request_accepts(request, SSE_CONTENT_TYPE);
}

static int
take_interval(struct request *request, int64_t *ret_ns, struct skiff_error *err)
{
	if (request_query_duration(request, "interval", METRICS_PERIOD_NS,
				   ret_ns, err) < 0)
		return -1;
	if (*ret_ns < METRICS_PERIOD_NS || *ret_ns > INTERVAL_MAX_NS)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "interval must be between 1s and 1h");
	return 0;
}

static void
wake(void *arg)
{
	waker_wake(arg);
}

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

static int
answer_stream(struct request *request, struct services *services,
	      const struct record_ref *ref, struct response **ret,
	      struct skiff_error *err)
{
	CLEANUP(stream_freep) struct stream *stream = NULL;
	struct metrics_wish wish = { .ns = ref->ns,
				     .id = ref->key,
				     .wake = wake };

	if (take_interval(request, &wish.interval_ns, err) < 0)
		return -1;
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
	if (wants_stream(request))
		return answer_stream(request, services, &ref, ret, err);
	if (metrics_get(services->tasks, ref.ns, ref.key, &figures, err) < 0)
		return -1;
	*ret = response_json(200, figures);
	return 0;
}

/* --- all of a namespace ----------------------------------------------------
 */

struct rounds {
	struct metrics_rounds *rounds;
	struct waker *waker;
	struct outbox outbox;
};

static void
rounds_free(void *arg)
{
	struct rounds *rounds = arg;

	if (rounds->rounds)
		metrics_rounds_free(rounds->rounds);
	waker_unref(rounds->waker);
	outbox_done(&rounds->outbox);
	free(rounds);
}
DEFINE_CLEANUP(struct rounds *, rounds_free)

static ssize_t
read_rounds(void *arg, char *buf, size_t max)
{
	struct rounds *rounds = arg;
	cleanup_free char *text = NULL;

	if (!outbox_is_empty(&rounds->outbox))
		return outbox_send(&rounds->outbox, buf, max);
	text = metrics_rounds_next(rounds->rounds);
	if (!text)
		return 0;
	sse_event(&rounds->outbox.text, 0, "metrics", text, strlen(text));
	return outbox_send(&rounds->outbox, buf, max);
}

static const struct stream_ops rounds_ops = {
	.read = read_rounds,
	.idle = idle_comment,
	.free = rounds_free,
};

static int
answer_rounds(struct request *request, struct services *services,
	      struct metrics_rounds_wish *wish, struct response **ret,
	      struct skiff_error *err)
{
	CLEANUP(rounds_freep)
	struct rounds *rounds = xcalloc(1, sizeof(*rounds));

	rounds->outbox = (struct outbox)OUTBOX_INIT;
	rounds->waker = request_waker(request);
	wish->wake = wake;
	wish->arg = rounds->waker;
	if (metrics_rounds_new(services->tasks, wish, &rounds->rounds, err) < 0)
		return -1;
	*ret = response_stream(200, SSE_CONTENT_TYPE, &rounds_ops,
			       STEAL_PTR(rounds));
	response_header(*ret, "Cache-Control", "no-store");
	return 0;
}

int
metrics_list(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	CLEANUP(filters_freep) struct filters *filters = NULL;
	struct services *services = context;
	struct metrics_rounds_wish wish = { 0 };
	cleanup_json json_t *list = NULL;

	if (take_namespace(request, &wish.ns, err) < 0 ||
	    take_filters(request, metrics_filter_fields, &filters, err) < 0 ||
	    take_interval(request, &wish.interval_ns, err) < 0)
		return -1;
	if (wants_stream(request)) {
		wish.filters = STEAL_PTR(filters);
		return answer_rounds(request, services, &wish, ret, err);
	}
	if (metrics_get_all(services->tasks, wish.ns, filters, &list, err) < 0)
		return -1;
	*ret = response_json(200, list);
	return 0;
}
