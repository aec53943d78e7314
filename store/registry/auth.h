/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who we are to one registry: anonymous or with a password, by Basic or
 * by Bearer tokens that a token server gives out.
 *
 * One struct auth serves one session with one repository, so what one
 * client was given never works for another. Any thread. Credentials are
 * sent to the registry itself, and to a token server only if its host is
 * the registry's or shares its registered domain. They are never logged.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "store/registry/http.h"

struct auth;

struct auth_options {
	const char *server;   /* host[:port] of the registry */
	const char *scope;    /* "repository:library/busybox:pull" */
	const char *username; /* or NULL */
	const char *password;
};

/* Copies everything. */
struct auth *auth_new(const struct auth_options *options);
void auth_free(struct auth *auth);
DEFINE_CLEANUP(struct auth *, auth_free)

/*
 * What was sent with one call. token is owned; done with
 * auth_ticket_done().
 */
struct auth_ticket {
	unsigned int generation;
	char *token;
};
void auth_ticket_done(struct auth_ticket *ticket);

/* Puts what is known into the call; it borrows from ticket and auth. */
void auth_apply(struct auth *auth, struct http_call *call,
		struct auth_ticket *ret_ticket);

/*
 * After a 401: gets what the challenge asks for, or sees that another
 * thread has got it. 0: try again with auth_apply(). SKIFF_UNAUTHENTICATED
 * when nothing more can be offered (the caller adds the registry's words),
 * SKIFF_REGISTRY_ERROR when the token server fails.
 */
int auth_answer(struct auth *auth, struct http *http,
		const struct http_response *response,
		const struct auth_ticket *ticket, struct skiff_error *err);

/* Whether a token server may see the registry's credentials. */
bool auth_is_same_party(const char *server, const char *realm_host);
