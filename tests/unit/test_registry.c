/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry client's parsers and rules: challenges, parties, addresses,
 * the words of error answers.
 */
#include "config.h"

#include <arpa/inet.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "store/registry/address.h"
#include "store/registry/answer.h"
#include "store/registry/auth.h"
#include "store/registry/challenge.h"
#include "store/registry/http.h"
#include "tests/unit/tap.h"

static char *
read_challenge(const char *line)
{
	CLEANUP(challenge_done) struct challenge challenge = { 0 };

	if (!challenge_parse(line, &challenge))
		return xstrdup("none");
	return xasprintf("%s|%s|%s|%s",
			 challenge.scheme == CHALLENGE_BASIC ? "basic"
							     : "bearer",
			 challenge.realm ? challenge.realm : "",
			 challenge.service ? challenge.service : "",
			 challenge.scope ? challenge.scope : "");
}

static void
challenges_are_read_as_they_are_written(void)
{
	static const char *const rows[][2] = {
		{ "Basic realm=\"x\"", "basic|x||" },
		{ "basic", "basic|||" },
		{ "Bearer realm=\"https://a/t\",service=\"s\",scope=\"r:p:q\"",
		  "bearer|https://a/t|s|r:p:q" },
		{ "BEARER  Realm = https://a , scope=\"a b,c\"", "none" },
		{ "bearer realm = \"https://a\" , scope=\"a b,c\"",
		  "bearer|https://a||a b,c" },
		{ "Basic realm=\"b\", Bearer realm=\"https://t\"",
		  "bearer|https://t||" },
		{ "Bearer realm=\"https://t\", Basic realm=\"b\"",
		  "bearer|https://t||" },
		{ "Bearer service=\"s\", Basic realm=\"b\"", "basic|b||" },
		{ "Negotiate YWJj==, Basic realm=\"b\"", "basic|b||" },
		{ "Negotiate, Basic realm=\"b\"", "basic|b||" },
		{ "Basic realm=\"a\\\"b\"", "basic|a\"b||" },
		{ "Basic realm=\"a\", realm=\"b\"", "basic|a||" },
		{ "Bearer realm=\"cut", "none" },
		{ "Bearer", "none" },
		{ "Digest realm=\"a\"", "none" },
		{ "", "none" },
		{ ",,,", "none" },
		{ "=", "none" },
		{ "Basic realm=", "none" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = read_challenge(rows[i][0]);

		CHECK_STR(text, rows[i][1]);
	}
}

static void
a_token_server_of_another_party_gets_no_password(void)
{
	CHECK(auth_is_same_party("registry-1.docker.io", "auth.docker.io"));
	CHECK(auth_is_same_party("ghcr.io", "ghcr.io"));
	CHECK(auth_is_same_party("registry.gitlab.com:5050", "gitlab.com"));
	CHECK(auth_is_same_party("127.0.0.1:5000", "127.0.0.1:5001"));
	CHECK(auth_is_same_party("[::1]:5000", "[::1]"));
	CHECK(auth_is_same_party("a.b.co.uk", "c.b.co.uk"));
	CHECK(!auth_is_same_party("127.0.0.1:5000", "127.0.0.2:5000"));
	CHECK(!auth_is_same_party("127.0.0.1:5000", "localhost:5000"));
	CHECK(!auth_is_same_party("10.1.2.3", "10.9.2.3"));
	CHECK(!auth_is_same_party("good.example.com", "evil.example.org"));
	CHECK(!auth_is_same_party("a.co.uk", "b.co.uk"));
	CHECK(!auth_is_same_party("ghcr.io", "evil.io"));
	CHECK(!auth_is_same_party("docker.io", "notdocker.io"));
	CHECK(!auth_is_same_party("localhost", "evilhost"));
}

static bool
may(const char *address, bool is_loopback)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} to = { 0 };
	char text[ADDRESS_TEXT_SIZE];

	if (strchr(address, ':')) {
		to.in6.sin6_family = AF_INET6;
		CHECK(inet_pton(AF_INET6, address, &to.in6.sin6_addr) == 1);
	} else {
		to.in4.sin_family = AF_INET;
		CHECK(inet_pton(AF_INET, address, &to.in4.sin_addr) == 1);
	}
	return address_is_allowed(&to.any, is_loopback, text);
}

