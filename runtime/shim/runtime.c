/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running the OCI runtime: create, start and delete, and its own words
 * when it fails.
 *
 * clone(2) with CLONE_VM | CLONE_VFORK rather than posix_spawn(3), which
 * allocates its file actions and cannot ask for a signal at the parent's
 * death: a runtime must not go on creating when its shim was killed.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"

#define START_TIMEOUT_MS 10000
#define WORDS_SIZE 1536
#define LOG_TAIL 16384

struct child {
	const char *path;
	char *const *argv;
	const char *cwd;
	int fds[3];
	pid_t parent;
	volatile int error; /* errno of what failed before the new program */
};

static char *const runtime_env[] = {
	(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		"/sbin:/bin",
	NULL,
};

/* Not _exit(2), by which sanitizers take this stack for the program's. */
static int
child_fail(struct child *child, int error)
{
	child->error = error;
	(void)syscall(SYS_exit_group, 127);
	return -1;
}

/* Runs on its own stack in the shim's memory until it is another program. */
static __attribute__((no_sanitize("address", "undefined", "thread"))) int
child_main(void *arg)
{
	struct child *child = arg;
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &action, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != child->parent)
		return child_fail(child, ESRCH);
	for (int i = 0; i < 3; i++)
		if (dup2(child->fds[i], i) < 0)
			return child_fail(child, errno);
	if (syscall(SYS_close_range, 3, ~0U, 0) < 0 || chdir(child->cwd) < 0)
		return child_fail(child, errno);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(child->path, child->argv, runtime_env);
	return child_fail(child, errno);
}

/* Runs argv to its end; *ret_status as in struct shim_exit. */
static int
run(struct shim *shim, char *const argv[], const int fds[3], int *ret_status,
    struct skiff_error *err)
{
	/* The end of the scratch place, of which read_words() uses the
	 * beginning. */
	unsigned char *stack_top = shim_scratch + SHIM_SCRATCH_SIZE;
	struct child child = {
		.path = argv[0],
		.argv = argv,
		.cwd = shim->task_dir,
		.parent = getpid(),
	};
	siginfo_t info = { 0 };
	pid_t pid;

	for (int i = 0; i < 3; i++)
		child.fds[i] = fds ? fds[i] : shim->null_fd;
	pid = clone(child_main, stack_top, CLONE_VM | CLONE_VFORK | SIGCHLD,
		    &child);
	if (pid < 0)
		return err_errno(err, errno, "run %s", argv[0]);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		if (errno != EINTR)
			return err_errno(err, errno, "wait for %s", argv[0]);
	if (child.error)
		return err_errno(err, child.error, "run %s", argv[0]);
	*ret_status =
	    info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return 0;
}

static size_t
put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)(c < 0x20 ? ' ' : c);
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Four hex digits; SIZE_MAX-like 0xffffffff when they are none. */
static uint32_t
hex4(const char *p)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return UINT32_MAX;
	}
	return value;
}

/* One \u escape, or a pair of them, at p ("uXXXX…"); gives what it took. */
static size_t
unescape_unicode(const char *p, uint32_t *ret_c)
{
	uint32_t high = hex4(p + 1);
	uint32_t low;

	*ret_c = 0xfffd;
	if (high == UINT32_MAX)
		return 1;
	if (high >= 0xd800 && high < 0xdc00 && p[5] == '\\' && p[6] == 'u') {
		low = hex4(p + 7);
		if (low >= 0xdc00 && low < 0xe000) {
			*ret_c =
			    0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
			return 11;
		}
	}
	if (high < 0xd800 || high >= 0xe000)
		*ret_c = high;
	return 5;
}

