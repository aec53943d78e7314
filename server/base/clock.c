/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: wall clock for people, monotonic clock for durations, RFC 3339.
 */
#include "config.h"

#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

int64_t
clock_realtime_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t
clock_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

const char *
rfc3339_format(int64_t realtime_ns, char buf[RFC3339_SIZE])
{
	time_t seconds = (time_t)(realtime_ns / NS_PER_SECOND);
	int nanos = (int)(realtime_ns % NS_PER_SECOND);
	struct tm tm;
	size_t n;

	if (nanos < 0) {
		nanos += (int)NS_PER_SECOND;
		seconds--;
	}
	(void)gmtime_r(&seconds, &tm);
	n = strftime(buf, RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf + n, RFC3339_SIZE - n, ".%09dZ", nanos);
	return buf;
}

/* ".123" after the seconds; returns what follows, NULL on ".". */
static const char *
parse_fraction(const char *p, int64_t *ret_ns)
{
	int64_t unit = NS_PER_SECOND;
	const char *start;

	*ret_ns = 0;
	if (*p != '.')
		return p;
	for (start = ++p; *p >= '0' && *p <= '9'; p++) {
		unit /= 10;
		*ret_ns += unit * (*p - '0');
	}
	return p > start ? p : NULL;
}

/* "Z" or "+02:00" at the very end. */
static bool
parse_zone(const char *p, int64_t *ret_offset_s)
{
	int hours;
	int minutes;
	int n = 0;

	*ret_offset_s = 0;
	if (strcmp(p, "Z") == 0 || strcmp(p, "z") == 0)
		return true;
	if (*p != '+' && *p != '-')
		return false;
	if (sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &n) != 2 || n != 5 ||
	    p[6] != '\0' || hours > 23 || minutes > 59)
		return false;
	*ret_offset_s = (hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);
	return true;
}

bool
rfc3339_parse(const char *text, int64_t *ret_realtime_ns)
{
	struct tm tm = { 0 };
	int64_t offset_s;
	int64_t nanos;
	const char *p;

	p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!p || tm.tm_year < 70 || tm.tm_year > 300)
		return false;
	p = parse_fraction(p, &nanos);
	if (!p || !parse_zone(p, &offset_s))
		return false;
	*ret_realtime_ns =
	    ((int64_t)timegm(&tm) - offset_s) * NS_PER_SECOND + nanos;
	return true;
}

struct deadline
deadline_in_ms(int64_t timeout_ms)
{
	return (struct deadline){ clock_monotonic_ns() +
				  timeout_ms * NS_PER_MS };
}

bool
deadline_passed(struct deadline deadline)
{
	return deadline.at_ns != 0 && clock_monotonic_ns() >= deadline.at_ns;
}

int
deadline_poll_ms(struct deadline deadline)
{
	int64_t left_ns;
	int64_t ms;

	if (deadline.at_ns == 0)
		return -1;
	left_ns = deadline.at_ns - clock_monotonic_ns();
	if (left_ns <= 0)
		return 0;
	ms = (left_ns + NS_PER_MS - 1) / NS_PER_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

struct timespec
deadline_timespec(struct deadline deadline)
{
	return (struct timespec){
		.tv_sec = (time_t)(deadline.at_ns / NS_PER_SECOND),
		.tv_nsec = (long)(deadline.at_ns % NS_PER_SECOND),
	};
}
