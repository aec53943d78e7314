/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict gate, the Host check, and the text of server-sent events.
 */
#include "config.h"

#include <string.h>

#include "http/gate.h"
#include "http/sse.h"
#include "tests/unit/tap.h"

/* headers: "Name: value" each, NULL at the end. */
static enum skiff_code
check(const char *method, const char *version, const char *const *headers,
      struct head *head)
{
	static char names[HEADERS_MAX][64];
	struct skiff_error err = ERROR_INIT;

	head->method = method;
	head->version = version;
	head->n_headers = 0;
	for (; *headers; headers++) {
		const char *colon = strstr(*headers, ": ");
		struct header *header = &head->headers[head->n_headers];
		char *name = names[head->n_headers++];

		(void)snprintf(name, 64, "%.*s", (int)(colon - *headers),
			       *headers);
		header->name = name;
		header->name_len = strlen(name);
		header->value = colon + 2;
		header->value_len = strlen(colon + 2);
	}
	(void)gate_check(head, &err);
	return err.code;
}

#define HEADERS(...)                                                           \
	(const char *const[])                                                  \
	{                                                                      \
		__VA_ARGS__, NULL                                              \
	}

static struct head head;

static void
good_heads_pass(void)
{
	CHECK(check("GET", "HTTP/1.1", HEADERS("Host: a"), &head) == SKIFF_OK);
	CHECK(head.known_method == HTTP_GET && head.content_length == -1);
	CHECK(check("POST", "HTTP/1.1",
		    HEADERS("host: ", "content-length: 5",
			    "Expect: 100-Continue"),
		    &head) == SKIFF_OK);
	CHECK(head.content_length == 5 && head.wants_continue);
	CHECK(check("PUT", "HTTP/1.1",
		    HEADERS("Host: a", "Transfer-Encoding: Chunked"),
		    &head) == SKIFF_OK);
	CHECK(head.is_chunked);
	CHECK(check("GET", "HTTP/1.0", HEADERS("X: y"), &head) == SKIFF_OK);
	CHECK(check("GET", "HTTP/1.1", HEADERS("Host: a", "X: \xc3\xa4\t"),
		    &head) == SKIFF_OK);
}

static void
bad_heads_are_refused(void)
{
	CHECK(check("GET", "HTTP/1.1", HEADERS("X: y"), &head) ==
	      SKIFF_INVALID_ARGUMENT);
	CHECK(check("GET", "HTTP/1.1", HEADERS("Host: a", "HOST: a"), &head) ==
	      SKIFF_INVALID_ARGUMENT);
	CHECK(check("GET", "HTTP/1.1", HEADERS("Host: a", "X Y: a"), &head) ==
	      SKIFF_INVALID_ARGUMENT);
	CHECK(check("GET", "HTTP/1.1", HEADERS("Host: a", ": a"), &head) ==
	      SKIFF_INVALID_ARGUMENT);
	CHECK(check("GET", "HTTP/1.1", HEADERS("Host: a", "X: a\rb"), &head) ==
	      SKIFF_INVALID_ARGUMENT);
	CHECK(check("GET", "HTTP/1.1", HEADERS("Host: a", "Content-Length: 1"),
		    &head) == SKIFF_INVALID_ARGUMENT);
	CHECK(
	    check("POST", "HTTP/1.1",
		  HEADERS("Host: a", "Content-Length: 1", "Content-Length: 1"),
		  &head) == SKIFF_INVALID_ARGUMENT);
	CHECK(check("POST", "HTTP/1.1",
		    HEADERS("Host: a", "Content-Length: 0",
			    "Transfer-Encoding: chunked"),
		    &head) == SKIFF_INVALID_ARGUMENT);
	CHECK(check("POST", "HTTP/1.0", HEADERS("Transfer-Encoding: chunked"),
		    &head) == SKIFF_INVALID_ARGUMENT);
	CHECK(check("POST", "HTTP/1.1", HEADERS("Host: a", "Content-Length: "),
		    &head) == SKIFF_INVALID_ARGUMENT);
}

static void
refusals_have_their_classes(void)
{
	CHECK(check("PURGE", "HTTP/1.1", HEADERS("Host: a"), &head) ==
	      SKIFF_METHOD_NOT_ALLOWED);
	CHECK(check("GET", "HTTP/1.2", HEADERS("Host: a"), &head) ==
	      SKIFF_VERSION_NOT_SUPPORTED);
	CHECK(check("POST", "HTTP/1.1",
		    HEADERS("Host: a", "Content-Length: 9223372036854775808"),
		    &head) == SKIFF_TOO_LARGE);
	CHECK(check("POST", "HTTP/1.1",
		    HEADERS("Host: a", "Transfer-Encoding: gzip"),
		    &head) == SKIFF_UNIMPLEMENTED);
	CHECK(check("POST", "HTTP/1.1", HEADERS("Host: a", "Expect: more"),
		    &head) == SKIFF_EXPECTATION_FAILED);
}

static bool
is_served(const char *host)
{
	static const char *const names[] = { "localhost", "[::1]", NULL };
	struct skiff_error err = ERROR_INIT;

	return gate_check_host(host, names, 8080, &err) == 0;
}

static void
only_configured_hosts_are_served(void)
{
	CHECK(is_served("localhost") && is_served("LocalHost:8080"));
	CHECK(is_served("[::1]") && is_served("[::1]:8080"));
	CHECK(!is_served("localhost:80") && !is_served("localhost:"));
	CHECK(!is_served("localhost:8080x") && !is_served("localhost."));
	CHECK(!is_served("") && !is_served(NULL) && !is_served(":8080"));
	CHECK(!is_served("[::1") && !is_served("::1"));
}

static void
events_are_written_line_by_line(void)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

	sse_event(&out, 7, "a", "x\ny\r\nz\r", 7);
	CHECK_STR(out.buf, "id: 7\nevent: a\ndata: x\ndata: y\ndata: z\n"
			   "data: \n\n");
	strbuf_reset(&out);
	sse_event(&out, 0, NULL, "", 0);
	sse_retry(&out, 2000);
	sse_heartbeat(&out);
	CHECK_STR(out.buf, "data: \n\nretry: 2000\n\n:\n\n");
}

TESTS(TEST(good_heads_pass), TEST(bad_heads_are_refused),
      TEST(refusals_have_their_classes), TEST(only_configured_hosts_are_served),
      TEST(events_are_written_line_by_line))