static void
inner_addresses_are_refused(void)
{
	static const char *const never[] = {
		"169.254.169.254",   "0.0.0.0",	  "224.0.0.1",
		"255.255.255.255",   "::",	  "fe80::1",
		"ff02::1",	     "::1.2.3.4", "::ffff:169.254.169.254",
		"64:ff9b::a9fe:a9fe"
	};
	static const char *const loopback[] = { "127.0.0.1", "127.9.9.9", "::1",
						"::ffff:127.0.0.1" };

	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		CHECK(!may(never[i], false));
		CHECK(!may(never[i], true));
	}
	for (size_t i = 0; i < ARRAY_SIZE(loopback); i++) {
		CHECK(!may(loopback[i], false));
		CHECK(may(loopback[i], true));
	}
	CHECK(may("10.0.0.1", false));
	CHECK(may("93.184.216.34", false));
	CHECK(may("2001:db8::1", false));
}

static void
plain_http_is_for_literal_loopback_only(void)
{
	struct skiff_error err = ERROR_INIT;

	CHECK(url_check("https", "example.com", false, &err) == 0);
	CHECK(url_check("http", "localhost:5000", true, &err) == 0);
	CHECK(url_check("http", "localhost:5000", false, &err) < 0);
	CHECK(url_check("http", "example.com", true, &err) < 0);
	CHECK(url_check("ftp", "localhost", true, &err) < 0);
	CHECK(url_check("file", "", true, &err) < 0);
	CHECK_STR(err.reason, "address_not_allowed");
}

static void
urls_are_shown_without_secrets(void)
{
	cleanup_free char *text =
	    url_for_people("https://u:p@h.example:1/a/b?X-Sig=secret#f");

	CHECK(strstr(text, "secret") == NULL);
	CHECK(strstr(text, "u:p") == NULL);
	CHECK(strstr(text, "https://h.example:1/a/b") != NULL);
}

static void
check_answer(int status, const char *type, const char *body,
	     enum skiff_code code, const char *text)
{
	struct http_response response = HTTP_RESPONSE_INIT;
	struct skiff_error err = ERROR_INIT;

	response.status = status;
	response.content_type = xstrdup(type);
	strbuf_adds(&response.body, body);
	CHECK(answer_error(&response, &err) < 0);
	CHECK(err.code == code);
	CHECK(err.upstream_status == status);
	CHECK_STR(err.text, text);
	http_response_done(&response);
}

static void
errors_keep_the_registrys_words(void)
{
	check_answer(404, "application/json",
		     "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":"
		     "\"manifest unknown\",\"detail\":{\"Tag\":\"x\"}}]}",
		     SKIFF_NOT_FOUND,
		     "answered 404: MANIFEST_UNKNOWN: manifest unknown");
	check_answer(
	    403, "application/json",
	    "{\"errors\":[{\"code\":\"DENIED\"},{\"message\":\"no\"}]}",
	    SKIFF_PERMISSION_DENIED, "answered 403: DENIED; no");
	check_answer(401, "application/json",
		     "{\"details\":\"incorrect username or password\"}",
		     SKIFF_UNAUTHENTICATED,
		     "answered 401: incorrect username or password");
	check_answer(500, "text/plain", "disk full\nsecond line",
		     SKIFF_REGISTRY_ERROR, "answered 500: disk full");
	check_answer(502, "text/html", "<html>bad</html>", SKIFF_REGISTRY_ERROR,
		     "answered 502");
	check_answer(429, "text/plain", "", SKIFF_REGISTRY_ERROR,
		     "answered 429");
	check_answer(400, "application/json", "{\"errors\":[null,1,[]]}",
		     SKIFF_REGISTRY_ERROR, "answered 400");
	check_answer(500, "application/json",
		     "{\"errors\":[{\"message\":\"a\\nb\\u001b[31m\"}]}",
		     SKIFF_REGISTRY_ERROR, "answered 500: a b [31m");
}

TESTS(TEST(challenges_are_read_as_they_are_written),
      TEST(a_token_server_of_another_party_gets_no_password),
      TEST(inner_addresses_are_refused),
      TEST(plain_http_is_for_literal_loopback_only),
      TEST(urls_are_shown_without_secrets),
      TEST(errors_keep_the_registrys_words))
