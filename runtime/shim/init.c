/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init alone has: the task's identity, its cgroups and namespaces,
 * and the counter of kills for want of memory.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define UNDO_TIMEOUT_MS 2000
#define OOM_SCORE (-998)
#define OOM_SCORE_STEP 50

int
shim_record_identity(struct shim *shim, struct skiff_error *err)
{
	char text[SHIM_TEXT_MAX];
	size_t len;

	shim->who.version = SHIM_PROTO_VERSION;
	if (shim->who.shim_pid == 0) {
		shim->who.shim_pid = (uint32_t)getpid();
		if (shim_start_time(getpid(), &shim->who.shim_start, err) < 0)
			return -1;
	}
	len = shim_identity_format(&shim->who, text);
	return shim_replace_file(shim, "", SHIM_FILE_STATE, text, len, err);
}

/*
 * The first process of its pid namespace takes the rest along; init of a
 * container that joined another's, or has the host's, does not. NSpid has
 * the numbers in all namespaces, the innermost last.
 */
static bool
is_first_in_namespace(pid_t pid)
{
	struct skiff_error unread = ERROR_INIT;
	char *text = (char *)shim_scratch; /* its groups may be many */
	char path[32];
	const char *numbers;
	const char *last;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (shim_read_small(AT_FDCWD, path, text, SHIM_SCRATCH_SIZE, &unread) <
	    0)
		return false;
	numbers = strstr(text, "\nNSpid:");
	if (!numbers)
		return false;
	numbers += strlen("\nNSpid:");
	last = memrchr(numbers, '\t', strcspn(numbers, "\n"));
	return last && last > numbers && strtoul(last, NULL, 10) == 1;
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

bool
shim_had_oom(struct shim *shim)
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
 * Out of the kernel's reach when it wants memory, as far as is allowed;
 * only now, since what made the container inherits it. What is started
 * later gets back the score of before.
 */
static void
protect_self(struct shim *shim)
{
	cleanup_close int fd =
	    open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char text[16];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return;
	text[n] = '\0';
	(void)snprintf(shim->oom_score, sizeof(shim->oom_score), "%s", text);
	/* Less than it was at its least wants CAP_SYS_RESOURCE. */
	for (long score = OOM_SCORE; score < strtol(text, NULL, 10);
	     score += OOM_SCORE_STEP) {
		char wish[16];
		int len = snprintf(wish, sizeof(wish), "%ld", score);

		if (pwrite(fd, wish, (size_t)len, 0) == len)
			return;
	}
}

static bool
has_line(const char *text, const char *line, size_t len)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n == len && memcmp(text, line, len) == 0)
			return true;
		text += n;
		text += *text == '\n';
	}
	return false;
}

/*
 * The cgroups of init without those that it shares with us, since the runtime
 * left it there: killing all that is in one would be the end of every shim.
 */
static int
read_cgroups(pid_t pid, char text[CGROUP_TEXT_MAX], struct skiff_error *err)
{
	char own[CGROUP_TEXT_MAX];
	char path[32];
	char *out = text;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (shim_read_small(AT_FDCWD, path, text, CGROUP_TEXT_MAX, err) < 0 ||
	    shim_read_small(AT_FDCWD, "/proc/self/cgroup", own, sizeof(own),
			    err) < 0)
		return -1;
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		const char *next = line + len + (line[len] == '\n');

		if (!has_line(own, line, len)) {
			memmove(out, line, (size_t)(next - line));
			out += next - line;
		}
		line = next;
	}
	*out = '\0';
	return 0;
}

int
shim_adopt_init(struct shim *shim, struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);
	char text[CGROUP_TEXT_MAX];

	if (shim_process_adopt(shim, init, err) < 0)
		return err_wrap(err, "init");
	shim->who.init_pid = init->pid;
	shim->who.init_start = init->start;
	shim->has_own_pid_namespace = is_first_in_namespace((pid_t)init->pid);
	if (read_cgroups((pid_t)init->pid, text, err) < 0 ||
	    shim_replace_file(shim, "", SHIM_FILE_CGROUP, text, strlen(text),
			      err) < 0)
		return -1;
	cgroup_dirs_from_text(text, &shim->cgroups);
	open_oom_counter(shim);
	protect_self(shim);
	return shim_record_identity(shim, err);
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

		if (shim_read_small(AT_FDCWD, "/proc/thread-self/children",
				    text, sizeof(text), &ignored) < 0 ||
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
	(void)cgroup_remove(&shim->cgroups, deadline_in_ms(UNDO_TIMEOUT_MS),
			    &ignored);
	shim_rootfs_unmount(shim);
	(void)unlink(shim->socket);
	(void)unlinkat(shim->task_fd, SHIM_FILE_STATE, 0);
	(void)unlinkat(shim->task_fd, SHIM_DIR_RUN "/" SHIM_FILE_PID, 0);
	(void)unlinkat(shim->task_fd, SHIM_FILE_CGROUP, 0);
}
