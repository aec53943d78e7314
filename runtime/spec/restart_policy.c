/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wish "restart_policy".
 */
#include "config.h"

#include "runtime/spec/restart_policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/parse.h"

#define RETRIES_MAX 1000000
#define ON_FAILURE "on-failure"

static const char *const rule_names[] = {
	[RESTART_NO] = "no",
	[RESTART_ON_FAILURE] = ON_FAILURE,
	[RESTART_UNLESS_STOPPED] = "unless-stopped",
	[RESTART_ALWAYS] = "always",
};

struct wish {
	char *name;
	int64_t max_retries;
};

static const struct json_field wish_fields[] = {
	JSON_TEXT(struct wish, name, "name", JSON_REQUIRED),
	JSON_INT(struct wish, max_retries, "max_retries", 0, RETRIES_MAX, 0),
};

static bool
take_rule(const char *name, enum restart_rule *ret_rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(rule_names); i++)
		if (strcmp(rule_names[i], name) == 0) {
			*ret_rule = (enum restart_rule)i;
			return true;
		}
	return false;
}

static void
fault_name(const char *pointer, struct json_faults *faults)
{
	json_fault(faults, pointer,
		   "must be \"no\", \"on-failure\", \"on-failure:N\", "
		   "\"unless-stopped\" or \"always\"");
}

static void
decode_text(const char *text, const char *pointer,
	    struct restart_policy *ret_policy, struct json_faults *faults)
{
	static const char counted[] = ON_FAILURE ":";
	struct skiff_error fault = ERROR_INIT;
	uint64_t retries;

	if (take_rule(text, &ret_policy->rule))
		return;
	if (strncmp(text, counted, strlen(counted)) != 0) {
		fault_name(pointer, faults);
		return;
	}
	if (parse_u64(text + strlen(counted), RETRIES_MAX, &retries, &fault) <
	    0) {
		json_fault(faults, pointer,
			   "must name a number of at most %d after the colon",
			   RETRIES_MAX);
		return;
	}
	ret_policy->rule = RESTART_ON_FAILURE;
	ret_policy->max_retries = (int64_t)retries;
}

static void
decode_object(const json_t *value, const char *pointer,
	      struct restart_policy *ret_policy, struct json_faults *faults)
{
	cleanup_free char *name = xasprintf("%s/name", pointer);
	cleanup_free char *retries = xasprintf("%s/max_retries", pointer);
	struct wish wish = { 0 };

	json_decode(value, pointer, wish_fields, ARRAY_SIZE(wish_fields), &wish,
		    faults);
	if (wish.name && !take_rule(wish.name, &ret_policy->rule))
		fault_name(name, faults);
	else if (wish.max_retries > 0 && wish.name &&
		 ret_policy->rule != RESTART_ON_FAILURE)
		json_fault(faults, retries, "is for \"on-failure\" alone");
	ret_policy->max_retries = wish.max_retries;
	json_release(wish_fields, ARRAY_SIZE(wish_fields), &wish);
}

void
restart_policy_decode(const json_t *value, const char *pointer,
		      struct restart_policy *ret_policy,
		      struct json_faults *faults)
{
	*ret_policy = (struct restart_policy){ .rule = RESTART_NO };
	if (json_is_string(value))
		decode_text(json_string_value(value), pointer, ret_policy,
			    faults);
	else if (json_is_object(value))
		decode_object(value, pointer, ret_policy, faults);
	else if (value)
		json_fault(faults, pointer, "must be a string or an object");
}

struct restart_policy
restart_policy_of(const json_t *container)
{
	struct json_faults ignored = JSON_FAULTS_INIT;
	struct restart_policy policy;

	restart_policy_decode(json_object_get(container, "restart_policy"), "",
			      &policy, &ignored);
	json_faults_done(&ignored);
	return policy;
}
