/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * openapi/openapi.yaml as compact JSON, made at build time by embed.py.
 */
#include <stddef.h>

extern const unsigned char openapi_json[];
extern const size_t openapi_json_len;
