/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer. It doubles, and aborts on exhaustion: whatever
 * comes from outside is bounded before it is added.
 */
#include "config.h"

#include "base/strbuf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

char strbuf_empty[1];

char *
strbuf_grow(struct strbuf *sb, size_t extra)
{
	size_t need = sb->len + extra + 1;

	assert(need > extra);
	if (need > sb->cap) {
		size_t cap = sb->cap ? sb->cap : 64;

		while (cap < need)
			cap *= 2;
		sb->buf = xrealloc(sb->cap ? sb->buf : NULL, cap, 1);
		sb->cap = cap;
		sb->buf[sb->len] = '\0';
	}
	return sb->buf + sb->len;
}

void
strbuf_advance(struct strbuf *sb, size_t n)
{
	assert(sb->len + n < sb->cap || n == 0);
	sb->len += n;
	if (sb->cap)
		sb->buf[sb->len] = '\0';
}

void
strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
	if (len == 0)
		return;
	memcpy(strbuf_grow(sb, len), data, len);
	strbuf_advance(sb, len);
}

void
strbuf_adds(struct strbuf *sb, const char *text)
{
	strbuf_add(sb, text, strlen(text));
}

void
strbuf_addch(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void
strbuf_addf(struct strbuf *sb, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = xvasprintf(format, ap);
	va_end(ap);
	strbuf_adds(sb, text);
}

void
strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	if (sb->cap)
		sb->buf[0] = '\0';
}

char *
strbuf_steal(struct strbuf *sb)
{
	char *text;

	(void)strbuf_grow(sb, 0);
	text = sb->buf;
	*sb = (struct strbuf)STRBUF_INIT;
	return text;
}

void
strbuf_done(struct strbuf *sb)
{
	if (sb->cap)
		free(sb->buf);
	*sb = (struct strbuf)STRBUF_INIT;
}
