/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request's life: head, body, handler, answer.
 *
 * The first call of the library's handler reads the head; nothing is
 * answered there unless the rest must not be read, since such an answer
 * ends the connection. The last call, when the body is complete, runs the
 * handler or sleeps while a worker does.
 */
#include "config.h"

#include <assert.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "http/http_internal.h"
#include "http/response_internal.h"

/* A refused body up to this size is read, so that keep-alive holds. */
#define SHORT_REST 65536

struct request *
request_ref(struct request *request)
{
	request->refs++;
	return request;
}

void
request_unref(struct request *request)
{
	if (--request->refs > 0)
		return;
	response_free(request->response);
	if (request->waker) {
		waker_detach(request->waker);
		waker_unref(request->waker);
	}
	upload_free(request->upload);
	relay_free(request->relay);
	strbuf_done(&request->body);
	json_decref(request->json);
	json_faults_done(&request->faults);
	free(request->log);
	free(request->object_id);
	free(request->target_error);
	free(request->headers_block);
	target_done(&request->target);
	free(request);
}

void *
exchange_begin(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct http_loop *loop = cls;
	struct conn *conn = conn_of(mhd);
	struct request *request = xmalloc(sizeof(*request));
	struct skiff_error *err = &loop->error;

	memset(request, 0, offsetof(struct request, match));
	request->node.kind = NODE_JOB;
	request->refs = 1;
	request->loop = loop;
	request->conn = conn;
	request->mhd = mhd;
	request->peer = conn->peer;
	request->body = (struct strbuf)STRBUF_INIT;
	request->match.allow = 0;
	request->head.target = uri ? uri : "";
	request->head.target_len = uri ? strlen(uri) : 0;
	target_init(&request->target);
	/* The library takes the query apart in place right after this. */
	if (target_parse(&request->target, request->head.target,
			 request->head.target_len, err) < 0)
		request->target_error = xmemdup(err, sizeof(*err));
	conn->request = request;
	if (conn->has_served) {
		conn->limit_ns =
		    loop->now_ns + loop->server->options.head_ms * NS_PER_MS;
		loop_look_at(loop, conn->limit_ns);
	}
	conn->has_served = true;
	return request;
}

void
exchange_end(void *cls, struct MHD_Connection *mhd, void **context,
	     enum MHD_RequestTerminationCode code)
{
	struct http_loop *loop = cls;
	struct request *request = *context;
	struct conn *conn;

	(void)mhd;
	if (!request)
		return;
	*context = NULL;
	conn = request->conn;
	request->conn = NULL;
	request->mhd = NULL;
	conn->request = NULL;
	if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		atomic_store(&request->is_cancelled, true);
	if (loop->is_stopping)
		conn_cut(conn);
	conn->limit_ns =
	    loop->now_ns + loop->server->options.keep_alive_ms * NS_PER_MS;
	loop_look_at(loop, conn->limit_ns);
	/* While a job runs the waker may be made this very moment. */
	if (request->waker && !request->job_runs)
		waker_detach(request->waker);
	if (request->phase == PHASE_WAITING)
		response_free(STEAL_PTR(request->response));
	if (request->upload)
		upload_detached(request);
	request_unref(request);
}

void
exchange_sleep(struct request *request)
{
	assert(!request->is_asleep);
	request->is_asleep = true;
	request->asleep_since_ns = request->loop->now_ns;
	MHD_suspend_connection(request->mhd);
}

void
exchange_wake(struct request *request)
{
	if (!request->is_asleep || !request->mhd)
		return;
	request->is_asleep = false;
	MHD_resume_connection(request->mhd);
}

void
exchange_fail(struct request *request, const struct skiff_error *err)
{
	response_free(request->response);
	request->response = problem_response(request, err);
}

/* answer NULL: the problem. The wait is freed, its headers stay. */
static void
end_wait(struct request *request, struct response *answer,
	 const struct skiff_error *err)
{
	assert(!answer || answer->kind != RESPONSE_WAIT);
	if (!answer)
		answer = problem_response(request, err);
	if (request->response->headers.len)
		strbuf_add(&answer->headers, request->response->headers.buf,
			   request->response->headers.len);
	response_free(request->response);
	request->response = answer;
}

