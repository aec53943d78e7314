/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp profile: an allow-list by category, over the kernel's system
 * call table up to Linux 6.18. Everything else gives EPERM, what is too new
 * for the runtime ENOSYS.
 *
 * Never allowed, whatever the capabilities: io_uring (its requests pass by
 * every filter), keyrings (not namespaced), userfaultfd, kexec, swap,
 * pivot_root, move_pages and migrate_pages, and calls that only very old
 * programs know (uselib, sysfs, ustat, nfsservctl, vm86, _sysctl).
 *
 * Only the image's own architecture is listed: each further one costs the
 * runtime milliseconds at every start. Names that the architecture or the
 * runtime's libseccomp does not know are passed over by the runtime.
 *
 * Source: OCI runtime-spec, config-linux.md, "Seccomp".
 */
#include "config.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "runtime/spec/caps.h"
#include "runtime/spec/spec_internal.h"

#define ERRNO_EPERM 1
#define ERRNO_ENOSYS 38

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define CLONE_NAMESPACES 0x7E020000

/* Descriptors: bytes, positions, locks, flushing. */
#define CALLS_BYTES                                                            \
	"read", "readv", "pread64", "preadv", "preadv2", "write", "writev",    \
	    "pwrite64", "pwritev", "pwritev2", "lseek", "close",               \
	    "close_range", "dup", "dup2", "dup3", "fcntl", "ioctl", "flock",   \
	    "fsync", "fdatasync", "sync", "syncfs", "sync_file_range",         \
	    "truncate", "ftruncate", "fallocate", "fadvise64", "readahead",    \
	    "cachestat", "copy_file_range", "sendfile", "splice", "tee",       \
	    "vmsplice", "pipe", "pipe2"

/* Waiting for them. */
#define CALLS_WAITING                                                          \
	"poll", "ppoll", "select", "pselect6", "epoll_create",                 \
	    "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_wait",       \
	    "epoll_wait_old", "epoll_pwait", "epoll_pwait2", "eventfd",        \
	    "eventfd2", "signalfd", "signalfd4", "timerfd_create",             \
	    "timerfd_settime", "timerfd_gettime", "inotify_init",              \
	    "inotify_init1", "inotify_add_watch", "inotify_rm_watch",          \
	    "fanotify_mark", "io_setup", "io_destroy", "io_submit",            \
	    "io_cancel", "io_getevents", "io_pgetevents"

/* Files by name, and what is known of them. */
#define CALLS_FILES                                                            \
	"open", "openat", "openat2", "creat", "access", "faccessat",           \
	    "faccessat2", "stat", "lstat", "fstat", "newfstatat", "statx",     \
	    "statfs", "fstatfs", "statmount", "listmount", "getdents",         \
	    "getdents64", "getcwd", "chdir", "fchdir", "mkdir", "mkdirat",     \
	    "rmdir", "mknod", "mknodat", "link", "linkat", "unlink",           \
	    "unlinkat", "symlink", "symlinkat", "readlink", "readlinkat",      \
	    "rename", "renameat", "renameat2", "chmod", "fchmod", "fchmodat",  \
	    "fchmodat2", "chown", "fchown", "lchown", "fchownat", "umask",     \
	    "utime", "utimes", "utimensat", "futimesat", "name_to_handle_at",  \
	    "file_getattr", "file_setattr", "setxattr", "lsetxattr",           \
	    "fsetxattr", "setxattrat", "getxattr", "lgetxattr", "fgetxattr",   \
	    "getxattrat", "listxattr", "llistxattr", "flistxattr",             \
	    "listxattrat", "removexattr", "lremovexattr", "fremovexattr",      \
	    "removexattrat"

#define CALLS_MEMORY                                                           \
	"brk", "mmap", "munmap", "mprotect", "mremap", "msync", "mincore",     \
	    "madvise", "mlock", "mlock2", "munlock", "mlockall", "munlockall", \
	    "mseal", "remap_file_pages", "memfd_create", "memfd_secret",       \
	    "membarrier", "map_shadow_stack", "pkey_alloc", "pkey_free",       \
	    "pkey_mprotect", "process_mrelease"

