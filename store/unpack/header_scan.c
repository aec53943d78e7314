/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the headers of one tar entry beside libarchive.
 */
#include "config.h"

#include "store/unpack/header_scan.h"

#include <string.h>

#include "store/unpack/refusal.h"

#define SIZE_OFFSET 124
#define SIZE_LENGTH 12
#define TYPE_OFFSET 156

/* Files, links, symlinks, devices, directories, FIFOs, old sparse files. */
static const char entry_types[] = "01234567S";

void
header_scan_begin(struct header_scan *scan)
{
	strbuf_reset(&scan->pax);
	scan->is_active = true;
	scan->is_end = false;
	scan->type = 0;
	scan->extension = 0;
	scan->have = 0;
	scan->skip = 0;
	scan->body = 0;
}

void
header_scan_done(struct header_scan *scan)
{
	strbuf_done(&scan->pax);
}

static bool
is_zeros(const unsigned char *block)
{
	return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

/* Octal, blanks around it. */
static int
parse_size(const unsigned char *field, size_t *ret_size,
	   struct skiff_error *err)
{
	size_t size = 0;
	size_t i = 0;

	while (i < SIZE_LENGTH && field[i] == ' ')
		i++;
	for (; i < SIZE_LENGTH && field[i] >= '0' && field[i] <= '7'; i++)
		size = size * 8 + (size_t)(field[i] - '0');
	if (i < SIZE_LENGTH && field[i] != ' ' && field[i] != '\0')
		return layer_fault(err, "an extended header's size is not "
					"an octal number");
	if (size > TAR_EXTENSION_MAX)
		return layer_limit(err, "an extended header has more than "
					"1 MiB");
	*ret_size = size;
	return 0;
}

/* Digits, and a fraction where one may be. */
static bool
is_number(const char *text, size_t len, bool is_time)
{
	size_t i = 0;
	size_t n;

	if (is_time && i < len && text[i] == '-')
		i++;
	for (n = i; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		;
	if (i == n || i - n > 64)
		return false;
	if (is_time && i < len && text[i] == '.')
		for (i++; i < len && text[i] >= '0' && text[i] <= '9'; i++)
			;
	return i == len;
}

static bool
is_key(const char *key, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(key, name, len) == 0;
}

static int
check_value(const char *key, size_t key_len, const char *value, size_t len,
	    struct skiff_error *err)
{
	static const char *const numbers[] = { "uid", "gid", "size" };
	static const char *const times[] = { "mtime", "atime", "ctime" };
	static const char *const names[] = { "path", "linkpath",
					     "GNU.sparse.name" };

	for (size_t i = 0; i < 3; i++) {
		if (is_key(key, key_len, numbers[i]) && len > 0 &&
		    !is_number(value, len, false))
			return layer_fault(err,
					   "pax %s is not a number from "
					   "0 up",
					   numbers[i]);
		if (is_key(key, key_len, times[i]) && len > 0 &&
		    !is_number(value, len, true))
			return layer_fault(err, "pax %s is not a time",
					   times[i]);
		if (is_key(key, key_len, names[i]) && memchr(value, 0, len))
			return layer_fault(err, "pax %s has a NUL byte",
					   names[i]);
	}
	return 0;
}

/* "LENGTH KEY=VALUE\n", LENGTH that of the whole record. */
static int
check_record(const char *text, size_t rest, size_t *ret_len,
	     struct skiff_error *err)
{
	const char *equals;
	size_t len = 0;
	size_t i = 0;

	for (; i < rest && i < 8 && text[i] >= '0' && text[i] <= '9'; i++)
		len = len * 10 + (size_t)(text[i] - '0');
	if (i == 0 || i == rest || text[i] != ' ' || len > rest ||
	    len < i + 3 || text[len - 1] != '\n')
		return layer_fault(err, "a pax record's length is wrong");
	i++;
	equals = memchr(text + i, '=', len - i - 1);
	if (!equals || equals == text + i)
		return layer_fault(err, "a pax record has no key");
	*ret_len = len;
	return check_value(text + i, (size_t)(equals - text) - i, equals + 1,
			   (size_t)(text + len - 1 - equals) - 1, err);
}

static int
check_pax(const struct strbuf *pax, struct skiff_error *err)
{
	size_t len = 0;

	for (size_t i = 0; i < pax->len; i += len)
		if (check_record(pax->buf + i, pax->len - i, &len, err) < 0)
			return -1;
	return 0;
}

static int
take_block(struct header_scan *scan, struct skiff_error *err)
{
	char type = (char)scan->block[TYPE_OFFSET];

	if (is_zeros(scan->block)) {
		scan->is_active = false;
		scan->is_end = true;
		return 0;
	}
	if (type == '\0' || strchr(entry_types, type)) {
		scan->is_active = false;
		scan->type = type ? type : '0';
		return 0;
	}
	if (!strchr("xgLK", type))
		return layer_fault(err, "unknown type of entry 0x%02x",
				   (unsigned int)(unsigned char)type);
	if (parse_size(scan->block + SIZE_OFFSET, &scan->body, err) < 0)
		return -1;
	scan->extension = type;
	scan->skip = (scan->body + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	return 0;
}

static size_t
take_extension(struct header_scan *scan, const char *data, size_t len)
{
	size_t n = len < scan->skip ? len : scan->skip;
	size_t n_body = n < scan->body ? n : scan->body;

	if (scan->extension == 'x' || scan->extension == 'g')
		strbuf_add(&scan->pax, data, n_body);
	scan->body -= n_body;
	scan->skip -= n;
	return n;
}

int
header_scan_feed(struct header_scan *scan, const void *data, size_t len,
		 struct skiff_error *err)
{
	const char *p = data;

	while (scan->is_active && len > 0) {
		size_t n;

		if (scan->skip > 0) {
			n = take_extension(scan, p, len);
			if (scan->skip == 0) {
				if (check_pax(&scan->pax, err) < 0)
					return -1;
				strbuf_reset(&scan->pax);
			}
		} else {
			n = TAR_BLOCK - scan->have;
			n = len < n ? len : n;
			memcpy(scan->block + scan->have, p, n);
			scan->have += n;
			if (scan->have == TAR_BLOCK) {
				scan->have = 0;
				if (take_block(scan, err) < 0)
					return -1;
			}
		}
		p += n;
		len -= n;
	}
	return 0;
}
