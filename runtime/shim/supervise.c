/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reaping, the end of init, and the records on disk.
 *
 * The exit record is written before anyone is told, so that a daemon that
 * was away, or dies on hearing it, finds it. It is renamed into place but
 * not synced: what takes the page cache away takes the task away too.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/parse.h"

#define KILL_TIMEOUT_MS 2000
#define RECORD_RETRY_MS 1000

/* fs_replace_file() without its allocation. */
static int
replace_file(struct shim *shim, const char *name, const char *temporary,
	     const char *text, size_t len, struct skiff_error *err)
{
	cleanup_close int fd = -1;

	fd =
	    openat(shim->task_fd, temporary,
		   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, errno, "create %s", temporary);
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0)
			return err_errno(err, errno, "write %s", temporary);
		done += (size_t)n;
	}
	if (renameat(shim->task_fd, temporary, shim->task_fd, name) < 0)
		return err_errno(err, errno, "rename %s", temporary);
	return 0;
}

/* A small file of proc or of ours, as a string. */
static int
read_small(int dirfd, const char *path, char *buf, size_t cap,
	   struct skiff_error *err)
{
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	while (len < cap - 1 && (n = read(fd, buf + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return err_errno(err, errno, "read %s", path);
	buf[len] = '\0';
	return 0;
}

/* proc_start_time() without its allocation. */
static int
start_time(pid_t pid, uint64_t *ret_ticks, struct skiff_error *err)
{
	char path[32];
	char text[1024];
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (read_small(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -1;
	/* Field 22; the name in field 2 may hold spaces. */
	p = strrchr(text, ')');
	for (int i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	if (!p)
		return err_set(err, SKIFF_INTERNAL, "%s: unexpected form",
			       path);
	*ret_ticks = strtoull(p + 1, NULL, 10);
	return 0;
}

int
shim_record_identity(struct shim *shim, struct skiff_error *err)
{
	char text[SHIM_TEXT_MAX];
	size_t len;

	shim->who.version = SHIM_PROTO_VERSION;
	if (shim->who.shim_pid == 0) {
		shim->who.shim_pid = (uint32_t)getpid();
		if (start_time(getpid(), &shim->who.shim_start, err) < 0)
			return -1;
	}
	len = shim_identity_format(&shim->who, text);
	return replace_file(shim, SHIM_FILE_STATE, SHIM_FILE_STATE ".new", text,
			    len, err);
}

static bool
shares_pid_namespace(pid_t pid)
{
	char path[48];
	struct stat own;
	struct stat other;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return stat("/proc/self/ns/pid", &own) == 0 &&
	       stat(path, &other) == 0 && own.st_ino == other.st_ino;
}

/* The file that counts kills for want of memory, held open. */
static void
open_oom_counter(struct shim *shim)
{
	char path[CGROUP_TEXT_MAX + 32];

	for (size_t i = 0; i < shim->cgroups.n && shim->oom_fd < 0; i++) {
		const char *dir = cgroup_dir(&shim->cgroups, i);

		(void)snprintf(path, sizeof(path), "%s/memory.oom_control",
			       dir);
		shim->oom_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (shim->oom_fd >= 0)
			break;
		(void)snprintf(path, sizeof(path), "%s/memory.events", dir);
		shim->oom_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
}

static bool
had_oom(struct shim *shim)
{
	char text[512];
	const char *p;
	ssize_t n;

	if (shim->oom_fd < 0)
		return false;
	n = pread(shim->oom_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	p = strstr(text, "oom_kill ");
	/* "oom_kill_disable" and "oom_group_kill" are other lines. */
	return p && strtoull(p + strlen("oom_kill "), NULL, 10) > 0;
}

/*
 * Out of the kernel's reach when it wants memory, where it is allowed; only
 * now, since what the runtime starts inherits it.
 */
static void
protect_self(void)
{
	cleanup_close int fd =
	    open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "-998", 4) < 0)
		return; /* wants CAP_SYS_RESOURCE */
}

int
shim_adopt_init(struct shim *shim, struct skiff_error *err)
{
	char text[CGROUP_TEXT_MAX];
	char path[32];
	uint64_t pid;
	long fd;

	if (read_small(shim->task_fd, SHIM_FILE_PID, text, sizeof(text), err) <
	    0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	if (parse_u64(text, INT32_MAX, &pid, err) < 0)
		return -1;
	/* Adopted and not reaped: the pid is certain to be our child. */
	fd = syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0)
		return err_errno(err, errno, "init %d", (int)pid);
	shim->init_fd = (int)fd;
	shim->who.init_pid = (uint32_t)pid;
	shim->exit.pid = (uint32_t)pid;
	if (start_time((pid_t)pid, &shim->who.init_start, err) < 0)
		return -1;
	shim->has_own_pid_namespace = !shares_pid_namespace((pid_t)pid);
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (read_small(AT_FDCWD, path, text, sizeof(text), err) < 0 ||
	    replace_file(shim, SHIM_FILE_CGROUP, SHIM_FILE_CGROUP ".new", text,
			 strlen(text), err) < 0)
		return -1;
	cgroup_dirs_from_text(text, &shim->cgroups);
	open_oom_counter(shim);
	protect_self();
	return shim_record_identity(shim, err);
}

static void
init_ended(struct shim *shim, const siginfo_t *info)
{
	struct skiff_error ignored = ERROR_INIT;

	shim->has_ended = true;
	shim->drain = deadline_in_ms(SHIM_DRAIN_MS);
	shim->exit.exited_ns = clock_realtime_ns();
	shim->exit.status =
	    (uint32_t)(info->si_code == CLD_EXITED ? info->si_status
						   : 128 + info->si_status);
	shim->exit.was_started = shim->phase == SHIM_RUNNING;
	/* In a namespace of its own the kernel has killed the rest. */
	if (!shim->has_own_pid_namespace)
		(void)cgroup_kill_all(&shim->cgroups,
				      deadline_in_ms(KILL_TIMEOUT_MS),
				      &ignored);
}

void
shim_reap(struct shim *shim)
{
	struct signalfd_siginfo signal;
	siginfo_t info;

	while (read(shim->signal_fd, &signal, sizeof(signal)) > 0)
		continue;
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 ||
		    info.si_pid == 0)
			return;
		if ((uint32_t)info.si_pid == shim->who.init_pid)
			init_ended(shim, &info);
	}
}

static int
write_exit_record(struct shim *shim, struct skiff_error *err)
{
	char text[SHIM_TEXT_MAX];
	size_t len = shim_exit_format(&shim->exit, text);

	if (fault_hit(FAULT_SHIM_EXIT_RECORD_BEFORE, err) < 0 ||
	    replace_file(shim, SHIM_FILE_EXIT, SHIM_FILE_EXIT ".new", text, len,
			 err) < 0)
		return -1;
	return fault_hit(FAULT_SHIM_EXIT_RECORD_AFTER, err);
}

static bool
is_drained(const struct shim *shim)
{
	return (shim->outputs[0].fd < 0 && shim->outputs[1].fd < 0) ||
	       deadline_passed(shim->drain);
}

void
shim_settle(struct shim *shim)
{
	struct skiff_error err = ERROR_INIT;

	if (!shim->has_ended || shim->is_recorded)
		return;
	if (shim->phase != SHIM_STOPPED) {
		if (!is_drained(shim))
			return;
		shim_output_close(shim);
		shim->exit.lost_bytes = shim->lost_bytes;
		shim->exit.was_oom = had_oom(shim);
		closep(&shim->oom_fd);
		shim->oom_fd = -1;
		shim->phase = SHIM_STOPPED;
	} else if (!deadline_passed(shim->next_try)) {
		return;
	}
	/* On a full disk it is told all the same, and tried again. */
	if (write_exit_record(shim, &err) == 0)
		shim->is_recorded = true;
	else
		shim->next_try = deadline_in_ms(RECORD_RETRY_MS);
	for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++)
		if (shim->connections[i].fd >= 0)
			shim_control_tell_exit(shim, &shim->connections[i]);
}

/* SIGKILL to every child; runs until there is none. */
static void
kill_children(void)
{
	char text[4096];
	struct skiff_error ignored = ERROR_INIT;

	/* Each round ends some; those they leave are adopted by us. */
	for (int i = 0; i < 100; i++) {
		char *rest = text;
		char *end;

		if (read_small(AT_FDCWD, "/proc/thread-self/children", text,
			       sizeof(text), &ignored) < 0 ||
		    !*text)
			return;
		for (;;) {
			long pid = strtol(rest, &end, 10);

			if (end == rest || pid <= 0)
				break;
			(void)kill((pid_t)pid, SIGKILL);
			(void)waitpid((pid_t)pid, NULL, 0);
			rest = end;
		}
	}
}

void
shim_undo_create(struct shim *shim)
{
	struct skiff_error ignored = ERROR_INIT;
	char path[PATH_MAX];

	kill_children();
	(void)snprintf(path, sizeof(path), "%s/%s", shim->runtime_root,
		       shim->id);
	if (access(path, F_OK) == 0)
		(void)shim_runtime_delete(shim, &ignored);
	(void)cgroup_remove(&shim->cgroups, deadline_in_ms(KILL_TIMEOUT_MS),
			    &ignored);
	shim_rootfs_unmount(shim);
	(void)unlink(shim->socket);
	(void)unlinkat(shim->task_fd, SHIM_FILE_STATE, 0);
	(void)unlinkat(shim->task_fd, SHIM_FILE_PID, 0);
	(void)unlinkat(shim->task_fd, SHIM_FILE_CGROUP, 0);
}
