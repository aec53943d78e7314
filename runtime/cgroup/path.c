/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's cgroups in v1, hybrid and v2: where they are, killing what
 * runs in them, removing them.
 */
#include "config.h"

#include "runtime/cgroup/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define PAUSE_MS 2
#define MAX_DEPTH 16

static void
closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static void
pause_briefly(void)
{
	(void)poll(NULL, 0, PAUSE_MS);
}

static bool
path_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Adds hierarchy + path; of v1, the hierarchy ends in its controllers. */
static void
add_dir(struct cgroup_dirs *dirs, const char *hierarchy, bool is_v1,
	const char *path, int len)
{
	size_t room = sizeof(dirs->text) - dirs->used;
	char *place = dirs->text + dirs->used;
	int n = snprintf(place, room, "%s%.*s", hierarchy, len, path);
	size_t list = is_v1 ? strlen(CGROUP_ROOT "/") : strlen(hierarchy);

	if (n < 0 || (size_t)n >= room || dirs->n == CGROUP_MAX_DIRS)
		return;
	for (size_t i = 0; i < dirs->n; i++)
		if (strcmp(cgroup_dir(dirs, i), place) == 0)
			return;
	dirs->start[dirs->n] = (uint16_t)dirs->used;
	dirs->list[dirs->n] = (uint16_t)(dirs->used + list);
	dirs->list_len[dirs->n++] = (uint8_t)(strlen(hierarchy) - list);
	dirs->used += (size_t)n + 1;
}

/*
 * A controller's files begin with its name, those of cgroups themselves
 * with "cgroup.". A look in vain is not free: there are a dozen hierarchies
 * and dozens of files, and the kernel makes an entry for each miss.
 */
bool
cgroup_may_have(const struct cgroup_dirs *dirs, size_t i, const char *file)
{
	const char *list = dirs->text + dirs->list[i];
	const char *end = list + dirs->list_len[i];
	size_t len;

	if (strncmp(file, "../", 3) == 0)
		file += 3;
	len = strcspn(file, ".");
	if (list == end || file[len] == '\0' ||
	    strncmp(file, "cgroup.", strlen("cgroup.")) == 0)
		return true;
	for (size_t n; list < end; list += n + 1) {
		n = strcspn(list, ",/");
		if (n == len && strncmp(list, file, len) == 0)
			return true;
	}
	return false;
}

/* The mount point of the v2 hierarchy, alone or beside v1. */
static const char *
unified_root(void)
{
	return path_exists(CGROUP_ROOT "/cgroup.controllers") ? CGROUP_ROOT
							      : CGROUP_ROOT
		   "/unified";
}

/* One line: hierarchy ":" controllers ":" path. */
static void
add_line(struct cgroup_dirs *dirs, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *end = line + len;
	const char *path;
	char base[128];

	if (!colon)
		return;
	path = memchr(colon + 1, ':', (size_t)(end - colon - 1));
	if (!path || end - path < 3 || path[1] != '/')
		return;
	if (path == colon + 1) {
		add_dir(dirs, unified_root(), /* is_v1= */ false, path + 1,
			(int)(end - path - 1));
		return;
	}
	colon++;
	if (strncmp(colon, "name=", 5) == 0)
		colon += 5;
	(void)snprintf(base, sizeof(base), CGROUP_ROOT "/%.*s",
		       (int)(path - colon), colon);
	add_dir(dirs, base, /* is_v1= */ true, path + 1, (int)(end - path - 1));
}

void
cgroup_dirs_from_text(const char *text, struct cgroup_dirs *ret_dirs)
{
	ret_dirs->n = 0;
	ret_dirs->used = 0;
	while (*text) {
		size_t len = strcspn(text, "\n");

		add_line(ret_dirs, text, len);
		text += len;
		text += *text == '\n';
	}
}

