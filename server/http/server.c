/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: listeners, loops, start and stop.
 */
#include "config.h"

#include "http/server.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/sock.h"
#include "http/http_internal.h"

const char *const http_default_hosts[] = { "localhost", "127.0.0.1", "[::1]",
					   NULL };

struct http_server *
http_server_new(const struct http_options *options, const struct route *routes,
		size_t n_routes, void *context, struct workpool *pool)
{
	struct http_server *server = xcalloc(1, sizeof(*server));

	assert(options->n_loops > 0 && options->n_loops <= LOOPS_MAX);
	server->options = *options;
	server->context = context;
	server->pool = pool;
	server->router = router_new(routes, n_routes);
	server->has_known_layout = strcmp(MHD_get_version(), "0.9.75") == 0;
	lock_init(&server->lock, LOCK_RANK_LEAF);
	cond_init(&server->jobs_done);
	for (int i = 0; i < LOOPS_MAX; i++) {
		server->loops[i].epoll_fd = -1;
		server->loops[i].event_fd = -1;
		server->loops[i].spare_fd = -1;
	}
	return server;
}

static struct listener *
add_listener(struct http_server *server, int fd, bool is_unix)
{
	struct listener *listener = &server->listeners[server->n_listeners++];

	listener->source.kind = SOURCE_LISTENER;
	listener->server = server;
	listener->fd = fd;
	listener->is_unix = is_unix;
	return listener;
}

static int
check_room(const struct http_server *server, struct skiff_error *err)
{
	if (server->n_listeners < LISTENERS_MAX)
		return 0;
	return err_set(err, SKIFF_INVALID_ARGUMENT, "more than %d listeners",
		       LISTENERS_MAX);
}

int
http_server_listen_unix(struct http_server *server, const char *path,
			mode_t mode, gid_t gid, struct skiff_error *err)
{
	int fd;

	if (check_room(server, err) < 0 ||
	    sock_listen_unix(path, mode, gid, &fd, err) < 0)
		return -1;
	add_listener(server, fd, /* is_unix= */ true)->path = xstrdup(path);
	return 0;
}

int
http_server_listen_tcp(struct http_server *server, const char *host,
		       uint16_t port, uint16_t *ret_port,
		       struct skiff_error *err)
{
	int fd;

	if (check_room(server, err) < 0 ||
	    sock_listen_loopback(host, port, &fd, ret_port, err) < 0)
		return -1;
	add_listener(server, fd, /* is_unix= */ false)->port = *ret_port;
	return 0;
}

int
http_server_start(struct http_server *server, struct skiff_error *err)
{
	for (int i = 0; i < server->options.n_loops; i++)
		if (loop_init(&server->loops[i], server, i, err) < 0)
			return -1;
	for (int i = 0; i < server->options.n_loops; i++)
		if (loop_start(&server->loops[i], err) < 0)
			return -1;
	return 0;
}

void
http_server_stop(struct http_server *server, int64_t grace_ms)
{
	uint64_t one = 1;

	atomic_store(&server->grace_until_ns,
		     clock_monotonic_ns() + grace_ms * NS_PER_MS);
	atomic_store(&server->is_stopping, true);
	for (int i = 0; i < server->options.n_loops; i++)
		if (server->loops[i].has_thread)
			(void)!write(server->loops[i].event_fd, &one,
				     sizeof(one));
	for (int i = 0; i < server->options.n_loops; i++) {
		if (server->loops[i].has_thread)
			PTOK(pthread_join(server->loops[i].thread, NULL));
		server->loops[i].has_thread = false;
	}
}

static void
wait_for_jobs(struct http_server *server)
{
	lock_take(&server->lock);
	while (server->n_jobs > 0)
		(void)cond_wait(&server->jobs_done, &server->lock,
				DEADLINE_NEVER);
	lock_release(&server->lock);
}

void
http_server_free(struct http_server *server)
{
	if (!server)
		return;
	http_server_stop(server, 0);
	/* A late job may lead to an upload's abort: that is one more. */
	for (int i = 0; i < 2; i++) {
		wait_for_jobs(server);
		for (int k = 0; k < server->options.n_loops; k++)
			if (server->loops[k].mhd)
				loop_drain(&server->loops[k]);
	}
	wait_for_jobs(server);
	for (int i = 0; i < server->options.n_loops; i++)
		if (server->loops[i].server)
			loop_done(&server->loops[i]);
	for (size_t i = 0; i < server->n_listeners; i++) {
		closep(&server->listeners[i].fd);
		if (server->listeners[i].path)
			(void)unlink(server->listeners[i].path);
		free(server->listeners[i].path);
	}
	router_free(server->router);
	PTOK(pthread_cond_destroy(&server->jobs_done));
	lock_done(&server->lock);
	free(server);
}

int
http_server_connections(const struct http_server *server)
{
	return atomic_load(&server->n_unix) + atomic_load(&server->n_tcp);
}
