/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: what is taken, what it becomes, what is refused.
 */
#include "config.h"

#include "base/alloc.h"
#include "store/registry/reference.h"
#include "tests/unit/tap.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64

static char *
normalised(const char *text)
{
	CLEANUP(reference_done) struct reference reference = { 0 };
	struct skiff_error err = ERROR_INIT;

	if (reference_parse(text, &reference, &err) < 0)
		return xasprintf("%s", err.text);
	return xstrdup(reference.text);
}

static void
short_forms_become_what_docker_makes_of_them(void)
{
	static const char *const rows[][2] = {
		{ "busybox", "docker.io/library/busybox:latest" },
		{ "busybox:1.36", "docker.io/library/busybox:1.36" },
		{ "user/app", "docker.io/user/app:latest" },
		{ "docker.io/busybox", "docker.io/library/busybox:latest" },
		{ "index.docker.io/a/b", "docker.io/a/b:latest" },
		{ "localhost/a", "localhost/a:latest" },
		{ "localhost:5000/a/b:c", "localhost:5000/a/b:c" },
		{ "127.0.0.1:5000/a", "127.0.0.1:5000/a:latest" },
		{ "[::1]:5000/a/b", "[::1]:5000/a/b:latest" },
		{ "[2001:db8::1]/a", "[2001:db8::1]/a:latest" },
		{ "quay.io/a/b@" DIGEST, "quay.io/a/b@" DIGEST },
		{ "quay.io/a/b:c@" DIGEST, "quay.io/a/b:c@" DIGEST },
		{ "registry.example.com:443/a__b/c-d--e.f",
		  "registry.example.com:443/a__b/c-d--e.f:latest" },
		{ "REGISTRY/a", "REGISTRY/a:latest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = normalised(rows[i][0]);

		CHECK_STR(text, rows[i][1]);
	}
}

static void
what_is_no_reference_is_refused_with_words(void)
{
	static const char *const rows[] = {
		"",
		"/",
		"a/",
		"/a",
		"a//b",
		"Busybox",
		"a/B",
		"a:",
		"a:-tag",
		"a:t/g",
		"a@",
		"a@sha256:abc",
		"a@sha256:../../x",
		"a@sha256:" HEX64 "0",
		("a@SHA256:" HEX64),
		"a_",
		"a___b",
		"a..b",
		"-a",
		"host.example:0/a",
		"host.example:65536/a",
		"host.example:/a",
		"host..example/a",
		"-host.example/a",
		"127.0.0.1:5000:1/a",
		"[::1/a",
		"[::1]x/a",
		"[127.0.0.1]/a",
		"https://host.example/a",
		"a b",
		"a\nb",
		"a/../b",
		"a%2fb",
		"user@host.example/a",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(reference_done) struct reference reference = { 0 };
		struct skiff_error err = ERROR_INIT;
		bool is_refused =
		    reference_parse(rows[i], &reference, &err) < 0;

		if (!is_refused)
			(void)printf("# taken: \"%s\"\n", rows[i]);
		CHECK(is_refused);
		CHECK(err.code == SKIFF_INVALID_ARGUMENT);
		CHECK_STR(err.reason, "invalid_reference");
	}
}

static void
an_overlong_reference_is_refused(void)
{
	char text[REFERENCE_MAX + 2];
	CLEANUP(reference_done) struct reference reference = { 0 };
	struct skiff_error err = ERROR_INIT;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CHECK(reference_parse(text, &reference, &err) < 0);
	text[300] = '\0';
	CHECK(reference_parse(text, &reference, &err) < 0);
	text[200] = '\0';
	CHECK(reference_parse(text, &reference, &err) == 0);
}

static void
only_literal_loopback_is_loopback(void)
{
	static const char *const is[] = { "localhost",	 "localhost:5000",
					  "LocalHost:1", "127.0.0.1:5000",
					  "127.1.2.3",	 "[::1]",
					  "[::1]:5000" };
	static const char *const is_not[] = { "localhost.example.com",
					      "127.1",
					      "127.0.0.1.example.com",
					      "128.0.0.1",
					      "0.0.0.0",
					      "[::]",
					      "[::ffff:127.0.0.1]:80",
					      "0x7f000001",
					      "2130706433",
					      "local",
					      "" };

	for (size_t i = 0; i < ARRAY_SIZE(is); i++)
		CHECK(host_is_loopback(is[i]));
	for (size_t i = 0; i < ARRAY_SIZE(is_not); i++)
		CHECK(!host_is_loopback(is_not[i]));
}

static void
docker_io_is_served_by_another_name(void)
{
	CLEANUP(reference_done) struct reference reference = { 0 };
	struct skiff_error err = ERROR_INIT;

	CHECK(reference_parse("busybox", &reference, &err) == 0);
	CHECK_STR(reference.host, "docker.io");
	CHECK_STR(reference_server(&reference), "registry-1.docker.io");
}

TESTS(TEST(short_forms_become_what_docker_makes_of_them),
      TEST(what_is_no_reference_is_refused_with_words),
      TEST(an_overlong_reference_is_refused),
      TEST(only_literal_loopback_is_loopback),
      TEST(docker_io_is_served_by_another_name))
