/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict gate (RFC 9110 §5, RFC 9112 §2 to §6).
 */
#include "config.h"

#include "http/gate.h"

#include <string.h>

#include "base/parse.h"
#include "http/router.h"

static const bool is_token_char[256] = {
	['!'] = true,	      ['#'] = true,	    ['$'] = true,
	['%'] = true,	      ['&'] = true,	    ['\''] = true,
	['*'] = true,	      ['+'] = true,	    ['-'] = true,
	['.'] = true,	      ['^'] = true,	    ['_'] = true,
	['`'] = true,	      ['|'] = true,	    ['~'] = true,
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

static int
refuse(struct skiff_error *err, const char *text)
{
	(void)err_set(err, SKIFF_INVALID_ARGUMENT, "%s", text);
	return err_reason(err, "malformed_request");
}

static bool
is_name(const struct header *header, const char *name, size_t len)
{
	return header->name_len == len &&
	       strncasecmp(header->name, name, len) == 0;
}

#define IS_NAME(header, literal) is_name(header, literal, sizeof(literal) - 1)

const struct header *
head_find(const struct header *headers, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (is_name(&headers[i], name, len))
			return &headers[i];
	return NULL;
}

static int
check_method(struct head *head, struct skiff_error *err)
{
	for (int bit = HTTP_GET; bit <= (int)HTTP_OPTIONS; bit <<= 1) {
		enum http_method method = (enum http_method)bit;

		if (strcmp(head->method, http_method_name(method)) == 0) {
			head->known_method = method;
			return 0;
		}
	}
	return err_set(err, SKIFF_METHOD_NOT_ALLOWED,
		       "method \"%.32s\" is not known here", head->method);
}

static int
check_header(const struct header *header, struct skiff_error *err)
{
	const unsigned char *p = (const unsigned char *)header->name;

	if (header->name_len == 0)
		return refuse(err, "header without a name");
	for (size_t i = 0; i < header->name_len; i++)
		if (!is_token_char[p[i]])
			return refuse(err, "header name is not a token");
	p = (const unsigned char *)header->value;
	for (size_t i = 0; i < header->value_len; i++)
		if ((p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f)
			return refuse(err,
				      "header value has a control character");
	return 0;
}

static int
check_length(struct head *head, const struct header *header,
	     struct skiff_error *err)
{
	struct skiff_error local = ERROR_INIT;
	uint64_t length = 0;

	if (head->content_length >= 0)
		return refuse(err, "more than one Content-Length");
	if (parse_u64(header->value, INT64_MAX, &length, &local) == 0) {
		head->content_length = (int64_t)length;
		return 0;
	}
	if (header->value_len > 0 &&
	    strspn(header->value, "0123456789") == header->value_len)
		return err_set(err, SKIFF_TOO_LARGE,
			       "Content-Length is beyond all measure");
	return refuse(err, "Content-Length is not a number");
}

static int
check_framing_header(struct head *head, const struct header *header,
		     struct skiff_error *err)
{
	if (IS_NAME(header, "Host")) {
		if (head->host)
			return refuse(err, "more than one Host");
		head->host = header->value;
	} else if (IS_NAME(header, "Content-Length")) {
		return check_length(head, header, err);
	} else if (IS_NAME(header, "Transfer-Encoding")) {
		if (head->is_chunked)
			return refuse(err, "more than one Transfer-Encoding");
		if (strcasecmp(header->value, "chunked") != 0)
			return err_set(err, SKIFF_UNIMPLEMENTED,
				       "Transfer-Encoding other than chunked");
		head->is_chunked = true;
	} else if (IS_NAME(header, "Expect")) {
		if (strcasecmp(header->value, "100-continue") != 0)
			return err_set(err, SKIFF_EXPECTATION_FAILED,
				       "Expect other than 100-continue");
		head->wants_continue = true;
	}
	return 0;
}

static int
check_version(const struct head *head, bool *ret_is_1_1,
	      struct skiff_error *err)
{
	*ret_is_1_1 = strcmp(head->version, "HTTP/1.1") == 0;
	if (*ret_is_1_1 || strcmp(head->version, "HTTP/1.0") == 0)
		return 0;
	return err_set(err, SKIFF_VERSION_NOT_SUPPORTED,
		       "HTTP version is neither 1.1 nor 1.0");
}

static int
check_whole(const struct head *head, bool is_1_1, struct skiff_error *err)
{
	bool has_body = head->is_chunked || head->content_length > 0;

	if (is_1_1 && !head->host)
		return refuse(err, "HTTP/1.1 request without Host");
	if (head->is_chunked && head->content_length >= 0)
		return refuse(err, "both Content-Length and Transfer-Encoding");
	if (head->is_chunked && !is_1_1)
		return refuse(err, "Transfer-Encoding in HTTP/1.0");
	if (has_body &&
	    (head->known_method & (HTTP_GET | HTTP_HEAD | HTTP_OPTIONS)) != 0)
		return refuse(err, "a body on GET, HEAD or OPTIONS");
	return 0;
}

int
gate_check(struct head *head, struct skiff_error *err)
{
	bool is_1_1 = false;

	head->content_length = -1;
	head->is_chunked = false;
	head->wants_continue = false;
	head->host = NULL;
	if (check_version(head, &is_1_1, err) < 0 ||
	    check_method(head, err) < 0)
		return -1;
	if (head->n_headers > HEADERS_MAX)
		return err_set(err, SKIFF_HEADERS_TOO_LARGE,
			       "more than %d headers", HEADERS_MAX);
	for (size_t i = 0; i < head->n_headers; i++)
		if (check_header(&head->headers[i], err) < 0 ||
		    check_framing_header(head, &head->headers[i], err) < 0)
			return -1;
	return check_whole(head, is_1_1, err);
}

/* Between a name and its value: the colon, now NUL, and blanks. */
static bool
is_after_name(const struct header *header)
{
	const char *p = header->name + header->name_len + 1;

	while (p < header->value && (*p == ' ' || *p == '\t'))
		p++;
	return p == header->value;
}

int
gate_check_layout(const struct head *head, const char *end,
		  struct skiff_error *err)
{
	const char *next = head->version + strlen(head->version) + 2;

	if (head->target != head->method + strlen(head->method) + 1 ||
	    head->version != head->target + head->target_len + 1)
		return refuse(err, "request line has a NUL or needless blanks");
	for (size_t i = 0; i < head->n_headers; i++) {
		const struct header *header = &head->headers[i];

		if (header->name != next || !is_after_name(header))
			return refuse(err, "a line that does not end in CRLF, "
					   "a folded line, or a NUL");
		next = header->value + header->value_len + 2;
	}
	if (next + 2 != end)
		return refuse(err, "a line that does not end in CRLF, a "
				   "folded line, or a NUL");
	return 0;
}

int
gate_check_host(const char *host, const char *const *names, uint16_t port,
		struct skiff_error *err)
{
	const char *colon = host ? strrchr(host, ':') : NULL;
	struct skiff_error local = ERROR_INIT;
	uint64_t given = port;
	size_t len;

	if (!host)
		return err_set(err, SKIFF_MISDIRECTED, "Host is missing");
	/* The last colon of [::1] is part of the address. */
	if (colon && strchr(colon, ']'))
		colon = NULL;
	len = colon ? (size_t)(colon - host) : strlen(host);
	if (colon && (parse_u64(colon + 1, UINT16_MAX, &given, &local) < 0 ||
		      given != port))
		len = 0; /* no name is empty */
	for (; *names; names++)
		if (strlen(*names) == len &&
		    strncasecmp(*names, host, len) == 0)
			return 0;
	return err_set(err, SKIFF_MISDIRECTED,
		       "Host \"%.128s\" is not served here", host);
}
