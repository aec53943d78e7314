/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Shared by the files that write a task's directory.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "runtime/bundle.h"

/* bundle.c: whether an entry of mounts[] is a bind mount. */
bool bundle_is_bind(const json_t *mount);
/* SKIFF_FAILED_PRECONDITION, reason "mount_source_not_found". */
int bundle_no_source(const char *source, struct skiff_error *err);

/*
 * bundle_binds.c: *ret_container is the request's, or, of a restricted one, a
 * copy in whose spec the places in the bundle are the sources of its binds.
 * The caller's. Errors of bind_root_open().
 */
int bundle_hold_binds(const struct bundle_request *request, int task_fd,
		      int bundle_fd, json_t **ret_container,
		      struct skiff_error *err);