#define CALLS_PROCESSES                                                        \
	"fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4",  \
	    "waitid", "kill", "tkill", "tgkill", "pidfd_open",                 \
	    "pidfd_send_signal", "pause", "getpid", "getppid", "gettid",       \
	    "getpgid", "setpgid", "getpgrp", "getsid", "setsid",               \
	    "set_tid_address", "set_robust_list", "get_robust_list", "rseq",   \
	    "futex", "futex_wait", "futex_waitv", "futex_wake",                \
	    "futex_requeue", "prctl", "arch_prctl", "seccomp",                 \
	    "landlock_create_ruleset", "landlock_add_rule",                    \
	    "landlock_restrict_self", "ptrace", "process_vm_readv",            \
	    "process_vm_writev", "restart_syscall", "getcpu", "getrlimit",     \
	    "setrlimit", "prlimit64", "getrusage", "times", "getpriority",     \
	    "setpriority", "ioprio_get", "ioprio_set", "sched_yield",          \
	    "sched_setparam", "sched_getparam", "sched_setscheduler",          \
	    "sched_getscheduler", "sched_get_priority_max",                    \
	    "sched_get_priority_min", "sched_rr_get_interval",                 \
	    "sched_setaffinity", "sched_getaffinity", "sched_setattr",         \
	    "sched_getattr", "sysinfo", "uname", "getrandom", "capget",        \
	    "capset", "uretprobe", "uprobe"

#define CALLS_SIGNALS                                                          \
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending",     \
	    "rt_sigtimedwait", "rt_sigqueueinfo", "rt_tgsigqueueinfo",         \
	    "rt_sigsuspend", "sigaltstack"

#define CALLS_IDENTITY                                                         \
	"getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid",    \
	    "getgroups", "setuid", "setgid", "setreuid", "setregid",           \
	    "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups"

#define CALLS_TIME                                                             \
	"time", "gettimeofday", "clock_gettime", "clock_getres", "nanosleep",  \
	    "clock_nanosleep", "adjtimex", "clock_adjtime", "alarm",           \
	    "getitimer", "setitimer", "timer_create", "timer_delete",          \
	    "timer_settime", "timer_gettime", "timer_getoverrun"

/* socket(2) itself is a rule on its family. */
#define CALLS_SOCKETS                                                          \
	"socketpair", "bind", "listen", "accept", "accept4", "connect",        \
	    "shutdown", "getsockname", "getpeername", "getsockopt",            \
	    "setsockopt", "sendto", "sendmsg", "sendmmsg", "recvfrom",         \
	    "recvmsg", "recvmmsg"

#define CALLS_IPC                                                              \
	"shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semtimedop", \
	    "semctl", "msgget", "msgsnd", "msgrcv", "msgctl", "mq_open",       \
	    "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify",       \
	    "mq_getsetattr"

static const char *const always[] = {
	CALLS_BYTES,	 CALLS_WAITING, CALLS_FILES,	CALLS_MEMORY,
	CALLS_PROCESSES, CALLS_SIGNALS, CALLS_IDENTITY, CALLS_TIME,
	CALLS_SOCKETS,	 CALLS_IPC,
};

/* The doubles that 32-bit tables have for wide ids, offsets and times. */
static const char *const narrow[] = {
	"_llseek",
	"_newselect",
	"fcntl64",
	"truncate64",
	"ftruncate64",
	"fadvise64_64",
	"sendfile64",
	"mmap2",
	"stat64",
	"lstat64",
	"fstat64",
	"fstatat64",
	"statfs64",
	"fstatfs64",
	"chown32",
	"lchown32",
	"fchown32",
	"getuid32",
	"geteuid32",
	"getgid32",
	"getegid32",
	"getresuid32",
	"getresgid32",
	"getgroups32",
	"setuid32",
	"setgid32",
	"setreuid32",
	"setregid32",
	"setresuid32",
	"setresgid32",
	"setfsuid32",
	"setfsgid32",
	"setgroups32",
	"ugetrlimit",
	"waitpid",
	"nice",
	"signal",
	"sigaction",
	"sigprocmask",
	"sigreturn",
	"sigpending",
	"sigsuspend",
	"socketcall",
	"send",
	"recv",
	"ipc",
	"clock_gettime64",
	"clock_getres_time64",
	"clock_nanosleep_time64",
	"clock_adjtime64",
	"timer_gettime64",
	"timer_settime64",
	"timerfd_gettime64",
	"timerfd_settime64",
	"utimensat_time64",
	"pselect6_time64",
	"ppoll_time64",
	"io_pgetevents_time64",
	"recvmmsg_time64",
	"mq_timedsend_time64",
	"mq_timedreceive_time64",
	"semtimedop_time64",
	"rt_sigtimedwait_time64",
	"futex_time64",
	"sched_rr_get_interval_time64",
};

