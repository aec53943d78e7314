/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container's cgroups: where they are in v1, hybrid and v2, killing all
 * that runs in them, removing them.
 *
 * Fixed size, no allocation: the shim uses it too. Directories are named
 * by convention: v1 /sys/fs/cgroup/<controllers>, named hierarchies by
 * their name, v2 /sys/fs/cgroup or, beside v1, /sys/fs/cgroup/unified.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"

#define CGROUP_MAX_DIRS 24
#define CGROUP_TEXT_MAX 4096

struct cgroup_dirs {
	size_t n;
	uint16_t start[CGROUP_MAX_DIRS]; /* into text; see cgroup_dir() */
	/* v1: the hierarchy's list of controllers, in text; v2: empty. */
	uint16_t list[CGROUP_MAX_DIRS];
	uint8_t list_len[CGROUP_MAX_DIRS];
	size_t used;
	char text[2 * CGROUP_TEXT_MAX];
};

static inline const char *
cgroup_dir(const struct cgroup_dirs *dirs, size_t i)
{
	return dirs->text + dirs->start[i];
}

/* False where the file is another controller's, going by its name. */
bool cgroup_may_have(const struct cgroup_dirs *dirs, size_t i,
		     const char *file);
/*
 * From the text of /proc/PID/cgroup, or of a copy of it. The root of a
 * hierarchy is left out: it is never a container's own.
 */
void cgroup_dirs_from_text(const char *text, struct cgroup_dirs *ret_dirs);
/* The directories of an absolute linux.cgroupsPath in every hierarchy. */
int cgroup_dirs_from_path(const char *cgroups_path,
			  struct cgroup_dirs *ret_dirs,
			  struct skiff_error *err);

typedef void (*cgroup_pid_fn)(pid_t pid, void *arg);
/* Of every process in the first hierarchy that has any, or below. */
void cgroup_each_pid(const struct cgroup_dirs *dirs, cgroup_pid_fn visit,
		     void *arg);
/*
 * Sends a signal to every process, frozen meanwhile where the kernel
 * can, so that a fork does not outrun it. *ret_n: how many it reached.
 */
int cgroup_signal(const struct cgroup_dirs *dirs, int signal, size_t *ret_n,
		  struct skiff_error *err);
/* SIGKILL until nothing is left. SKIFF_DEADLINE_EXCEEDED. */
int cgroup_kill_all(const struct cgroup_dirs *dirs, struct deadline deadline,
		    struct skiff_error *err);
/* rmdir, with what is below; absent is success. SKIFF_DEADLINE_EXCEEDED. */
int cgroup_remove(const struct cgroup_dirs *dirs, struct deadline deadline,
		  struct skiff_error *err);
