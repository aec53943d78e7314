/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the shim, once, whether the kernel maps ids under an overlay.
 */
#include "config.h"

#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/lock.h"
#include "base/proc.h"

#define TIMEOUT_MS 20000
#define WORDS_MAX 512

struct idmap {
	struct lock lock; /* held while one asks: others want to know */
	char *shim_path;
	char *dir;
	bool is_known; /* guarded by lock, like reason */
	char *reason;  /* NULL: it can */
};

struct idmap *
idmap_new(const char *shim_path, const char *root_path)
{
	struct idmap *idmap = xcalloc(1, sizeof(*idmap));

	lock_init(&idmap->lock, LOCK_RANK_IDMAP);
	idmap->shim_path = xstrdup(shim_path);
	idmap->dir = xasprintf("%s/snapshots", root_path);
	return idmap;
}

void
idmap_free(struct idmap *idmap)
{
	if (!idmap)
		return;
	lock_done(&idmap->lock);
	free(idmap->shim_path);
	free(idmap->dir);
	free(idmap->reason);
	free(idmap);
}

/* Two directories that are always there stand for two layers. */
static int
spawn(const struct idmap *idmap, int writer, int *ret_pidfd,
      struct skiff_error *err)
{
	const char *const argv[] = { "skiff-shim", "--probe-idmap", idmap->dir,
				     "overlay",	   "trash",	    NULL };
	pid_t pid;

	return proc_spawn(&(struct proc_options){ .path = idmap->shim_path,
						  .argv = (char *const *)argv,
						  .stdout_fd = writer },
			  &pid, ret_pidfd, err);
}

/* -1 with what it said, or what kept it from saying it. */
static int
ask(const struct idmap *idmap, struct skiff_error *err)
{
	cleanup_free char *words = NULL;
	cleanup_close int reader = -1;
	cleanup_close int writer = -1;
	cleanup_close int pidfd = -1;
	int ends[2];
	int status;
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	reader = ends[0];
	writer = ends[1];
	if (spawn(idmap, writer, &pidfd, err) < 0)
		return -1;
	(void)close(STEAL_FD(writer));
	r = fs_read_fd(reader, WORDS_MAX, &words, NULL, err);
	if (proc_wait(pidfd, deadline_in_ms(TIMEOUT_MS), &status, err) < 0 ||
	    r < 0)
		return -1;
	return status == 0 ? 0
			   : err_set(err, SKIFF_UNIMPLEMENTED, "%s",
				     *words ? words : "skiff-shim cannot tell");
}

int
idmap_need(struct idmap *idmap, struct skiff_error *err)
{
	struct skiff_error no = ERROR_INIT;
	LOCK_SCOPE(&idmap->lock);

	if (!idmap->is_known && ask(idmap, &no) < 0) {
		/* What is not the kernel's word may be another one next time.
		 */
		if (no.code != SKIFF_UNIMPLEMENTED) {
			*err = no;
			return err_wrap(err, "user namespaces");
		}
		idmap->reason = xstrdup(no.text);
	}
	idmap->is_known = true;
	if (!idmap->reason)
		return 0;
	(void)
	    err_set(err, SKIFF_UNIMPLEMENTED,
		    "user namespaces need a kernel that mounts overlays above "
		    "files with mapped ids (5.19 or later): %s",
		    idmap->reason);
	return err_reason(err, "idmap_unsupported");
}
