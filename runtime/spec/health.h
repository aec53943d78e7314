/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The wish "health": a command that is run in the container again and again
 * to see how it fares.
 *
 *	{args, interval: 30, timeout: 30, retries: 3, start_period: 0,
 *	 start_interval: 5}
 *
 * Durations are seconds or "1m30s". false: none, whatever the image says.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/strv.h"

struct health_wish {
	struct strv args; /* none: there is nothing to run */
	int64_t interval_ns;
	int64_t timeout_ns;
	int64_t start_period_ns;   /* in which a failure does not count */
	int64_t start_interval_ns; /* instead of interval meanwhile */
	int64_t retries;
};

/* value: the wish, or NULL; with its defaults. */
void health_decode(const json_t *value, const char *pointer,
		   struct health_wish *ret_wish, struct json_faults *faults);
void health_done(struct health_wish *wish);

/*
 * The wish that an image's HEALTHCHECK is, as docker writes it into the
 * configuration ({"Test": ["CMD-SHELL", "…"], "Interval": ns, …}); NULL for
 * none, and for one that nobody can make sense of. The caller's.
 */
json_t *health_of_image(const json_t *healthcheck);
