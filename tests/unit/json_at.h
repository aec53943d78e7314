/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What stands at a place of a JSON document, for tests:
 *
 *	CHECK_AT(spec, "process/args/0", "\"sh\"");
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "tests/unit/tap.h"

/* The value at a pointer, as text; "null" for none. */
static inline char *
at(const json_t *json, const char *pointer)
{
	cleanup_free char *copy = xstrdup(pointer);
	char *saved = NULL;

	for (char *key = strtok_r(copy, "/", &saved); key;
	     key = strtok_r(NULL, "/", &saved))
		json = json_is_array(json)
			   ? json_array_get(json, strtoul(key, NULL, 10))
			   : json_object_get(json, key);
	return json_text(json);
}

#define CHECK_AT(json, pointer, expected)                                      \
	do {                                                                   \
		cleanup_free char *text_ = at(json, pointer);                  \
		CHECK_STR(text_, expected);                                    \
	} while (0)
