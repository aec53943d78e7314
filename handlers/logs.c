/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks/{id}/logs: a task's output, as text, as a JSON object a line, or
 * as server-sent events; once, or followed until the task has ended.
 *
 * The log file is the buffer: each client reads it at its own place, so
 * none holds up another, nor the container.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/strbuf.h"
#include "handlers/common.h"
#include "handlers/outbox.h"
#include "http/sse.h"
#include "runtime/logs/reader.h"
#include "runtime/logs/watch.h"
#include "runtime/task.h"

#define CHUNK_MAX 8192

enum form { FORM_TEXT, FORM_NDJSON, FORM_SSE };

struct follower {
	enum form form;
	bool does_follow;
	int task_fd;
	struct log_reader *reader;
	struct log_watch *watch;
	struct waker *waker;
	struct outbox outbox;
};

static void
follower_free(void *arg)
{
	struct follower *follower = arg;

	log_watch_remove(follower->watch);
	waker_unref(follower->waker);
	log_reader_free(follower->reader);
	outbox_done(&follower->outbox);
	(void)close(follower->task_fd);
	free(follower);
}
DEFINE_CLEANUP(struct follower *, follower_free)

/* {"stream", "time", "offset", "text" | "data_base64"} or {"lost"}. */
static char *
chunk_json(const struct log_chunk *chunk, const char *data)
{
	cleanup_json json_t *json = json_object();
	CLEANUP(strbuf_done) struct strbuf encoded = STRBUF_INIT;

	json_set_text(json, "stream",
		      chunk->stream == LOG_READ_STDERR ? "stderr" : "stdout");
	json_set_time(json, "time", chunk->time_ns);
	json_set_int(json, "offset", (int64_t)chunk->offset);
	if (chunk->lost_bytes > 0) {
		json_set_int(json, "lost", (int64_t)chunk->lost_bytes);
	} else if (is_utf8(data, chunk->len)) {
		(void)json_object_set_new(json, "text",
					  json_stringn(data, chunk->len));
	} else {
		base64_encode(data, chunk->len, &encoded);
		json_set_text(json, "data_base64", encoded.buf);
	}
	return json_text(json);
}

/* 1 a chunk is pending, 0 the end for now, -1 an error. */
static int
render_chunk(struct follower *follower, struct skiff_error *err)
{
	cleanup_free char *text = NULL;
	struct log_chunk chunk;
	char data[CHUNK_MAX];
	int r;

	r = log_reader_next(follower->reader, &chunk, data, sizeof(data), err);
	if (r <= 0)
		return r;
	text = chunk_json(&chunk, data);
	if (follower->form == FORM_SSE) {
		sse_event(&follower->outbox.text, chunk.offset + chunk.len,
			  "log", text, strlen(text));
	} else {
		strbuf_adds(&follower->outbox.text, text);
		strbuf_addch(&follower->outbox.text, '\n');
	}
	return 1;
}

static ssize_t
read_once(struct follower *follower, char *buf, size_t max,
	  struct skiff_error *err)
{
	int r;

	if (!outbox_is_empty(&follower->outbox))
		return outbox_send(&follower->outbox, buf, max);
	if (follower->form == FORM_TEXT)
		return log_reader_text(follower->reader, buf, max, err);
	r = render_chunk(follower, err);
	return r > 0 ? outbox_send(&follower->outbox, buf, max) : r;
}

static ssize_t
read_log(void *arg, char *buf, size_t max)
{
	struct follower *follower = arg;
	struct skiff_error err = ERROR_INIT;
	/* Asked before the read, so that its end is the log's end. */
	bool is_last =
	    !follower->does_follow || log_is_complete(follower->task_fd);
	ssize_t n;

	n = read_once(follower, buf, max, &err);
	if (n < 0)
		log_failure(LOG_WARN, &err, "read log");
	if (n == 0 && log_reader_is_behind(follower->reader)) {
		/* Others of this loop first. */
		waker_wake(follower->waker);
		return 0;
	}
	return n == 0 && is_last ? -1 : n;
}

/* Text and JSON lines have no word for silence. */
static ssize_t
idle_log(void *arg, char *buf, size_t max)
{
	struct follower *follower = arg;

	return follower->form == FORM_SSE ? idle_comment(arg, buf, max) : 0;
}

