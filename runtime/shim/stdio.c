/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way in: a process's input, and the size of its terminal.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"

int
shim_stdio_resize(struct shim_process *process, uint32_t rows, uint32_t columns,
		  struct skiff_error *err)
{
	struct winsize size = {
		.ws_row = (unsigned short)rows,
		.ws_col = (unsigned short)columns,
	};

	if (process->console_fd < 0) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "the task has no terminal");
		return err_reason(err, "not_a_terminal");
	}
	if (rows > USHRT_MAX || columns > USHRT_MAX)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "window size out of range");
	if (ioctl(process->console_fd, TIOCSWINSZ, &size) < 0)
		return err_errno(err, errno, "resize");
	return 0;
}

int
shim_stdio_write(struct shim_process *process, const void *data, size_t len,
		 uint32_t *ret_accepted, struct skiff_error *err)
{
	int fd =
	    process->has_terminal ? process->console_fd : process->stdin_fd;
	ssize_t n = -1;

	errno = EPIPE;
	if (fd >= 0)
		n = write(fd, data, len);
	if (n < 0 && errno != EAGAIN) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "stdin is closed");
		return err_reason(err, "stdin_closed");
	}
	*ret_accepted = n > 0 ? (uint32_t)n : 0;
	return 0;
}

int
shim_stdio_close(struct shim_process *process, struct skiff_error *err)
{
	/* A terminal has no end of its own: Ctrl-D is data. */
	if (process->stdin_fd < 0) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "stdin is not open");
		return err_reason(err, "stdin_closed");
	}
	(void)close(process->stdin_fd);
	process->stdin_fd = -1;
	return 0;
}

/* The end that feeds it: a pipe's, or the terminal itself. */
static int
give_input(const struct shim_process *process, int *ret_passed,
	   struct skiff_error *err)
{
	int fd =
	    process->has_terminal ? process->console_fd : process->stdin_fd;

	if (fd < 0) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "stdin is not open");
		return err_reason(err, "stdin_closed");
	}
	*ret_passed = fd;
	return 0;
}

int
shim_stdio_serve(struct shim *shim, const struct shim_message *m,
		 int *ret_passed, struct skiff_error *err)
{
	struct shim_process *process = shim_init(shim);

	if (m->u.io.id_len > 0)
		process =
		    shim_exec_named(shim, m->u.io.id, m->u.io.id_len, err);
	if (!process)
		return -1;
	switch (m->type) {
	case SHIM_INPUT:
		return give_input(process, ret_passed, err);
	case SHIM_INPUT_CLOSE:
		return shim_stdio_close(process, err);
	default:
		return shim_stdio_resize(process, m->u.io.rows, m->u.io.columns,
					 err);
	}
}
