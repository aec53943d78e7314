/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skiff-init: the first process of a container that wishes "init", bound
 * into it read-only.
 *
 *	skiff-init [--] PROGRAM [ARGUMENT...]
 *
 * It starts the program, passes on every signal that it gets, reaps whatever
 * is left to it, and ends as the program did: with its status, or 128 and
 * the signal's number. 127: there is no such program; 126: it cannot be run.
 *
 * It runs in any image, so it needs nothing of one; and once in every
 * container, so it is a few pages and no libc: no heap, no start-up code,
 * system calls by hand. Errors are the kernel's, negative. What has an
 * address is static, so that no compiler guards the stack, which wants libc.
 */
#include <linux/errno.h>
#include <linux/prctl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/* As the kernel has them; libc's own are of another shape. */
#define SIGNAL_SIGCHLD 17
#define SIGNAL_SIGTTIN 21
#define SIGNAL_SIGTTOU 22
#define SIG_SETMASK_HOW 2
#define WAIT_NOHANG 1
#define TIOCSPGRP_REQUEST 0x5410

#define PATH_BYTES 4096
#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"
#define STATUS_NOT_FOUND 127
#define STATUS_NOT_RUN 126

static const uint64_t all_signals = ~UINT64_C(0);

/* --- the kernel --------------------------------------------------------- */

#if defined(__x86_64__)
static long
call5(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
			   "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call begin\n");
#elif defined(__aarch64__)
static long
call5(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}

__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	mov x0, sp\n"
	"	and sp, x0, #-16\n"
	"	b begin\n");
#endif

#define call(number, a, b, c)                                                  \
	call5((number), (long)(a), (long)(b), (long)(c), 0, 0)

_Noreturn static void
end(int status)
{
	for (;;)
		(void)call(SYS_exit_group, status, 0, 0);
}

static void
set_mask(const uint64_t *mask, uint64_t *ret_old)
{
	(void)call5(SYS_rt_sigprocmask, SIG_SETMASK_HOW, (long)mask,
		    (long)ret_old, sizeof(*mask), 0);
}

/* --- texts -------------------------------------------------------------- */

static size_t
length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

static void
say(const char *text)
{
	(void)call(SYS_write, 2, text, length(text));
}

/* --- the program -------------------------------------------------------- */

/* The value of PATH; the last of several counts. */
static const char *
search_path(char **env)
{
	const char *path = PATH_DEFAULT;

	for (; *env; env++)
		if ((*env)[0] == 'P' && (*env)[1] == 'A' && (*env)[2] == 'T' &&
		    (*env)[3] == 'H' && (*env)[4] == '=')
			path = *env + 5;
	return path;
}

/* Gives why not. An empty directory is the present one, as for a shell. */
static long
exec_in(const char *dir, size_t len, char **argv, char **env)
{
	static char path[PATH_BYTES];
	size_t name = length(argv[0]);
	size_t n = 0;

	if (len + name + 2 > sizeof(path))
		return -ENAMETOOLONG;
	for (size_t i = 0; i < len; i++)
		path[n++] = dir[i];
	if (len > 0)
		path[n++] = '/';
	for (size_t i = 0; i <= name; i++)
		path[n++] = argv[0][i];
	return call(SYS_execve, path, argv, env);
}

static long
exec_program(char **argv, char **env)
{
	long why = -ENOENT;

	for (const char *c = argv[0]; *c; c++)
		if (*c == '/')
			return call(SYS_execve, argv[0], argv, env);
	for (const char *dir = search_path(env);; dir++) {
		size_t len = 0;
		long r;

		while (dir[len] && dir[len] != ':')
			len++;
		r = exec_in(dir, len, argv, env);
		/* What is there but cannot be run is the better reason. */
		if (r != -ENOENT && r != -ENOTDIR)
			why = r;
		dir += len;
		if (!*dir)
			return why;
	}
}

/*
 * A process group of its own, and the terminal's: what is typed there is
 * the program's, and does not reach it a second time through us.
 */
_Noreturn static void
become(char **argv, char **env, const uint64_t *mask)
{
	static int group;
	long why;

	group = (int)call(SYS_getpid, 0, 0, 0);
	(void)call(SYS_setpgid, 0, 0, 0);
	(void)call(SYS_ioctl, 0, TIOCSPGRP_REQUEST, &group);
	set_mask(mask, NULL);
	why = exec_program(argv, env);
	say("skiff-init: ");
	say(argv[0]);
	say(why == -ENOENT   ? ": no such program\n"
	    : why == -EACCES ? ": permission denied\n"
			     : ": cannot be run\n");
	end(why == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN);
}

/* --- the first process --------------------------------------------------- */

/* Whoever ended is let go; the program's end is ours. */
static void
reap(long program)
{
	static int status;
	long pid;

	while ((pid = call5(SYS_wait4, -1, (long)&status, WAIT_NOHANG, 0, 0)) >
	       0)
		if (pid == program)
			end((status & 0x7f) ? 128 + (status & 0x7f)
					    : (status >> 8) & 0xff);
}

_Noreturn static void
tend(long program)
{
	for (;;) {
		long got = call5(SYS_rt_sigtimedwait, (long)&all_signals, 0, 0,
				 sizeof(all_signals), 0);

		if (got == SIGNAL_SIGCHLD)
			reap(program);
		/* Our own for touching the terminal, not meant for it. */
		else if (got > 0 && got != SIGNAL_SIGTTIN &&
			 got != SIGNAL_SIGTTOU)
			(void)call(SYS_kill, program, got, 0);
	}
}

__attribute__((used)) _Noreturn void begin(uintptr_t *stack);

/* stack: argc, argv with a NULL, env with a NULL. */
_Noreturn void
begin(uintptr_t *stack)
{
	static uint64_t mask;
	char **argv = (char **)(stack + 1);
	char **env = argv + stack[0] + 1;
	long program;

	argv += stack[0] > 0;
	if (*argv && (*argv)[0] == '-' && (*argv)[1] == '-' && !(*argv)[2])
		argv++;
	if (!*argv) {
		say("usage: skiff-init [--] PROGRAM [ARGUMENT...]\n");
		end(2);
	}
	set_mask(&all_signals, &mask);
	/* In the pid namespace of others somebody else is the first. */
	(void)call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0);
	program = call5(SYS_clone, SIGNAL_SIGCHLD, 0, 0, 0, 0);
	if (program == 0)
		become(argv, env, &mask);
	if (program < 0) {
		say("skiff-init: cannot make a process\n");
		end(STATUS_NOT_RUN);
	}
	tend(program);
}
