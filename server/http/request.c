/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a handler may ask of a request.
 */
#include "config.h"

#include "http/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/parse.h"
#include "http/http_internal.h"

const char *
request_path(const struct request *request)
{
	return request->target.path;
}

const char *
request_id(const struct request *request)
{
	return request->id;
}

const struct peer *
request_peer(const struct request *request)
{
	return &request->peer;
}

const char *
request_find_param(const struct request *request, const char *name)
{
	const struct compiled_route *route = request->route;
	size_t len = strlen(name);

	for (size_t i = 0; i < route->n_params; i++)
		if (route->params[i].len == len &&
		    memcmp(route->params[i].name, name, len) == 0)
			return request->match.values[i];
	return NULL;
}

const char *
request_param(const struct request *request, const char *name)
{
	const char *value = request_find_param(request, name);

	if (!value)
		abort();
	return value;
}

unsigned int
request_route_flags(const struct request *request)
{
	return request->route->row->flags;
}

const char *
request_query_next(const struct request *request, const char *key, size_t *at)
{
	while (*at < request->target.n_query) {
		const struct query_value *query =
		    &request->target.query[(*at)++];

		if (strcmp(query->key, key) == 0)
			return query->value;
	}
	return NULL;
}

const char *
request_query(const struct request *request, const char *key)
{
	size_t at = 0;

	return request_query_next(request, key, &at);
}

int
request_query_u64(const struct request *request, const char *key, uint64_t max,
		  uint64_t fallback, uint64_t *ret_value,
		  struct skiff_error *err)
{
	const char *text = request_query(request, key);

	if (!text) {
		*ret_value = fallback;
		return 0;
	}
	if (parse_u64(text, max, ret_value, err) < 0) {
		/* A bad number in a query is never a 416. */
		err->code = SKIFF_INVALID_ARGUMENT;
		return err_wrap(err, "query parameter %s", key);
	}
	return 0;
}

int
request_query_bool(const struct request *request, const char *key,
		   bool fallback, bool *ret_value, struct skiff_error *err)
{
	const char *text = request_query(request, key);
	int value = fallback;

	if (text && parse_bool(text, &value, err) < 0)
		return err_wrap(err, "query parameter %s", key);
	*ret_value = value != 0;
	return 0;
}

int
request_query_duration(const struct request *request, const char *key,
		       int64_t fallback_ns, int64_t *ret_ns,
		       struct skiff_error *err)
{
	const char *text = request_query(request, key);

	if (!text) {
		*ret_ns = fallback_ns;
		return 0;
	}
	if (parse_duration(text, ret_ns, err) < 0)
		return err_wrap(err, "query parameter %s", key);
	return 0;
}

const char *
request_header(const struct request *request, const char *name)
{
	const struct header *header =
	    head_find(request->head.headers, request->head.n_headers, name);

	return header ? header->value : NULL;
}

const char *
request_upgrade(const struct request *request, char *buf, size_t cap)
{
	const char *connection = request_header(request, "Connection");
	const char *protocol = request_header(request, "Upgrade");
	size_t len;

	if (!connection || !protocol || request->is_http_1_0 ||
	    !strcasestr(connection, "upgrade"))
		return NULL;
	protocol += strspn(protocol, " \t,");
	len = strcspn(protocol, " \t,");
	if (len == 0 || len >= cap)
		return NULL;
	memcpy(buf, protocol, len);
	buf[len] = '\0';
	return buf;
}

/* Media type of an element of Accept, or of Content-Type. */
static bool
is_media_type(const char *text, const char *media_type)
{
	size_t len = strlen(media_type);

	text += strspn(text, " \t");
	return strncasecmp(text, media_type, len) == 0 &&
	       strchr(" \t;,", text[len]) != NULL;
}

bool
request_accepts(const struct request *request, const char *media_type)
{
	const char *text = request_header(request, "Accept");

	while (text) {
		if (is_media_type(text, media_type))
			return true;
		text = strchr(text, ',');
		if (text)
			text++;
	}
	return false;
}

int
request_if_match(const struct request *request, uint64_t *ret_revision,
		 struct skiff_error *err)
{
	const char *text = request_header(request, "If-Match");
	struct skiff_error local = ERROR_INIT;
	cleanup_free char *number = NULL;
	size_t len = text ? strlen(text) : 0;

	if (!text || strcmp(text, "*") == 0)
		return 0;
	if (len > 2 && text[0] == '"' && text[len - 1] == '"')
		number = xstrndup(text + 1, len - 2);
	if (!number || parse_u64(number, INT64_MAX, ret_revision, &local) < 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "If-Match must be one ETag, \"<revision>\", "
			       "not %s",
			       text);
	return 1;
}

bool
request_has_body(const struct request *request)
{
	return request->body_received > 0;
}

int64_t
request_body_length(const struct request *request)
{
	if (request->head.is_chunked)
		return -1;
	return request->head.content_length > 0 ? request->head.content_length
						: 0;
}

/* RFC 8259 §8.1 knows UTF-8 alone; a charset parameter may say so. */
static bool
is_utf8_charset(const char *type)
{
	const char *charset = strcasestr(type, "charset=");

	if (!charset)
		return true;
	charset += strlen("charset=");
	charset += *charset == '"';
	return strncasecmp(charset, "utf-8", 5) == 0;
}

static int
check_content_type(const struct request *request, struct skiff_error *err)
{
	const char *type = request_header(request, "Content-Type");

	if (type && is_utf8_charset(type) &&
	    (is_media_type(type, "application/json") ||
	     is_media_type(type, "application/merge-patch+json")))
		return 0;
	if (request->peer.is_unix &&
	    (!type || is_media_type(type, "application/x-www-form-urlencoded")))
		return 0;
	return err_set(err, SKIFF_UNSUPPORTED_MEDIA_TYPE,
		       "Content-Type must be application/json or "
		       "application/merge-patch+json in UTF-8, not %s",
		       type ? type : "absent");
}

int
request_json(struct request *request, json_t **ret_json,
	     struct skiff_error *err)
{
	if (!request->json) {
		if (request->body.len == 0)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "body: a JSON document is needed");
		if (check_content_type(request, err) < 0)
			return -1;
		if (json_parse(request->body.buf, request->body.len,
			       &request->json, err) < 0)
			return err_wrap(err, "body");
	}
	*ret_json = request->json;
	return 0;
}

struct json_faults *
request_faults(struct request *request)
{
	return &request->faults;
}

void
request_set_log(struct request *request, char *log)
{
	if (!log)
		return;
	free(request->log);
	request->log = log;
}

void
request_object(struct request *request, const char *static_kind, const char *id)
{
	free(request->object_id);
	request->object_kind = static_kind;
	request->object_id = xstrdup(id);
}

struct waker *
request_waker(struct request *request)
{
	if (!request->waker)
		request->waker = waker_new(request);
	return waker_ref(request->waker);
}

bool
request_is_cancelled(const struct request *request)
{
	return atomic_load(&request->is_cancelled);
}

void
request_set_state(struct request *request, void *state)
{
	request->state = state;
}

void *
request_state(const struct request *request)
{
	return request->state;
}
