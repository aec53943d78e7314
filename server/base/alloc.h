/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Allocation that cannot fail.
 *
 * Small allocations abort on exhaustion: containers live on in their
 * shims and a restart recovers. Sizes that come from outside are bounded
 * before they get here.
 */
#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *old, size_t n, size_t size)
    __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *text, size_t len)
    __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *data, size_t len)
    __attribute__((malloc, returns_nonnull));
char *xvasprintf(const char *format, va_list ap)
    __attribute__((format(printf, 1, 0), malloc, returns_nonnull));
char *xasprintf(const char *format, ...)
    __attribute__((format(printf, 1, 2), malloc, returns_nonnull));
