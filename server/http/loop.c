/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: one thread, our epoll around the library's.
 *
 * The library's own threads stall when a multiple of 128 connections is
 * ready at once (all versions up to 1.0.1: MHD_epoll() waits again with
 * an infinite time-out). MHD_run() waits with none.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "base/encode.h"
#include "base/log.h"
#include "http/http_internal.h"

#define EVENTS_MAX 128
/*
 * Of a connection. The library clears half of it for each request, and all
 * of it after each, so that much is every follower's for as long as it
 * follows, and every idle connection's; and it bounds the head: 10 KiB of
 * headers fit. 64 KiB, for 32 KiB of headers, would cost 31 KiB more for
 * each follower, and 48 for each that idles (docs/PERFORMANCE.md).
 */
#define POOL_SIZE 16384
/* Ours are lower and kept at accept. */
#define LIBRARY_CONNECTIONS_MAX 1000000

static size_t
no_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

static int
add_source(struct http_loop *loop, int fd, struct source *source,
	   enum source_kind kind, struct skiff_error *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	source->kind = kind;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_errno(err, errno, "epoll_ctl");
	return 0;
}

static int
start_library(struct http_loop *loop, struct skiff_error *err)
{
	const union MHD_DaemonInfo *info;

	loop->mhd = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
		MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC,
	    0, NULL, NULL, exchange_handle, loop, MHD_OPTION_URI_LOG_CALLBACK,
	    exchange_begin, loop, MHD_OPTION_UNESCAPE_CALLBACK, no_unescape,
	    NULL, MHD_OPTION_NOTIFY_COMPLETED, exchange_end, loop,
	    MHD_OPTION_NOTIFY_CONNECTION, conn_notify, loop,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned int)LIBRARY_CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_SIZE,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (!loop->mhd)
		return err_set(err, SKIFF_INTERNAL,
			       "libmicrohttpd does not start");
	info = MHD_get_daemon_info(loop->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	return add_source(loop, info->epoll_fd, &loop->mhd_source, SOURCE_MHD,
			  err);
}

int
loop_init(struct http_loop *loop, struct http_server *server, int index,
	  struct skiff_error *err)
{
	uint64_t random = 0;

	loop->server = server;
	loop->index = index;
	lock_init(&loop->lock, LOCK_RANK_LOOP);
	loop->inbox_last = &loop->inbox;
	loop->now_ns = clock_monotonic_ns();
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_errno(err, errno, "getrandom");
	hex_encode(&random, sizeof(random), loop->id_prefix);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (loop->epoll_fd < 0 || loop->event_fd < 0 || loop->spare_fd < 0)
		return err_errno(err, errno, "descriptors of a loop");
	if (add_source(loop, loop->event_fd, &loop->inbox_source, SOURCE_INBOX,
		       err) < 0)
		return -1;
	return start_library(loop, err);
}

void
loop_post(struct http_loop *loop, struct inbox_node *node)
{
	uint64_t one = 1;
	bool was_empty;

	node->next = NULL;
	lock_take(&loop->lock);
	was_empty = !loop->inbox;
	*loop->inbox_last = node;
	loop->inbox_last = &node->next;
	/* Within the lock, so that the loop cannot be freed in between. */
	if (was_empty &&
	    write(loop->event_fd, &one, sizeof(one)) != sizeof(one))
		log_error("write of eventfd: %m");
	lock_release(&loop->lock);
}

void
loop_drain(struct http_loop *loop)
{
	struct inbox_node *node;

	lock_take(&loop->lock);
	node = loop->inbox;
	loop->inbox = NULL;
	loop->inbox_last = &loop->inbox;
	lock_release(&loop->lock);
	while (node) {
		struct inbox_node *next = node->next;

		switch (node->kind) {
		case NODE_WAKE:
			waker_arrived((struct waker *)node);
			break;
		case NODE_JOB:
			exchange_job_done((struct request *)node);
			break;
		case NODE_CONN:
			loop_adopt(loop, (struct conn *)((char *)node -
							 offsetof(struct conn,
								  node)));
			break;
		}
		node = next;
	}
}

void
loop_look_at(struct http_loop *loop, int64_t at_ns)
{
	if (loop->timer_ns == 0 || at_ns < loop->timer_ns)
		loop->timer_ns = at_ns;
}

