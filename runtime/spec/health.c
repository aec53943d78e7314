/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wish "health".
 */
#include "config.h"

#include "runtime/spec/health.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/spec/wishes.h"

#define INTERVAL_MIN_NS (10 * NS_PER_MS)
#define INTERVAL_NS (30 * NS_PER_SECOND)
#define TIMEOUT_NS (30 * NS_PER_SECOND)
#define START_INTERVAL_NS (5 * NS_PER_SECOND)
#define RETRIES 3
#define RETRIES_MAX 1000000

struct fields {
	struct strv args;
	json_t *interval;
	json_t *timeout;
	json_t *start_period;
	json_t *start_interval;
	int64_t retries;
};

static const struct json_field fields_table[] = {
	JSON_STRV(struct fields, args, "args", JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_ANY(struct fields, interval, "interval", 0),
	JSON_ANY(struct fields, timeout, "timeout", 0),
	JSON_ANY(struct fields, start_period, "start_period", 0),
	JSON_ANY(struct fields, start_interval, "start_interval", 0),
	JSON_INT(struct fields, retries, "retries", 1, RETRIES_MAX, 0),
};

static int64_t
duration(const json_t *value, const char *pointer, const char *name,
	 int64_t least_ns, struct json_faults *faults)
{
	cleanup_free char *at = xasprintf("%s/%s", pointer, name);
	int64_t ns = 0;

	if (wish_duration(value, &ns) && ns >= least_ns)
		return ns;
	json_fault(faults, at,
		   "must be seconds or a duration such as \"1m30s\"%s",
		   least_ns > 0 ? ", of 10 ms at least" : "");
	return least_ns;
}

static void
decode_object(const json_t *value, const char *pointer,
	      struct health_wish *wish, struct json_faults *faults)
{
	struct fields fields = { 0 };
	cleanup_free char *first = xasprintf("%s/args/0", pointer);

	json_decode(value, pointer, fields_table, ARRAY_SIZE(fields_table),
		    &fields, faults);
	if (fields.args.n > 0 && !*fields.args.items[0])
		json_fault(faults, first, "must not be empty");
	if (fields.interval)
		wish->interval_ns =
		    duration(fields.interval, pointer, "interval",
			     INTERVAL_MIN_NS, faults);
	if (fields.timeout)
		wish->timeout_ns = duration(fields.timeout, pointer, "timeout",
					    INTERVAL_MIN_NS, faults);
	if (fields.start_period)
		wish->start_period_ns = duration(fields.start_period, pointer,
						 "start_period", 0, faults);
	if (fields.start_interval)
		wish->start_interval_ns =
		    duration(fields.start_interval, pointer, "start_interval",
			     INTERVAL_MIN_NS, faults);
	if (fields.retries > 0)
		wish->retries = fields.retries;
	wish->args = fields.args;
	fields.args = (struct strv)STRV_INIT;
	json_release(fields_table, ARRAY_SIZE(fields_table), &fields);
}

void
health_decode(const json_t *value, const char *pointer,
	      struct health_wish *ret_wish, struct json_faults *faults)
{
	*ret_wish = (struct health_wish){
		.interval_ns = INTERVAL_NS,
		.timeout_ns = TIMEOUT_NS,
		.start_interval_ns = START_INTERVAL_NS,
		.retries = RETRIES,
	};
	if (json_is_object(value))
		decode_object(value, pointer, ret_wish, faults);
	else if (value && !json_is_false(value))
		json_fault(faults, pointer, "must be an object, or false");
}

void
health_done(struct health_wish *wish)
{
	strv_done(&wish->args);
}

/* --- of an image --------------------------------------------------------- */

/* ["CMD", …], ["CMD-SHELL", "…"], ["NONE"] */
static json_t *
image_args(const json_t *test)
{
	const char *form = json_string_value(json_array_get(test, 0));
	const char *line = json_string_value(json_array_get(test, 1));
	json_t *args;

	if (!form || !line)
		return NULL;
	if (strcmp(form, "CMD-SHELL") == 0)
		return json_pack("[s, s, s]", "/bin/sh", "-c", line);
	if (strcmp(form, "CMD") != 0)
		return NULL;
	args = json_copy((json_t *)test);
	(void)json_array_remove(args, 0);
	return args;
}

/* Nanoseconds; 0 is the default there. */
static void
take_image_ns(json_t *health, const char *name, const json_t *healthcheck,
	      const char *theirs)
{
	json_int_t ns =
	    json_integer_value(json_object_get(healthcheck, theirs));

	if (ns > 0)
		(void)json_object_set_new(health, name,
					  json_real((double)ns /
						    (double)NS_PER_SECOND));
}

json_t *
health_of_image(const json_t *healthcheck)
{
	json_t *args = image_args(json_object_get(healthcheck, "Test"));
	json_int_t retries =
	    json_integer_value(json_object_get(healthcheck, "Retries"));
	struct json_faults faults = JSON_FAULTS_INIT;
	struct health_wish checked;
	json_t *health;

	if (!args)
		return NULL;
	health = json_pack("{s:o}", "args", args);
	take_image_ns(health, "interval", healthcheck, "Interval");
	take_image_ns(health, "timeout", healthcheck, "Timeout");
	take_image_ns(health, "start_period", healthcheck, "StartPeriod");
	take_image_ns(health, "start_interval", healthcheck, "StartInterval");
	if (retries > 0)
		json_set_int(health, "retries", retries);
	health_decode(health, "", &checked, &faults);
	health_done(&checked);
	if (faults.list) {
		json_decref(health);
		health = NULL;
	}
	json_faults_done(&faults);
	return health;
}
