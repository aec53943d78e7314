/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives responses to the library, and pumps streams.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "http/http_internal.h"
#include "http/response_internal.h"

/* Of a stream's buffer in HTTP/1.0; chunks are made in the pool's. */
#define STREAM_BLOCK 1024

static ssize_t
sleep_stream(struct request *request)
{
	struct conn *conn = request->conn;
	const struct stream_ops *ops = request->response->stream;

	if (conn->peer_ended)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	exchange_sleep(request);
	conn_arm(conn, EPOLLRDHUP);
	if (ops->idle)
		loop_look_at(request->loop,
			     request->stream_spoke_ns +
				 request->loop->server->options.heartbeat_ms *
				     NS_PER_MS);
	return 0;
}

static ssize_t
stream_read(void *cls, uint64_t position, char *buf, size_t max)
{
	struct request *request = cls;
	struct response *response = request->response;
	const struct http_options *options = &request->loop->server->options;
	int64_t now_ns = request->loop->now_ns;
	ssize_t n;

	(void)position;
	if (!request->conn || request->conn->is_gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = response->stream->read(response->arg, buf, max);
	if (n == 0 && !request->stream_ends && response->stream->idle &&
	    now_ns >=
		request->stream_spoke_ns + options->heartbeat_ms * NS_PER_MS) {
		n = response->stream->idle(response->arg, buf, max);
		/* Asked once for each silence, whether or not it spoke. */
		request->stream_spoke_ns = now_ns;
	}
	if (n > 0) {
		assert((size_t)n <= max);
		request->stream_spoke_ns = now_ns;
		return n;
	}
	if (n < 0 || request->stream_ends)
		return MHD_CONTENT_READER_END_OF_STREAM;
	return sleep_stream(request);
}

static void
stream_free(void *cls)
{
	struct request *request = cls;

	response_free(STEAL_PTR(request->response));
	request_unref(request);
}

static struct MHD_Response *
make_data(struct response *response)
{
	char *data = STEAL_PTR(response->data);

	if (response->kind == RESPONSE_STATIC)
		return MHD_create_response_from_buffer(
		    response->len, (void *)response->static_data,
		    MHD_RESPMEM_PERSISTENT);
	if (response->len > 0)
		return MHD_create_response_from_buffer(response->len, data,
						       MHD_RESPMEM_MUST_FREE);
	free(data);
	return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

static ssize_t
read_nothing(void *cls, uint64_t position, char *buf, size_t max)
{
	(void)cls;
	(void)position;
	(void)buf;
	(void)max;
	return MHD_CONTENT_READER_END_OF_STREAM;
}

/*
 * What HEAD says of a body that GET would make while it is sent: its length
 * where that is known, and none, rather than 0, where it is not. The body
 * is never begun; the caller frees it. Without a length the connection ends:
 * else the library (0.9.75) sends the last chunk of what has no body.
 */
static struct MHD_Response *
make_bodiless(uint64_t length)
{
	struct MHD_Response *mhd =
	    MHD_create_response_from_callback(length, STREAM_BLOCK,
					      read_nothing, NULL, NULL);

	if (mhd && length == MHD_SIZE_UNKNOWN)
		(void)MHD_set_response_options(
		    mhd, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
	return mhd;
}

static struct MHD_Response *
make_response(struct request *request, struct response *response)
{
	switch (response->kind) {
	case RESPONSE_FILE:
		if (response->length == 0)
			break;
		return MHD_create_response_from_fd_at_offset64(
		    response->length, STEAL_FD(response->fd), response->offset);
	case RESPONSE_RELAY: /* here of HEAD alone */
		return make_bodiless(response->length == RELAY_TO_THE_END
					 ? MHD_SIZE_UNKNOWN
					 : response->length);
	case RESPONSE_STREAM:
		if (request->method == HTTP_HEAD)
			return make_bodiless(MHD_SIZE_UNKNOWN);
		request->stream_spoke_ns = request->loop->now_ns;
		return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
							 STREAM_BLOCK,
							 stream_read,
							 request_ref(request),
							 stream_free);
	case RESPONSE_UPGRADE:
		return MHD_create_response_for_upgrade(relay_begin_upgraded,
						       NULL);
	case RESPONSE_WAIT:
		abort(); /* a wait is over before its answer is sent */
	default:
		return make_data(response);
	}
	return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

static void
add_headers(struct request *request, const struct response *response,
	    struct MHD_Response *mhd)
{
	const char *p = response->headers.buf;
	const char *end = p + response->headers.len;

	if (response->content_type[0])
		(void)MHD_add_response_header(mhd, "Content-Type",
					      response->content_type);
	while (p < end) {
		const char *value = p + strlen(p) + 1;

		(void)MHD_add_response_header(mhd, p, value);
		p = value + strlen(value) + 1;
	}
	(void)MHD_add_response_header(mhd, "Skiff-Request-Id", request->id);
	if (response->kind != RESPONSE_UPGRADE &&
	    (request->is_closing || request->loop->is_stopping))
		(void)MHD_add_response_header(mhd, "Connection", "close");
}

enum MHD_Result
reply_queue(struct request *request)
{
	struct response *response = request->response;
	bool is_stream =
	    response->kind == RESPONSE_STREAM && request->method != HTTP_HEAD;
	struct http_loop *loop = request->loop;
	struct MHD_Response *mhd;
	enum MHD_Result r;

	if (response->kind == RESPONSE_RELAY && request->method != HTTP_HEAD) {
		relay_begin(request);
		return MHD_YES;
	}
	mhd = make_response(request, response);
	request->phase = PHASE_REPLY;
	request->conn->progress_ns = loop->now_ns;
	request->conn->unsent = 0;
	if (!mhd)
		return MHD_NO;
	add_headers(request, response, mhd);
	r = MHD_queue_response(request->mhd, (unsigned int)response->status,
			       mhd);
	if (!is_stream && response->kind != RESPONSE_UPGRADE)
		response_free(STEAL_PTR(request->response));
	MHD_destroy_response(mhd);
	loop_look_at(loop, loop->now_ns +
			       loop->server->options.write_ms * NS_PER_MS / 8);
	return r;
}

void
reply_at_once(struct request *request)
{
	struct response *response = request->response;
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

	assert(response->kind == RESPONSE_DATA);
	strbuf_addf(&out,
		    "HTTP/1.1 %d Refused\r\nContent-Type: %s\r\n"
		    "Content-Length: %zu\r\nSkiff-Request-Id: %s\r\n"
		    "Connection: close\r\n\r\n",
		    response->status, response->content_type, response->len,
		    request->id);
	strbuf_add(&out, response->data, response->len);
	/* Nothing else is on its way: the answers before this one are out. */
	(void)send(request->conn->fd, out.buf, out.len,
		   MSG_NOSIGNAL | MSG_DONTWAIT);
	response_free(STEAL_PTR(request->response));
	request->phase = PHASE_OVER;
	request->conn->wants_linger = true;
}
