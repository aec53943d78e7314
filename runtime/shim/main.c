/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skiff-shim: arguments, and the steps of create in their order.
 * What it is and what it owns: shim.h; what it says: docs/SHIM_PROTOCOL.md.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"

#define READY_FD 3
#define PAGE 4096
#define STACK_KEPT 4096
#define STACK_RELEASED 65536

_Alignas(65536) unsigned char shim_scratch[SHIM_SCRATCH_SIZE];

static struct shim the_shim;

static const struct option long_options[] = {
	{ "runtime", required_argument, NULL, 'r' },
	{ "runtime-arg", required_argument, NULL, 'a' },
	{ "runtime-root", required_argument, NULL, 'R' },
	{ "id", required_argument, NULL, 'i' },
	{ "socket", required_argument, NULL, 's' },
	{ "terminal", no_argument, NULL, 't' },
	{ "stdin", no_argument, NULL, 'n' },
	{ "no-log", no_argument, NULL, 'l' },
	{ "restore", required_argument, NULL, 'c' },
	{ "criu-dir", required_argument, NULL, 'C' },
	{ "log-size", required_argument, NULL, 'z' },
	{ "log-files", required_argument, NULL, 'f' },
	{ "in", required_argument, NULL, 'I' },
	{ "out", required_argument, NULL, 'O' },
	{ "err", required_argument, NULL, 'E' },
	{ "owner", required_argument, NULL, 'u' },
	{ NULL, 0, NULL, 0 },
};

/*
 * What is on the stack below us was of calls that have returned. Below us,
 * and not below a caller that we became a part of, whose frame may be large.
 */
static __attribute__((noinline)) void
release_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t end = (here - STACK_KEPT) & ~(uintptr_t)(PAGE - 1);

	(void)madvise((void *)(end - STACK_RELEASED), STACK_RELEASED,
		      MADV_DONTNEED);
}

void
shim_memory_release(void)
{
	(void)madvise(shim_scratch, sizeof(shim_scratch), MADV_DONTNEED);
	release_stack();
}

static void
init_shim(struct shim *shim)
{
	shim->task_fd = -1;
	shim->rootfs_fd = -1;
	shim->ready_fd = READY_FD;
	shim->null_fd = -1;
	shim->signal_fd = -1;
	shim->listen_fd = -1;
	shim->oom_fd = -1;
	shim->log_max_size = SHIM_LOG_SIZE;
	shim->log_max_files = SHIM_LOG_FILES;
	for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++)
		shim->connections[i].fd = -1;
	(void)shim_process_new(shim, "");
}

static void
take_restore(struct shim *shim, const char *flags)
{
	shim->is_restore = true;
	shim->restore_flags = (uint32_t)strtoul(flags, NULL, 10);
}

/* UID:GID */
static bool
take_owner(struct shim *shim, const char *value)
{
	char *end;

	shim->has_owner = true;
	shim->owner_uid = (uint32_t)strtoul(value, &end, 10);
	if (*end != ':')
		return false;
	shim->owner_gid = (uint32_t)strtoul(end + 1, &end, 10);
	return *end == '\0';
}

static bool
take_argument(struct shim *shim, int c, const char *value)
{
	struct shim_process *init = shim_init(shim);

	switch (c) {
	case 'r':
		shim->runtime = value;
		return true;
	case 'a':
		if (shim->n_runtime_args == SHIM_MAX_ARGS)
			return false;
		shim->runtime_args[shim->n_runtime_args++] = value;
		return true;
	case 'R':
		shim->runtime_root = value;
		return true;
	case 'i':
		shim->id = value;
		return true;
	case 's':
		shim->socket = value;
		return true;
	case 't':
		init->has_terminal = true;
		return true;
	case 'n':
		init->has_stdin = true;
		return true;
	case 'l':
		init->has_log = false;
		return true;
	case 'z':
		shim->log_max_size = strtoull(value, NULL, 10);
		return shim->log_max_size >= SHIM_LOG_SIZE_MIN;
	case 'f':
		shim->log_max_files = (uint32_t)strtoul(value, NULL, 10);
		return shim->log_max_files > 0;
	case 'I':
		shim->paths[0] = value;
		return value[0] == '/';
	case 'O':
		shim->paths[1] = value;
		return value[0] == '/';
	case 'E':
		shim->paths[2] = value;
		return value[0] == '/';
	case 'c':
		take_restore(shim, value);
		return true;
	case 'C':
		shim->criu_dir = value;
		return true;
	case 'u':
		return take_owner(shim, value);
	default:
		return false;
	}
}

static bool
parse_arguments(struct shim *shim, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
		if (!take_argument(shim, c, optarg))
			return false;
	if (optind != argc - 1 || argv[optind][0] != '/')
		return false;
	shim->task_dir = argv[optind];
	return shim->runtime && shim->runtime[0] == '/' && shim->runtime_root &&
	       shim->runtime_root[0] == '/' && shim->id && shim->id[0] &&
	       shim->id[0] != '-' && !strchr(shim->id, '/') && shim->socket &&
	       shim->socket[0] == '/' && strlen(shim->task_dir) < PATH_MAX - 64;
}

