/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that cannot fail: every wrapper aborts on exhaustion.
 */
#include "config.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
checked(void *pointer)
{
	if (!pointer) {
		(void)fputs("skiff: out of memory\n", stderr);
		abort();
	}
	return pointer;
}

void *
xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *
xcalloc(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size ? size : 1));
}

void *
xrealloc(void *old, size_t n, size_t size)
{
	return checked(reallocarray(old, n ? n : 1, size ? size : 1));
}

char *
xstrdup(const char *text)
{
	return checked(strdup(text));
}

char *
xstrndup(const char *text, size_t len)
{
	return checked(strndup(text, len));
}

void *
xmemdup(const void *data, size_t len)
{
	void *copy = xmalloc(len);

	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

char *
xvasprintf(const char *format, va_list ap)
{
	char *text = NULL;
	int n = vasprintf(&text, format, ap);

	return checked(n < 0 ? NULL : text);
}

char *
xasprintf(const char *format, ...)
{
	char *text;
	va_list ap;

	va_start(ap, format);
	text = xvasprintf(format, ap);
	va_end(ap);
	return text;
}
