/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A session with one repository of one registry: its address, who we are
 * there, and calls that authenticate themselves. Any thread; each thread
 * brings its own struct http.
 *
 * OCI distribution-spec v1.1, "Pull".
 */
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "store/registry/http.h"
#include "store/registry/reference.h"

struct remote;

struct remote_options {
	const struct reference *reference;
	const char *username; /* or NULL: anonymous */
	const char *password;
	const char *ca_file; /* or NULL */
	const struct cancel *cancel;
};

/* Copies all but cancel, which must outlive it. No connection is made. */
struct remote *remote_new(const struct remote_options *options);
void remote_free(struct remote *remote);
DEFINE_CLEANUP(struct remote *, remote_free)

/* A handle for the calling thread; freed before the remote. */
struct http *remote_http(struct remote *remote);

/* host[:port], for texts. */
const char *remote_server(const struct remote *remote);

/* kind: "manifests" or "blobs"; object: a tag or a digest. Owned. */
char *remote_url(const struct remote *remote, const char *kind,
		 const char *object);

/*
 * One call, authenticated: a 401 is answered and the call made again, at
 * most twice. Results as http_perform()'s; what is left of 401 and 403 is
 * an error (-1), other statuses are the caller's.
 */
int remote_try(struct remote *remote, struct http *http, struct http_call *call,
	       struct http_response *response, struct skiff_error *err);

/* The same with retries after what is transient, for small answers. */
int remote_call(struct remote *remote, struct http *http,
		struct http_call *call, struct http_response *response,
		struct skiff_error *err);