/* A JSON string's content, from behind its opening quote. */
static void
unescape(const char *p, char *out, size_t cap)
{
	size_t n = 0;

	while (*p && *p != '"' && *p != '\n' && n + 5 < cap) {
		uint32_t c;

		if (*p != '\\') {
			out[n++] = (unsigned char)*p < 0x20 ? ' ' : *p;
			p++;
			continue;
		}
		p++;
		if (*p == 'u') {
			p += unescape_unicode(p, &c);
			n += put_utf8(out + n, c);
		} else if (*p && *p != '\n') {
			out[n++] = strchr("nrtbf", *p) ? ' ' : *p;
			p++;
		}
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

/*
 * The "msg" of the last line of the runtime's log that is an error: the
 * runtime writes one flat JSON object a line.
 */
static bool
find_words(char *text, char words[WORDS_SIZE])
{
	bool is_found = false;

	for (char *line = text; line; line = strchr(line, '\n')) {
		char *end;
		char *level;
		char *msg;

		line += *line == '\n';
		end = strchr(line, '\n');
		if (end)
			*end = '\0';
		level = strstr(line, "\"level\":\"error\"");
		msg = strstr(line, "\"msg\":\"");
		if (level && msg) {
			unescape(msg + strlen("\"msg\":\""), words, WORDS_SIZE);
			is_found = true;
		}
		if (!end)
			break;
		*end = '\n';
		line = end;
	}
	return is_found;
}

static bool
read_words(struct shim *shim, char words[WORDS_SIZE])
{
	cleanup_close int fd = -1;
	char *text = (char *)shim_scratch;
	off_t size;
	ssize_t n;

	fd = openat(shim->task_fd, SHIM_FILE_RUNTIME_LOG, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = lseek(fd, 0, SEEK_END);
	n = pread(fd, text, LOG_TAIL, size > LOG_TAIL ? size - LOG_TAIL : 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return find_words(text, words);
}

/* What a person did wrong, told apart by the words that runc 1.x uses. */
static const char *
reason_of(const char *words, const char *otherwise)
{
	if (strstr(words, "executable file not found") ||
	    (strstr(words, "exec: \"") &&
	     (strstr(words, "no such file or directory") ||
	      strstr(words, "permission denied") ||
	      strstr(words, "is a directory"))))
		return "executable_not_found";
	return otherwise;
}

/* The error of a runtime that ended with a status other than 0. */
static int
runtime_error(struct shim *shim, const char *verb, int status,
	      const char *reason, struct skiff_error *err)
{
	char words[WORDS_SIZE];

	if (!read_words(shim, words)) {
		(void)err_set(err, SKIFF_INTERNAL,
			      "%s %s: ended with status %d without a word",
			      shim->runtime, verb, status);
		return err_reason(err, reason);
	}
	(void)err_set(err, SKIFF_FAILED_PRECONDITION, "runtime %s: %s", verb,
		      words);
	return err_reason(err, reason_of(words, reason));
}

/* The words of one step must not pass for those of the next. */
static void
forget_words(struct shim *shim)
{
	(void)unlinkat(shim->task_fd, SHIM_FILE_RUNTIME_LOG, 0);
}

static void
log_path(const struct shim *shim, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/" SHIM_FILE_RUNTIME_LOG,
		       shim->task_dir);
}

/* runtime --root R --log L --log-format json VERB [option] ID */
static int
run_verb(struct shim *shim, const char *verb, const char *option,
	 int *ret_status, struct skiff_error *err)
{
	char log[PATH_MAX];
	const char *argv[12] = {
		shim->runtime, "--root", shim->runtime_root,
		"--log",       log,	 "--log-format",
		"json",	       verb,
	};
	size_t n = 8;

	if (option)
		argv[n++] = option;
	argv[n] = shim->id;
	log_path(shim, log);
	forget_words(shim);
	return run(shim, (char *const *)argv, NULL, ret_status, err);
}

static int
run_create(struct shim *shim, const int fds[3], struct skiff_error *err)
{
	char log[PATH_MAX];
	char bundle[PATH_MAX];
	char pid_file[PATH_MAX];
	const char *argv[] = {
		shim->runtime, "--root",     shim->runtime_root,
		"--log",       log,	     "--log-format",
		"json",	       "create",     "--bundle",
		bundle,	       "--pid-file", pid_file,
		shim->id,      NULL,	     NULL,
		NULL,
	};
	int status = 0;

	log_path(shim, log);
	(void)snprintf(bundle, sizeof(bundle), "%s/bundle", shim->task_dir);
	(void)snprintf(pid_file, sizeof(pid_file), "%s/" SHIM_FILE_PID,
		       shim->task_dir);
	if (shim->has_terminal) {
		/* From the bundle, where the runtime changes to: short. */
		argv[12] = "--console-socket";
		argv[13] = "../console";
		argv[14] = shim->id;
	}
	forget_words(shim);
	if (run(shim, (char *const *)argv, fds, &status, err) < 0)
		return -1;
	if (status != 0)
		return runtime_error(shim, "create", status,
				     "runtime_create_failed", err);
	return 0;
}

int
shim_runtime_create(struct shim *shim, struct skiff_error *err)
{
	int fds[3] = { -1, -1, -1 };
	cleanup_close int listen_fd = -1;
	int r;

	if (fault_hit(FAULT_SHIM_CREATE_BEFORE, err) < 0)
		return -1;
	if (shim->has_terminal) {
		if (shim_output_listen_console(shim, &listen_fd, err) < 0)
			return -1;
		r = run_create(shim, NULL, err);
		if (r == 0)
			r = shim_output_take_console(shim, listen_fd, err);
	} else {
		if (shim_output_open_pipes(shim, fds, err) < 0)
			return -1;
		r = run_create(shim, fds, err);
		for (int i = 0; i < 3; i++)
			if (fds[i] != shim->null_fd)
				closep(&fds[i]);
	}
	return r < 0 ? -1 : fault_hit(FAULT_SHIM_CREATE_AFTER, err);
}

static bool
runtime_is(const struct shim *shim, const char *name)
{
	const char *slash = strrchr(shim->runtime, '/');

	return strcmp(slash ? slash + 1 : shim->runtime, name) == 0;
}

/*
 * What `runc start` does, without the milliseconds of a new program: runc's
 * init waits in open(2) for writing on this FIFO until someone reads it.
 * 1: not possible here, take the plain command.
 */
static int
start_by_fifo(struct shim *shim, struct skiff_error *err)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX];
	struct pollfd ready[2];
	char byte;
	int n;

	(void)snprintf(path, sizeof(path), "%s/%s/exec.fifo",
		       shim->runtime_root, shim->id);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 1;
	ready[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	ready[1] = (struct pollfd){ .fd = shim->init_fd, .events = POLLIN };
	n = poll(ready, 2, START_TIMEOUT_MS);
	if (n == 0)
		return err_set(err, SKIFF_DEADLINE_EXCEEDED,
			       "init does not begin");
	if (n > 0 && (ready[0].revents & POLLIN) && read(fd, &byte, 1) == 1) {
		(void)unlink(path);
		return 0;
	}
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "init ended before it was started");
	return err_reason(err, "runtime_start_failed");
}

int
shim_runtime_start(struct shim *shim, struct skiff_error *err)
{
	int status = 0;
	int r = 1;

	if (fault_hit(FAULT_SHIM_START_BEFORE, err) < 0)
		return -1;
	if (runtime_is(shim, "runc"))
		r = start_by_fifo(shim, err);
	if (r < 0)
		return -1;
	if (r > 0) {
		if (run_verb(shim, "start", NULL, &status, err) < 0)
			return -1;
		if (status != 0)
			return runtime_error(shim, "start", status,
					     "runtime_start_failed", err);
	}
	return 0;
}

/*
 * What is left of `runc delete` once init is reaped: hooks are not accepted,
 * the cgroups are the caller's to remove, and runc forgets its state. False:
 * take the plain command, which removes even a directory without a state.
 */
static bool
delete_by_hand(struct shim *shim, const char *path)
{
	cleanup_close int fd = -1;

	if (!shim->has_ended || !runtime_is(shim, "runc"))
		return false;
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)unlinkat(fd, "exec.fifo", 0);
	(void)unlinkat(fd, "state.json", 0);
	return rmdir(path) == 0;
}

int
shim_runtime_delete(struct shim *shim, struct skiff_error *err)
{
	char path[PATH_MAX];
	int status = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", shim->runtime_root,
		       shim->id);
	if (delete_by_hand(shim, path))
		return 0;
	if (run_verb(shim, "delete", "--force", &status, err) < 0)
		return -1;
	if (status != 0)
		return runtime_error(shim, "delete", status,
				     "runtime_delete_failed", err);
	if (access(path, F_OK) == 0)
		return err_set(err, SKIFF_INTERNAL,
			       "runtime delete left %s behind", path);
	return 0;
}
