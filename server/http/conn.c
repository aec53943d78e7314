/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: time limits, hang-ups, ends.
 *
 * The library's own time-out counts idleness, so that a byte a second
 * holds a connection for ever, and it neither polls nor times suspended
 * connections. So the limits are kept here, and a cut is a shutdown(2)
 * that the library then finds.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "http/http_internal.h"
#include "http/response_internal.h"

/* What a refused client may still send while it reads the answer. */
#define LINGER_BYTES (8 << 20)
#define LINGER_NS (2 * NS_PER_SECOND)

struct conn *
conn_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
	    ->socket_context;
}

static void
farewell_begin(struct http_loop *loop, int conn_fd)
{
	struct farewell *farewell;
	struct epoll_event event = { .events = EPOLLIN };
	int fd = fcntl(conn_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return;
	farewell = xcalloc(1, sizeof(*farewell));
	farewell->source.kind = SOURCE_FAREWELL;
	farewell->fd = fd;
	farewell->left = LINGER_BYTES;
	farewell->until_ns = loop->now_ns + LINGER_NS;
	event.data.ptr = farewell;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		(void)close(fd);
		free(farewell);
		return;
	}
	farewell->next = loop->farewells;
	loop->farewells = farewell;
	loop_look_at(loop, farewell->until_ns);
}

