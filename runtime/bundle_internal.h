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
 * bundle_binds.c: *ret_container is the request's, or a copy in whose spec
 * places in the bundle are the sources of binds below a bind root, and of a
 * restricted container of all. The caller's. Errors of bind_root_open();
 * SKIFF_PERMISSION_DENIED, reason "restricted", of such a container without a
 * user namespace.
 */
int bundle_hold_binds(const struct bundle_request *request, int task_fd,
		      int bundle_fd, json_t **ret_container,
		      struct skiff_error *err);
