/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A body, or a whole connection, that moves between a socket and files
 * without a copy in this process: pieces of files go out by sendfile(2),
 * and what the client sends is handed on as far as it is wanted. A client
 * that reads slowly, or not at all, costs a descriptor and no buffer.
 *
 *	static int
 *	output(void *arg, struct relay_piece *ret_piece)
 *	{
 *		…
 *		*ret_piece = (struct relay_piece){ .fd = fd, .len = n };
 *		return 1;
 *	}
 *	*ret = response_relay(200, type, &ops, arg, RELAY_TO_THE_END);
 *
 * The answer is a body of the given length, or chunked; the connection
 * ends with it. response_upgrade() answers 101 instead, and the bytes of
 * both directions are what the handler makes of them.
 *
 * All of relay_ops run in the loop's thread, never two at once, may not
 * block, and free runs exactly once. A relay sleeps when output gives 0;
 * the request's waker wakes it.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/response.h"

struct relay_piece {
	/* First bytes of memory, which stay until output is asked again; */
	const void *data;
	size_t data_len;
	/* then len bytes of a file, which are there. */
	int fd;
	uint64_t offset;
	uint64_t len;
};

struct relay_ops {
	/*
	 * Asked when all that it gave is sent. 1 with the next piece; 0 for
	 * nothing now; -1 for the end; -2 for an end that the client shall
	 * not take for one: the body is broken off.
	 */
	int (*output)(void *arg, struct relay_piece *ret_piece);
	/*
	 * Optional: takes bytes from the client, and gives how many it
	 * took; the rest comes again after a wake-up. len of 0 says that
	 * the client sends no more. -1 ends the relay.
	 */
	ssize_t (*input)(void *arg, const char *data, size_t len);
	/*
	 * Optional: a piece is still waiting for the client to read, and
	 * the relay was woken. True gives the client up.
	 */
	bool (*is_lost)(void *arg);
	/*
	 * Optional: the server stops. output is asked as long as it gives
	 * pieces; 0 or -1 then ends the relay. Without it it ends at once.
	 */
	void (*stopping)(void *arg);
	void (*free)(void *arg);
};

#define RELAY_TO_THE_END UINT64_MAX

/* A body of length bytes (chunked: RELAY_TO_THE_END). */
struct response *response_relay(int status, const char *content_type,
				const struct relay_ops *ops, void *arg,
				uint64_t length);
/*
 * 101: the client must have asked for the protocol by Upgrade (see
 * request_upgrade()). content_type may be NULL.
 */
struct response *response_upgrade(const char *protocol,
				  const char *content_type,
				  const struct relay_ops *ops, void *arg);
