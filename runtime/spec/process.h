/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The process of an exec: what a client asks of it, and the OCI process
 * object (config.md of the runtime-spec, "process") that comes of it and
 * of the container's own.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/strv.h"

struct host;
struct rootfs_view;

struct exec_wishes {
	char *id;
	struct strv args;
	struct strv env;
	char *cwd;
	char *user;
	bool terminal;
	bool privileged;
	json_t *stdio; /* runtime/task_stdio.h */
	json_t *labels;
};

/* *ret_wishes is zeroed by the caller, and filled as far as it goes. */
void exec_wishes_decode(const json_t *body, struct exec_wishes *ret_wishes,
			struct json_faults *faults);
void exec_wishes_done(struct exec_wishes *wishes);

/*
 * The container's process with these args; env is added to its own, cwd
 * and user take the place of its own. What it may do (capabilities,
 * rlimits, noNewPrivileges, …) stays, unless it is privileged. view,
 * for the user, may be NULL when none is wished. Errors as of user_resolve(),
 * with field /user.
 */
int spec_exec_process(const json_t *container_process,
		      const struct exec_wishes *wishes, const struct host *host,
		      struct rootfs_view *view, json_t **ret_process,
		      struct skiff_error *err);
