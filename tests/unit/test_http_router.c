/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router and the request target.
 */
#include "config.h"

#include <string.h>

#include "http/router.h"
#include "tests/unit/tap.h"

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

#define ROW(m, p, id, q)                                                       \
	{                                                                      \
		.method = (m), .pattern = (p), .operation_id = (id),           \
		.query = (q), .handler = nothing                               \
	}

static const struct route rows[] = {
	ROW(HTTP_GET, "/", "index", NULL),
	ROW(HTTP_GET, "/v1/namespaces", "ns_list", "filter* limit"),
	ROW(HTTP_POST, "/v1/namespaces", "ns_create", NULL),
	ROW(HTTP_GET, "/v1/namespaces/{ns}", "ns_get", NULL),
	ROW(HTTP_GET, "/v1/namespaces/{ns}/images", "image_list", NULL),
	ROW(HTTP_POST, "/v1/namespaces/{ns}/images/pull", "pull", NULL),
	ROW(HTTP_GET, "/v1/namespaces/{ns}/images/{name*}", "image_get", NULL),
	ROW(HTTP_DELETE, "/v1/namespaces/{ns}/images/{name*}", "image_delete",
	    NULL),
	ROW(HTTP_GET, "/v1/namespaces/{ns}/images/{name*}/config", "config",
	    NULL),
	ROW(HTTP_GET, "/v1/namespaces/{ns}/tasks/{id}/execs/{eid}", "exec_get",
	    NULL),
	ROW(HTTP_GET, "/v1/namespaces/{ns}/snapshots/{sn}/{key}", "snap_get",
	    NULL),
	ROW(HTTP_GET, "/v1/namespaces/{ns}/snapshots/default/special",
	    "special", NULL),
};

/* "operation value value …", or the methods that are possible. */
static const char *
find(enum http_method method, const char *text)
{
	static char out[512];
	struct router *router = router_new(rows, ARRAY_SIZE(rows));
	struct target target;
	struct route_match match = { .allow = 0 };
	struct skiff_error err = ERROR_INIT;
	char allow[64];
	size_t len;

	target_init(&target);
	if (target_parse(&target, text, strlen(text), &err) < 0) {
		(void)snprintf(out, sizeof(out), "%s", err_code_name(err.code));
	} else {
		router_find(router, method, &target, &match);
		if (match.route)
			len = (size_t)snprintf(out, sizeof(out), "%s",
					       match.route->row->operation_id);
		else
			len = (size_t)snprintf(out, sizeof(out), "(%s)",
					       http_allow_text(match.allow,
							       allow));
		for (size_t i = 0; match.route && i < match.route->n_params;
		     i++)
			len += (size_t)snprintf(out + len, sizeof(out) - len,
						" %s", match.values[i]);
	}
	target_done(&target);
	router_free(router);
	return out;
}

static void
literals_and_parameters_are_found(void)
{
	CHECK_STR(find(HTTP_GET, "/"), "index");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces"), "ns_list");
	CHECK_STR(find(HTTP_POST, "/v1/namespaces?x=1"), "ns_create");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/a%2Fb"), "ns_get a/b");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/tasks/t/execs/e"),
		  "exec_get d t e");
	CHECK_STR(find(HTTP_HEAD, "/v1/namespaces/d"), "ns_get d");
}

static void
tails_take_one_or_more_segments(void)
{
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/images/a"), "image_get d a");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/images/r.io/l/redis:7"),
		  "image_get d r.io/l/redis:7");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/images/r.io%2Fl%2Fredis"),
		  "image_get d r.io/l/redis");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/images/r/l/config"),
		  "config d r/l");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/images/r%2Fconfig"),
		  "image_get d r/config");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/images/config"),
		  "image_get d config");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/images/config/config"),
		  "config d config");
}

static void
literals_win_whatever_the_method(void)
{
	CHECK_STR(find(HTTP_POST, "/v1/namespaces/d/images/pull"), "pull d");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/images/pull"),
		  "(POST, OPTIONS)");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/snapshots/default/special"),
		  "special d");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/snapshots/default/x"),
		  "snap_get d default x");
}

static void
wrong_methods_and_paths_are_told_apart(void)
{
	CHECK_STR(find(HTTP_PUT, "/v1/namespaces"),
		  "(GET, HEAD, POST, OPTIONS)");
	CHECK_STR(find(HTTP_GET, "/v1"), "()");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/tasks/t/execs"), "()");
	CHECK_STR(find(HTTP_GET, "/v1/namespaces/d/images/a/b/"),
		  "invalid_argument");
}

