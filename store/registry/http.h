/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP as a registry client needs it, over libcurl.
 *
 * Rules that hold for every call, redirects included:
 *   - https; plain http only between a reference that is literally
 *     loopback and an address that is;
 *   - the address is checked after name resolution, when the socket is
 *     made: loopback only for a literally loopback reference; link-local,
 *     multicast and unspecified addresses never;
 *   - at most five redirects, never from https to http, and credentials
 *     stay with the scheme, host and port they were given for;
 *   - a connection is made within 10 s; fewer than 1 KiB/s for 30 s is a
 *     stall, which is an error.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strv.h"

/* A wish to stop, seen by everything that has it or its parent. */
struct cancel {
	atomic_bool is_set;
	const struct cancel *parent;
};
bool cancel_is_set(const struct cancel *cancel); /* NULL: never */
/* SKIFF_CANCELLED. */
int cancel_error(struct skiff_error *err);

struct http_policy {
	bool is_loopback;    /* the reference is literally loopback */
	const char *ca_file; /* trusted besides the system's, or NULL */
	const struct cancel *cancel;
};

/* A curl handle that keeps its connections. One thread at a time. */
struct http;

/* Whether the policy's wish to stop is set. */
bool http_is_cancelled(const struct http *http);

/* policy's pointers are borrowed for the handle's life. */
struct http *http_new(const struct http_policy *policy);
void http_free(struct http *http);
DEFINE_CLEANUP(struct http *, http_free)

/* Returns -1 with *err to break the transfer off. */
typedef int (*http_body_fn)(void *arg, const void *data, size_t len,
			    struct skiff_error *err);

struct http_call {
	const char *url;
	bool is_head;
	bool no_redirects;
	int timeout_s;	      /* for the whole call; 0: none */
	const char *accept;   /* header's value, or NULL */
	const char *username; /* for Basic, or NULL */
	const char *password; /* with username */
	const char *bearer;   /* token, or NULL */
	int64_t offset;	      /* > 0: Range: bytes=offset- */
	size_t body_max;      /* of what goes to response.body */
	http_body_fn body;    /* gets the body of a 200 or 206 instead */
	void *body_arg;
};

struct http_response {
	int status;
	bool is_transient;	/* of a failure: it may work the next time */
	int retry_after_s;	/* -1: not said */
	int64_t length;		/* Content-Length, or -1 */
	int64_t range_start;	/* of Content-Range, or -1 */
	char *content_type;	/* without parameters, lower case; or NULL */
	char *digest;		/* Docker-Content-Digest, or NULL */
	struct strv challenges; /* WWW-Authenticate, a line each */
	struct strbuf body;
};
#define HTTP_RESPONSE_INIT                                                     \
	{                                                                      \
		.retry_after_s = -1, .length = -1, .range_start = -1,          \
		.body = STRBUF_INIT                                            \
	}
void http_response_done(struct http_response *response);

/*
 * One call with its redirects. 0 for every status that is an answer; -1
 * when there was none: SKIFF_UNAVAILABLE with curl's words,
 * SKIFF_PERMISSION_DENIED (reason "address_not_allowed"),
 * SKIFF_TOO_LARGE, SKIFF_CANCELLED, or the error of call->body. *response
 * is initialised by the caller and filled in both cases.
 */
int http_perform(struct http *http, const struct http_call *call,
		 struct http_response *response, struct skiff_error *err);

/* Whether a status says "later, perhaps": 408, 429, most of 5xx. */
bool http_status_is_transient(int status);

/*
 * Sleeps after a failure that is transient: as long as Retry-After says,
 * at most a minute, else growing from 200 ms (after a 429 from 1 s) with
 * jitter. False: give up, since HTTP_ATTEMPTS failures were seen, the
 * server asks for more time than a pull has, or the call is cancelled.
 */
#define HTTP_ATTEMPTS 5
struct http_patience {
	int n_failures;
	int64_t waited_ms;
};
bool http_back_off(struct http *http, struct http_patience *patience,
		   const struct http_response *response);
