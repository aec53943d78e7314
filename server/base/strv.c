/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An owned, NULL-terminated vector of strings.
 */
#include "config.h"

#include "base/strv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void
strv_add_owned(struct strv *strv, char *text)
{
	if (strv->n + 2 > strv->cap) {
		strv->cap = strv->cap ? 2 * strv->cap : 8;
		strv->items =
		    xrealloc(strv->items, strv->cap, sizeof(*strv->items));
	}
	strv->items[strv->n++] = text;
	strv->items[strv->n] = NULL;
}

void
strv_add(struct strv *strv, const char *text)
{
	strv_add_owned(strv, xstrdup(text));
}

void
strv_addf(struct strv *strv, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	strv_add_owned(strv, xvasprintf(format, ap));
	va_end(ap);
}

bool
strv_has(const struct strv *strv, const char *text)
{
	for (size_t i = 0; i < strv->n; i++)
		if (strcmp(strv->items[i], text) == 0)
			return true;
	return false;
}

void
strv_done(struct strv *strv)
{
	for (size_t i = 0; i < strv->n; i++)
		free(strv->items[i]);
	free(strv->items);
	*strv = (struct strv)STRV_INIT;
}
