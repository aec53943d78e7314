/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking connections in: who comes, how many may, what when descriptors
 * run out.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/log.h"
#include "http/http_internal.h"

/* Connections taken before others have their turn. */
#define ACCEPT_BATCH 32
#define DEAF_NS (100 * NS_PER_MS)

static void
refuse(int fd)
{
	static const char body[] =
	    "{\"type\":\"about:blank\",\"title\":\"Unavailable\","
	    "\"status\":503,\"code\":\"unavailable\","
	    "\"reason\":\"too_many_connections\","
	    "\"detail\":\"too many connections\"}";
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 503 Unavailable\r\n"
			 "Content-Type: application/problem+json\r\n"
			 "Content-Length: %zu\r\nRetry-After: 1\r\n"
			 "Connection: close\r\n\r\n%s",
			 sizeof(body) - 1, body);

	(void)send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

void
loop_hear(struct http_loop *loop)
{
	struct http_server *server = loop->server;

	for (size_t i = 0; i < server->n_listeners; i++) {
		struct epoll_event event = {
			.events = EPOLLIN | EPOLLEXCLUSIVE,
			.data.ptr = &server->listeners[i],
		};

		if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD,
			      server->listeners[i].fd, &event) < 0)
			log_error("epoll_ctl of listener: %m");
	}
	loop->is_deaf = false;
}

void
loop_be_deaf(struct http_loop *loop)
{
	struct http_server *server = loop->server;

	for (size_t i = 0; i < server->n_listeners && !loop->is_deaf; i++)
		(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL,
				server->listeners[i].fd, NULL);
	loop->is_deaf = true;
}

/*
 * No descriptor is left. The client in the queue would make epoll ring
 * for ever: the spare one takes it in and tells it so.
 */
static void
accept_without_fds(struct http_loop *loop, const struct listener *listener)
{
	int fd;

	if (loop->spare_fd >= 0) {
		(void)close(loop->spare_fd);
		fd = accept4(listener->fd, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			refuse(fd);
		loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (loop->spare_fd < 0) {
		loop_be_deaf(loop);
		loop_look_at(loop, loop->now_ns + DEAF_NS);
	}
}

static bool
take_place(struct http_server *server, bool is_unix)
{
	atomic_int *n = is_unix ? &server->n_unix : &server->n_tcp;
	int max = is_unix ? server->options.max_unix_connections
			  : server->options.max_tcp_connections;

	if (atomic_fetch_add(n, 1) < max)
		return true;
	atomic_fetch_sub(n, 1);
	return false;
}

static void
read_peer(const struct http_server *server, struct conn *conn)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	conn->peer = (struct peer){ .is_unix = conn->listener->is_unix,
				    .uid = (uid_t)-1,
				    .gid = (gid_t)-1 };
	if (!conn->peer.is_unix ||
	    getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return;
	conn->peer.uid = cred.uid;
	conn->peer.gid = cred.gid;
	conn->peer.pid = cred.pid;
	if (server->options.identify)
		conn->peer.rights =
		    server->options.identify(&conn->peer, conn->fd,
					     server->context);
}

static struct http_loop *
least_loaded(struct http_loop *loop)
{
	struct http_server *server = loop->server;

	for (int i = 0; i < server->options.n_loops; i++)
		if (atomic_load(&server->loops[i].n_conns) <
		    atomic_load(&loop->n_conns))
			loop = &server->loops[i];
	return loop;
}

static void
take_in(struct http_loop *loop, const struct listener *listener, int fd)
{
	struct http_loop *home = least_loaded(loop);
	struct conn *conn;

	if (!take_place(loop->server, listener->is_unix)) {
		refuse(fd);
		return;
	}
	conn = xcalloc(1, sizeof(*conn));
	conn->source.kind = SOURCE_CONN;
	conn->node.kind = NODE_CONN;
	conn->loop = home;
	conn->listener = listener;
	conn->fd = fd;
	conn->limit_ns =
	    loop->now_ns + loop->server->options.head_ms * NS_PER_MS;
	read_peer(loop->server, conn);
	atomic_fetch_add(&home->n_conns, 1);
	if (home == loop)
		loop_adopt(loop, conn);
	else
		loop_post(home, &conn->node);
}

void
loop_adopt(struct http_loop *loop, struct conn *conn)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_un un;
	} address;
	bool is_unix = conn->listener->is_unix;

	/* Only the family is looked at. */
	memset(&address, 0, sizeof(address));
	address.any.sa_family = is_unix ? AF_UNIX : AF_INET;
	loop_look_at(loop, conn->limit_ns);
	loop->entering = conn;
	if (loop->is_stopping)
		(void)close(conn->fd);
	else if (MHD_add_connection(loop->mhd, conn->fd, &address.any,
				    is_unix ? sizeof(address.un)
					    : sizeof(address.in)) == MHD_YES)
		return;
	/* The library closed it; unless it had entered, it is still ours. */
	if (loop->entering)
		conn_free(STEAL_PTR(loop->entering));
}

void
loop_accept(struct http_loop *loop, struct listener *listener)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int fd = accept4(listener->fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			take_in(loop, listener, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			accept_without_fds(loop, listener);
			return;
		}
		/* Others tell of a client that gave up meanwhile. */
		if (errno == EAGAIN)
			return;
	}
}
