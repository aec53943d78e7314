/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A growable byte buffer, always NUL-terminated.
 *
 *	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
 *	strbuf_addf(&out, "%s/%s", dir, name);
 *	return strbuf_steal(&out);
 */
#include <stdarg.h>
#include <stddef.h>

struct strbuf {
	char *buf;  /* never NULL; "" while empty */
	size_t len; /* without the final NUL */
	size_t cap; /* 0 while buf is the shared empty string */
};

extern char strbuf_empty[1];

#define STRBUF_INIT                                                            \
	{                                                                      \
		.buf = strbuf_empty                                            \
	}

void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_adds(struct strbuf *sb, const char *text);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes room for extra more bytes and returns where they begin. */
char *strbuf_grow(struct strbuf *sb, size_t extra);
/* Tells that n bytes were written at the place strbuf_grow() returned. */
void strbuf_advance(struct strbuf *sb, size_t n);
/* Empties; keeps the memory. */
void strbuf_reset(struct strbuf *sb);
/* The heap string, owned by the caller; the buffer is empty again. */
char *strbuf_steal(struct strbuf *sb);
void strbuf_done(struct strbuf *sb);
