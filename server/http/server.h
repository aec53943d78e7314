/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The HTTP server: listeners, event loops, and the way to stop.
 *
 *	struct http_options options = HTTP_OPTIONS_INIT;
 *	server = http_server_new(&options, routes, n, daemon, pool);
 *	http_server_listen_unix(server, path, 0660, err);
 *	http_server_listen_tcp(server, "127.0.0.1", 0, &port, err);
 *	http_server_start(server, err);
 *	…
 *	http_server_stop(server, 5000);
 *	http_server_free(server);
 *
 * new, listen, start, stop and free belong to one thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/workpool.h"
#include "http/route.h"

struct http_server;

struct http_options {
	int n_loops;
	int max_unix_connections;
	int max_tcp_connections;
	size_t json_body_max;
	/* Time limits, absolute: a byte a second does not extend them. */
	int64_t head_ms;       /* accept or request line, to end of headers */
	int64_t body_ms;       /* whole body, plus 1 s for each 64 KiB */
	int64_t write_ms;      /* an answer of which the client takes nothing */
	int64_t keep_alive_ms; /* between two requests */
	int64_t heartbeat_ms;  /* silence before a stream's idle() */
	/* Names accepted in Host over TCP; NULL-terminated. */
	const char *const *hosts;
	/*
	 * Both in a loop's thread, and may not block; NULL: not asked. What a
	 * client of the unix socket at fd may, once a connection; and whether
	 * it may have this route, before anything of the body is read: -1
	 * refuses. They get the server's context.
	 */
	uint64_t (*identify)(const struct peer *peer, int fd, void *context);
	int (*authorize)(const struct request *request, void *context,
			 struct skiff_error *err);
};

extern const char *const http_default_hosts[];

#define HTTP_OPTIONS_INIT                                                      \
	{                                                                      \
		.n_loops = 2, .max_unix_connections = 8192,                    \
		.max_tcp_connections = 1024, .json_body_max = 4 << 20,         \
		.head_ms = 10000, .body_ms = 60000, .write_ms = 30000,         \
		.keep_alive_ms = 120000, .heartbeat_ms = 15000,                \
		.hosts = http_default_hosts,                                   \
	}

/*
 * routes, context and pool must outlive the server. A table with a bad or
 * an ambiguous row aborts.
 */
struct http_server *http_server_new(const struct http_options *options,
				    const struct route *routes, size_t n_routes,
				    void *context, struct workpool *pool);

/*
 * A path that somebody answers on is SKIFF_ALREADY_EXISTS; a stale socket
 * is removed. gid of -1 leaves the group.
 */
int http_server_listen_unix(struct http_server *server, const char *path,
			    mode_t mode, gid_t gid, struct skiff_error *err);
/* Loopback only; port 0 takes a free one. */
int http_server_listen_tcp(struct http_server *server, const char *host,
			   uint16_t port, uint16_t *ret_port,
			   struct skiff_error *err);

int http_server_start(struct http_server *server, struct skiff_error *err);
/*
 * No more connections; streams say their last words, waits end with 503,
 * what runs may end within grace_ms; then every connection is closed.
 */
void http_server_stop(struct http_server *server, int64_t grace_ms);
/* After stop. Waits for handlers that still run. Removes unix paths. */
void http_server_free(struct http_server *server);
DEFINE_CLEANUP(struct http_server *, http_server_free)

/* Connections that are open now. */
int http_server_connections(const struct http_server *server);
