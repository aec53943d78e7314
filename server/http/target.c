/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request target: path segments and query.
 */
#include "config.h"

#include "http/target.h"

#include <stdbool.h>
#include <string.h>

#include "base/encode.h"

void
target_init(struct target *target)
{
	target->decoded = (struct strbuf)STRBUF_INIT;
	target->path = "";
	target->n_segments = 0;
	target->n_query = 0;
}

void
target_done(struct target *target)
{
	strbuf_done(&target->decoded);
}

static bool
is_visible(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f || text[i] == '#')
			return false;
	return true;
}

static bool
has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	return false;
}

/*
 * Appends the decoded text and a NUL. The block was made large enough
 * before, so earlier pieces stay where they are.
 */
static int
decode(struct target *target, const char *raw, size_t len, char **ret_text,
       size_t *ret_len, struct skiff_error *err)
{
	struct strbuf *out = &target->decoded;
	size_t start = out->len;

	if (!memchr(raw, '%', len))
		strbuf_add(out, raw, len);
	else if (!percent_decode(raw, len, out))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "bad %% escape in \"%.*s\"", (int)len, raw);
	*ret_text = out->buf + start;
	*ret_len = out->len - start;
	if (has_control(*ret_text, *ret_len) || !is_utf8(*ret_text, *ret_len))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "\"%.*s\" must be UTF-8 without control "
			       "characters",
			       (int)len, raw);
	strbuf_addch(out, '\0');
	return 0;
}

static int
add_segment(struct target *target, const char *raw, size_t len,
	    struct skiff_error *err)
{
	struct segment *segment;

	if (target->n_segments == SEGMENTS_MAX)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "path has more than %d segments", SEGMENTS_MAX);
	segment = &target->segments[target->n_segments++];
	if (decode(target, raw, len, &segment->text, &segment->len, err) < 0)
		return err_wrap(err, "path");
	if (segment->len == 0 || strcmp(segment->text, ".") == 0 ||
	    strcmp(segment->text, "..") == 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "path has a segment that is empty, \".\" or "
			       "\"..\"");
	return 0;
}

static int
parse_path(struct target *target, const char *raw, size_t len,
	   struct skiff_error *err)
{
	const char *end = raw + len;

	if (len == 1)
		return 0; /* "/" has no segments */
	while (raw < end) {
		const char *start = raw + 1; /* behind the '/' */
		const char *slash = memchr(start, '/', (size_t)(end - start));

		raw = slash ? slash : end;
		if (add_segment(target, start, (size_t)(raw - start), err) < 0)
			return -1;
	}
	return 0;
}

static int
add_query(struct target *target, const char *raw, size_t len,
	  struct skiff_error *err)
{
	const char *equals = memchr(raw, '=', len);
	size_t key_len = equals ? (size_t)(equals - raw) : len;
	size_t n = 0;
	char *key = NULL;
	char *value = NULL;

	if (target->n_query == QUERY_MAX)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "more than %d query parameters", QUERY_MAX);
	if (decode(target, raw, key_len, &key, &n, err) < 0)
		return err_wrap(err, "query");
	if (n == 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "query parameter without a name");
	value = key + n;
	if (equals &&
	    decode(target, equals + 1, len - key_len - 1, &value, &n, err) < 0)
		return err_wrap(err, "query parameter %s", key);
	target->query[target->n_query++] =
	    (struct query_value){ .key = key, .value = value };
	return 0;
}

static int
parse_query(struct target *target, const char *raw, size_t len,
	    struct skiff_error *err)
{
	const char *end = raw + len;

	while (raw < end) {
		const char *next = memchr(raw, '&', (size_t)(end - raw));
		size_t n = (size_t)((next ? next : end) - raw);

		if (n > 0 && add_query(target, raw, n, err) < 0)
			return -1;
		raw += n + 1;
	}
	return 0;
}

int
target_parse(struct target *target, const char *raw, size_t len,
	     struct skiff_error *err)
{
	const char *mark = memchr(raw, '?', len);
	size_t path_len = mark ? (size_t)(mark - raw) : len;

	if (len == 0 || raw[0] != '/')
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "request target must begin with /");
	if (len > TARGET_MAX)
		return err_set(err, SKIFF_URI_TOO_LONG,
			       "request target has more than %d bytes",
			       TARGET_MAX);
	if (!is_visible(raw, len))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "request target must be visible ASCII, with all "
			       "else escaped");
	/* Raw path and decoded pieces: at most a NUL for each delimiter. */
	(void)strbuf_grow(&target->decoded, 2 * len + 4);
	strbuf_add(&target->decoded, raw, path_len);
	strbuf_addch(&target->decoded, '\0');
	target->path = target->decoded.buf;
	if (parse_path(target, raw, path_len, err) < 0)
		return -1;
	return mark ? parse_query(target, mark + 1, len - path_len - 1, err)
		    : 0;
}