/* Reads and forgets, so that close(2) sends no reset before the answer. */
void
farewell_event(struct farewell *farewell)
{
	char buf[16384];
	ssize_t n = 0;

	while (farewell->left > 0) {
		n = recv(farewell->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			break;
		farewell->left -=
		    (size_t)n < farewell->left ? (size_t)n : farewell->left;
	}
	if (farewell->left == 0 || n == 0 || (n < 0 && errno != EAGAIN))
		farewell->until_ns = 0;
}

void
farewell_look(struct http_loop *loop, bool all)
{
	struct farewell **at = &loop->farewells;

	while (*at) {
		struct farewell *farewell = *at;

		if (!all && farewell->until_ns > loop->now_ns) {
			loop_look_at(loop, farewell->until_ns);
			at = &farewell->next;
			continue;
		}
		*at = farewell->next;
		(void)close(farewell->fd);
		free(farewell);
	}
}

static void
conn_enter(struct http_loop *loop, struct MHD_Connection *mhd, void **context)
{
	struct conn *conn = STEAL_PTR(loop->entering);

	conn->mhd = mhd;
	conn->next = loop->conns;
	conn->back = &loop->conns;
	if (conn->next)
		conn->next->back = &conn->next;
	loop->conns = conn;
	*context = conn;
}

void
conn_free(struct conn *conn)
{
	struct http_server *server = conn->loop->server;

	atomic_fetch_sub(&conn->loop->n_conns, 1);
	atomic_fetch_sub(conn->listener->is_unix ? &server->n_unix
						 : &server->n_tcp,
			 1);
	free(conn);
}

void
conn_notify(void *cls, struct MHD_Connection *mhd, void **context,
	    enum MHD_ConnectionNotificationCode code)
{
	struct http_loop *loop = cls;
	struct conn *conn = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		conn_enter(loop, mhd, context);
		return;
	}
	if (!conn)
		return;
	*context = NULL;
	/* The descriptor is still open here. */
	if (conn->armed)
		(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
	if (conn->wants_linger && !loop->is_stopping)
		farewell_begin(loop, conn->fd);
	*conn->back = conn->next;
	if (conn->next)
		conn->next->back = conn->back;
	conn_free(conn);
}

void
conn_cut(struct conn *conn)
{
	struct request *request = conn->request;

	conn->is_gone = true;
	(void)shutdown(conn->fd, SHUT_RDWR);
	if (!request)
		return;
	atomic_store(&request->is_cancelled, true);
	if (request->relay)
		relay_cut(request->relay);
	if (request->phase == PHASE_WAITING) {
		response_free(STEAL_PTR(request->response));
		request->phase = PHASE_OVER;
	}
	exchange_wake(request);
}

void
conn_arm(struct conn *conn, uint32_t events)
{
	struct epoll_event event = { .events = events | EPOLLET,
				     .data.ptr = conn };

	if ((conn->armed & events) == events)
		return;
	event.events |= conn->armed;
	if (epoll_ctl(conn->loop->epoll_fd,
		      conn->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, conn->fd,
		      &event) == 0)
		conn->armed = event.events;
}

void
conn_event(struct conn *conn, uint32_t events)
{
	struct request *request = conn->request;

	if (request && request->relay) {
		relay_event(request->relay, events);
		return;
	}
	if (events & EPOLLOUT)
		conn->progress_ns = conn->loop->now_ns;
	if (!(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		return;
	conn->peer_ended = true;
	if (!request || !request->is_asleep)
		return; /* the library sees it, or the stream when it sleeps */
	/*
	 * A worker's answer is still tried: the client may have ended only
	 * its own side. Streams and waits have no end of their own, so for
	 * them it is the sign that nobody listens.
	 */
	if (request->phase == PHASE_WAITING || request->phase == PHASE_REPLY ||
	    (request->phase == PHASE_BODY && (events & EPOLLHUP)))
		conn_cut(conn);
	else
		atomic_store(&request->is_cancelled, true);
}

static int64_t
body_limit_ns(const struct request *request)
{
	const struct http_options *options = &request->loop->server->options;

	if (request->route && (request->route->row->flags & ROUTE_LASTING_BODY))
		return 0;
	return request->body_started_ns + options->body_ms * NS_PER_MS +
	       request->body_received / 65536 * NS_PER_SECOND;
}

/* A client that takes nothing of its answer. */
static int64_t
reply_limit_ns(struct conn *conn)
{
	int64_t write_ns = conn->loop->server->options.write_ms * NS_PER_MS;
	int64_t now_ns = conn->loop->now_ns;
	int unsent = 0;

	if (ioctl(conn->fd, SIOCOUTQ, &unsent) < 0 || unsent == 0 ||
	    unsent != conn->unsent)
		conn->progress_ns = now_ns;
	conn->unsent = unsent;
	/* Each time that the socket takes more again tells of progress. */
	conn_arm(conn, EPOLLRDHUP | EPOLLOUT);
	if (now_ns >= conn->progress_ns + write_ns)
		return now_ns;
	return now_ns + write_ns / 8;
}

static int64_t
stream_limit_ns(const struct request *request)
{
	const struct response *response = request->response;

	if (!response || !response->stream || !response->stream->idle)
		return 0;
	return request->stream_spoke_ns +
	       request->loop->server->options.heartbeat_ms * NS_PER_MS;
}

/* Of an exchange that sleeps: nothing that the client could be late with. */
static void
look_at_sleeper(struct conn *conn, struct request *request)
{
	struct http_loop *loop = conn->loop;
	int64_t at_ns = 0;

	if (request->phase == PHASE_WAITING)
		at_ns = request->response->deadline.at_ns;
	else if (request->phase == PHASE_REPLY)
		at_ns = stream_limit_ns(request);
	else
		conn_arm(conn, EPOLLRDHUP);
	if (at_ns == 0)
		return;
	if (loop->now_ns < at_ns)
		loop_look_at(loop, at_ns);
	else
		exchange_poll(request, /* timed_out= */ true);
}

void
conn_look(struct conn *conn)
{
	struct request *request = conn->request;
	struct http_loop *loop = conn->loop;
	int64_t at_ns = conn->limit_ns;

	if (conn->is_gone || (request && request->relay))
		return;
	if (request && request->is_asleep) {
		look_at_sleeper(conn, request);
		return;
	}
	if (request && request->phase == PHASE_BODY)
		at_ns = body_limit_ns(request);
	else if (request && request->phase == PHASE_REPLY)
		at_ns = reply_limit_ns(conn);
	if (at_ns == 0)
		return;
	if (loop->now_ns < at_ns)
		loop_look_at(loop, at_ns);
	else
		conn_cut(conn);
}

void
conn_begin_stop(struct conn *conn)
{
	struct request *request = conn->request;
	struct skiff_error err = ERROR_INIT;

	if (!request || request->phase == PHASE_HEAD) {
		conn_cut(conn);
	} else if (request->relay) {
		relay_stop(request->relay);
	} else if (request->phase == PHASE_WAITING) {
		(void)err_set(&err, SKIFF_UNAVAILABLE,
			      "the server is stopping");
		err.retry_after_s = 1;
		exchange_fail(request, &err);
		exchange_ready(request);
	} else if (request->phase == PHASE_REPLY && request->response) {
		const struct response *response = request->response;

		request->stream_ends = true;
		if (response->stream->stopping)
			response->stream->stopping(response->arg);
		exchange_wake(request);
	}
}
