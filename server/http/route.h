/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The route table: which handler answers which method and path.
 *
 *	static const struct route routes[] = {
 *		{ HTTP_GET, "/v1/namespaces/{ns}/images/{name*}",
 *		  "image_get", ROUTE_INLINE, .query = "fields",
 *		  .handler = image_get },
 *
 * Patterns: {x} is one segment, {x*} one or more joined with '/', which
 * literal segments may follow. Segments are split first and decoded after,
 * so a%2Fb is the one segment "a/b". Literals win over parameters, whatever
 * the method. HEAD is served by GET's row, OPTIONS by the transport.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "http/request.h"
#include "http/response.h"

/* Returns 0 with *ret, or -1 and *err, which becomes a problem. */
typedef int (*handler_fn)(struct request *request, void *context,
			  struct response **ret, struct skiff_error *err);

enum route_kind {
	ROUTE_INLINE, /* in the loop: no longer than a short read */
	ROUTE_WORKER, /* on a worker: may block */
	ROUTE_SLOW,   /* on a worker, but on at most half of them */
};

enum route_flags {
	ROUTE_PUBLIC = 1,	/* GET and HEAD answer without a token */
	ROUTE_LASTING_BODY = 2, /* upload without a time limit (stdin) */
	ROUTE_COMMON = 4,	/* for http_options.authorize to know */
};

/*
 * A body that is not kept in memory. open, write, finish and abort run on
 * workers, one at a time; between them the upload holds no thread.
 * Headers, parameters and request_state() stay valid throughout.
 */
struct upload_ops {
	/* When the headers are there. -1 refuses; nothing else is called. */
	int (*open)(struct request *request, void *context,
		    struct skiff_error *err);
	/* The next bytes, in order, len > 0. -1 refuses; abort follows. */
	int (*write)(struct request *request, void *context, const char *data,
		     size_t len, struct skiff_error *err);
	/*
	 * In place of write, in the loop's thread, without blocking: gives
	 * how many bytes it took. The rest comes again when the request's
	 * waker was woken; until then the client is held up. -1 refuses;
	 * abort follows, in the loop's thread as well.
	 */
	ssize_t (*take)(struct request *request, void *context,
			const char *data, size_t len, struct skiff_error *err);
	/* The body is complete: the answer, or -1. No abort after this. */
	handler_fn finish;
	/* The client is gone or write failed: let go of what open took. */
	void (*abort)(struct request *request, void *context);
};

struct route {
	enum http_method method;
	const char *pattern;
	const char *operation_id;
	enum route_kind kind;
	unsigned int flags;
	/*
	 * Query keys, separated by spaces; NULL for none. "filter*" may be
	 * repeated. Any other key is SKIFF_INVALID_ARGUMENT.
	 */
	const char *query;
	handler_fn handler; /* NULL with upload */
	/* For POST, PUT, PATCH; kind tells which queue runs the jobs. */
	const struct upload_ops *upload;
};
