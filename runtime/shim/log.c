/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of one process and its index.
 *
 * The offset moves on only when the record is there, so bytes without a
 * record are written over and never read. When the disk is full, output is
 * discarded and counted, and a gap record says so as soon as the index
 * takes one.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int
open_file(struct shim *shim, const char *dir, const char *name, int *ret_fd,
	  uint64_t *ret_size, struct skiff_error *err)
{
	cleanup_close int fd = -1;
	char path[SHIM_DIR_SIZE + 16];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s%s", dir, name);
	fd = openat(shim->task_fd, path,
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "open %s", path);
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int
shim_log_open(struct shim *shim, const char *dir, struct shim_log *log,
	      struct skiff_error *err)
{
	if (open_file(shim, dir, SHIM_FILE_LOG, &log->fd, &log->offset, err) <
		0 ||
	    open_file(shim, dir, SHIM_FILE_LOG_INDEX, &log->index_fd,
		      &log->index_offset, err) < 0)
		return -1;
	log->index_offset -= log->index_offset % SHIM_LOG_RECORD_SIZE;
	return 0;
}

void
shim_log_close(struct shim_log *log)
{
	closep(&log->fd);
	closep(&log->index_fd);
	log->fd = -1;
	log->index_fd = -1;
}

static bool
put_record(struct shim_log *log, uint8_t stream, uint32_t length, uint8_t flags)
{
	struct shim_log_record record = {
		.offset = log->offset,
		.time_ns = clock_realtime_ns(),
		.length = length,
		.stream = stream,
		.flags = flags,
	};
	unsigned char buf[SHIM_LOG_RECORD_SIZE];

	shim_log_record_encode(&record, buf);
	if (pwrite(log->index_fd, buf, sizeof(buf), (off_t)log->index_offset) !=
	    sizeof(buf))
		return false;
	log->index_offset += sizeof(buf);
	return true;
}

void
shim_log_lose(struct shim_log *log, struct shim_output *output, uint64_t n)
{
	output->lost_bytes += n;
	log->lost_bytes += n;
}

bool
shim_log_tell_gap(struct shim_log *log, struct shim_output *output)
{
	while (output->lost_bytes > 0) {
		uint32_t n = output->lost_bytes > UINT32_MAX
				 ? UINT32_MAX
				 : (uint32_t)output->lost_bytes;

		if (!put_record(log, output->stream, n, SHIM_LOG_GAP))
			return false;
		output->lost_bytes -= n;
	}
	return true;
}

void
shim_log_took(struct shim_log *log, struct shim_output *output, size_t n)
{
	if (put_record(log, output->stream, (uint32_t)n, 0))
		log->offset += n;
	else
		shim_log_lose(log, output, n);
}
