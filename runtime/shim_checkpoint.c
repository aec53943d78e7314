/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CHECKPOINT and CHECKPOINT_END, from the daemon's side.
 */
#include "config.h"

#include "runtime/shim_checkpoint.h"

#include <string.h>

#include "base/cleanup.h"
#include "runtime/shim_client_internal.h"

#define CONNECT_TIMEOUT_MS 10000
#define SLICE_MS 200

/* Our own wait, not one that the shim speaks of. */
static bool
is_late(const struct skiff_error *err)
{
	return err->code == SKIFF_DEADLINE_EXCEEDED &&
	       strcmp(err->text, SHIM_SILENT) == 0;
}

/* criu takes as long as the memory is large, and must not be disturbed. */
static int
await_dump(int fd, const struct shim_message *m,
	   const struct shim_dump_request *request, struct skiff_error *err)
{
	for (;;) {
		struct skiff_error slice = ERROR_INIT;

		if (shim_fd_answer(fd, m, deadline_in_ms(SLICE_MS), NULL,
				   &slice) == 0)
			return 0;
		if (!is_late(&slice)) {
			*err = slice;
			return -1;
		}
		if (request->is_interrupted(request->arg))
			return err_set(err, SKIFF_CANCELLED,
				       "the daemon ends: left to the shim");
	}
}

int
shim_checkpoint(const struct shim_client *client,
		const struct shim_dump_request *request, int *ret_fd,
		struct skiff_error *err)
{
	const char *path = request->image_path ? request->image_path : "";
	struct shim_message m = {
		.type = SHIM_CHECKPOINT,
		.tag = 1,
		.u.checkpoint = {
			.flags = request->flags,
			.criu_dir = request->criu_dir,
			.criu_dir_len = (uint16_t)strlen(request->criu_dir),
			.image_path = path,
			.image_path_len = (uint16_t)strlen(path),
		},
	};
	cleanup_close int fd = -1;

	if (shim_client_open(client, deadline_in_ms(CONNECT_TIMEOUT_MS), &fd,
			     err) < 0 ||
	    shim_fd_send(fd, &m, err) < 0 ||
	    await_dump(fd, &m, request, err) < 0)
		return -1;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int
shim_checkpoint_end(int fd, bool want_kill, struct deadline deadline,
		    struct skiff_error *err)
{
	struct shim_message m = {
		.type = SHIM_CHECKPOINT_END,
		.tag = 2,
		.u.checkpoint_end = { .kill = want_kill },
	};

	if (shim_fd_send(fd, &m, err) < 0)
		return -1;
	return shim_fd_answer(fd, &m, deadline, NULL, err);
}