int
cgroup_dirs_from_path(const char *cgroups_path, struct cgroup_dirs *ret_dirs,
		      struct skiff_error *err)
{
	CLEANUP(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	char base[sizeof(CGROUP_ROOT) + NAME_MAX + 1];

	ret_dirs->n = 0;
	ret_dirs->used = 0;
	if (cgroups_path[0] != '/' || cgroups_path[1] == '\0' ||
	    strstr(cgroups_path, "/.."))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "cgroup path \"%s\" is not absolute",
			       cgroups_path);
	if (strcmp(unified_root(), CGROUP_ROOT) == 0) {
		add_dir(ret_dirs, CGROUP_ROOT, /* is_v1= */ false, cgroups_path,
			(int)strlen(cgroups_path));
		return 0;
	}
	dir = opendir(CGROUP_ROOT);
	if (!dir)
		return errno == ENOENT
			   ? 0
			   : err_errno(err, errno, "open " CGROUP_ROOT);
	while ((entry = readdir(dir)) != NULL) {
		/* Links are second names of co-mounted controllers. */
		if (entry->d_name[0] == '.' || entry->d_type == DT_LNK)
			continue;
		(void)snprintf(base, sizeof(base), CGROUP_ROOT "/%s",
			       entry->d_name);
		add_dir(ret_dirs, base, strcmp(entry->d_name, "unified") != 0,
			cgroups_path, (int)strlen(cgroups_path));
	}
	return 0;
}

static int
open_sub(int dirfd, const char *name, int flags)
{
	return openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW);
}

static void
write_file(int dirfd, const char *name, const char *text)
{
	cleanup_close int fd = open_sub(dirfd, name, O_WRONLY);

	/* Absent or refused: the caller has other means. */
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		return;
}

/* Calls visit for each pid in cgroup.procs of the directory. */
static void
each_pid(int dirfd, cgroup_pid_fn visit, void *arg)
{
	cleanup_close int fd = open_sub(dirfd, "cgroup.procs", O_RDONLY);
	char buf[1024];
	pid_t pid = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = pid * 10 + (buf[i] - '0');
				continue;
			}
			/* 0 is a process of another pid namespace. */
			if (pid > 0)
				visit(pid, arg);
			pid = 0;
		}
	}
}

struct entry64 {
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

/*
 * Runs visit in the directory and all below, children first. getdents64(2)
 * itself, since opendir(3) allocates and the shim must not.
 */
typedef void (*dir_fn)(int parent_fd, const char *name, int dirfd, void *arg);

static void
each_dir(int parent_fd, const char *name, int depth, dir_fn visit, void *arg)
{
	cleanup_close int fd =
	    open_sub(parent_fd, name, O_RDONLY | O_DIRECTORY);
	_Alignas(struct entry64) char buf[1024];
	long n;

	if (fd < 0 || depth > MAX_DEPTH)
		return;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < n;) {
			const struct entry64 *e = (const void *)(buf + at);

			if (e->type == DT_DIR && e->name[0] != '.')
				each_dir(fd, e->name, depth + 1, visit, arg);
			at += e->len;
		}
	}
	visit(parent_fd, name, fd, arg);
}

struct signal_job {
	int signal;
	size_t n;
};

static void
signal_pid(pid_t pid, void *arg)
{
	struct signal_job *job = arg;

	if (pid != getpid() && kill(pid, job->signal) == 0)
		job->n++;
}

static void
signal_dir(int parent_fd, const char *name, int dirfd, void *arg)
{
	(void)parent_fd;
	(void)name;
	each_pid(dirfd, signal_pid, arg);
}

static void
count_pid(pid_t pid, void *arg)
{
	size_t *n = arg;

	(void)pid;
	(*n)++;
}

static void
count_dir(int parent_fd, const char *name, int dirfd, void *arg)
{
	(void)parent_fd;
	(void)name;
	each_pid(dirfd, count_pid, arg);
}

static size_t
count_all(const struct cgroup_dirs *dirs)
{
	size_t n = 0;

	for (size_t i = 0; i < dirs->n; i++)
		each_dir(AT_FDCWD, cgroup_dir(dirs, i), 0, count_dir, &n);
	return n;
}

struct pid_visit {
	cgroup_pid_fn visit;
	void *arg;
	size_t n;
};

static void
visit_pid(pid_t pid, void *arg)
{
	struct pid_visit *visit = arg;

	visit->n++;
	visit->visit(pid, visit->arg);
}

static void
visit_dir(int parent_fd, const char *name, int dirfd, void *arg)
{
	(void)parent_fd;
	(void)name;
	each_pid(dirfd, visit_pid, arg);
}

void
cgroup_each_pid(const struct cgroup_dirs *dirs, cgroup_pid_fn visit, void *arg)
{
	struct pid_visit job = { .visit = visit, .arg = arg };

	for (size_t i = 0; i < dirs->n && job.n == 0; i++)
		each_dir(AT_FDCWD, cgroup_dir(dirs, i), 0, visit_dir, &job);
}

