/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A registry's answer that is not what was asked for, as an error of ours
 * that keeps the registry's own words.
 */
#include "base/error.h"

struct http_response;

/*
 * Always -1. The class follows the status: 401 SKIFF_UNAUTHENTICATED, 403
 * SKIFF_PERMISSION_DENIED, 404 SKIFF_NOT_FOUND, else SKIFF_REGISTRY_ERROR;
 * upstream_status and retry_after_s are set. The text is "answered 404:
 * MANIFEST_UNKNOWN: manifest unknown", out of the body that the
 * distribution specification describes ("Error Codes"), or the beginning
 * of a plain text body.
 */
int answer_error(const struct http_response *response, struct skiff_error *err);
