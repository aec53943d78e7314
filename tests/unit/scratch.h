/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A scratch root directory for tests of the store, and a second life of
 * the test program in which a failpoint is set: it runs its own binary
 * with the arguments "role", root, and dies or fails there.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/proc.h"
#include "base/strv.h"

/* The caller frees; scratch_remove() removes the tree. */
static inline char *
scratch_make(void)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/skiff-test.XXXXXX",
			       tmp && *tmp == '/' ? tmp : "/tmp");
	const char *made = mkdtemp(path);

	assert(made);
	(void)made;
	return path;
}

static inline void
scratch_remove(char *path)
{
	struct skiff_error err = ERROR_INIT;

	(void)fs_remove_tree(AT_FDCWD, path, &err);
	free(path);
}

/* How many entries a directory below root has; -1 when there is none. */
static inline int
scratch_count(const char *root, const char *dir)
{
	cleanup_free char *path = xasprintf("%s/%s", root, dir);
	CLEANUP(strv_done) struct strv names = STRV_INIT;
	struct skiff_error err = ERROR_INIT;

	if (fs_list(AT_FDCWD, path, &names, &err) < 0)
		return -1;
	return (int)names.n;
}

static inline bool
scratch_has(const char *root, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", root, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline void
scratch_write(const char *root, const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", root, name);
	cleanup_close int fd = -1;
	struct skiff_error err = ERROR_INIT;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert(fd >= 0);
	if (fs_write_all(fd, text, strlen(text), &err) < 0)
		abort();
}

/* Exit status of this program in a role with failpoints (or ""). */
static inline int
second_life(const char *role, const char *root, const char *failpoints)
{
	cleanup_free char *variable =
	    xasprintf("SKIFF_FAILPOINTS=%s", failpoints);
	char *const argv[] = { (char *)"test", (char *)role, (char *)root,
			       NULL };
	char *const env[] = { variable, NULL };
	const struct proc_options options = { .path = "/proc/self/exe",
					      .argv = argv,
					      .env = env };
	struct skiff_error err = ERROR_INIT;
	cleanup_close int pidfd = -1;
	int status = -1;
	pid_t pid;

	if (proc_spawn(&options, &pid, &pidfd, &err) < 0 ||
	    proc_wait(pidfd, deadline_in_ms(60000), &status, &err) < 0)
		return -1;
	return status;
}
#define KILLED (128 + 9)
