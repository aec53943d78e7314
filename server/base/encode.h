/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Text encodings: hexadecimal, base64, percent (RFC 3986), JSON's strings
 * (RFC 8259, section 7), UTF-8 check.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* Lower case; text needs 2 * len + 1 bytes. */
void hex_encode(const void *data, size_t len, char *text);

/* RFC 4648 §4, with padding. */
void base64_encode(const void *data, size_t len, struct strbuf *out);
size_t base64_len(size_t len);

/* Appends text, which is UTF-8, as a JSON string with its quotes. */
void json_quote(const char *text, size_t len, struct strbuf *out);
size_t json_quoted_len(const char *text, size_t len);

/*
 * Decodes %XX in len bytes of text. False on a broken escape or on %00;
 * '+' stays '+'.
 */
bool percent_decode(const char *text, size_t len, struct strbuf *out);
/* Escapes everything but RFC 3986's unreserved characters. */
void percent_encode(const char *text, struct strbuf *out);

/* RFC 3629: no overlong forms, no surrogates, at most U+10FFFF. */
bool is_utf8(const char *text, size_t len);
/* Each byte that keeps text from being UTF-8 becomes '?'. */
void utf8_repair(char *text);
