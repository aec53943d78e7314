/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detach keys.
 */
#include "config.h"

#include "handlers/detach_keys.h"

#include <ctype.h>
#include <string.h>

static int
refuse(struct skiff_error *err)
{
	return err_set(err, SKIFF_INVALID_ARGUMENT,
		       "detach_keys must be at most %d keys such as "
		       "ctrl-p,ctrl-q",
		       DETACH_KEYS_MAX);
}

/* 0 for what is no key. */
static char
parse_key(const char *text, size_t len)
{
	if (len == 1 && isgraph((unsigned char)text[0]))
		return text[0];
	if (len != 6 || strncmp(text, "ctrl-", 5) != 0)
		return 0;
	if ((text[5] >= 'a' && text[5] <= 'z') ||
	    (text[5] > '@' && text[5] <= '_' &&
	     !isalpha((unsigned char)text[5])))
		return (char)(text[5] & 0x1f);
	return 0;
}

int
detach_keys_parse(const char *text, struct detach_keys *ret_keys,
		  struct skiff_error *err)
{
	struct detach_keys keys = { .n = 0 };

	if (!text)
		text = "";
	while (*text) {
		size_t len = strcspn(text, ",");
		char key = parse_key(text, len);

		if (!key || keys.n == DETACH_KEYS_MAX)
			return refuse(err);
		keys.keys[keys.n++] = key;
		text += len;
		if (*text == ',' && !*++text)
			return refuse(err);
	}
	*ret_keys = keys;
	return 0;
}

/* How much of it surely belongs to no sequence. */
static size_t
plain_run(const struct detach_keys *keys, const char *data, size_t len)
{
	const char *first =
	    keys->n > 0 ? memchr(data, keys->keys[0], len) : NULL;

	return first ? (size_t)(first - data) : len;
}

ssize_t
detach_keys_filter(struct detach_keys *keys, const char *data, size_t len,
		   detach_write_fn write, void *arg)
{
	size_t used = 0;
	size_t n = 1;

	while (n > 0) {
		if (keys->n_loose > 0) {
			n = write(arg, keys->keys + keys->loose_at,
				  keys->n_loose);
			keys->loose_at += n;
			keys->n_loose -= n;
		} else if (used == len) {
			break;
		} else if (keys->n > 0 &&
			   data[used] == keys->keys[keys->matched]) {
			used++;
			if (++keys->matched == keys->n)
				return -1;
		} else if (keys->matched > 0) {
			keys->n_loose = keys->matched;
			keys->loose_at = 0;
			keys->matched = 0;
		} else {
			n = write(arg, data + used,
				  plain_run(keys, data + used, len - used));
			used += n;
		}
	}
	return (ssize_t)used;
}
