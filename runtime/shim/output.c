/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process's output on its way into the log.
 *
 * The log file is the only buffer: bytes are spliced from pipe to file,
 * and everybody reads the file. Nothing here waits for anyone; what no
 * disk takes is discarded and counted, so that the container never blocks.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CHUNK_MAX (1U << 20)
#define TERMINAL_CHUNK 16384

/*
 * One pipe; ours is the end with the given index and does not block. The
 * container opens it anew as /dev/stdout, which takes an owner that it knows.
 */
static int
open_pipe(const struct shim *shim, int own_end, int *ret_own, int *ret_child,
	  struct skiff_error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	*ret_own = ends[own_end];
	*ret_child = ends[1 - own_end];
	if (shim->has_owner &&
	    fchown(*ret_own, shim->owner_uid, shim->owner_gid) < 0)
		return err_errno(err, errno, "owner of a pipe");
	if (fcntl(*ret_own, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(err, errno, "pipe");
	return 0;
}

/* Of two outputs, where one file is for both. */
static int
share_file(int child[3], struct skiff_error *err)
{
	if (child[2] < 0)
		child[2] = fcntl(child[1], F_DUPFD_CLOEXEC, 3);
	return child[2] < 0 ? err_errno(err, errno, "stderr") : 0;
}

int
shim_output_open_pipes(struct shim *shim, struct shim_process *process,
		       int ret_child[3], struct skiff_error *err)
{
	for (size_t i = 0; i < 3; i++)
		ret_child[i] = STEAL_FD(process->given[i]);
	if (ret_child[0] < 0 && process->has_stdin &&
	    open_pipe(shim, 1, &process->stdin_fd, &ret_child[0], err) < 0)
		return -1;
	if (ret_child[0] < 0)
		ret_child[0] = shim->null_fd;
	if (ret_child[1] >= 0)
		return share_file(ret_child, err);
	if (open_pipe(shim, 0, &process->outputs[0].fd, &ret_child[1], err) <
		0 ||
	    open_pipe(shim, 0, &process->outputs[1].fd, &ret_child[2], err) < 0)
		return -1;
	return 0;
}

void
shim_output_close_child(struct shim *shim, int child[3])
{
	for (int i = 0; i < 3; i++)
		if (child[i] != shim->null_fd)
			closep(&child[i]);
}

/* Relative to the task's directory, where the shim is: always short. */
static void
name_console(struct shim *shim, const struct shim_process *process,
	     char name[SHIM_CONSOLE_SIZE])
{
	(void)snprintf(name, SHIM_CONSOLE_SIZE, "%sconsole",
		       shim_process_run_dir(shim, process));
}

int
shim_output_listen_console(struct shim *shim, struct shim_process *process,
			   char name[SHIM_CONSOLE_SIZE], int *ret_fd,
			   struct skiff_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;

	name_console(shim, process, name);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	(void)unlinkat(shim->task_fd, name, 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		return err_errno(err, errno, "console socket");
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* The runtime has ended by now: what it sent is there. */
static int
receive_console(int listen_fd, int *ret_fd, struct skiff_error *err)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char name[256];
	struct iovec part = { .iov_base = name, .iov_len = sizeof(name) };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct cmsghdr *header;

	if (fd < 0 ||
	    recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return err_errno(err, errno, "take the terminal");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return err_set(err, SKIFF_INTERNAL,
			       "the runtime handed over no terminal");
	memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	return 0;
}

int
shim_output_take_console(struct shim *shim, struct shim_process *process,
			 int listen_fd, struct skiff_error *err)
{
	char name[SHIM_CONSOLE_SIZE];

	name_console(shim, process, name);
	(void)unlinkat(shim->task_fd, name, 0);
	if (receive_console(listen_fd, &process->console_fd, err) < 0)
		return -1;
	process->outputs[0].fd = process->console_fd;
	if (fcntl(process->console_fd, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(err, errno, "terminal");
	return 0;
}

static void
close_output(struct shim_process *process, struct shim_output *output)
{
	if (output->fd == process->console_fd)
		process->console_fd = -1;
	(void)close(output->fd);
	output->fd = -1;
}

static void
discard_chunk(struct shim *shim, struct shim_process *process,
	      struct shim_output *output)
{
	ssize_t n = splice(output->fd, NULL, shim->null_fd, NULL, CHUNK_MAX,
			   SPLICE_F_NONBLOCK);

	if (n == 0)
		close_output(process, output);
	if (n > 0 && process->has_log)
		shim_log_lose(&process->log, output, (uint64_t)n);
}

static void
pump_pipe(struct shim *shim, struct shim_process *process,
	  struct shim_output *output)
{
	struct shim_log *log = &process->log;
	off_t offset;
	size_t room;
	ssize_t n;

	room = process->has_log
		   ? shim_log_room(shim, process->dir, log, CHUNK_MAX)
		   : 0;
	if (room == 0 || !shim_log_tell_gap(log, output)) {
		discard_chunk(shim, process, output);
		return;
	}
	offset = (off_t)(log->offset - log->base);
	n = splice(output->fd, NULL, log->fd, &offset, room,
		   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n > 0)
		shim_log_took(log, output, (size_t)n);
	else if (n == 0)
		close_output(process, output);
	else if (errno != EAGAIN && errno != EINTR)
		discard_chunk(shim, process, output);
}

static void
pump_terminal(struct shim *shim, struct shim_process *process,
	      struct shim_output *output)
{
	struct shim_log *log = &process->log;
	ssize_t n = read(output->fd, shim_scratch, TERMINAL_CHUNK);

	/* EIO: nobody has the other side any more. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_output(process, output);
	if (n <= 0)
		return;
	if (process->file_fd >= 0)
		/* Nobody is there to be told that a disk is full. */
		(void)!write(process->file_fd, shim_scratch, (size_t)n);
	if (!process->has_log)
		return;
	if (shim_log_room(shim, process->dir, log, (size_t)n) > 0 &&
	    shim_log_tell_gap(log, output) &&
	    pwrite(log->fd, shim_scratch, (size_t)n,
		   (off_t)(log->offset - log->base)) == n)
		shim_log_took(log, output, (size_t)n);
	else
		shim_log_lose(log, output, (uint64_t)n);
}

void
shim_output_pump(struct shim *shim, struct shim_process *process,
		 struct shim_output *output)
{
	if (process->has_terminal)
		pump_terminal(shim, process, output);
	else
		pump_pipe(shim, process, output);
}

void
shim_output_close(struct shim_process *process)
{
	for (size_t i = 0; i < ARRAY_SIZE(process->outputs); i++) {
		if (process->log.index_fd >= 0)
			(void)shim_log_tell_gap(&process->log,
						&process->outputs[i]);
		if (process->outputs[i].fd >= 0)
			close_output(process, &process->outputs[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(process->given); i++) {
		closep(&process->given[i]);
		process->given[i] = -1;
	}
	closep(&process->stdin_fd);
	closep(&process->file_fd);
	process->stdin_fd = process->file_fd = -1;
	shim_feed_close(process);
	shim_log_close(&process->log);
}
