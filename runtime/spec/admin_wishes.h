/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What only an admin may wish, since by it a container reaches the host: its
 * files, devices, namespaces and processes, or what bounds the container
 * itself. Each of these gives -1 and SKIFF_PERMISSION_DENIED, reason
 * "admin_only", if there is such a wish, and then faults tells every one, and
 * nothing else.
 *
 * Without a user namespace the container's root is the host's to every file
 * that it gets at, and who has an account on the host can hand it any: by its
 * descriptor, over a socket in the container that he finds below
 * /proc/PID/root of an exec with his own user id.
 */
#include <jansson.h>

#include "base/error.h"
#include "base/json.h"

struct exec_wishes;
struct host;
struct wishes;

/*
 * Bind mounts below the host's bind roots are everybody's: bind_root.h. The
 * wishes may have faults.
 */
int admin_wishes_refuse(const struct wishes *wishes, const struct host *host,
			struct json_faults *faults, struct skiff_error *err);
int admin_wishes_refuse_exec(const struct exec_wishes *wishes,
			     struct json_faults *faults,
			     struct skiff_error *err);
/* Of a task: its "stdio" and its "options", or NULL. */
int admin_wishes_refuse_task(const json_t *stdio, const json_t *options,
			     struct json_faults *faults,
			     struct skiff_error *err);
/* Of a checkpoint: the whole body, or NULL. */
int admin_wishes_refuse_checkpoint(const json_t *body,
				   struct json_faults *faults,
				   struct skiff_error *err);
