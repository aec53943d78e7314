/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Stream sockets: listening on a path or on loopback, connecting to a path.
 *
 * All descriptors are close-on-exec; listening ones do not block.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Listens on a path with these permission bits, whatever the umask. A gid
 * of -1 leaves the group. A socket that nobody answers on is replaced;
 * SKIFF_ALREADY_EXISTS when somebody does, or when the path is something
 * else; SKIFF_INVALID_ARGUMENT when it does not fit a socket address (107
 * bytes).
 */
int sock_listen_unix(const char *path, mode_t mode, gid_t gid, int *ret_fd,
		     struct skiff_error *err);

/* Blocking. */
int sock_connect_unix(const char *path, int *ret_fd, struct skiff_error *err);

/*
 * host: "localhost", "::1", "[::1]" or an address in 127.0.0.0/8, all else
 * is SKIFF_INVALID_ARGUMENT. Port 0 takes a free one.
 */
int sock_listen_loopback(const char *host, uint16_t port, int *ret_fd,
			 uint16_t *ret_port, struct skiff_error *err);