static const struct stream_ops stream = {
	.read = read_log,
	.idle = idle_log,
	.free = follower_free,
};

static int
take_streams(struct request *request, unsigned int *ret_streams,
	     struct skiff_error *err)
{
	const char *text = request_query(request, "stream");

	if (!text || strcmp(text, "both") == 0)
		*ret_streams = 0;
	else if (strcmp(text, "stdout") == 0)
		*ret_streams = LOG_READ_STDOUT;
	else if (strcmp(text, "stderr") == 0)
		*ret_streams = LOG_READ_STDERR;
	else
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "stream must be stdout, stderr or both");
	return 0;
}

/* A time (RFC 3339), or how long ago ("10m"). */
static int
take_time(struct request *request, const char *key, int64_t *ret_ns,
	  struct skiff_error *err)
{
	const char *text = request_query(request, key);
	int64_t ago_ns;

	*ret_ns = 0;
	if (!text || rfc3339_parse(text, ret_ns))
		return 0;
	if (parse_duration(text, &ago_ns, err) < 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "%s must be an RFC 3339 time or a duration "
			       "such as 10m",
			       key);
	*ret_ns = clock_realtime_ns() - ago_ns;
	return 0;
}

static int
take_options(struct request *request, struct log_options *options,
	     struct skiff_error *err)
{
	const char *tail = request_query(request, "tail");
	uint64_t lines;

	if (tail && strcmp(tail, "all") != 0) {
		if (parse_u64(tail, INT32_MAX, &lines, err) < 0)
			return err_wrap(err, "tail");
		options->has_tail = true;
		options->tail_lines = (int64_t)lines;
	}
	if (take_streams(request, &options->streams, err) < 0 ||
	    take_time(request, "since", &options->since_ns, err) < 0 ||
	    take_time(request, "until", &options->until_ns, err) < 0 ||
	    request_query_u64(request, "offset", INT64_MAX, 0, &options->offset,
			      err) < 0 ||
	    request_query_bool(request, "timestamps", false,
			       &options->has_timestamps, err) < 0)
		return -1;
	if (options->has_tail + (options->offset > 0) +
		(options->since_ns > 0) >
	    1)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "only one of tail, offset and since may say "
			       "where to begin");
	return 0;
}

static enum form
take_form(struct request *request)
{
	if (request_accepts(request, SSE_CONTENT_TYPE))
		return FORM_SSE;
	if (request_accepts(request, "application/x-ndjson"))
		return FORM_NDJSON;
	return FORM_TEXT;
}

static void
wake(void *arg)
{
	waker_wake(arg);
}

int
tasks_logs(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	static const char *const types[] = {
		[FORM_TEXT] = "text/plain; charset=utf-8",
		[FORM_NDJSON] = "application/x-ndjson",
		[FORM_SSE] = SSE_CONTENT_TYPE,
	};
	CLEANUP(follower_freep) struct follower *follower = NULL;
	struct log_options options = { 0 };
	struct services *services = context;
	enum form form = take_form(request);
	const char *ns;
	int fd;

	if (take_namespace(request, &ns, err) < 0 ||
	    id_check("task", request_param(request, "id"), err) < 0 ||
	    take_options(request, &options, err) < 0 ||
	    task_open_dir(services->tasks, ns, request_param(request, "id"),
			  &fd, err) < 0)
		return -1;
	follower = xcalloc(1, sizeof(*follower));
	follower->task_fd = fd;
	follower->form = form;
	follower->outbox = (struct outbox)OUTBOX_INIT;
	follower->waker = request_waker(request);
	if (request_query_bool(request, "follow", false, &follower->does_follow,
			       err) < 0 ||
	    (follower->does_follow &&
	     log_watch_add(tasks_log_watches(services->tasks), fd, wake,
			   follower->waker, &follower->watch, err) < 0) ||
	    log_reader_open(fd, &options, &follower->reader, err) < 0)
		return -1;
	*ret = response_stream(200, types[form], &stream, STEAL_PTR(follower));
	response_header(*ret, "Cache-Control", "no-store");
	return 0;
}
