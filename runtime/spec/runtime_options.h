/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Options of an OCI runtime, of a container or of one task alone:
 *
 *	{"args": ["--debug"]}
 *
 * "args" come before the runtime's verb, behind none of the daemon's own.
 */
#include <jansson.h>

#include "base/json.h"
#include "base/strv.h"

/* options: NULL for none. pointer: where they stand, "/runtime/options". */
void runtime_options_decode(const json_t *options, const char *pointer,
			    struct strv *ret_args, struct json_faults *faults);
