/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * WWW-Authenticate: what a server wants to see before it answers
 * (RFC 9110 §11.6.1; Basic RFC 7617; Bearer with realm, service and scope
 * as the distribution project's token specification has it).
 */
#include <stdbool.h>

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_scheme scheme;
	char *realm; /* all four NULL when absent */
	char *service;
	char *scope;
	char *error; /* "invalid_token", "insufficient_scope" */
};

/*
 * The strongest challenge of one header line that Skiff can answer: a
 * Bearer with a realm before a Basic one. False if there is none, or the
 * line is malformed before it. Parts are bounded by the line itself.
 */
bool challenge_parse(const char *line, struct challenge *ret_challenge);
void challenge_done(struct challenge *challenge);
