/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whether processes of one container may go on in another one. criu brings
 * them back with the credentials, filters, mounts and namespaces that they
 * had, whatever the new container's spec says; so it must say the same.
 */
#include <jansson.h>

#include "base/error.h"

/*
 * Free to differ are what memory holds already (args, env, cwd), names
 * (hostname, cgroupsPath, annotations), limits, sources of mounts, hooks; and
 * the terminal, about which the task has the last word.
 * SKIFF_FAILED_PRECONDITION, reason "checkpoint_mismatch", names the first
 * other difference by its pointer in the spec.
 */
int checkpoint_compare_specs(const json_t *was, const json_t *is,
			     struct skiff_error *err);
