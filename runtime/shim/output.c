/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's output on its way into the log.
 *
 * The log file is the only buffer: bytes are spliced from pipe to file,
 * and everybody reads the file. Nothing here waits for anyone. When the
 * disk is full, output is discarded and counted, and a gap record says so
 * as soon as the index takes one; the container never blocks.
 *
 * The offset moves on only when the record is there, so bytes without a
 * record are written over and never read.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"

#define CHUNK_MAX (1U << 20)
#define TERMINAL_CHUNK 16384
#define CONSOLE_NAME "console"

static int
open_log_file(struct shim *shim, const char *name, int *ret_fd,
	      uint64_t *ret_size, struct skiff_error *err)
{
	cleanup_close int fd = -1;
	struct stat st;

	fd = openat(shim->task_fd, name,
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "open %s", name);
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int
shim_output_open_log(struct shim *shim, struct skiff_error *err)
{
	if (!shim->has_log)
		return 0;
	if (open_log_file(shim, SHIM_FILE_LOG, &shim->log_fd, &shim->log_offset,
			  err) < 0 ||
	    open_log_file(shim, SHIM_FILE_LOG_INDEX, &shim->index_fd,
			  &shim->index_offset, err) < 0)
		return -1;
	shim->index_offset -= shim->index_offset % SHIM_LOG_RECORD_SIZE;
	return 0;
}

/* One pipe; ours is the end with the given index and does not block. */
static int
open_pipe(int own_end, int *ret_own, int *ret_child, struct skiff_error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	*ret_own = ends[own_end];
	*ret_child = ends[1 - own_end];
	if (fcntl(*ret_own, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(err, errno, "pipe");
	return 0;
}

int
shim_output_open_pipes(struct shim *shim, int ret_child[3],
		       struct skiff_error *err)
{
	ret_child[0] = shim->null_fd;
	if (shim->has_stdin &&
	    open_pipe(1, &shim->stdin_fd, &ret_child[0], err) < 0)
		return -1;
	if (open_pipe(0, &shim->outputs[0].fd, &ret_child[1], err) < 0 ||
	    open_pipe(0, &shim->outputs[1].fd, &ret_child[2], err) < 0)
		return -1;
	return 0;
}

/* Relative to the task's directory, where the shim is: always short. */
int
shim_output_listen_console(struct shim *shim, int *ret_fd,
			   struct skiff_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = CONSOLE_NAME };
	cleanup_close int fd = -1;

	(void)unlinkat(shim->task_fd, CONSOLE_NAME, 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		return err_errno(err, errno, "console socket");
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int
shim_output_take_console(struct shim *shim, int listen_fd,
			 struct skiff_error *err)
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

	(void)unlinkat(shim->task_fd, CONSOLE_NAME, 0);
	if (fd < 0 || recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0)
		return err_errno(err, errno, "take the terminal");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return err_set(err, SKIFF_INTERNAL,
			       "the runtime handed over no terminal");
	memcpy(&shim->console_fd, CMSG_DATA(header), sizeof(int));
	shim->outputs[0].fd = shim->console_fd;
	if (fcntl(shim->console_fd, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(err, errno, "terminal");
	return 0;
}

static bool
put_record(struct shim *shim, uint8_t stream, uint32_t length, uint8_t flags)
{
	struct shim_log_record record = {
		.offset = shim->log_offset,
		.time_ns = clock_realtime_ns(),
		.length = length,
		.stream = stream,
		.flags = flags,
	};
	unsigned char buf[SHIM_LOG_RECORD_SIZE];

	shim_log_record_encode(&record, buf);
	if (pwrite(shim->index_fd, buf, sizeof(buf),
		   (off_t)shim->index_offset) != sizeof(buf))
		return false;
	shim->index_offset += sizeof(buf);
	return true;
}

static void
lose(struct shim *shim, struct shim_output *output, uint64_t n)
{
	output->lost_bytes += n;
	shim->lost_bytes += n;
}

/* Tells what was lost; false while the index does not take it. */
static bool
tell_gap(struct shim *shim, struct shim_output *output)
{
	while (output->lost_bytes > 0) {
		uint32_t n = output->lost_bytes > UINT32_MAX
				 ? UINT32_MAX
				 : (uint32_t)output->lost_bytes;

		if (!put_record(shim, output->stream, n, SHIM_LOG_GAP))
			return false;
		output->lost_bytes -= n;
	}
	return true;
}

static void
took(struct shim *shim, struct shim_output *output, size_t n)
{
	if (put_record(shim, output->stream, (uint32_t)n, 0))
		shim->log_offset += n;
	else
		lose(shim, output, n);
}

static void
close_output(struct shim *shim, struct shim_output *output)
{
	if (output->fd == shim->console_fd)
		shim->console_fd = -1;
	(void)close(output->fd);
	output->fd = -1;
}

static void
discard_chunk(struct shim *shim, struct shim_output *output)
{
	ssize_t n = splice(output->fd, NULL, shim->null_fd, NULL, CHUNK_MAX,
			   SPLICE_F_NONBLOCK);

	if (n == 0)
		close_output(shim, output);
	if (n > 0 && shim->has_log)
		lose(shim, output, (uint64_t)n);
}

static void
pump_pipe(struct shim *shim, struct shim_output *output)
{
	off_t offset = (off_t)shim->log_offset;
	ssize_t n;

	if (!shim->has_log || !tell_gap(shim, output)) {
		discard_chunk(shim, output);
		return;
	}
	n = splice(output->fd, NULL, shim->log_fd, &offset, CHUNK_MAX,
		   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n > 0)
		took(shim, output, (size_t)n);
	else if (n == 0)
		close_output(shim, output);
	else if (errno != EAGAIN && errno != EINTR)
		discard_chunk(shim, output);
}

static void
pump_terminal(struct shim *shim, struct shim_output *output)
{
	ssize_t n = read(output->fd, shim_scratch, TERMINAL_CHUNK);

	/* EIO: nobody has the other side any more. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_output(shim, output);
	if (n <= 0 || !shim->has_log)
		return;
	if (tell_gap(shim, output) &&
	    pwrite(shim->log_fd, shim_scratch, (size_t)n,
		   (off_t)shim->log_offset) == n)
		took(shim, output, (size_t)n);
	else
		lose(shim, output, (uint64_t)n);
}

void
shim_output_pump(struct shim *shim, struct shim_output *output)
{
	if (shim->has_terminal)
		pump_terminal(shim, output);
	else
		pump_pipe(shim, output);
}

void
shim_output_close(struct shim *shim)
{
	for (size_t i = 0; i < ARRAY_SIZE(shim->outputs); i++) {
		if (shim->has_log)
			(void)tell_gap(shim, &shim->outputs[i]);
		if (shim->outputs[i].fd >= 0)
			close_output(shim, &shim->outputs[i]);
	}
	closep(&shim->stdin_fd);
	shim->stdin_fd = -1;
}
