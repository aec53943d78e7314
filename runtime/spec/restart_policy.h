/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The wish "restart_policy": whether the daemon starts a task again that
 * has ended. Either form is taken, and kept as it was given:
 *
 *	"no"  "always"  "unless-stopped"  "on-failure"  "on-failure:3"
 *	{"name": "on-failure", "max_retries": 3}
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

enum restart_rule {
	RESTART_NO,
	RESTART_ON_FAILURE,
	RESTART_UNLESS_STOPPED,
	RESTART_ALWAYS,
};

struct restart_policy {
	enum restart_rule rule;
	int64_t max_retries; /* of RESTART_ON_FAILURE; 0: no end of them */
};

/* value: the wish, or NULL for none, which is "no". */
void restart_policy_decode(const json_t *value, const char *pointer,
			   struct restart_policy *ret_policy,
			   struct json_faults *faults);
/* The policy of a container's document, which was checked when it came. */
struct restart_policy restart_policy_of(const json_t *container);