static void
a_missing_path_says_what_exists(void)
{
	struct router *router = router_new(rows, ARRAY_SIZE(rows));
	struct skiff_error err = ERROR_INIT;
	struct target target;
	const char *text = "/v1/namespaces/d/nope";

	target_init(&target);
	CHECK(target_parse(&target, text, strlen(text), &err) == 0);
	CHECK(router_explain(router, &target, &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	CHECK(strstr(err.text, "images, snapshots, tasks") != NULL);
	target_done(&target);
	router_free(router);
}

static enum skiff_code
query_code(const char *text)
{
	struct router *router = router_new(rows, ARRAY_SIZE(rows));
	struct skiff_error err = ERROR_INIT;
	struct target target;
	struct route_match match;

	target_init(&target);
	if (target_parse(&target, text, strlen(text), &err) == 0) {
		router_find(router, HTTP_GET, &target, &match);
		(void)router_check_query(match.route, &target, &err);
	}
	target_done(&target);
	router_free(router);
	return err.code;
}

static void
query_keys_must_be_known_and_unique(void)
{
	CHECK(query_code("/v1/namespaces?limit=1&filter=a&filter=b") ==
	      SKIFF_OK);
	CHECK(query_code("/v1/namespaces?limit") == SKIFF_OK);
	CHECK(query_code("/v1/namespaces?") == SKIFF_OK);
	CHECK(query_code("/v1/namespaces?limit=1&limit=1") ==
	      SKIFF_INVALID_ARGUMENT);
	CHECK(query_code("/v1/namespaces?limi=1") == SKIFF_INVALID_ARGUMENT);
	CHECK(query_code("/v1/namespaces?=1") == SKIFF_INVALID_ARGUMENT);
	CHECK(query_code("/v1/namespaces?limit=%") == SKIFF_INVALID_ARGUMENT);
}

static enum skiff_code
target_code(const char *text, size_t len)
{
	struct skiff_error err = ERROR_INIT;
	struct target target;

	target_init(&target);
	(void)target_parse(&target, text, len, &err);
	target_done(&target);
	return err.code;
}

static void
bad_targets_are_refused(void)
{
	static const char *const bad[] = {
		"",	     "v1",     "*",	"http://x/", "//",
		"/a//b",     "/a/",    "/.",	"/a/..",     "/%2e",
		"/%2E%2e/x", "/%00",   "/%zz",	"/%4",	     "/%",
		"/%u0041",   "/a b",   "/a\tb", "/a\x7f",    "/\xc3\xa4",
		"/%ff",	     "/%0a",   "/a#b",	"/a?b=%00",  "/a?b=%ff",
		"/a?b=%0d",  "/?a=b#c"
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(target_code(bad[i], strlen(bad[i])) ==
		      SKIFF_INVALID_ARGUMENT);
		if (!tap_is_ok)
			(void)printf("# target %s\n", bad[i]);
	}
	CHECK(target_code("/%C3%A4?x=%C3%A4", 16) == SKIFF_OK);
	CHECK(target_code("/...", 4) == SKIFF_OK);
}

static void
targets_have_bounds(void)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < SEGMENTS_MAX; i++)
		strbuf_adds(&text, "/a");
	CHECK(target_code(text.buf, text.len) == SKIFF_OK);
	strbuf_adds(&text, "/a");
	CHECK(target_code(text.buf, text.len) == SKIFF_INVALID_ARGUMENT);
	strbuf_reset(&text);
	strbuf_addch(&text, '/');
	while (text.len < TARGET_MAX)
		strbuf_addch(&text, 'a');
	CHECK(target_code(text.buf, text.len) == SKIFF_OK);
	strbuf_addch(&text, 'a');
	CHECK(target_code(text.buf, text.len) == SKIFF_URI_TOO_LONG);
	strbuf_reset(&text);
	strbuf_adds(&text, "/?");
	for (int i = 0; i < QUERY_MAX; i++)
		strbuf_adds(&text, "a&");
	CHECK(target_code(text.buf, text.len) == SKIFF_OK);
	strbuf_adds(&text, "a");
	CHECK(target_code(text.buf, text.len) == SKIFF_INVALID_ARGUMENT);
}

TESTS(TEST(literals_and_parameters_are_found),
      TEST(tails_take_one_or_more_segments),
      TEST(literals_win_whatever_the_method),
      TEST(wrong_methods_and_paths_are_told_apart),
      TEST(a_missing_path_says_what_exists),
      TEST(query_keys_must_be_known_and_unique), TEST(bad_targets_are_refused),
      TEST(targets_have_bounds))
