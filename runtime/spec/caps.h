/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Capabilities by name (capabilities(7)), and the set that a container
 * gets.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

/* "CAP_CHOWN" or "CHOWN" → 0; -1 for what is none. */
int cap_number(const char *name);
/* "CAP_CHOWN", or NULL. */
const char *cap_name(unsigned int number);
static inline bool
caps_have(uint64_t set, unsigned int number)
{
	return set >> number & 1;
}

/*
 * The default (of a privileged container: all), less drop, plus add; "ALL"
 * is every one of possible. The names have been checked.
 */
uint64_t caps_apply(const struct strv *add, const struct strv *drop,
		    bool is_privileged, uint64_t possible);
