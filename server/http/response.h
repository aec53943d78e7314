/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a handler may answer.
 *
 * A response belongs to the handler until it is put into *ret; then to the
 * transport. Sizes and content are copied or taken over as each says.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"

struct response;

/* application/json; json is borrowed. */
struct response *response_json(int status, const json_t *json);
/* application/json; takes the heap text. */
struct response *response_json_text(int status, char *text, size_t len);
/* Any type; takes the heap data. content_type is copied. */
struct response *response_data(int status, const char *content_type, char *data,
			       size_t len);
/* Any type; data stays where it is for as long as the program runs. */
struct response *response_static(int status, const char *content_type,
				 const char *data, size_t len);
/* text/plain; copies. */
struct response *response_text(int status, const char *text);
struct response *response_empty(int status);
/* length bytes from offset, by sendfile(2); takes fd. */
struct response *response_file(int status, const char *content_type, int fd,
			       uint64_t offset, uint64_t length);

/* Copies. Neither may hold control characters. */
void response_header(struct response *response, const char *name,
		     const char *value);
void response_headerf(struct response *response, const char *name,
		      const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void response_free(struct response *response);
DEFINE_CLEANUP(struct response *, response_free)

/*
 * A body that is made while it is sent. All three run in the loop's
 * thread, never two at once, and may block no longer than a short read of
 * the database. free runs exactly once, whatever happens: end of stream,
 * client gone, server stopping, HEAD (which never reads).
 */
struct stream_ops {
	/*
	 * Puts up to max bytes (at least 1024) into buf. Bytes put; 0 for
	 * nothing now: sleep until the waker is woken; -1 for the end.
	 */
	ssize_t (*read)(void *arg, char *buf, size_t max);
	/*
	 * Optional: asked after 15 s without a byte, instead of sleeping
	 * on; what it puts keeps proxies and dead connections honest. 0 is
	 * allowed.
	 */
	ssize_t (*idle)(void *arg, char *buf, size_t max);
	/*
	 * Optional: the server stops. read is called once more and as long
	 * as it gives bytes; 0 or -1 then ends the stream. Streams without
	 * it end at once.
	 */
	void (*stopping)(void *arg);
	void (*free)(void *arg);
};

struct response *response_stream(int status, const char *content_type,
				 const struct stream_ops *ops, void *arg);

/*
 * An answer that is not there yet. poll runs in the loop's thread: once at
 * once, after each wake-up, and a last time with timed_out when the
 * deadline has passed. It returns 0 with *ret (NULL: go on waiting; not
 * allowed when timed_out), or -1 for a problem. A client that goes away or
 * a server that stops ends the wait without a poll. free runs exactly once.
 * Headers of this one are those of the answer, too, also of a problem.
 *
 * Where the answer takes longer to make than a loop may stand still, poll
 * returns WAIT_FINISH when it can be made: then finish makes it on a
 * worker, whether or not the client is still there, and free runs there.
 */
enum { WAIT_FINISH = 1 };

struct wait_ops {
	int (*poll)(void *arg, bool timed_out, struct response **ret,
		    struct skiff_error *err);
	/* Optional; of a route that is not ROUTE_INLINE. */
	int (*finish)(void *arg, struct response **ret,
		      struct skiff_error *err);
	void (*free)(void *arg);
};

struct response *response_wait(const struct wait_ops *ops, void *arg,
			       struct deadline deadline);
