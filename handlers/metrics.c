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

/* One condition of a filter: field == value. */
struct condition {
	char *field;
	char *value;
	bool is_negated;
};

/* Filters: each a list of conditions, of which all must hold. */
struct filter {
	struct filter *next;
	struct condition *conditions;
	size_t n;
};

static void
filters_free(struct filter *filter)
{
	while (filter) {
		struct filter *next = filter->next;

		for (size_t i = 0; i < filter->n; i++) {
			free(filter->conditions[i].field);
			free(filter->conditions[i].value);
		}
		free(filter->conditions);
		free(filter);
		filter = next;
	}
}
DEFINE_CLEANUP(struct filter *, filters_free)

/* Without the quotes around it, if any. */
static char *
unquoted(const char *text, size_t len)
{
	if (len >= 2 && text[0] == '"' && text[len - 1] == '"')
		return xstrndup(text + 1, len - 2);
	return xstrndup(text, len);
}

static bool
is_field(const char *field)
{
	return strcmp(field, "id") == 0 || strcmp(field, "state") == 0 ||
	       (strncmp(field, "labels.", strlen("labels.")) == 0 &&
		field[strlen("labels.")]);
}

/* "field==value" or "field!=value", up to len. */
static int
take_condition(const char *text, size_t len, struct filter *filter,
	       struct skiff_error *err)
{
	struct condition *condition = &filter->conditions[filter->n];
	const char *label = "labels.";
	size_t name_len;

	for (name_len = 0; name_len + 1 < len; name_len++)
		if (text[name_len + 1] == '=' &&
		    (text[name_len] == '=' || text[name_len] == '!'))
			break;
	if (name_len == 0 || name_len + 1 >= len)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "filter \"%.*s\" is not field==value or "
			       "field!=value",
			       (int)len, text);
	filter->n++;
	condition->is_negated = text[name_len] == '!';
	condition->value = unquoted(text + name_len + 2, len - name_len - 2);
	if (name_len > strlen(label) &&
	    strncmp(text, label, strlen(label)) == 0) {
		cleanup_free char *name =
		    unquoted(text + strlen(label), name_len - strlen(label));

		condition->field = xasprintf("%s%s", label, name);
	} else {
		condition->field = xstrndup(text, name_len);
	}
	if (!is_field(condition->field))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "filter: \"%s\" is none of id, state, labels.…",
			       condition->field);
	return 0;
}

/* Up to a comma outside of quotes. */
static size_t
condition_len(const char *text)
{
	bool is_quoted = false;
	size_t len;

	for (len = 0; text[len] && (is_quoted || text[len] != ','); len++)
		if (text[len] == '"')
			is_quoted = !is_quoted;
	return len;
}

static int
take_filter(const char *text, struct filter *filter, struct skiff_error *err)
{
	filter->conditions =
	    xcalloc(strlen(text) + 1, sizeof(struct condition));
	for (;;) {
		size_t len = condition_len(text);

		if (take_condition(text, len, filter, err) < 0)
			return -1;
		text += len;
		if (!*text)
			return 0;
		text++;
	}
}

static int
take_filters(struct request *request, struct filter **filters,
	     struct skiff_error *err)
{
	const char *text;
	size_t at = 0;

	while ((text = request_query_next(request, "filter", &at)) != NULL) {
		struct filter *filter = xcalloc(1, sizeof(*filter));

		filter->next = *filters;
		*filters = filter;
		if (take_filter(text, filter, err) < 0)
			return -1;
	}
	return 0;
}

static bool
holds(const struct condition *condition, const json_t *task)
{
	const char *label = "labels.";
	const char *value;

	if (strncmp(condition->field, label, strlen(label)) == 0)
		value = json_get_text(json_object_get(task, "labels"),
				      condition->field + strlen(label));
	else
		value = json_get_text(task, condition->field);
	return (strcmp(value, condition->value) == 0) != condition->is_negated;
}

/* Any filter may match; without one everything does. */
static bool
matches(const struct filter *filters, const json_t *task)
{
	if (!filters)
		return true;
	for (const struct filter *f = filters; f; f = f->next) {
		size_t i = 0;

		while (i < f->n && holds(&f->conditions[i], task))
			i++;
		if (i == f->n)
			return true;
	}
	return false;
}

struct listing {
	const struct filter *filters;
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
	    matches(listing->filters, task))
		strv_add(&listing->ids, id);
	return 0;
}

int
metrics_list(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	CLEANUP(filters_freep) struct filter *filters = NULL;
	struct services *services = context;
	struct listing listing = { .ids = STRV_INIT };
	cleanup_json json_t *answer = NULL;
	json_t *items = json_array();
	struct conn *conn;
	const char *ns;
	int r;

	answer = json_pack("{s:o}", "items", items);
	if (take_namespace(request, &ns, err) < 0 ||
	    take_filters(request, &filters, err) < 0)
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
