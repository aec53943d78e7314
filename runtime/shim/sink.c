/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that lead to paths of the host: files, and FIFOs.
 *
 * A file is the process's own descriptor. A FIFO of output is fed out of
 * the log, as fast as it is read: who reads slowly, or does not, holds up
 * nobody, and what comes to read later finds all that is left. Ours is
 * open both ways, so that it neither breaks nor ends while readers change;
 * it ends when the process has and all of it was read.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Records looked at before others have their turn. */
#define TURN_RECORDS 64
#define LINGER_MS 100

static int
open_path(const char *path, int flags, mode_t kind, int *ret_fd,
	  struct skiff_error *err)
{
	cleanup_close int fd =
	    open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
		 0640);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_errno(err, errno, "%s", path);
		err->code = SKIFF_INVALID_ARGUMENT;
		return err_reason(err, "stdio_path");
	}
	if ((st.st_mode & S_IFMT) != kind) {
		(void)err_set(err, SKIFF_INVALID_ARGUMENT, "%s is no %s", path,
			      kind == S_IFIFO ? "FIFO" : "regular file");
		return err_reason(err, "stdio_path");
	}
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* For a process that does not expect O_NONBLOCK. */
static int
open_for_child(const char *path, int flags, mode_t kind, int *ret_fd,
	       struct skiff_error *err)
{
	if (open_path(path, flags, kind, ret_fd, err) < 0)
		return -1;
	return fcntl(*ret_fd, F_SETFL, flags & O_APPEND) < 0
		   ? err_errno(err, errno, "%s", path)
		   : 0;
}

int
shim_sink_open_input(struct shim_process *process, int *ret_child,
		     struct skiff_error *err)
{
	const char *path = process->paths[0];

	if (!process->has_log)
		return open_for_child(path, O_RDONLY, S_IFREG, ret_child, err);
	/* The end that holds it open comes first: else there is no reader. */
	if (open_path(path, O_RDWR, S_IFIFO, &process->stdin_fd, err) < 0)
		return -1;
	return open_for_child(path, O_RDONLY, S_IFIFO, ret_child, err);
}

int
shim_sink_open_files(struct shim_process *process, int ret_child[3],
		     struct skiff_error *err)
{
	int flags = O_WRONLY | O_APPEND | O_CREAT;

	if (open_for_child(process->paths[1], flags, S_IFREG, &ret_child[1],
			   err) < 0)
		return -1;
	if (process->paths[2])
		return open_for_child(process->paths[2], flags, S_IFREG,
				      &ret_child[2], err);
	ret_child[2] = fcntl(ret_child[1], F_DUPFD_CLOEXEC, 3);
	return ret_child[2] < 0 ? err_errno(err, errno, "stderr") : 0;
}

static int
open_sink(struct shim *shim, struct shim_sink *sink, const char *path,
	  struct skiff_error *err)
{
	const struct shim_process *init = shim_init(shim);
	const struct shim_log *log = &init->log;

	if (open_path(path, O_RDWR, S_IFIFO, &sink->fd, err) < 0)
		return -1;
	sink->data_fd = fcntl(log->fd, F_DUPFD_CLOEXEC, 3);
	sink->index_fd = fcntl(log->index_fd, F_DUPFD_CLOEXEC, 3);
	if (sink->data_fd < 0 || sink->index_fd < 0)
		return err_errno(err, errno, "%s", path);
	sink->number = log->number;
	sink->base = log->base;
	/* Behind what an earlier run has written. */
	sink->record = log->index_offset / SHIM_LOG_RECORD_SIZE;
	return 0;
}

int
shim_sink_open(struct shim *shim, struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);

	for (size_t i = 0; i < ARRAY_SIZE(shim->sinks); i++) {
		struct shim_sink *sink = &shim->sinks[i];

		*sink = (struct shim_sink){ .fd = -1,
					    .data_fd = -1,
					    .index_fd = -1 };
		sink->stream = init->outputs[i].stream;
		if (init->has_log && init->paths[1 + i] &&
		    open_sink(shim, sink, init->paths[1 + i], err) < 0)
			return -1;
	}
	/* A terminal's output is copied; a pipe's process has its own. */
	shim->file_fd = -1;
	if (!init->has_log && init->has_terminal && init->paths[1])
		return open_path(init->paths[1], O_WRONLY | O_APPEND | O_CREAT,
				 S_IFREG, &shim->file_fd, err);
	return 0;
}