static int
timeout_ms(const struct http_loop *loop)
{
	MHD_UNSIGNED_LONG_LONG library_ms;

	if (MHD_get_timeout(loop->mhd, &library_ms) == MHD_YES &&
	    library_ms == 0)
		return 0;
	if (loop->timer_ns == 0)
		return -1;
	return deadline_poll_ms((struct deadline){ loop->timer_ns });
}

static void
look_around(struct http_loop *loop)
{
	struct conn *next;

	if (loop->timer_ns == 0 || loop->now_ns < loop->timer_ns)
		return;
	loop->timer_ns = 0;
	if (loop->is_deaf && !loop->is_stopping)
		loop_hear(loop);
	farewell_look(loop, /* all= */ false);
	for (struct conn *conn = loop->conns; conn; conn = next) {
		next = conn->next;
		conn_look(conn);
	}
}

static void
dispatch(struct http_loop *loop, const struct epoll_event *event)
{
	struct source *source = event->data.ptr;
	uint64_t count;

	switch (source->kind) {
	case SOURCE_MHD:
		break; /* MHD_run() comes anyway */
	case SOURCE_INBOX:
		(void)!read(loop->event_fd, &count, sizeof(count));
		break;
	case SOURCE_LISTENER:
		if (!loop->is_stopping)
			loop_accept(loop, (struct listener *)source);
		break;
	case SOURCE_CONN:
		conn_event((struct conn *)source, event->events);
		break;
	case SOURCE_FAREWELL:
		farewell_event((struct farewell *)source);
		/* Freed by the next look, if it is over. */
		loop_look_at(loop, ((struct farewell *)source)->until_ns
				       ? ((struct farewell *)source)->until_ns
				       : loop->now_ns);
		break;
	}
}

static void
stop_step(struct http_loop *loop)
{
	struct http_server *server = loop->server;
	int64_t until_ns = atomic_load(&server->grace_until_ns);

	if (!atomic_load(&server->is_stopping))
		return;
	if (!loop->is_stopping) {
		loop_be_deaf(loop);
		loop->is_stopping = true;
		for (struct conn *conn = loop->conns; conn; conn = conn->next)
			conn_begin_stop(conn);
		farewell_look(loop, /* all= */ true);
	}
	if (loop->now_ns >= until_ns && !loop->is_cutting) {
		loop->is_cutting = true;
		for (struct conn *conn = loop->conns; conn; conn = conn->next)
			conn_cut(conn);
	}
	if (!loop->is_cutting)
		loop_look_at(loop, until_ns);
}

static bool
is_over(struct http_loop *loop)
{
	return loop->is_stopping && !loop->conns &&
	       atomic_load(&loop->n_conns) == 0;
}

static void *
loop_main(void *arg)
{
	struct http_loop *loop = arg;
	struct epoll_event events[EVENTS_MAX];
	int n;

	for (;;) {
		stop_step(loop);
		/* What that resumed, or cut, wants to run first. */
		(void)MHD_run(loop->mhd);
		if (is_over(loop))
			return NULL;
		n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX,
			       timeout_ms(loop));
		assert(n >= 0 || errno == EINTR);
		loop->now_ns = clock_monotonic_ns();
		for (int i = 0; i < n; i++)
			dispatch(loop, &events[i]);
		loop_drain(loop);
		look_around(loop);
	}
}

int
loop_start(struct http_loop *loop, struct skiff_error *err)
{
	char name[16];
	sigset_t all;
	sigset_t old;
	int r;

	loop_hear(loop);
	(void)sigfillset(&all);
	PTOK(pthread_sigmask(SIG_SETMASK, &all, &old));
	r = pthread_create(&loop->thread, NULL, loop_main, loop);
	PTOK(pthread_sigmask(SIG_SETMASK, &old, NULL));
	if (r != 0)
		return err_errno(err, r, "start HTTP loop");
	loop->has_thread = true;
	(void)snprintf(name, sizeof(name), "http-%d", loop->index % 100);
	(void)pthread_setname_np(loop->thread, name);
	return 0;
}

void
loop_done(struct http_loop *loop)
{
	if (loop->mhd) {
		loop_drain(loop);
		MHD_stop_daemon(loop->mhd);
	}
	farewell_look(loop, /* all= */ true);
	closep(&loop->event_fd);
	closep(&loop->epoll_fd);
	closep(&loop->spare_fd);
	lock_done(&loop->lock);
}
