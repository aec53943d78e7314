/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a layer may be refused for, and how its names are shown.
 */
#include <stddef.h>

#include "base/error.h"

/* SKIFF_INVALID_ARGUMENT, reason image_invalid_layer. */
#define layer_fault(err, ...)                                                  \
	(err_set((err), SKIFF_INVALID_ARGUMENT, __VA_ARGS__),                  \
	 err_reason((err), "image_invalid_layer"))
/* SKIFF_TOO_LARGE, reason layer_limit. */
#define layer_limit(err, ...)                                                  \
	(err_set((err), SKIFF_TOO_LARGE, __VA_ARGS__),                         \
	 err_reason((err), "layer_limit"))

#define LAYER_NAME_SHOWN 256
/*
 * A name as text for errors and logs: anything but printable ASCII as
 * \xNN, cut with "..." when long. Returns buf.
 */
const char *layer_name_text(const char *name, char buf[LAYER_NAME_SHOWN]);
