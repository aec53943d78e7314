/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and durations from text: the whole string or an error.
 */
#include "config.h"

#include "base/parse.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

#define NS_PER_S INT64_C(1000000000)
#define MAX_DURATION_NS (INT64_C(100) * 365 * 86400 * NS_PER_S / 2)

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int
parse_u64(const char *text, uint64_t max, uint64_t *ret_value,
	  struct skiff_error *err)
{
	uint64_t value = 0;

	if (*text == '\0')
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "a number is expected, not an empty string");
	for (const char *p = text; *p; p++) {
		if (!is_digit(*p))
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "\"%.64s\" is not a whole number", text);
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "\"%.64s\" is too large", text);
	}
	if (value > max)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "%" PRIu64 " is more than %" PRIu64, value, max);
	*ret_value = value;
	return 0;
}

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{ "ns", 1 },	   { "us", 1000 },	   { "ms", 1000000 },
	{ "s", NS_PER_S }, { "m", 60 * NS_PER_S }, { "h", 3600 * NS_PER_S },
};

/* Length of the unit at text, or 0; *ret_ns is what one of it lasts. */
static size_t
unit_at(const char *text, int64_t *ret_ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(text, units[i].name, len) == 0 &&
		    (text[len] == '\0' || is_digit(text[len]))) {
			*ret_ns = units[i].ns;
			return len;
		}
	}
	return 0;
}

/* One number with a fraction and a unit; a bare number is in seconds. */
static const char *
parse_part(const char *p, bool is_first, int64_t *total_ns)
{
	double value = 0;
	double scale = 1;
	int64_t unit_ns = NS_PER_S;
	size_t len;

	if (!is_digit(*p))
		return NULL;
	for (; is_digit(*p); p++)
		value = value * 10 + (*p - '0');
	if (*p == '.')
		for (p++; is_digit(*p); p++)
			value += (*p - '0') * (scale /= 10);
	len = unit_at(p, &unit_ns);
	if (len == 0 && !(is_first && *p == '\0'))
		return NULL;
	if (value * (double)unit_ns > (double)(MAX_DURATION_NS - *total_ns))
		return NULL;
	*total_ns += (int64_t)(value * (double)unit_ns + 0.5);
	return p + len;
}

int
parse_duration(const char *text, int64_t *ret_ns, struct skiff_error *err)
{
	int64_t total_ns = 0;
	const char *p = text;

	do {
		p = parse_part(p, p == text, &total_ns);
		if (!p)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "\"%.64s\" is not a duration such as "
				       "30, 1.5 or 1m30s",
				       text);
	} while (*p);
	*ret_ns = total_ns;
	return 0;
}

int
parse_bool(const char *text, int *ret_value, struct skiff_error *err)
{
	if (!strcmp(text, "true") || !strcmp(text, "1") || !*text)
		*ret_value = 1;
	else if (!strcmp(text, "false") || !strcmp(text, "0"))
		*ret_value = 0;
	else
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "\"%.64s\" is neither true nor false", text);
	return 0;
}