/* On a worker. */
static void
finish_wait(struct request *request)
{
	const struct response *wait = request->response;
	struct response *answer = NULL;
	struct skiff_error err = ERROR_INIT;
	int r = wait->wait->finish(wait->arg, &answer, &err);

	assert(r < 0 || answer);
	end_wait(request, answer, &err);
}

static void
begin_finish(struct request *request)
{
	assert(request->response->wait->finish);
	assert(request->route->row->kind != ROUTE_INLINE);
	if (!request->is_asleep)
		exchange_sleep(request);
	request->phase = PHASE_RUNNING;
	exchange_start_job(request, JOB_WAITED);
}

/* True when the wait is over and the answer in its place. */
static bool
wait_poll(struct request *request, bool timed_out)
{
	const struct response *wait = request->response;
	struct response *answer = NULL;
	struct skiff_error err = ERROR_INIT;
	int r = wait->wait->poll(wait->arg, timed_out, &answer, &err);

	if (r == WAIT_FINISH) {
		begin_finish(request);
		return false;
	}
	if (r == 0 && !answer) {
		if (!timed_out)
			return false;
		(void)err_set(&err, SKIFF_DEADLINE_EXCEEDED,
			      "what was waited for has not happened");
	}
	end_wait(request, answer, &err);
	return true;
}

void
exchange_ready(struct request *request)
{
	struct http_loop *loop = request->loop;

	if (request->response->kind == RESPONSE_WAIT) {
		request->phase = PHASE_WAITING;
		if (!wait_poll(request, /* timed_out= */ false)) {
			if (request->phase == PHASE_RUNNING)
				return;
			if (!request->is_asleep)
				exchange_sleep(request);
			conn_arm(request->conn, EPOLLRDHUP);
			if (request->response->deadline.at_ns)
				loop_look_at(loop,
					     request->response->deadline.at_ns);
			return;
		}
	}
	request->phase = PHASE_READY;
	exchange_wake(request);
}

void
exchange_poll(struct request *request, bool timed_out)
{
	if (request->phase == PHASE_RELAY) {
		relay_woken(request->relay);
		return;
	}
	if (request->phase == PHASE_REPLY) {
		exchange_wake(request);
		return;
	}
	if (request->phase == PHASE_BODY && request->upload)
		upload_woken(request);
	if (request->phase == PHASE_WAITING && request->is_asleep &&
	    wait_poll(request, timed_out)) {
		request->phase = PHASE_READY;
		exchange_wake(request);
	}
}

bool
exchange_has_long_rest(const struct request *request)
{
	int64_t length = request_body_length(request);

	return length < 0 || length - request->body_received > SHORT_REST ||
	       (length > request->body_received &&
		request->head.wants_continue);
}

static void
run_handler(struct request *request, handler_fn handler)
{
	struct skiff_error err = ERROR_INIT;
	struct response *response = NULL;

	if (handler(request, request->loop->server->context, &response, &err) <
	    0) {
		response_free(response);
		response = problem_response(request, &err);
	}
	assert(response);
	request->response = response;
}

static void
job_main(void *arg)
{
	struct request *request = arg;
	struct http_loop *loop = request->loop;
	struct http_server *server = loop->server;
	const struct route *row = request->route->row;

	if (request->job == JOB_HANDLER)
		run_handler(request, row->handler);
	else if (request->job == JOB_FINISH)
		run_handler(request, row->upload->finish);
	else if (request->job == JOB_WAITED)
		finish_wait(request);
	else
		upload_run(request);
	loop_post(loop, &request->node);
	/* The last touch: the server is not freed before this. */
	lock_take(&server->lock);
	if (--server->n_jobs == 0)
		PTOK(pthread_cond_broadcast(&server->jobs_done));
	lock_release(&server->lock);
}

