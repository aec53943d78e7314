/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Unit tests in TAP (Test Anything Protocol).
 *
 *	static void a_label_set_to_nothing_is_removed(void)
 *	{
 *		CHECK(labels_count(&labels) == 0);
 *		CHECK_STR(text, "a");
 *	}
 *	TESTS(TEST(a_label_set_to_nothing_is_removed))
 *
 * CHECK reports and goes on; a test fails when any of its checks did.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool tap_is_ok;
static const char *tap_skip_reason;

/* Ends the test here: it says why this machine cannot run it. */
#define SKIP(reason)                                                           \
	do {                                                                   \
		tap_skip_reason = (reason);                                    \
		return;                                                        \
	} while (0)

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			tap_is_ok = false;                                     \
			(void)printf("# %s:%d: not so: %s\n", __FILE__,        \
				     __LINE__, #condition);                    \
		}                                                              \
	} while (0)

#define CHECK_STR(actual, expected)                                            \
	do {                                                                   \
		const char *actual_ = (actual);                                \
		const char *expected_ = (expected);                            \
		if (!actual_ || strcmp(actual_, expected_) != 0) {             \
			tap_is_ok = false;                                     \
			(void)printf("# %s:%d: %s is \"%s\", not \"%s\"\n",    \
				     __FILE__, __LINE__, #actual,              \
				     actual_ ? actual_ : "(null)", expected_); \
		}                                                              \
	} while (0)

struct tap_test {
	const char *name;
	void (*run)(void);
};

static inline int
tap_run(const struct tap_test *tests, size_t n)
{
	int n_failed = 0;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		tap_is_ok = true;
		tap_skip_reason = NULL;
		tests[i].run();
		n_failed += !tap_is_ok;
		(void)printf("%s %zu - %s%s%s\n", tap_is_ok ? "ok" : "not ok",
			     i + 1, tests[i].name,
			     tap_skip_reason ? " # SKIP " : "",
			     tap_skip_reason ? tap_skip_reason : "");
	}
	return n_failed > 0;
}

#define TEST(name)                                                             \
	{                                                                      \
#name, name                                                    \
	}
#define TESTS(...)                                                             \
	int main(void)                                                         \
	{                                                                      \
		static const struct tap_test tests_[] = { __VA_ARGS__ };       \
		return tap_run(tests_, sizeof(tests_) / sizeof(tests_[0]));    \
	}