static void
close_sink(struct shim_sink *sink)
{
	closep(&sink->fd);
	closep(&sink->data_fd);
	closep(&sink->index_fd);
	sink->fd = sink->data_fd = sink->index_fd = -1;
}

/* The file behind it, or the oldest one behind it that is left. */
static bool
next_file(struct shim *shim, struct shim_sink *sink)
{
	const struct shim_log *log = &shim_init(shim)->log;
	char index[SHIM_LOG_NAME_SIZE];
	char data[SHIM_LOG_NAME_SIZE];
	unsigned char buf[SHIM_LOG_RECORD_SIZE];
	struct shim_log_record record;
	bool is_newest;

	closep(&sink->data_fd);
	closep(&sink->index_fd);
	sink->data_fd = sink->index_fd = -1;
	while (sink->number < log->number &&
	       (sink->data_fd < 0 || sink->index_fd < 0)) {
		shim_log_name(++sink->number, data, index);
		is_newest = sink->number == log->number;
		closep(&sink->data_fd);
		closep(&sink->index_fd);
		sink->data_fd =
		    openat(shim->task_fd, is_newest ? SHIM_FILE_LOG : data,
			   O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		sink->index_fd = openat(shim->task_fd,
					is_newest ? SHIM_FILE_LOG_INDEX : index,
					O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (pread(sink->index_fd, buf, sizeof(buf), 0) != sizeof(buf))
		return false;
	shim_log_record_decode(buf, &record);
	sink->base = record.flags & SHIM_LOG_BEGIN ? record.offset : 0;
	sink->record = 0;
	sink->within = 0;
	return true;
}

/* 1: one step is done; 0: nothing to do, or no room. */
static int
step(struct shim *shim, struct shim_sink *sink)
{
	unsigned char buf[SHIM_LOG_RECORD_SIZE];
	struct shim_log_record record;
	off_t offset;
	ssize_t n;

	if (pread(sink->index_fd, buf, sizeof(buf),
		  (off_t)(sink->record * sizeof(buf))) != sizeof(buf))
		return sink->number < shim_init(shim)->log.number &&
		       next_file(shim, sink);
	shim_log_record_decode(buf, &record);
	if (record.flags || record.stream != sink->stream ||
	    sink->within >= record.length) {
		sink->record++;
		sink->within = 0;
		return 1;
	}
	offset = (off_t)(record.offset - sink->base + sink->within);
	n = splice(sink->data_fd, &offset, sink->fd, NULL,
		   record.length - sink->within, SPLICE_F_NONBLOCK);
	if (n < 0 && errno == EAGAIN) {
		sink->is_full = true;
		return 0;
	}
	if (n > 0)
		sink->within += (uint32_t)n;
	else
		sink->within = record.length; /* it cannot be read */
	return 1;
}

/* All is written; the end comes once it is read, too. */
static void
end_sink(struct shim *shim, struct shim_sink *sink)
{
	const struct shim_process *init = shim_init(shim);
	int unread = 0;

	if (init->phase != SHIM_STOPPED || !init->is_recorded)
		return;
	if (ioctl(sink->fd, FIONREAD, &unread) == 0 && unread > 0)
		sink->look_again = deadline_in_ms(LINGER_MS);
	else
		close_sink(sink);
}

void
shim_sinks_feed(struct shim *shim)
{
	for (size_t i = 0; i < ARRAY_SIZE(shim->sinks); i++) {
		struct shim_sink *sink = &shim->sinks[i];
		int n = TURN_RECORDS;

		sink->look_again = DEADLINE_NEVER;
		if (sink->fd < 0 || sink->is_full)
			continue;
		while (n > 0 && step(shim, sink) > 0)
			n--;
		if (n == 0)
			sink->look_again = deadline_in_ms(0);
		else if (!sink->is_full)
			end_sink(shim, sink);
	}
}
