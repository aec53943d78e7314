/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Dumping a task through its shim, which keeps it frozen for as long as
 * the connection stays open.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

struct shim_client;

struct shim_dump_request {
	uint32_t flags;		/* enum shim_dump */
	const char *criu_dir;	/* goes before PATH of the runtime */
	const char *image_path; /* NULL: in the task's directory */
	/* Asked now and then: true leaves it to itself (SKIFF_CANCELLED). */
	bool (*is_interrupted)(void *arg);
	void *arg;
};

/*
 * Freezes and dumps, however long that takes. *ret_fd, the caller's, keeps
 * the task frozen: shim_checkpoint_end(), or close(2) to let it go on.
 * SKIFF_FAILED_PRECONDITION with reason "checkpoint_failed" (the runtime's
 * and criu's), "checkpoint_running", "execs_running"; SKIFF_UNIMPLEMENTED
 * for a shim that is too old.
 */
int shim_checkpoint(const struct shim_client *client,
		    const struct shim_dump_request *request, int *ret_fd,
		    struct skiff_error *err);
/* The task goes on, or, with want_kill, ends. The caller closes fd. */
int shim_checkpoint_end(int fd, bool want_kill, struct deadline deadline,
			struct skiff_error *err);
