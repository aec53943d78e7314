/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text encodings: hexadecimal, base64, percent (RFC 3986), UTF-8 check.
 */
#include "config.h"

#include "base/encode.h"

#include <stdint.h>
#include <string.h>

void
hex_encode(const void *data, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

void
base64_encode(const void *data, size_t len, struct strbuf *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = data;

	for (; len > 0; p += 3) {
		size_t n = len < 3 ? len : 3;
		uint32_t group = (uint32_t)p[0] << 16 |
				 (n > 1 ? (uint32_t)p[1] << 8 : 0) |
				 (n > 2 ? (uint32_t)p[2] : 0);

		strbuf_addch(out, digits[group >> 18]);
		strbuf_addch(out, digits[group >> 12 & 63]);
		strbuf_addch(out, n > 1 ? digits[group >> 6 & 63] : '=');
		strbuf_addch(out, n > 2 ? digits[group & 63] : '=');
		len -= n;
	}
}

size_t
base64_len(size_t len)
{
	return (len + 2) / 3 * 4;
}

/* What stands for c behind a backslash, or 0. */
static char
short_escape(char c)
{
	switch (c) {
	case '"':
	case '\\':
		return c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

void
json_quote(const char *text, size_t len, struct strbuf *out)
{
	strbuf_addch(out, '"');
	for (size_t i = 0; i < len; i++) {
		char escape = short_escape(text[i]);

		if (escape) {
			strbuf_addch(out, '\\');
			strbuf_addch(out, escape);
		} else if ((unsigned char)text[i] < ' ') {
			strbuf_addf(out, "\\u%04x", text[i]);
		} else {
			strbuf_addch(out, text[i]);
		}
	}
	strbuf_addch(out, '"');
}

size_t
json_quoted_len(const char *text, size_t len)
{
	size_t n = 2;

	for (size_t i = 0; i < len; i++)
		n += short_escape(text[i])	    ? 2
		     : (unsigned char)text[i] < ' ' ? 6
						    : 1;
	return n;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
percent_decode(const char *text, size_t len, struct strbuf *out)
{
	for (size_t i = 0; i < len; i++) {
		int high;
		int low;

		if (text[i] != '%') {
			strbuf_addch(out, text[i]);
			continue;
		}
		if (i + 2 >= len)
			return false;
		high = hex_value(text[i + 1]);
		low = hex_value(text[i + 2]);
		if (high < 0 || low < 0 || (high | low) == 0)
			return false;
		strbuf_addch(out, (char)(high << 4 | low));
		i += 2;
	}
	return true;
}

void
percent_encode(const char *text, struct strbuf *out)
{
	static const char unreserved[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-._~";

	for (; *text; text++) {
		if (strchr(unreserved, *text))
			strbuf_addch(out, *text);
		else
			strbuf_addf(out, "%%%02X", (unsigned char)*text);
	}
}

/* Length of the sequence that byte c begins, 0 if it begins none. */
static size_t
utf8_length(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	if (c >= 0xf0 && c <= 0xf4)
		return 4;
	return 0;
}

static bool
is_utf8_second(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

/* Bytes of the well-formed character at p, or 0. */
static size_t
utf8_character(const unsigned char *p, const unsigned char *end)
{
	size_t n = utf8_length(*p);

	if (n == 0 || n > (size_t)(end - p))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n > 1 && !is_utf8_second(p[0], p[1]) ? 0 : n;
}

bool
is_utf8(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	const unsigned char *end = p + len;

	while (p < end) {
		size_t n = utf8_character(p, end);

		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

void
utf8_repair(char *text)
{
	unsigned char *p = (unsigned char *)text;
	const unsigned char *end = p + strlen(text);

	while (p < end) {
		size_t n = utf8_character(p, end);

		if (n == 0)
			*p = '?';
		p += n ? n : 1;
	}
}
