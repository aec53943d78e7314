/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of one process and its index, in files of a limited size.
 *
 * The offset moves on only when the record is there, so bytes without a
 * record are written over and never read. When the disk is full, or nearly
 * so, output is discarded and counted, and a gap record says so as soon as
 * the index takes one.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"

#define PATH_SIZE (SHIM_DIR_SIZE + SHIM_LOG_NAME_SIZE)
#define NEW ".new"

/* What output leaves free for others: no more than a part of a small disk. */
#define FLOOR (UINT64_C(32) << 20)
#define FLOOR_PART 16
#define LOOK_EVERY (UINT64_C(1) << 18)

/* The names of one log, in the task's directory. */
struct names {
	char data[PATH_SIZE];
	char index[PATH_SIZE];
};

static void
name_newest(const char *dir, const char *suffix, struct names *ret)
{
	(void)snprintf(ret->data, PATH_SIZE, "%s" SHIM_FILE_LOG "%s", dir,
		       suffix);
	(void)snprintf(ret->index, PATH_SIZE, "%s" SHIM_FILE_LOG_INDEX "%s",
		       dir, suffix);
}

static void
name_full(const char *dir, uint32_t number, struct names *ret)
{
	char data[SHIM_LOG_NAME_SIZE];
	char index[SHIM_LOG_NAME_SIZE];

	shim_log_name(number, data, index);
	(void)snprintf(ret->data, PATH_SIZE, "%s%s", dir, data);
	(void)snprintf(ret->index, PATH_SIZE, "%s%s", dir, index);
}

static int
open_file(struct shim *shim, const char *path, int flags, int *ret_fd,
	  struct skiff_error *err)
{
	*ret_fd =
	    openat(shim->task_fd, path,
		   O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	return *ret_fd < 0 ? err_errno(err, errno, "open %s", path) : 0;
}

static bool
read_record(const struct shim_log *log, uint64_t at,
	    struct shim_log_record *ret_record)
{
	unsigned char buf[SHIM_LOG_RECORD_SIZE];

	if (pread(log->index_fd, buf, sizeof(buf), (off_t)at) != sizeof(buf))
		return false;
	shim_log_record_decode(buf, ret_record);
	return true;
}

/* Where an index that is there has come to. */
static int
read_index(struct shim_log *log, struct skiff_error *err)
{
	struct shim_log_record record = { 0 };
	struct stat st;

	if (fstat(log->index_fd, &st) < 0)
		return err_errno(err, errno, "index of the log");
	log->index_offset =
	    (uint64_t)st.st_size - (uint64_t)st.st_size % SHIM_LOG_RECORD_SIZE;
	log->number = 1;
	log->base = 0;
	if (read_record(log, 0, &record) && (record.flags & SHIM_LOG_BEGIN)) {
		log->number = record.length;
		log->base = record.offset;
	}
	log->offset = log->base;
	if (log->index_offset > 0 &&
	    read_record(log, log->index_offset - SHIM_LOG_RECORD_SIZE, &record))
		log->offset = record.offset;
	if (log->index_offset > 0 &&
	    !(record.flags & (SHIM_LOG_GAP | SHIM_LOG_BEGIN)))
		log->offset += record.length;
	return 0;
}

/* An index with nothing but its beginning, under the name of a new one. */
static int
begin_index(struct shim *shim, const char *path, const struct shim_log *log,
	    int *ret_fd, struct skiff_error *err)
{
	struct shim_log_record record = {
		.offset = log->offset,
		.time_ns = clock_realtime_ns(),
		.length = log->number + 1,
		.flags = SHIM_LOG_BEGIN,
	};
	unsigned char buf[SHIM_LOG_RECORD_SIZE];

	shim_log_record_encode(&record, buf);
	if (open_file(shim, path, O_TRUNC, ret_fd, err) < 0)
		return -1;
	if (pwrite(*ret_fd, buf, sizeof(buf), 0) != sizeof(buf))
		return err_errno(err, errno, "write %s", path);
	return 0;
}

static bool
is_same_file(struct shim *shim, const char *path, int fd)
{
	struct stat named;
	struct stat own;

	return fstatat(shim->task_fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &own) == 0 && named.st_ino == own.st_ino &&
	       named.st_dev == own.st_dev;
}

/* A shim that died between the last two steps of a rotation. */
static int
mend(struct shim *shim, const char *dir, struct shim_log *log,
     struct skiff_error *err)
{
	struct names full;
	struct names fresh;
	struct names newest;
	int fd = -1;

	name_full(dir, log->number, &full);
	if (faccessat(shim->task_fd, full.data, F_OK, AT_SYMLINK_NOFOLLOW) <
		0 ||
	    is_same_file(shim, full.data, log->fd))
		return 0;
	name_newest(dir, NEW, &fresh);
	name_newest(dir, "", &newest);
	if (begin_index(shim, fresh.index, log, &fd, err) < 0 ||
	    renameat(shim->task_fd, fresh.index, shim->task_fd, newest.index) <
		0) {
		closep(&fd);
		return err_errno(err, errno, "rename %s", fresh.index);
	}
	closep(&log->index_fd);
	log->index_fd = fd;
	return read_index(log, err);
}

int
shim_log_open(struct shim *shim, const char *dir, struct shim_log *log,
	      struct skiff_error *err)
{
	struct names names;