/* Descriptors, signals, session: nothing of whoever started us is left. */
static int
detach(struct shim *shim, struct skiff_error *err)
{
	static const int ignored[] = { SIGHUP,	SIGINT,	 SIGQUIT, SIGTERM,
				       SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2 };
	sigset_t children;

	if (syscall(SYS_close_range, READY_FD + 1, ~0U, 0) < 0 ||
	    fcntl(READY_FD, F_SETFD, FD_CLOEXEC) < 0)
		return err_errno(err, errno, "descriptors");
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&children);
	(void)sigaddset(&children, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &children, NULL);
	shim->signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	shim->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (shim->signal_fd < 0 || shim->null_fd < 0)
		return err_errno(err, errno, "descriptors");
	(void)setsid(); /* fails when the parent did so for us */
	(void)umask(022);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_errno(err, errno, "become subreaper");
	shim->task_fd =
	    open(shim->task_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (shim->task_fd < 0 || fchdir(shim->task_fd) < 0)
		return err_errno(err, errno, "%s", shim->task_dir);
	return 0;
}

/* Init's log, and the paths of its streams. */
static int
open_streams(struct shim *shim, struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);

	for (size_t i = 0; i < ARRAY_SIZE(shim->paths); i++)
		if (shim->paths[i] &&
		    shim_sink_open(init, i, shim->paths[i], err) < 0)
			return -1;
	if (!init->has_log)
		return 0;
	return shim_log_open(shim, "", &init->log, err) < 0
		   ? -1
		   : shim_sink_begin(init, err);
}

static int
create(struct shim *shim, struct skiff_error *err)
{
	if (fault_hit(FAULT_SHIM_IDENTITY, err) < 0 ||
	    shim_record_identity(shim, err) < 0 ||
	    shim_rootfs_mount(shim, err) < 0 ||
	    shim_rootfs_check(shim, err) < 0)
		return -1;
	/* Held open it would keep the snapshot busy. */
	closep(&shim->rootfs_fd);
	shim->rootfs_fd = -1;
	if (open_streams(shim, err) < 0 || shim_runtime_create(shim, err) < 0 ||
	    shim_adopt_init(shim, err) < 0 ||
	    fault_hit(FAULT_SHIM_LISTEN, err) < 0 ||
	    shim_control_listen(shim, err) < 0)
		return -1;
	return 0;
}

/* One frame and the end of the pipe: the daemon waits for no less. */
static int
tell_ready(struct shim *shim, const struct shim_message *m,
	   struct skiff_error *err)
{
	unsigned char buf[4096];
	size_t len = shim_encode(m, buf, sizeof(buf));

	if (write(shim->ready_fd, buf, len) != (ssize_t)len)
		return err_errno(err, errno, "tell that the task is created");
	closep(&shim->ready_fd);
	shim->ready_fd = -1;
	return 0;
}

static int
begin(struct shim *shim)
{
	struct shim_message m = { .type = SHIM_READY };
	struct skiff_error err = ERROR_INIT;
	struct skiff_error ignored = ERROR_INIT;

	if (fault_setup(&err) < 0 || detach(shim, &err) < 0)
		goto fail;
	if (create(shim, &err) < 0 || fault_hit(FAULT_SHIM_READY, &err) < 0)
		goto undo;
	m.u.ready = shim->who;
	if (tell_ready(shim, &m, &err) < 0)
		goto undo;
	/* A daemon's terminal or pipe must not be held by its containers. */
	for (int i = 0; i < 3; i++)
		(void)dup2(shim->null_fd, i);
	shim_memory_release();
	return 0;
undo:
	shim_undo_create(shim);
fail:
	shim_error_to_message(&err, 0, &m);
	(void)tell_ready(shim, &m, &ignored);
	return -1;
}

int
main(int argc, char **argv)
{
	struct shim *shim = &the_shim;

	if (argc > 1 && strcmp(argv[1], "--network") == 0)
		return shim_network_main(argv + 2);
	if (argc > 1 && strcmp(argv[1], "--probe-idmap") == 0)
		return shim_idmap_main(argv + 2);
	init_shim(shim);
	if (!parse_arguments(shim, argc, argv)) {
		(void)fprintf(
		    stderr,
		    "usage: skiff-shim --runtime PATH "
		    "[--runtime-arg ARG]... --runtime-root "
		    "DIR --id ID --socket PATH\n"
		    "	[--terminal] [--stdin] [--no-log] [--log-size N]\n"
		    "	[--log-files N] [--in PATH] [--out PATH] [--err PATH]\n"
		    "	[--restore FLAGS] [--criu-dir DIR] [--owner UID:GID]\n"
		    "	TASK_DIR\n"
		    "Started by skiffd, with a pipe as descriptor 3.\n"
		    "       skiff-shim --network [NAME=VALUE]...\n"
		    "Started by runc, for a container that is restored.\n"
		    "       skiff-shim --probe-idmap DIR LOWER LOWER\n"
		    "Started by skiffd, to know what the kernel can.\n");
		return SHIM_EXIT_USAGE;
	}
	if (begin(shim) < 0)
		return 1;
	while (!shim->is_deleted)
		shim_turn(shim);
	return 0;
}