void
exchange_start_job(struct request *request, enum job_kind kind)
{
	struct http_loop *loop = request->loop;
	struct http_server *server = loop->server;

	assert(!request->job_runs);
	request->job = kind;
	request->job_runs = true;
	(void)request_ref(request);
	lock_take(&server->lock);
	server->n_jobs++;
	lock_release(&server->lock);
	/* To see whether the client still waits, if it takes long. */
	loop_look_at(loop, loop->now_ns + NS_PER_SECOND);
	workpool_add(server->pool, request->route->row->kind == ROUTE_SLOW,
		     job_main, request);
}

void
exchange_job_done(struct request *request)
{
	request->job_runs = false;
	if (!request->conn && request->waker)
		waker_detach(request->waker);
	if (request->upload)
		upload_job_done(request);
	else if (request->conn)
		exchange_ready(request);
	request_unref(request);
}

static enum MHD_Result
queue_or_wait(struct request *request)
{
	exchange_ready(request);
	return request->phase == PHASE_READY ? reply_queue(request) : MHD_YES;
}

static enum MHD_Result
handle_complete(struct request *request)
{
	request->conn->limit_ns = 0;
	if (request->response)
		return reply_queue(request);
	if (request->upload) {
		upload_at_end(request);
		return MHD_YES;
	}
	if (request->route->row->kind == ROUTE_INLINE) {
		run_handler(request, request->route->row->handler);
		return queue_or_wait(request);
	}
	head_own(request);
	request->phase = PHASE_RUNNING;
	exchange_sleep(request);
	exchange_start_job(request, JOB_HANDLER);
	return MHD_YES;
}

static enum MHD_Result
handle_head(struct request *request, const char *method, const char *version)
{
	struct http_loop *loop = request->loop;
	struct skiff_error *err = &loop->error;
	bool must_close = false;

	request->phase = PHASE_BODY;
	request->body_started_ns = loop->now_ns;
	request->conn->limit_ns = 0;
	if (head_read(request, method, version, &must_close, err) < 0) {
		exchange_fail(request, err);
		if (must_close || exchange_has_long_rest(request)) {
			request->is_closing = true;
			request->conn->wants_linger = true;
			return reply_queue(request);
		}
	} else if (!request->response && request->route->row->upload) {
		upload_begin(request);
	}
	if (request->head.is_chunked || request->head.content_length > 0)
		loop_look_at(loop,
			     loop->now_ns +
				 loop->server->options.body_ms * NS_PER_MS);
	return MHD_YES;
}

static enum MHD_Result
handle_body(struct request *request, const char *data, size_t *data_len)
{
	size_t max = request->loop->server->options.json_body_max;
	struct skiff_error err = ERROR_INIT;

	if (request->phase != PHASE_BODY)
		return MHD_NO;
	if (request->response) {
		request->body_received += (int64_t)*data_len;
		*data_len = 0; /* refused already; read for keep-alive */
		return MHD_YES;
	}
	if (request->upload)
		return upload_data(request, data, data_len);
	if (request->body.len + *data_len > max) {
		(void)err_set(&err, SKIFF_TOO_LARGE,
			      "body: more than %zu bytes", max);
		exchange_fail(request, &err);
		reply_at_once(request);
		return MHD_NO;
	}
	strbuf_add(&request->body, data, *data_len);
	request->body_received += (int64_t)*data_len;
	*data_len = 0;
	return MHD_YES;
}

enum MHD_Result
exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url,
		const char *method, const char *version, const char *data,
		size_t *data_len, void **context)
{
	struct request *request = *context;

	(void)cls;
	(void)mhd;
	(void)url;
	if (!request || request->conn->is_gone)
		return MHD_NO;
	if (*data_len > 0)
		return handle_body(request, data, data_len);
	switch (request->phase) {
	case PHASE_HEAD:
		return handle_head(request, method, version);
	case PHASE_OPENED:
		request->phase = PHASE_BODY;
		return MHD_YES;
	case PHASE_BODY:
		return handle_complete(request);
	case PHASE_READY:
		return reply_queue(request);
	case PHASE_OVER:
		return MHD_NO;
	default:
		return MHD_YES;
	}
}
