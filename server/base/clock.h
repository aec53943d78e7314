/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Time: wall clock for people, monotonic clock for durations, RFC 3339.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)

/* Nanoseconds since 1970, UTC. */
int64_t clock_realtime_ns(void);
/* Nanoseconds on CLOCK_MONOTONIC. */
int64_t clock_monotonic_ns(void);

#define RFC3339_SIZE 32
/* "2026-11-23T17:53:05.123456789Z"; returns buf. */
const char *rfc3339_format(int64_t realtime_ns, char buf[RFC3339_SIZE]);
/* False unless the whole text is an RFC 3339 time. */
bool rfc3339_parse(const char *text, int64_t *ret_realtime_ns);

/* A moment on CLOCK_MONOTONIC; 0 is "never". */
struct deadline {
	int64_t at_ns;
};

#define DEADLINE_NEVER ((struct deadline){ 0 })
struct deadline deadline_in_ms(int64_t timeout_ms);
bool deadline_passed(struct deadline deadline);
/* Milliseconds left for poll(2): -1 never, 0 passed. Rounded up. */
int deadline_poll_ms(struct deadline deadline);
struct timespec deadline_timespec(struct deadline deadline);
