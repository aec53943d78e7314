/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that are written away while they come.
 *
 * Two buffers: the loop fills one while a worker writes the other. When
 * the worker is done they change places; when the loop's is full first,
 * the connection sleeps. So a slow client holds no worker, a slow disk
 * holds no loop, and a fast pair moves large pieces.
 */
#include "config.h"

#include <assert.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "http/http_internal.h"

#define BUFFER_MAX 262144

void
upload_free(struct upload *upload)
{
	if (!upload)
		return;
	response_free(upload->problem);
	strbuf_done(&upload->filling);
	strbuf_done(&upload->writing);
	free(upload);
}

void
upload_begin(struct request *request)
{
	struct upload *upload = xcalloc(1, sizeof(*upload));

	upload->filling = (struct strbuf)STRBUF_INIT;
	upload->writing = (struct strbuf)STRBUF_INIT;
	request->upload = upload;
	head_own(request);
	/* Before any "100 Continue": a refusal comes in its stead. */
	request->phase = PHASE_OPENING;
	exchange_sleep(request);
	exchange_start_job(request, JOB_OPEN);
}

static void
start_write(struct request *request)
{
	struct upload *upload = request->upload;
	struct strbuf full = upload->filling;

	upload->filling = upload->writing;
	strbuf_reset(&upload->filling);
	upload->writing = full;
	exchange_start_job(request, JOB_WRITE);
}

static void
next_step(struct request *request)
{
	struct upload *upload = request->upload;

	if (upload->filling.len > 0) {
		start_write(request);
	} else if (upload->is_at_end) {
		upload->is_open = false; /* finish answers for it now */
		exchange_start_job(request, JOB_FINISH);
	}
}

static void refuse(struct request *request);

/* What is not taken stays where it is: in the library and the socket. */
static enum MHD_Result
take_data(struct request *request, const char *data, size_t *data_len)
{
	const struct upload_ops *ops = request->route->row->upload;
	void *context = request->loop->server->context;
	struct upload *upload = request->upload;
	struct skiff_error *err = &request->loop->error;
	ssize_t n;

	memset(err, 0, sizeof(*err));
	n = ops->take(request, context, data, *data_len, err);
	if (n < 0) {
		upload->problem = problem_response(request, err);
		upload->is_open = false;
		ops->abort(request, context);
		request->body_received += (int64_t)*data_len;
		*data_len = 0;
		refuse(request);
		return request->phase == PHASE_OVER ? MHD_NO : MHD_YES;
	}
	request->body_received += n;
	*data_len -= (size_t)n;
	if (*data_len > 0) {
		upload->is_full = true;
		exchange_sleep(request);
		conn_arm(request->conn, EPOLLRDHUP);
	}
	return MHD_YES;
}

enum MHD_Result
upload_data(struct request *request, const char *data, size_t *data_len)
{
	struct upload *upload = request->upload;
	size_t n = BUFFER_MAX - upload->filling.len;

	if (request->route->row->upload->take)
		return take_data(request, data, data_len);
	if (n > *data_len)
		n = *data_len;
	strbuf_add(&upload->filling, data, n);
	request->body_received += (int64_t)n;
	*data_len -= n;
	if (!request->job_runs)
		next_step(request);
	if (*data_len > 0) {
		upload->is_full = true;
		exchange_sleep(request);
	}
	return MHD_YES;
}

void
upload_at_end(struct request *request)
{
	request->upload->is_at_end = true;
	request->phase = PHASE_RUNNING;
	exchange_sleep(request);
	if (!request->job_runs)
		next_step(request);
}

void
upload_run(struct request *request)
{
	const struct upload_ops *ops = request->route->row->upload;
	struct upload *upload = request->upload;
	void *context = request->loop->server->context;
	struct skiff_error err = ERROR_INIT;
	int r = 0;

	if (request->job == JOB_OPEN) {
		r = ops->open(request, context, &err);
		upload->is_open = r == 0;
	} else if (request->job == JOB_WRITE) {
		r = ops->write(request, context, upload->writing.buf,
			       upload->writing.len, &err);
	}
	if (r < 0)
		upload->problem = problem_response(request, &err);
	if (request->job == JOB_ABORT || (r < 0 && upload->is_open)) {
		upload->is_open = false;
		ops->abort(request, context);
	}
}

static void
wake_reader(struct request *request)
{
	struct upload *upload = request->upload;

	if (!upload->is_full)
		return;
	upload->is_full = false;
	/* The time was ours, not the client's. */
	request->body_started_ns +=
	    request->loop->now_ns - request->asleep_since_ns;
	exchange_wake(request);
}

void
upload_woken(struct request *request)
{
	if (request->route->row->upload->take)
		wake_reader(request);
}

/* After open: the body may come, to be written or to be forgotten. */
static void
start_body(struct request *request)
{
	request->phase = PHASE_OPENED;
	request->body_started_ns = request->loop->now_ns;
	exchange_wake(request);
}

/* The worker refused, and perhaps half of the body is still to come. */
static void
refuse(struct request *request)
{
	struct http_loop *loop = request->loop;

	request->response = STEAL_PTR(request->upload->problem);
	if (request->phase == PHASE_OPENING &&
	    !exchange_has_long_rest(request)) {
		/* An answer before the body's end would end the connection. */
		start_body(request);
	} else if (request->phase == PHASE_OPENING) {
		request->conn->wants_linger = true;
		exchange_ready(request);
	} else if (request->upload->is_at_end) {
		exchange_ready(request);
	} else if (!exchange_has_long_rest(request)) {
		wake_reader(request);
	} else {
		reply_at_once(request);
		request->conn->limit_ns = loop->now_ns + 2 * NS_PER_SECOND;
		loop_look_at(loop, request->conn->limit_ns);
		wake_reader(request);
	}
}

void
upload_job_done(struct request *request)
{
	struct upload *upload = request->upload;

	if (!request->conn) {
		upload_detached(request);
	} else if (upload->problem) {
		refuse(request);
	} else if (request->job == JOB_OPEN) {
		start_body(request);
	} else if (request->job == JOB_WRITE) {
		next_step(request);
		wake_reader(request);
	} else if (request->job == JOB_FINISH) {
		exchange_ready(request);
	}
}

void
upload_detached(struct request *request)
{
	const struct upload_ops *ops = request->route->row->upload;

	if (request->job_runs || !request->upload->is_open)
		return;
	if (ops->take) {
		request->upload->is_open = false;
		ops->abort(request, request->loop->server->context);
	} else {
		exchange_start_job(request, JOB_ABORT);
	}
}
