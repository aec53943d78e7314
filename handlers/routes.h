/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table of all routes; their context is struct services.
 */
#include <stddef.h>

#include "http/route.h"

const struct route *routes_get(size_t *ret_n);
const char *method_name(enum http_method method);
