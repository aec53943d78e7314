/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Numbers and durations from text: the whole string or an error.
 */
#include <stdint.h>

#include "base/error.h"

/* Decimal digits only, at most max. SKIFF_INVALID_ARGUMENT, SKIFF_OUT_OF_RANGE.
 */
int parse_u64(const char *text, uint64_t max, uint64_t *ret_value,
	      struct skiff_error *err);

/*
 * "1.5", "90" (seconds) or Go's form "1m30s", "250ms", "2h", into
 * nanoseconds; never negative. SKIFF_INVALID_ARGUMENT.
 */
int parse_duration(const char *text, int64_t *ret_ns, struct skiff_error *err);

/* "true", "1", "" are true, "false", "0" are false. */
int parse_bool(const char *text, int *ret_value, struct skiff_error *err);
