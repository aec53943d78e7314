/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An error that is kept: as the problem document (RFC 9457) that the API
 * shows, and back.
 */
#include <jansson.h>

#include "base/error.h"

/* {"type", "title", "status", "code", "detail", …}; the caller owns it. */
json_t *problem_from_error(const struct skiff_error *err);

/* Always -1, with *err as it was when the problem was made. */
int problem_to_error(const json_t *problem, struct skiff_error *err);
