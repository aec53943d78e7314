/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cursors: base64url (RFC 4648 §5, without padding) of four bytes of
 * check and the last key.
 */
#include "config.h"

#include "store/page.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"

#define CHECK_BYTES 4

static uint32_t
mix(uint32_t hash, const char *text)
{
	/* FNV-1a, the final NUL with it, so that "a","bc" is not "ab","c". */
	do
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	while (*text++);
	return hash;
}

static void
make_check(int list, const char *ns, const char *key,
	   unsigned char check[CHECK_BYTES])
{
	uint32_t hash = mix(mix(2166136261u ^ (uint32_t)list, ns), key);

	for (int i = 0; i < CHECK_BYTES; i++)
		check[i] = (unsigned char)(hash >> (8 * i));
}

void
cursor_encode(int list, const char *ns, const char *key, struct strbuf *out)
{
	CLEANUP(strbuf_done) struct strbuf plain = STRBUF_INIT;
	unsigned char check[CHECK_BYTES];
	size_t start = out->len;

	make_check(list, ns, key, check);
	strbuf_add(&plain, check, sizeof(check));
	strbuf_adds(&plain, key);
	base64_encode(plain.buf, plain.len, out);
	for (size_t i = start; i < out->len; i++) {
		if (out->buf[i] == '+')
			out->buf[i] = '-';
		else if (out->buf[i] == '/')
			out->buf[i] = '_';
	}
	while (out->len > start && out->buf[out->len - 1] == '=')
		out->buf[--out->len] = '\0';
}

static int
digit_value(char c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

static bool
base64url_decode(const char *text, struct strbuf *out)
{
	uint32_t bits = 0;
	int n_bits = 0;

	for (; *text; text++) {
		int value = digit_value(*text);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			strbuf_addch(out, (char)(bits >> n_bits & 0xff));
		}
	}
	/* What is left over is padding: zero, and less than a digit. */
	return n_bits < 6 && (bits & ((1u << n_bits) - 1)) == 0;
}

bool
cursor_decode(const char *cursor, int list, const char *ns, struct strbuf *key)
{
	CLEANUP(strbuf_done) struct strbuf plain = STRBUF_INIT;
	unsigned char check[CHECK_BYTES];

	if (!base64url_decode(cursor, &plain) || plain.len <= CHECK_BYTES ||
	    memchr(plain.buf + CHECK_BYTES, '\0', plain.len - CHECK_BYTES))
		return false;
	make_check(list, ns, plain.buf + CHECK_BYTES, check);
	if (memcmp(check, plain.buf, CHECK_BYTES) != 0)
		return false;
	strbuf_adds(key, plain.buf + CHECK_BYTES);
	return true;
}
