/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An owned, NULL-terminated vector of strings: argv, env, layer lists.
 *
 *	CLEANUP(strv_done) struct strv args = STRV_INIT;
 *	strv_add(&args, "runc");
 *	strv_addf(&args, "--root=%s", root);
 *	execv(path, args.items);
 */
#include <stdbool.h>
#include <stddef.h>

struct strv {
	char **items; /* NULL while empty, else items[n] is NULL */
	size_t n;
	size_t cap;
};

#define STRV_INIT                                                              \
	{                                                                      \
		.items = NULL                                                  \
	}

void strv_add(struct strv *strv, const char *text);
void strv_addf(struct strv *strv, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes over a heap string. */
void strv_add_owned(struct strv *strv, char *text);
bool strv_has(const struct strv *strv, const char *text);
void strv_done(struct strv *strv);
