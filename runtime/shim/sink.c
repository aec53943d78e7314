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
/* It doubles from the one to the other while nobody reads. */
#define LINGER_MIN_MS 10
#define LINGER_MAX_MS 2000

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
		if (err->code == SKIFF_RESOURCE_EXHAUSTED)
			return -1; /* descriptors: no fault of the path */
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

/* --- opening ------------------------------------------------------------ */

static int
open_input(struct shim_process *process, const char *path,
	   struct skiff_error *err)
{
	mode_t kind = process->has_log ? S_IFIFO : S_IFREG;

	if (process->has_terminal)
		return open_path(path, process->has_log ? O_RDWR : O_RDONLY,
				 kind, &process->feed.fd, err);
	/* The end that holds it open comes first: else there is no reader. */
	if (process->has_log &&
	    open_path(path, O_RDWR, kind, &process->stdin_fd, err) < 0)
		return -1;
	return open_for_child(path, O_RDONLY, kind, &process->given[0], err);
}

static int
open_file(struct shim_process *process, size_t stream, const char *path,
	  struct skiff_error *err)
{
	int flags = O_WRONLY | O_APPEND | O_CREAT;

	/* A terminal's output is copied; a pipe's process has its own. */
	return process->has_terminal
		   ? open_path(path, flags, S_IFREG, &process->file_fd, err)
		   : open_for_child(path, flags, S_IFREG,
				    &process->given[stream], err);
}

int
shim_sink_open(struct shim_process *process, size_t stream, const char *path,
	       struct skiff_error *err)
{
	if (stream == 0)
		return open_input(process, path, err);
	if (process->has_terminal && stream == 2) {
		(void)err_set(err, SKIFF_INVALID_ARGUMENT,
			      "a terminal has no stderr of its own");
		return err_reason(err, "stdio_path");
	}
	if (process->has_log)
		return open_path(path, O_RDWR, S_IFIFO,
				 &process->sinks[stream - 1].fd, err);
	return open_file(process, stream, path, err);
}

static int
begin_sink(const struct shim_process *process, struct shim_sink *sink,
	   struct skiff_error *err)
{
	const struct shim_log *log = &process->log;

	sink->data_fd = fcntl(log->fd, F_DUPFD_CLOEXEC, 3);
	sink->index_fd = fcntl(log->index_fd, F_DUPFD_CLOEXEC, 3);
	if (sink->data_fd < 0 || sink->index_fd < 0)
		return err_errno(err, errno, "FIFO of the log");
	sink->number = log->number;
	sink->base = log->base;
	/* Behind what an earlier run has written. */
	sink->record = log->index_offset / SHIM_LOG_RECORD_SIZE;
	return 0;
}

int
shim_sink_begin(struct shim_process *process, struct skiff_error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(process->sinks); i++) {
		process->sinks[i].stream = process->outputs[i].stream;
		if (process->sinks[i].fd >= 0 &&
		    begin_sink(process, &process->sinks[i], err) < 0)
			return -1;
	}
	return 0;
}

/* --- feeding ------------------------------------------------------------ */

static void
close_sink(struct shim_sink *sink)
{
	closep(&sink->fd);
	closep(&sink->data_fd);
	closep(&sink->index_fd);
	sink->fd = sink->data_fd = sink->index_fd = -1;
}

bool
shim_sink_is_open(const struct shim_process *process)
{
	return process->sinks[0].fd >= 0 || process->sinks[1].fd >= 0;
}

void
shim_sink_close(struct shim_process *process)
{
	for (size_t i = 0; i < ARRAY_SIZE(process->sinks); i++)
		close_sink(&process->sinks[i]);
}

/* Names in the task's directory; -1 where there is none. */
static void
open_files(struct shim *shim, const struct shim_process *process,
	   struct shim_sink *sink)
{
	bool is_newest = sink->number == process->log.number;
	char path[SHIM_DIR_SIZE + SHIM_LOG_NAME_SIZE];
	char index[SHIM_LOG_NAME_SIZE];
	char data[SHIM_LOG_NAME_SIZE];

	shim_log_name(sink->number, data, index);
	(void)snprintf(path, sizeof(path), "%s%s", process->dir,
		       is_newest ? SHIM_FILE_LOG : data);
	sink->data_fd =
	    openat(shim->task_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "%s%s", process->dir,
		       is_newest ? SHIM_FILE_LOG_INDEX : index);
	sink->index_fd =
	    openat(shim->task_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* The file behind it, or the oldest one behind it that is left. */
static bool
next_file(struct shim *shim, const struct shim_process *process,
	  struct shim_sink *sink)
{
	const struct shim_log *log = &process->log;
	unsigned char buf[SHIM_LOG_RECORD_SIZE];
	struct shim_log_record record;

	closep(&sink->data_fd);
	closep(&sink->index_fd);
	sink->data_fd = sink->index_fd = -1;
	while (sink->number < log->number &&
	       (sink->data_fd < 0 || sink->index_fd < 0)) {
		closep(&sink->data_fd);
		closep(&sink->index_fd);
		sink->number++;
		open_files(shim, process, sink);
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
step(struct shim *shim, const struct shim_process *process,
     struct shim_sink *sink)
{
	unsigned char buf[SHIM_LOG_RECORD_SIZE];
	struct shim_log_record record;
	off_t offset;
	ssize_t n;

	if (pread(sink->index_fd, buf, sizeof(buf),
		  (off_t)(sink->record * sizeof(buf))) != sizeof(buf))
		return sink->number < process->log.number &&
		       next_file(shim, process, sink);
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
end_sink(const struct shim_process *process, struct shim_sink *sink)
{
	int unread = 0;

	if (process->phase != SHIM_STOPPED || !process->is_recorded)
		return;
	if (ioctl(sink->fd, FIONREAD, &unread) < 0 || unread <= 0) {
		close_sink(sink);
		return;
	}
	sink->linger_ms *= 2;
	if (sink->linger_ms < LINGER_MIN_MS)
		sink->linger_ms = LINGER_MIN_MS;
	if (sink->linger_ms > LINGER_MAX_MS)
		sink->linger_ms = LINGER_MAX_MS;
	sink->look_again = deadline_in_ms(sink->linger_ms);
}

static void
feed_sink(struct shim *shim, const struct shim_process *process,
	  struct shim_sink *sink)
{
	int n = TURN_RECORDS;

	if (sink->look_again.at_ns && !deadline_passed(sink->look_again))
		return;
	sink->look_again = DEADLINE_NEVER;
	while (n > 0 && step(shim, process, sink) > 0)
		n--;
	if (n == 0)
		sink->look_again = deadline_in_ms(0);
	else if (!sink->is_full)
		end_sink(process, sink);
}

void
shim_sinks_feed(struct shim *shim)
{
	for (size_t i = 0; i < shim->processes_end; i++) {
		struct shim_process *process = &shim->processes[i];

		for (size_t k = 0; process->phase && k < 2; k++)
			if (process->sinks[k].fd >= 0 &&
			    process->sinks[k].data_fd >= 0 &&
			    !process->sinks[k].is_full)
				feed_sink(shim, process, &process->sinks[k]);
	}
}
