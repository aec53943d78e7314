/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registry errors: statuses to classes, bodies to words.
 */
#include "config.h"

#include "store/registry/answer.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "store/registry/http.h"

#define WORDS_MAX 400
#define ERRORS_MAX 4

/* Text for people: one line, UTF-8, of bounded length. */
static void
add_clean(struct strbuf *out, const char *text, size_t len)
{
	size_t end = out->len + (len < WORDS_MAX ? len : WORDS_MAX);
	bool is_text = is_utf8(text, len);

	for (size_t i = 0; i < len && out->len < end; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f || (!is_text && c > 0x7f))
			c = ' ';
		strbuf_addch(out, (char)c);
	}
	/* Not in the middle of a character. */
	while (is_text && out->len > 0 && !is_utf8(out->buf, out->len))
		out->buf[--out->len] = '\0';
}

static void
add_member(struct strbuf *out, const json_t *error, const char *key)
{
	const char *text = json_get_text(error, key);

	if (!*text)
		return;
	if (out->len > 0)
		strbuf_adds(out, ": ");
	add_clean(out, text, strlen(text));
}

/* {"errors": [{"code", "message", "detail"}]}, or a token server's form. */
static void
add_json_words(struct strbuf *out, const json_t *json)
{
	const json_t *errors = json_object_get(json, "errors");
	const json_t *error;
	size_t i;

	json_array_foreach (errors, i, error) {
		CLEANUP(strbuf_done) struct strbuf one = STRBUF_INIT;

		if (i >= ERRORS_MAX)
			break;
		add_member(&one, error, "code");
		add_member(&one, error, "message");
		add_member(&one, error, "detail");
		if (one.len > 0)
			strbuf_addf(out, "%s%s", out->len > 0 ? "; " : "",
				    one.buf);
	}
	if (out->len > 0)
		return;
	add_member(out, json, "error");
	add_member(out, json, "error_description");
	add_member(out, json, "details");
	add_member(out, json, "message");
}

static void
add_words(struct strbuf *out, const struct http_response *response)
{
	struct skiff_error ignored = ERROR_INIT;
	cleanup_json json_t *json = NULL;
	const struct strbuf *body = &response->body;
	const char *type = response->content_type;

	if (json_parse(body->buf, body->len, &json, &ignored) == 0)
		add_json_words(out, json);
	else if (body->len > 0 && (!type || strcmp(type, "text/plain") == 0))
		add_clean(out, body->buf, strcspn(body->buf, "\r\n"));
}

static enum skiff_code
code_of(int status)
{
	switch (status) {
	case 401:
		return SKIFF_UNAUTHENTICATED;
	case 403:
		return SKIFF_PERMISSION_DENIED;
	case 404:
		return SKIFF_NOT_FOUND;
	default:
		return SKIFF_REGISTRY_ERROR;
	}
}

int
answer_error(const struct http_response *response, struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf words = STRBUF_INIT;

	add_words(&words, response);
	(void)err_set(err, code_of(response->status), "answered %d%s%s",
		      response->status, words.len > 0 ? ": " : "", words.buf);
	err->upstream_status = response->status;
	if (response->retry_after_s > 0)
		err->retry_after_s = response->retry_after_s;
	return -1;
}
