/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the head of a request leads to: the gate, who may come over TCP,
 * the route.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "http/http_internal.h"

static enum MHD_Result
collect_header(void *cls, enum MHD_ValueKind kind, const char *name,
	       size_t name_len, const char *value, size_t value_len)
{
	struct head *head = cls;

	(void)kind;
	if (head->n_headers < HEADERS_MAX)
		head->headers[head->n_headers] =
		    (struct header){ .name = name,
				     .value = value ? value : "",
				     .name_len = name_len,
				     .value_len = value_len };
	return ++head->n_headers > HEADERS_MAX ? MHD_NO : MHD_YES;
}

static bool
is_request_id(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= REQUEST_ID_SIZE - 3)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f)
			return false;
	return true;
}

static void
set_request_id(struct request *request)
{
	const char *given = request_header(request, "Skiff-Request-Id");
	struct http_loop *loop = request->loop;
	uint64_t number;

	if (given && is_request_id(given)) {
		memcpy(request->id, given, strlen(given) + 1);
		return;
	}
	number = __builtin_bswap64(++loop->n_ids);
	memcpy(request->id, loop->id_prefix, 16);
	hex_encode(&number, sizeof(number), request->id + 16);
}

static int
check_layout(struct request *request, struct skiff_error *err)
{
	const union MHD_ConnectionInfo *info;

	if (!request->loop->server->has_known_layout)
		return 0;
	info = MHD_get_connection_info(request->mhd,
				       MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (!info)
		return 0;
	return gate_check_layout(&request->head,
				 request->head.method + info->header_size, err);
}

static int
check_peer(struct request *request, struct skiff_error *err)
{
	const struct listener *listener = request->conn->listener;

	if (!listener->is_unix &&
	    gate_check_host(request->head.host,
			    request->loop->server->options.hosts,
			    listener->port, err) < 0)
		return -1;
	if (request_header(request, "Origin")) {
		(void)err_set(err, SKIFF_PERMISSION_DENIED,
			      "requests of web pages (Origin) are refused");
		return err_reason(err, "origin_not_allowed");
	}
	return 0;
}

static bool
is_public(const struct request *request)
{
	return request->route &&
	       (request->route->row->flags & ROUTE_PUBLIC) != 0 &&
	       (request->method & (HTTP_GET | HTTP_HEAD)) != 0;
}

static struct response *
options_response(const struct request *request)
{
	struct response *response = response_empty(204);
	char allow[64];

	response_header(response, "Allow",
			http_allow_text(request->match.allow, allow));
	return response;
}

static int
find_route(struct request *request, struct skiff_error *err)
{
	const struct http_server *server = request->loop->server;
	char allow[64];

	router_find(server->router, request->method, &request->target,
		    &request->match);
	request->route = request->match.route;
	if (!request->peer.is_unix && !is_public(request))
		return err_set(err, SKIFF_UNAUTHENTICATED,
			       "a token is needed over TCP");
	if (!request->match.allow)
		return router_explain(server->router, &request->target, err);
	if (request->method == HTTP_OPTIONS) {
		request->response = options_response(request);
		return 0;
	}
	if (!request->route)
		return err_set(err, SKIFF_METHOD_NOT_ALLOWED,
			       "%s is not possible on %s; possible: %s",
			       http_method_name(request->method),
			       request->target.path,
			       http_allow_text(request->match.allow, allow));
	if (server->options.authorize &&
	    server->options.authorize(request, server->context, err) < 0)
		return -1;
	return router_check_query(request->route, &request->target, err);
}

int
head_read(struct request *request, const char *method, const char *version,
	  bool *ret_must_close, struct skiff_error *err)
{
	const struct http_options *options = &request->loop->server->options;
	struct head *head = &request->head;

	head->method = method;
	head->version = version;
	head->n_headers = 0;
	(void)MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND,
					  collect_header, head);
	set_request_id(request);
	*ret_must_close = true;
	if (gate_check(head, err) < 0)
		return -1;
	request->method = head->known_method;
	request->is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
	if (check_layout(request, err) < 0)
		return -1;
	if (request->target_error) {
		*err = *request->target_error;
		return err_reason(err, "malformed_request");
	}
	*ret_must_close = false;
	if (check_peer(request, err) < 0 || find_route(request, err) < 0)
		return -1;
	if (request->route && !request->route->row->upload &&
	    head->content_length > (int64_t)options->json_body_max)
		return err_set(err, SKIFF_TOO_LARGE,
			       "body: more than %zu bytes",
			       options->json_body_max);
	return 0;
}

void
head_own(struct request *request)
{
	struct head *head = &request->head;
	size_t size = 1;
	char *at;

	if (request->headers_block)
		return;
	for (size_t i = 0; i < head->n_headers; i++)
		size +=
		    head->headers[i].name_len + head->headers[i].value_len + 2;
	at = request->headers_block = xmalloc(size);
	for (size_t i = 0; i < head->n_headers; i++) {
		struct header *header = &head->headers[i];

		memcpy(at, header->name, header->name_len + 1);
		header->name = at;
		at += header->name_len + 1;
		memcpy(at, header->value, header->value_len + 1);
		header->value = at;
		at += header->value_len + 1;
	}
	head->method = head->version = head->target = head->host = NULL;
}
