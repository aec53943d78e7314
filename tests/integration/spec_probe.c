/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container may do: one line a call, "name result", where result is
 * 0 or the errno. Built by container_hardening.py, static, run inside.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void
tell(const char *name, long result)
{
	printf("%s %d\n", name, result < 0 ? errno : 0);
}

static void
try_files(void)
{
	tell("write /proc/sys/kernel/core_pattern",
	     open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC));
	tell("write /proc/sysrq-trigger",
	     open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC));
	tell("mkdir /sys/fs/cgroup/x", mkdir("/sys/fs/cgroup/x", 0755));
	tell("mkdir /sys/fs/cgroup/memory/x",
	     mkdir("/sys/fs/cgroup/memory/x", 0755));
	tell("mknod block", mknod("/tmp/sda", S_IFBLK | 0600, makedev(8, 0)));
	tell("mkfifo", mkfifo("/tmp/fifo", 0600));
	tell("write /etc/hosts", open("/etc/hosts", O_WRONLY | O_CLOEXEC));
	tell("write /", open("/written", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	tell("write /tmp",
	     open("/tmp/written", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void
try_namespaces(void)
{
	tell("unshare user", unshare(CLONE_NEWUSER));
	tell("unshare net", unshare(CLONE_NEWNET));
	tell("clone user",
	     syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	tell("clone3", syscall(SYS_clone3, NULL, 0));
	tell("setns", setns(0, 0));
	tell("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	tell("umount", umount2("/proc", MNT_DETACH));
	tell("pivot_root", syscall(SYS_pivot_root, "/", "/"));
	tell("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
	tell("sethostname", sethostname("x", 1));
}

static void
try_kernel(void)
{
	tell("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID,
			       KEY_SPEC_SESSION_KEYRING, 0));
	tell("add_key", syscall(SYS_add_key, "user", "a", "b", 1,
				KEY_SPEC_SESSION_KEYRING));
	tell("io_uring_setup", syscall(SYS_io_uring_setup, 1, NULL));
	tell("userfaultfd", syscall(SYS_userfaultfd, 0));
	tell("bpf", syscall(SYS_bpf, 0, NULL, 0));
	tell("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
	tell("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	tell("init_module", syscall(SYS_init_module, NULL, 0, ""));
	tell("swapon", syscall(SYS_swapon, "/tmp/x", 0));
	tell("move_pages", syscall(SYS_move_pages, 0, 0, 0, 0, 0, 0));
	tell("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, NULL, 0));
	tell("syslog", syscall(SYS_syslog, 10, NULL, 0));
	tell("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
	tell("personality ask", personality(0xffffffff));
	tell("personality shift", personality(0x4000000));
}

static void
try_sockets(void)
{
	tell("socket unix", socket(AF_UNIX, SOCK_STREAM, 0));
	tell("socket inet", socket(AF_INET, SOCK_DGRAM, 0));
	tell("socket alg", socket(38, SOCK_SEQPACKET, 0));
	tell("socket vsock", socket(40, SOCK_STREAM, 0));
	/* The kernel takes the low half; so must the filter. */
	tell("socket alg, high bit",
	     syscall(SYS_socket, INT64_C(0x100000026), SOCK_SEQPACKET, 0));
	tell("socket raw", socket(AF_INET, SOCK_RAW, 1));
	tell("socket ping", socket(AF_INET, SOCK_DGRAM, 1));
	tell("socket packet", socket(AF_PACKET, SOCK_RAW, 0));
}

static void *
nothing(void *arg)
{
	return arg;
}

/* libc tries clone3(2) first. */
static void
try_threads(void)
{
	pthread_t thread;
	pid_t child;

	errno = pthread_create(&thread, NULL, nothing, NULL);
	tell("thread", errno ? -1 : 0);
	if (!errno)
		(void)pthread_join(thread, NULL);
	child = fork();
	if (child == 0)
		_exit(0);
	tell("fork", child < 0 || waitpid(child, NULL, 0) != child ? -1 : 0);
}

int
main(void)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	try_files();
	try_namespaces();
	try_kernel();
	try_sockets();
	try_threads();
	return 0;
}
