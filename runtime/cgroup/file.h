/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files of a container's cgroups, by name alone: each stands in the
 * directory of the controller that has it, in v1 and v2.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "runtime/cgroup/path.h"

/* The file of the first directory that has it; -1 where none has. */
int cgroup_open(const struct cgroup_dirs *dirs, const char *name, int flags);
/* The file of one directory. */
int cgroup_open_at(const struct cgroup_dirs *dirs, size_t i, const char *name,
		   int flags);
/* At most cap - 1 bytes from the beginning, as a string; takes fd. */
bool cgroup_read_fd(int fd, char *buf, size_t cap);
/* Both; false where no directory has it, or the kernel refuses. */
bool cgroup_read(const struct cgroup_dirs *dirs, const char *name, char *buf,
		 size_t cap);
/* True when any of the directories is there. */
bool cgroup_exists(const struct cgroup_dirs *dirs);
/* SKIFF_NOT_FOUND where no directory has it, else what write(2) says. */
int cgroup_write(const struct cgroup_dirs *dirs, const char *name,
		 const char *text, struct skiff_error *err);
