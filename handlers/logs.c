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
#include "handlers/outbox.h"
#include "handlers/process.h"
#include "http/sse.h"
#include "runtime/logs/reader.h"
#include "runtime/logs/watch.h"
#include "runtime/shim_client.h"
#include "runtime/task.h"

#define CHUNK_MAX 8192
#define RETRY_MS 2000

enum form { FORM_TEXT, FORM_NDJSON, FORM_SSE };

struct follower {
	enum form form;
	bool does_follow;
	bool is_stopping;
	bool has_said_end;
	int dir_fd;
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
	(void)close(follower->dir_fd);
	free(follower);
}
DEFINE_CLEANUP(struct follower *, follower_free)

/*
 * {"stream", "time", "offset", "text" | "data_base64"}; of a gap {"from",
 * "to", "lost"}, and the stream when it was the disk that took nothing.
 */
static char *
chunk_json(const struct log_chunk *chunk, const char *data)
{
	cleanup_json json_t *json = json_object();
	CLEANUP(strbuf_done) struct strbuf encoded = STRBUF_INIT;

	if (chunk->stream)
		json_set_text(json, "stream",
			      chunk->stream == LOG_READ_STDERR ? "stderr"
							       : "stdout");
	json_set_time(json, "time", chunk->time_ns);
	if (chunk->lost_bytes > 0) {
		json_set_int(json, "from", (int64_t)chunk->offset);
		json_set_int(json, "to", (int64_t)chunk->next_offset);
		json_set_int(json, "lost", (int64_t)chunk->lost_bytes);
		return json_text(json);
	}
	json_set_int(json, "offset", (int64_t)chunk->offset);
	if (is_utf8(data, chunk->len)) {
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
		sse_event(&follower->outbox.text, chunk.next_offset,
			  chunk.lost_bytes > 0 ? "gap" : "log", text,
			  strlen(text));
	} else {
		strbuf_adds(&follower->outbox.text, text);
		strbuf_addch(&follower->outbox.text, '\n');
	}
	return 1;
}

/* The last event of who follows: the process's end, or the daemon's. */
static void
render_end(struct follower *follower)
{
	cleanup_json json_t *json = json_object();
	cleanup_free char *text = NULL;
	struct skiff_error none = ERROR_INIT;
	struct shim_exit exit;

	json_set_int(json, "offset",
		     (int64_t)log_reader_offset(follower->reader));
	if (!follower->is_stopping &&
	    shim_read_exit_record(follower->dir_fd, &exit, &none) == 0) {
		json_set_int(json, "exit_status", exit.status);
		json_set_time(json, "exited_at", exit.exited_ns);
		if (exit.lost_bytes > 0)
			json_set_int(json, "lost", (int64_t)exit.lost_bytes);
	}
	text = json_text(json);
	sse_event(&follower->outbox.text, log_reader_offset(follower->reader),
		  follower->is_stopping ? "shutdown" : "end", text,
		  strlen(text));
}

static ssize_t
read_once(struct follower *follower, char *buf, size_t max,
	  struct skiff_error *err)
{
	int r;

	if (!outbox_is_empty(&follower->outbox))
		return outbox_send(&follower->outbox, buf, max);
	if (follower->has_said_end)
		return 0;
	if (follower->form == FORM_TEXT)
		return log_reader_text(follower->reader, buf, max, err);
	r = render_chunk(follower, err);
	return r > 0 ? outbox_send(&follower->outbox, buf, max) : r;
}

/* Nothing more will come; SSE says so to who followed. */
static ssize_t
end_log(struct follower *follower, char *buf, size_t max)
{
	if (follower->has_said_end || follower->form != FORM_SSE ||
	    !follower->does_follow)
		return -1;
	follower->has_said_end = true;
	render_end(follower);
	return outbox_send(&follower->outbox, buf, max);
}

static ssize_t
read_log(void *arg, char *buf, size_t max)
{
	struct follower *follower = arg;
	struct skiff_error err = ERROR_INIT;
	/* Asked before the read, so that its end is the log's end. */
	bool is_last = !follower->does_follow || follower->is_stopping ||
		       log_is_complete(follower->dir_fd);
	ssize_t n;

	n = read_once(follower, buf, max, &err);
	if (n < 0)
		log_failure(LOG_WARN, &err, "read log");
	if (n != 0)
		return n;
	if (log_reader_is_past_until(follower->reader))
		return end_log(follower, buf, max);
	if (log_reader_is_behind(follower->reader) && !follower->is_stopping) {
		/* Others of this loop first. */
		waker_wake(follower->waker);
		return 0;
	}
	return is_last ? end_log(follower, buf, max) : 0;
}

static void
stop_log(void *arg)
{
	struct follower *follower = arg;

	follower->is_stopping = true;
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
	.stopping = stop_log,
	.free = follower_free,
};

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

/* ?offset, or what a client that was cut off has seen last. */
static int
take_log_offset(struct request *request, struct log_options *options,
		struct skiff_error *err)
{
	const char *last = request_header(request, "Last-Event-ID");

	options->has_offset = last || request_query(request, "offset");
	if (last && parse_u64(last, INT64_MAX, &options->offset, err) < 0)
		return err_wrap(err, "Last-Event-ID");
	if (last)
		return 0;
	return request_query_u64(request, "offset", INT64_MAX, 0,
				 &options->offset, err);
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
	    take_log_offset(request, options, err) < 0 ||
	    request_query_bool(request, "timestamps", false,
			       &options->has_timestamps, err) < 0)
		return -1;
	/* A client that comes again has got its last lines. */
	if (request_header(request, "Last-Event-ID"))
		options->has_tail = false;
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

static int
answer_logs(struct request *request, struct services *services, bool is_exec,
	    struct response **ret, struct skiff_error *err)
{
	static const char *const types[] = {
		[FORM_TEXT] = "text/plain; charset=utf-8",
		[FORM_NDJSON] = "application/x-ndjson",
		[FORM_SSE] = SSE_CONTENT_TYPE,
	};
	CLEANUP(follower_freep) struct follower *follower = NULL;
	struct log_options options = { 0 };
	enum form form = take_form(request);
	struct process_facts facts;
	struct task_process who;
	int fd;

	if (take_process(request, is_exec, &who, err) < 0 ||
	    take_options(request, &options, err) < 0 ||
	    read_process_facts(services, &who, &facts, err) < 0 ||
	    need_log(&facts, err) < 0 ||
	    open_process_dir(services, &who, &fd, err) < 0)
		return -1;
	follower = xcalloc(1, sizeof(*follower));
	follower->dir_fd = fd;
	follower->form = form;
	follower->outbox = (struct outbox)OUTBOX_INIT;
	follower->waker = request_waker(request);
	if (request_query_bool(request, "follow", false, &follower->does_follow,
			       err) < 0 ||
	    (follower->does_follow &&
	     log_watch_add(tasks_log_watches(services->tasks), fd, wake_waker,
			   follower->waker, &follower->watch, err) < 0) ||
	    log_reader_open(fd, &options, &follower->reader, err) < 0)
		return -1;
	if (form == FORM_SSE && follower->does_follow)
		sse_retry(&follower->outbox.text, RETRY_MS);
	*ret = response_stream(200, types[form], &stream, STEAL_PTR(follower));
	response_header(*ret, "Cache-Control", "no-store");
	return 0;
}

int
tasks_logs(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	return answer_logs(request, context, /* is_exec= */ false, ret, err);
}

int
execs_logs(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	return answer_logs(request, context, /* is_exec= */ true, ret, err);
}
