/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a handler may answer.
 */
#include "config.h"

#include "http/response.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "http/response_internal.h"

static struct response *
response_new(enum response_kind kind, int status, const char *content_type)
{
	struct response *response = xcalloc(1, sizeof(*response));

	response->kind = kind;
	response->status = status;
	response->fd = -1;
	response->headers = (struct strbuf)STRBUF_INIT;
	if (content_type)
		(void)snprintf(response->content_type,
			       sizeof(response->content_type), "%s",
			       content_type);
	return response;
}

struct response *
response_data(int status, const char *content_type, char *data, size_t len)
{
	struct response *response =
	    response_new(RESPONSE_DATA, status, content_type);

	response->data = data;
	response->len = len;
	return response;
}

struct response *
response_json_text(int status, char *text, size_t len)
{
	return response_data(status, "application/json", text, len);
}

struct response *
response_json(int status, const json_t *json)
{
	char *text = json_text(json);

	return response_json_text(status, text, strlen(text));
}

struct response *
response_static(int status, const char *content_type, const char *data,
		size_t len)
{
	struct response *response =
	    response_new(RESPONSE_STATIC, status, content_type);

	response->static_data = data;
	response->len = len;
	return response;
}

struct response *
response_text(int status, const char *text)
{
	return response_data(status, "text/plain; charset=utf-8", xstrdup(text),
			     strlen(text));
}

struct response *
response_empty(int status)
{
	return response_static(status, NULL, "", 0);
}

struct response *
response_file(int status, const char *content_type, int fd, uint64_t offset,
	      uint64_t length)
{
	struct response *response =
	    response_new(RESPONSE_FILE, status, content_type);

	response->fd = fd;
	response->offset = offset;
	response->length = length;
	return response;
}

struct response *
response_stream(int status, const char *content_type,
		const struct stream_ops *ops, void *arg)
{
	struct response *response =
	    response_new(RESPONSE_STREAM, status, content_type);

	response->stream = ops;
	response->arg = arg;
	return response;
}

struct response *
response_wait(const struct wait_ops *ops, void *arg, struct deadline deadline)
{
	struct response *response = response_new(RESPONSE_WAIT, 0, NULL);

	response->wait = ops;
	response->arg = arg;
	response->deadline = deadline;
	return response;
}

struct response *
response_relay(int status, const char *content_type,
	       const struct relay_ops *ops, void *arg, uint64_t length)
{
	struct response *response =
	    response_new(RESPONSE_RELAY, status, content_type);

	response->relay = ops;
	response->arg = arg;
	response->length = length;
	return response;
}

struct response *
response_upgrade(const char *protocol, const char *content_type,
		 const struct relay_ops *ops, void *arg)
{
	struct response *response =
	    response_new(RESPONSE_UPGRADE, 101, content_type);

	response->relay = ops;
	response->arg = arg;
	response_header(response, "Upgrade", protocol);
	return response;
}

void
response_header(struct response *response, const char *name, const char *value)
{
	/* A line break here would let an object's name forge headers. */
	for (const char *p = value; *p; p++)
		assert((unsigned char)*p >= 0x20 && *p != 0x7f);
	strbuf_add(&response->headers, name, strlen(name) + 1);
	strbuf_add(&response->headers, value, strlen(value) + 1);
}

void
response_headerf(struct response *response, const char *name,
		 const char *format, ...)
{
	cleanup_free char *value = NULL;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&value, format, args);
	va_end(args);
	assert(r >= 0);
	response_header(response, name, value);
}

void
response_release_arg(struct response *response)
{
	void (*release)(void *) = NULL;

	if (response->kind == RESPONSE_STREAM && response->stream)
		release = response->stream->free;
	else if (response->kind == RESPONSE_WAIT && response->wait)
		release = response->wait->free;
	else if (response->relay)
		release = response->relay->free;
	response->stream = NULL;
	response->wait = NULL;
	response->relay = NULL;
	if (release)
		release(response->arg);
}

void
response_free(struct response *response)
{
	if (!response)
		return;
	response_release_arg(response);
	closep(&response->fd);
	free(response->data);
	strbuf_done(&response->headers);
	free(response);
}