static const char *const x86_calls[] = { "modify_ldt", "set_thread_area",
					 "get_thread_area" };
static const char *const arm_calls[] = {
	"arm_fadvise64_64", "arm_sync_file_range", "sync_file_range2",
	"breakpoint",	    "cacheflush",	   "set_tls",
	"get_tls"
};
static const char *const ppc_calls[] = { "sync_file_range2", "swapcontext",
					 "switch_endian" };
static const char *const s390_calls[] = { "s390_guarded_storage",
					  "s390_pci_mmio_read",
					  "s390_pci_mmio_write",
					  "s390_runtime_instr",
					  "s390_sthyi",
					  "ipc",
					  "socketcall" };
static const char *const riscv_calls[] = { "riscv_flush_icache",
					   "riscv_hwprobe" };

#define LIST(array) .calls = (array), .n_calls = ARRAY_SIZE(array)

static const struct architecture {
	const char *image; /* GOARCH, as image configs name it */
	const char *seccomp;
	bool is_narrow;
	bool has_late_flags; /* clone(2): stack first, then flags */
	const char *const *calls;
	size_t n_calls;
} architectures[] = {
	{ "amd64", "SCMP_ARCH_X86_64", LIST(x86_calls) },
	{ "386", "SCMP_ARCH_X86", .is_narrow = true, LIST(x86_calls) },
	{ "arm64", "SCMP_ARCH_AARCH64", LIST(arm_calls) },
	{ "arm", "SCMP_ARCH_ARM", .is_narrow = true, LIST(arm_calls) },
	{ "ppc64le", "SCMP_ARCH_PPC64LE", LIST(ppc_calls) },
	{ "s390x", "SCMP_ARCH_S390X", .has_late_flags = true,
	  LIST(s390_calls) },
	{ "riscv64", "SCMP_ARCH_RISCV64", LIST(riscv_calls) },
};

/* Calls that the kernel guards with a capability, and so do we. */
static const char *const for_admin[] = {
	"bpf",
	"clone",
	"clone3",
	"fanotify_init",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"lookup_dcookie",
	"lsm_get_self_attr",
	"lsm_list_modules",
	"lsm_set_self_attr",
	"mount",
	"mount_setattr",
	"move_mount",
	"open_tree",
	"open_tree_attr",
	"perf_event_open",
	"quotactl",
	"quotactl_fd",
	"setdomainname",
	"sethostname",
	"setns",
	"syslog",
	"umount",
	"umount2",
	"unshare",
};
static const char *const for_boot[] = { "reboot" };
static const char *const for_chroot[] = { "chroot" };
static const char *const for_module[] = { "init_module", "finit_module",
					  "delete_module" };
static const char *const for_pacct[] = { "acct" };
static const char *const for_ptrace[] = { "kcmp", "pidfd_getfd",
					  "process_madvise" };
static const char *const for_rawio[] = { "iopl", "ioperm" };
static const char *const for_time[] = { "settimeofday", "stime",
					"clock_settime", "clock_settime64" };
static const char *const for_tty[] = { "vhangup" };
static const char *const for_nice[] = { "mbind", "get_mempolicy",
					"set_mempolicy",
					"set_mempolicy_home_node" };
static const char *const for_syslog[] = { "syslog" };
static const char *const for_bpf[] = { "bpf" };
static const char *const for_perfmon[] = { "perf_event_open" };
static const char *const for_search[] = { "open_by_handle_at" };

static const struct guarded {
	unsigned int cap;
	const char *const *calls;
	size_t n_calls;
} guarded[] = {
	{ CAP_SYS_ADMIN, LIST(for_admin) },
	{ CAP_SYS_BOOT, LIST(for_boot) },
	{ CAP_SYS_CHROOT, LIST(for_chroot) },
	{ CAP_SYS_MODULE, LIST(for_module) },
	{ CAP_SYS_PACCT, LIST(for_pacct) },
	{ CAP_SYS_PTRACE, LIST(for_ptrace) },
	{ CAP_SYS_RAWIO, LIST(for_rawio) },
	{ CAP_SYS_TIME, LIST(for_time) },
	{ CAP_SYS_TTY_CONFIG, LIST(for_tty) },
	{ CAP_SYS_NICE, LIST(for_nice) },
	{ CAP_SYSLOG, LIST(for_syslog) },
	{ CAP_BPF, LIST(for_bpf) },
	{ CAP_PERFMON, LIST(for_perfmon) },
	{ CAP_DAC_READ_SEARCH, LIST(for_search) },
};