/* No process is in them or below, or they are not there. */
static bool
cgroup_is_empty(const struct cgroup_dirs *dirs)
{
	return count_all(dirs) == 0;
}

/*
 * Freezes or thaws by whichever file there is. While its members are
 * frozen none of them can exit, so that no pid of theirs can be taken by
 * a stranger between reading it and the signal.
 */
static void
set_frozen(int dirfd, bool is_frozen)
{
	write_file(dirfd, "freezer.state", is_frozen ? "FROZEN" : "THAWED");
	write_file(dirfd, "cgroup.freeze", is_frozen ? "1" : "0");
}

static bool
is_freezer(int dirfd)
{
	return faccessat(dirfd, "freezer.state", F_OK, 0) == 0 ||
	       faccessat(dirfd, "cgroup.freeze", F_OK, 0) == 0;
}

static bool
was_frozen(int dirfd)
{
	cleanup_close int fd = -1;
	char buf[16] = "";

	fd = open_sub(dirfd, "freezer.state", O_RDONLY);
	if (fd < 0)
		fd = open_sub(dirfd, "cgroup.freeze", O_RDONLY);
	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		return false;
	return strncmp(buf, "FROZEN", 6) == 0 || buf[0] == '1';
}

int
cgroup_signal(const struct cgroup_dirs *dirs, int signal, size_t *ret_n,
	      struct skiff_error *err)
{
	struct signal_job job = { .signal = signal };

	(void)err;
	for (size_t i = 0; i < dirs->n; i++) {
		cleanup_close int fd = open_sub(AT_FDCWD, cgroup_dir(dirs, i),
						O_RDONLY | O_DIRECTORY);
		bool keep_frozen;

		if (fd < 0 || !is_freezer(fd))
			continue;
		keep_frozen = was_frozen(fd) && signal != SIGKILL;
		set_frozen(fd, true);
		each_dir(AT_FDCWD, cgroup_dir(dirs, i), 0, signal_dir, &job);
		if (!keep_frozen)
			set_frozen(fd, false);
		if (job.n > 0)
			break;
	}
	/* No freezer: what is in the first hierarchy that has any. */
	for (size_t i = 0; i < dirs->n && job.n == 0; i++)
		each_dir(AT_FDCWD, cgroup_dir(dirs, i), 0, signal_dir, &job);
	if (ret_n)
		*ret_n = job.n;
	return 0;
}

static void
kill_dir(int parent_fd, const char *name, int dirfd, void *arg)
{
	struct signal_job job = { .signal = SIGKILL };

	(void)parent_fd;
	(void)name;
	(void)arg;
	write_file(dirfd, "cgroup.kill", "1");
	each_pid(dirfd, signal_pid, &job);
	/* A frozen process of v1 dies when it is thawed. */
	set_frozen(dirfd, false);
}

int
cgroup_kill_all(const struct cgroup_dirs *dirs, struct deadline deadline,
		struct skiff_error *err)
{
	for (;;) {
		for (size_t i = 0; i < dirs->n; i++)
			each_dir(AT_FDCWD, cgroup_dir(dirs, i), 0, kill_dir,
				 NULL);
		if (cgroup_is_empty(dirs))
			return 0;
		if (deadline_passed(deadline))
			return err_set(err, SKIFF_DEADLINE_EXCEEDED,
				       "%zu processes survive SIGKILL in %s",
				       count_all(dirs), cgroup_dir(dirs, 0));
		pause_briefly();
	}
}

static void
remove_dir(int parent_fd, const char *name, int dirfd, void *arg)
{
	(void)dirfd;
	(void)arg;
	(void)unlinkat(parent_fd, name, AT_REMOVEDIR);
}

int
cgroup_remove(const struct cgroup_dirs *dirs, struct deadline deadline,
	      struct skiff_error *err)
{
	for (size_t i = 0; i < dirs->n; i++) {
		const char *dir = cgroup_dir(dirs, i);

		/* A dead process leaves its cgroup a little later. */
		while (path_exists(dir)) {
			each_dir(AT_FDCWD, dir, 0, remove_dir, NULL);
			if (!path_exists(dir))
				break;
			if (deadline_passed(deadline))
				return err_set(err, SKIFF_DEADLINE_EXCEEDED,
					       "cgroup %s cannot be removed",
					       dir);
			pause_briefly();
		}
	}
	return 0;
}
