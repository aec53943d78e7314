/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets and the router: what is accepted has whole, harmless
 * segments, means the same when it is escaped anew, and finds a route with
 * all of its parameters, or an explanation.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/encode.h"
#include "http/router.h"
#include "tests/fuzz/fuzz.h"

static int
nothing(struct request *request, void *context, struct response **ret,
	struct skiff_error *err)
{
	(void)request;
	(void)context;
	(void)ret;
	(void)err;
	return 0;
}

#define ROW(m, p, q)                                                           \
	{                                                                      \
		.method = (m), .pattern = (p), .operation_id = "x",            \
		.query = (q), .handler = nothing                               \
	}

/* The shapes that the daemon's table has, and some that it may get. */
static const struct route rows[] = {
	ROW(HTTP_GET, "/", NULL),
	ROW(HTTP_GET, "/v1/ns", "filter* limit"),
	ROW(HTTP_POST, "/v1/ns", NULL),
	ROW(HTTP_GET, "/v1/ns/{ns}", NULL),
	ROW(HTTP_GET, "/v1/ns/{ns}/images", "limit cursor"),
	ROW(HTTP_POST, "/v1/ns/{ns}/images/pull", "wait"),
	ROW(HTTP_GET, "/v1/ns/{ns}/images/{name*}", NULL),
	ROW(HTTP_DELETE, "/v1/ns/{ns}/images/{name*}", NULL),
	ROW(HTTP_GET, "/v1/ns/{ns}/images/{name*}/config", NULL),
	ROW(HTTP_GET, "/v1/ns/{ns}/images/{name*}/of/two", NULL),
	ROW(HTTP_GET, "/v1/ns/{ns}/snapshots/{sn}/{key}", NULL),
	ROW(HTTP_GET, "/v1/ns/{ns}/snapshots/default/special", NULL),
};

static struct router *
the_router(void)
{
	static struct router *router;

	if (!router)
		router = router_new(rows, ARRAY_SIZE(rows));
	return router;
}

static void
check_segments(const struct target *target)
{
	assert(target->path[0] == '/');
	for (size_t i = 0; i < target->n_segments; i++) {
		const struct segment *segment = &target->segments[i];

		assert(segment->len > 0);
		assert(strlen(segment->text) == segment->len);
		assert(strcmp(segment->text, ".") != 0);
		assert(strcmp(segment->text, "..") != 0);
		assert(is_utf8(segment->text, segment->len));
	}
	for (size_t i = 0; i < target->n_query; i++)
		assert(target->query[i].key[0] && target->query[i].value);
}

/* Escaped anew it is the same path, unless that is too long. */
static void
check_round_trip(const struct target *target)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
	CLEANUP(target_done) struct target again;
	struct skiff_error err = ERROR_INIT;

	target_init(&again);
	for (size_t i = 0; i < target->n_segments; i++) {
		strbuf_addch(&text, '/');
		percent_encode(target->segments[i].text, &text);
	}
	if (target->n_segments == 0 || text.len > TARGET_MAX)
		return;
	assert(target_parse(&again, text.buf, text.len, &err) == 0);
	assert(again.n_segments == target->n_segments);
	for (size_t i = 0; i < again.n_segments; i++)
		assert(strcmp(again.segments[i].text,
			      target->segments[i].text) == 0);
}

static void
check_match(const struct route_match *match, enum http_method method,
	    const struct target *target)
{
	struct skiff_error err = ERROR_INIT;

	if (!match->allow) {
		assert(!match->route);
		assert(router_explain(the_router(), target, &err) < 0);
		assert(err.code == SKIFF_NOT_FOUND && err.text[0]);
		return;
	}
	assert(!match->route == !(match->allow & (int)method) ||
	       method == HTTP_OPTIONS);
	if (!match->route)
		return;
	for (size_t i = 0; i < match->route->n_params; i++)
		assert(match->values[i] && match->values[i][0]);
	if (router_check_query(match->route, target, &err) < 0)
		assert(err.code == SKIFF_INVALID_ARGUMENT);
}

static void
check_method(enum http_method method, const char *raw, size_t len)
{
	CLEANUP(target_done) struct target target;
	struct route_match match = { .allow = 0 };
	struct skiff_error err = ERROR_INIT;

	target_init(&target);
	assert(target_parse(&target, raw, len, &err) == 0);
	router_find(the_router(), method, &target, &match);
	check_match(&match, method, &target);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *raw = (const char *)data;
	CLEANUP(target_done) struct target target;
	struct skiff_error err = ERROR_INIT;

	target_init(&target);
	if (target_parse(&target, raw, size, &err) < 0) {
		assert(err.code == SKIFF_INVALID_ARGUMENT ||
		       err.code == SKIFF_URI_TOO_LONG);
		assert(err.text[0]);
		return 0;
	}
	check_segments(&target);
	check_round_trip(&target);
	for (int bit = HTTP_GET; bit <= (int)HTTP_OPTIONS; bit <<= 1)
		check_method((enum http_method)bit, raw, size);
	return 0;
}