/* UNAME26, ADDR_NO_RANDOMIZE of PER_LINUX and PER_LINUX32, and "ask". */
static const int64_t personalities[] = { 0, 0x8, 0x20000, 0x20008, 0xffffffff };

/*
 * Families behind AF_VSOCK. AF_ALG (38) and AF_VSOCK (40) are left out.
 * "Greater than 40" would be shorter and wrong: filters compare 64 bits,
 * the kernel looks at 32, and 2^32 + 38 is AF_ALG.
 */
static const int64_t late_families[] = { 39, 41, 42, 43, 44, 45 };

static bool
has_name(const json_t *names, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach (names, i, item)
		if (strcmp(json_string_value(item), name) == 0)
			return true;
	return false;
}

/* Two capabilities may open one call, which must stand there once. */
static void
add_guarded(json_t *names, const struct guarded *group)
{
	for (size_t i = 0; i < group->n_calls; i++)
		if (!has_name(names, group->calls[i]))
			(void)json_array_append_new(names,
						    json_string(
							group->calls[i]));
}

static void
add_names(json_t *names, const char *const *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(names, json_string(calls[i]));
}

/* A call that is allowed when argument index compares so. */
static void
add_condition(json_t *rules, const char *call, int index, const char *op,
	      int64_t value)
{
	(void)json_array_append_new(
	    rules, json_pack("{s:[s], s:s, s:[{s:i, s:I, s:s}]}", "names", call,
			     "action", "SCMP_ACT_ALLOW", "args", "index", index,
			     "value", (json_int_t)value, "op", op));
}

static void
add_conditions(json_t *rules)
{
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
		add_condition(rules, "personality", 0, "SCMP_CMP_EQ",
			      personalities[i]);
	add_condition(rules, "socket", 0, "SCMP_CMP_LT", AF_ALG);
	for (size_t i = 0; i < ARRAY_SIZE(late_families); i++)
		add_condition(rules, "socket", 0, "SCMP_CMP_EQ",
			      late_families[i]);
}

/*
 * Threads and processes, but no new namespaces. clone3(2) has its flags in
 * memory where no filter sees them; libc falls back to clone(2).
 */
static void
add_clone(json_t *rules, const struct architecture *arch)
{
	(void)json_array_append_new(
	    rules, json_pack("{s:[s], s:s, s:[{s:i, s:I, s:I, s:s}]}", "names",
			     "clone", "action", "SCMP_ACT_ALLOW", "args",
			     "index", arch->has_late_flags ? 1 : 0, "value",
			     (json_int_t)CLONE_NAMESPACES, "valueTwo",
			     (json_int_t)0, "op", "SCMP_CMP_MASKED_EQ"));
	(void)json_array_append_new(rules, json_pack("{s:[s], s:s, s:i}",
						     "names", "clone3",
						     "action", "SCMP_ACT_ERRNO",
						     "errnoRet", ERRNO_ENOSYS));
}

static const struct architecture *
find_architecture(const char *image)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (strcmp(architectures[i].image, image) == 0)
			return &architectures[i];
	return NULL;
}

json_t *
spec_seccomp(uint64_t caps, const char *architecture)
{
	const struct architecture *arch = find_architecture(architecture);
	json_t *names = json_array();
	json_t *rules;

	if (!arch) {
		json_decref(names);
		return NULL;
	}
	add_names(names, always, ARRAY_SIZE(always));
	add_names(names, arch->calls, arch->n_calls);
	if (arch->is_narrow)
		add_names(names, narrow, ARRAY_SIZE(narrow));
	for (size_t i = 0; i < ARRAY_SIZE(guarded); i++)
		if (caps_have(caps, guarded[i].cap))
			add_guarded(names, &guarded[i]);
	rules = json_pack("[{s:o, s:s}]", "names", names, "action",
			  "SCMP_ACT_ALLOW");
	add_conditions(rules);
	if (!caps_have(caps, CAP_SYS_ADMIN))
		add_clone(rules, arch);
	return json_pack("{s:s, s:i, s:[s], s:o}", "defaultAction",
			 "SCMP_ACT_ERRNO", "defaultErrnoRet", ERRNO_EPERM,
			 "architectures", arch->seccomp, "syscalls", rules);
}
