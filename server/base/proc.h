/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Child processes: posix_spawn(3) with a clean descriptor table, held by
 * pidfd. skiffd never forks; nothing else in it starts a process.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"

struct proc_options {
	const char *path; /* executable; no PATH search */
	char *const *argv;
	char *const *env;    /* NULL: the caller's environment */
	int stdin_fd;	     /* 0: /dev/null, else a descriptor */
	int stdout_fd;	     /* 0: /dev/null */
	int stderr_fd;	     /* 0: the caller's stderr */
	const int *pass_fds; /* become 3, 4, … in the child */
	size_t n_pass_fds;
	const char *cwd; /* NULL: unchanged */
	int new_session; /* setsid(2) in the child */
};

/*
 * Starts a child whose only descriptors are 0, 1, 2 and pass_fds, with
 * default signal dispositions and an empty signal mask. The caller owns
 * the pidfd (close-on-exec) and must reap with proc_wait().
 */
int proc_spawn(const struct proc_options *options, pid_t *ret_pid,
	       int *ret_pidfd, struct skiff_error *err);

/*
 * Waits for a child and reaps it. *ret_status: 0–255, or 128+N when
 * signal N ended it. SKIFF_DEADLINE_EXCEEDED leaves it running.
 */
int proc_wait(int pidfd, struct deadline deadline, int *ret_status,
	      struct skiff_error *err);

/* A pidfd of any process; SKIFF_NOT_FOUND when there is none. */
int proc_open(pid_t pid, int *ret_pidfd, struct skiff_error *err);
/* ESRCH is SKIFF_NOT_FOUND. */
int proc_signal(int pidfd, int signal, struct skiff_error *err);
/*
 * Start time in clock ticks since boot (proc(5), stat field 22): with the
 * pid it names a process for good. SKIFF_NOT_FOUND when there is none.
 */
int proc_start_time(pid_t pid, uint64_t *ret_ticks, struct skiff_error *err);

/* Finds name in PATH; an absolute name is taken as it is. Caller frees. */
int proc_find(const char *name, char **ret_path, struct skiff_error *err);
