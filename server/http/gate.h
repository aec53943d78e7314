/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The strict gate: what a request's head must look like before anything
 * else is believed.
 *
 * libmicrohttpd accepts two Hosts, two lengths, a length beside chunks,
 * bare line feeds, folded lines and NULs: the stuff of request smuggling
 * (RFC 9112 §11.2). Whatever the gate refuses is answered with a problem
 * and the connection is closed, so that no byte behind it is ever taken
 * for a request.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "http/request.h"

#define HEADERS_MAX 64

struct header {
	const char *name;
	const char *value;
	size_t name_len;
	size_t value_len;
};

struct head {
	/* in: */
	const char *method;
	const char *target; /* where it lies in the library's buffer */
	size_t target_len;
	const char *version;
	size_t n_headers; /* HEADERS_MAX + 1 when there were more */
	struct header headers[HEADERS_MAX];
	/* out: */
	enum http_method known_method;
	int64_t content_length; /* -1: none */
	bool is_chunked;
	bool wants_continue;
	const char *host; /* NULL in HTTP/1.0 without one */
};

/* Fills the lower half of head. */
int gate_check(struct head *head, struct skiff_error *err);

/*
 * Every part of the head must lie exactly where it lies when all lines end
 * with CRLF; end is the first byte behind the head. For version 0.9.75 of
 * the library, which turns the delimiters of its buffer into NULs and
 * leaves the rest in place: a bare LF, a NUL or a folded line moves
 * something. (A NUL that stands before a bare LF passes for a CR.)
 */
int gate_check_layout(const struct head *head, const char *end,
		      struct skiff_error *err);

/*
 * Host over TCP: one of names, with the port of the listener or none.
 * SKIFF_MISDIRECTED.
 */
int gate_check_host(const char *host, const char *const *names, uint16_t port,
		    struct skiff_error *err);

/* The first header of that name, or NULL. */
const struct header *head_find(const struct header *headers, size_t n,
			       const char *name);
