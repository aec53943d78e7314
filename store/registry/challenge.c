/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WWW-Authenticate, by a scanner: a line holds several challenges, and
 * commas part both challenges and parameters, so a token is a scheme
 * unless '=' follows it.
 */
#include "config.h"

#include "store/registry/challenge.h"

#include <ctype.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"

static bool
is_token_char(char c)
{
	return isascii((unsigned char)c) &&
	       (isalnum((unsigned char)c) ||
		(c && strchr("!#$%&'*+-.^_`|~", c)));
}

static void
skip_space(const char **p)
{
	while (**p == ' ' || **p == '\t')
		(*p)++;
}

static void
skip_commas(const char **p)
{
	while (**p == ' ' || **p == '\t' || **p == ',')
		(*p)++;
}

/* NULL when there is none here. */
static char *
scan_token(const char **p)
{
	const char *start = *p;

	while (is_token_char(**p))
		(*p)++;
	return *p == start ? NULL : xstrndup(start, (size_t)(*p - start));
}

/* token or "quoted \" string"; NULL when malformed. */
static char *
scan_value(const char **p)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

	if (**p != '"')
		return scan_token(p);
	for ((*p)++; **p != '"'; (*p)++) {
		if (**p == '\\')
			(*p)++;
		if (**p == '\0' || iscntrl((unsigned char)**p))
			return NULL;
		strbuf_addch(&out, **p);
	}
	(*p)++;
	return strbuf_steal(&out);
}

/* token68, as in "Negotiate YWJj==": it may stand instead of parameters. */
static void
skip_token68(const char **p)
{
	const char *at = *p;

	while (is_token_char(*at) || *at == '/')
		at++;
	while (*at == '=')
		at++;
	if (*at == '\0' || *at == ',' || *at == ' ')
		*p = at;
}

static void
keep_param(struct challenge *challenge, const char *name, char *value)
{
	char **member = NULL;

	if (strcasecmp(name, "realm") == 0)
		member = &challenge->realm;
	else if (strcasecmp(name, "service") == 0)
		member = &challenge->service;
	else if (strcasecmp(name, "scope") == 0)
		member = &challenge->scope;
	else if (strcasecmp(name, "error") == 0)
		member = &challenge->error;
	if (member && !*member)
		*member = value;
	else
		free(value);
}

/* Parameters up to the next scheme. False: malformed. */
static bool
scan_params(const char **p, struct challenge *challenge)
{
	for (;;) {
		cleanup_free char *name = NULL;
		const char *start;
		char *value;

		skip_commas(p);
		start = *p;
		name = scan_token(p);
		if (!name)
			return **p == '\0';
		skip_space(p);
		if (**p != '=') {
			*p = start;
			return true;
		}
		(*p)++;
		skip_space(p);
		value = scan_value(p);
		if (!value)
			return false;
		keep_param(challenge, name, value);
	}
}

/* One challenge. False: malformed, or the end. */
static bool
scan_challenge(const char **p, struct challenge *challenge)
{
	cleanup_free char *scheme = NULL;

	skip_commas(p);
	scheme = scan_token(p);
	if (!scheme || (**p && **p != ' ' && **p != '\t' && **p != ','))
		return false;
	if (strcasecmp(scheme, "basic") == 0)
		challenge->scheme = CHALLENGE_BASIC;
	else if (strcasecmp(scheme, "bearer") == 0)
		challenge->scheme = CHALLENGE_BEARER;
	skip_space(p);
	if (challenge->scheme == CHALLENGE_NONE)
		skip_token68(p);
	return scan_params(p, challenge);
}

void
challenge_done(struct challenge *challenge)
{
	free(challenge->realm);
	free(challenge->service);
	free(challenge->scope);
	free(challenge->error);
	*challenge = (struct challenge){ 0 };
}

bool
challenge_parse(const char *line, struct challenge *ret_challenge)
{
	CLEANUP(challenge_done) struct challenge best = { 0 };

	for (;;) {
		CLEANUP(challenge_done) struct challenge next = { 0 };
		bool is_sound = scan_challenge(&line, &next);

		if (!is_sound)
			break;
		if (next.scheme == CHALLENGE_BEARER && !next.realm)
			continue;
		if (next.scheme > best.scheme) {
			challenge_done(&best);
			best = next;
			next = (struct challenge){ 0 };
		}
	}
	if (best.scheme == CHALLENGE_NONE)
		return false;
	*ret_challenge = best;
	best = (struct challenge){ 0 };
	return true;
}
