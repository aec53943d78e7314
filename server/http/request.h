/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a handler may ask of the request in its hands.
 *
 *	static int
 *	image_get(struct request *request, void *context,
 *		  struct response **ret, struct skiff_error *err)
 *	{
 *		const char *ns = request_param(request, "ns");
 *		…
 *		*ret = response_json(200, json);
 *		return 0;
 *	}
 *
 * Everything returned is borrowed and lives until the handler (for an
 * upload: finish or abort) has returned. One thread at a time: the one
 * that runs the handler. What outlives the handler (the arg of a stream or
 * of a wait) copies what it needs.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/json.h"
#include "http/waker.h"

struct request;

/* Bits, so that a set of methods is an int. */
enum http_method {
	HTTP_GET = 1,
	HTTP_HEAD = 2,
	HTTP_POST = 4,
	HTTP_PUT = 8,
	HTTP_PATCH = 16,
	HTTP_DELETE = 32,
	HTTP_OPTIONS = 64,
};

/* Who is at the other end; uid, gid, pid only for the unix socket. */
struct peer {
	bool is_unix;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	uint64_t rights; /* what http_options.identify made of it, else 0 */
};

/* HEAD runs the handler of GET. */
/* The path as it was sent, still escaped, without the query. */
const char *request_path(const struct request *request);
/* 1 to 128 visible characters, also in the answer's Skiff-Request-Id. */
const char *request_id(const struct request *request);
const struct peer *request_peer(const struct request *request);

/*
 * Value of {name} or {name*} of the route's pattern, decoded. Asking for a
 * name that the pattern does not have is a bug and aborts.
 */
const char *request_param(const struct request *request, const char *name);
/* The same; NULL when the pattern does not have it. */
const char *request_find_param(const struct request *request, const char *name);
/* The row of the table; enum route_flags. */
unsigned int request_route_flags(const struct request *request);

/*
 * Query values, decoded; NULL (or the fallback) when the key is absent.
 * Bad values are SKIFF_INVALID_ARGUMENT naming the parameter.
 */
const char *request_query(const struct request *request, const char *key);
/*
 * Walks the values of a key that may be repeated ("filter*" in the route):
 * size_t at = 0; while ((text = request_query_next(r, "filter", &at))) …
 */
const char *request_query_next(const struct request *request, const char *key,
			       size_t *at);
int request_query_u64(const struct request *request, const char *key,
		      uint64_t max, uint64_t fallback, uint64_t *ret_value,
		      struct skiff_error *err);
int request_query_bool(const struct request *request, const char *key,
		       bool fallback, bool *ret_value, struct skiff_error *err);
/* "1.5" (seconds) or "1m30s", into nanoseconds. */
int request_query_duration(const struct request *request, const char *key,
			   int64_t fallback_ns, int64_t *ret_ns,
			   struct skiff_error *err);

/* The first header of that name (case does not matter), or NULL. */
const char *request_header(const struct request *request, const char *name);
/* True when Accept names this media type itself (a wildcard does not). */
bool request_accepts(const struct request *request, const char *media_type);

/*
 * The protocol that the client would change to (the first of Upgrade), or
 * NULL when it asked for none.
 */
const char *request_upgrade(const struct request *request, char *buf,
			    size_t cap);

/*
 * If-Match: 1 and *ret_revision for "<revision>", 0 when absent or "*".
 * SKIFF_INVALID_ARGUMENT for anything else.
 */
int request_if_match(const struct request *request, uint64_t *ret_revision,
		     struct skiff_error *err);

/* False for no body and for a body of no bytes. */
bool request_has_body(const struct request *request);
/*
 * The body as JSON; borrowed, parsed once. SKIFF_UNSUPPORTED_MEDIA_TYPE
 * unless it is application/json or application/merge-patch+json (on the
 * unix socket also curl's default type, or none); SKIFF_INVALID_ARGUMENT
 * for what json_parse() refuses and for an empty body.
 */
int request_json(struct request *request, json_t **ret_json,
		 struct skiff_error *err);

/*
 * All faults of the body: when there are any and the handler returns -1,
 * they become the problem's "errors".
 */
struct json_faults *request_faults(struct request *request);
/*
 * Shown as "log" in the problem, should the handler give -1: a text too
 * long for an error. Taken over; NULL does nothing.
 */
void request_set_log(struct request *request, char *log);
/* The object of problems whose error names none. kind is static. */
void request_object(struct request *request, const char *static_kind,
		    const char *id);

/* A new reference, for whoever shall wake this exchange's stream or wait. */
struct waker *request_waker(struct request *request);
/* True once the client has gone: long jobs may look. Any thread. */
bool request_is_cancelled(const struct request *request);

/* An upload's own state: what open() made, for write, finish, abort. */
void request_set_state(struct request *request, void *state);
void *request_state(const struct request *request);
/* Content-Length of the body, or -1 when it is chunked. */
int64_t request_body_length(const struct request *request);