	name_newest(dir, "", &names);
	if (log->max_size == 0)
		log->max_size = shim->log_max_size;
	if (log->max_files == 0)
		log->max_files = shim->log_max_files;
	log->limit = log->max_size;
	if (open_file(shim, names.data, 0, &log->fd, err) < 0 ||
	    open_file(shim, names.index, 0, &log->index_fd, err) < 0 ||
	    read_index(log, err) < 0)
		return -1;
	return mend(shim, dir, log, err);
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
	log->unlooked += sizeof(buf);
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
	log->unlooked += n;
	if (put_record(log, output->stream, (uint32_t)n, 0))
		log->offset += n;
	else
		shim_log_lose(log, output, n);
}

/* --- rotation ----------------------------------------------------------- */

/* One that a shim left which died here is in the way. */
static bool
give_name(struct shim *shim, const char *name, const char *full)
{
	(void)unlinkat(shim->task_fd, full, 0);
	return linkat(shim->task_fd, name, shim->task_fd, full, 0) == 0;
}

/*
 * The full files get their numbers beside the name "log", then the new
 * ones take that: so each is found at every moment. False: all is as it
 * was.
 */
static bool
change_files(struct shim *shim, const struct names *newest,
	     const struct names *fresh, const struct names *full)
{
	struct skiff_error ignored = ERROR_INIT;
	int dir = shim->task_fd;

	if (fault_hit(FAULT_SHIM_ROTATE_BEFORE, &ignored) < 0 ||
	    !give_name(shim, newest->data, full->data))
		return false;
	if (!give_name(shim, newest->index, full->index) ||
	    fault_hit(FAULT_SHIM_ROTATE_NAMED, &ignored) < 0 ||
	    renameat(dir, fresh->data, dir, newest->data) < 0) {
		(void)unlinkat(dir, full->index, 0);
		(void)unlinkat(dir, full->data, 0);
		return false;
	}
	if (fault_hit(FAULT_SHIM_ROTATE_DATA, &ignored) == 0 &&
	    renameat(dir, fresh->index, dir, newest->index) == 0)
		return true;
	(void)renameat(dir, full->data, dir, newest->data);
	(void)unlinkat(dir, full->index, 0);
	return false;
}

static void
remove_oldest(struct shim *shim, const char *dir, const struct shim_log *log)
{
	struct names old;

	for (uint32_t n = log->number; n-- > 1;) {
		if (n + log->max_files > log->number)
			continue;
		name_full(dir, n, &old);
		(void)unlinkat(shim->task_fd, old.index, 0);
		if (unlinkat(shim->task_fd, old.data, 0) < 0)
			return; /* nor is there an older one */
	}
}

static bool
rotate(struct shim *shim, const char *dir, struct shim_log *log)
{
	struct skiff_error ignored = ERROR_INIT;
	struct names newest;
	struct names fresh;
	struct names full;
	int index_fd = -1;
	int fd = -1;

	name_newest(dir, "", &newest);
	name_newest(dir, NEW, &fresh);
	name_full(dir, log->number, &full);
	if (open_file(shim, fresh.data, O_TRUNC, &fd, &ignored) < 0 ||
	    begin_index(shim, fresh.index, log, &index_fd, &ignored) < 0 ||
	    !change_files(shim, &newest, &fresh, &full)) {
		(void)unlinkat(shim->task_fd, fresh.data, 0);
		(void)unlinkat(shim->task_fd, fresh.index, 0);
		closep(&fd);
		closep(&index_fd);
		return false;
	}
	shim_log_close(log);
	log->fd = fd;
	log->index_fd = index_fd;
	log->number++;
	log->base = log->offset;
	log->index_offset = SHIM_LOG_RECORD_SIZE;
	log->limit = log->max_size;
	(void)fault_hit(FAULT_SHIM_ROTATE_AFTER, &ignored);
	remove_oldest(shim, dir, log);
	return true;
}

/* Looked at now and then while there is room, and always while there is none.
 */
static bool
has_disk(struct shim_log *log)
{
	struct statvfs st;
	uint64_t floor;

	if (log->unlooked < LOOK_EVERY)
		return true;
	if (fstatvfs(log->fd, &st) < 0)
		return true;
	floor = (uint64_t)st.f_blocks * st.f_frsize / FLOOR_PART;
	if (floor > FLOOR)
		floor = FLOOR;
	if ((uint64_t)st.f_bavail * st.f_frsize < floor)
		return false;
	log->unlooked = 0;
	return true;
}

size_t
shim_log_room(struct shim *shim, const char *dir, struct shim_log *log,
	      size_t max)
{
	uint64_t used = log->offset - log->base + log->index_offset;

	if (!has_disk(log))
		return 0;
	if (used >= log->limit) {
		/* What cannot be done now is tried again a little later. */
		if (!rotate(shim, dir, log))
			log->limit = used + log->max_size / 16;
		used = log->offset - log->base + log->index_offset;
	}
	return log->limit - used < max ? (size_t)(log->limit - used) : max;
}
