/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the daemon may connect to on behalf of a client: rules on URLs
 * and on addresses, so that nobody makes it speak to services inside.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"

/*
 * An address after name resolution: loopback only if the reference is
 * literally loopback; link-local, multicast, unspecified and reserved ones
 * never. *ret_text is the address for people.
 */
#define ADDRESS_TEXT_SIZE 64
bool address_is_allowed(const struct sockaddr *address, bool is_loopback,
			char ret_text[ADDRESS_TEXT_SIZE]);

/*
 * https anywhere, http only between a loopback reference and a literally
 * loopback host. SKIFF_PERMISSION_DENIED, reason "address_not_allowed".
 */
int url_check(const char *scheme, const char *host, bool is_loopback,
	      struct skiff_error *err);

/*
 * "https" and "registry.example.com:5000" of a URL, owned by the caller;
 * false if it is none.
 */
bool url_parts(const char *url, char **ret_scheme, char **ret_host);

/* For texts: without query and user, which may be secrets. Owned. */
char *url_for_people(const char *url);
