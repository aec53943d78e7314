/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which checkpoint an incremental one may build on.
 *
 * The runtime has criu track memory only for a dump with a parent, and
 * criu takes no parent that did not; hence its configuration file.
 */
#include "config.h"

#include "runtime/checkpoint/tracking.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "runtime/checkpoint/criu.h"
#include "runtime/checkpoint/image.h"
#include "runtime/shim_proto.h"
#include "runtime/task_internal.h"

#define CRIU_CONFIG "track-mem\n"
/* In the run's directory: the digest of the last one's state. */
#define NOTE "tracked"

bool
tracking_is_possible(struct criu *criu)
{
	struct skiff_error why = ERROR_INIT;

	return criu_need_tracking(criu, &why) == 0;
}

static char *
note_path(const struct task *task)
{
	return xasprintf("%s/" NOTE, task->run_dir);
}

int
tracking_check_parent(const struct task *task,
		      const struct checkpoint_image *parent,
		      struct skiff_error *err)
{
	cleanup_free char *path = note_path(task);
	cleanup_free char *last = NULL;
	struct skiff_error none = ERROR_INIT;

	if (fs_read_file(AT_FDCWD, path, DIGEST_TEXT_SIZE, &last, NULL,
			 &none) == 0 &&
	    strcmp(last, parent->states[0].digest.text) == 0)
		return 0;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "checkpoint %s is not the last one of this run of the "
		      "task: what was written since is not known",
		      parent->name);
	return err_reason(err, "not_the_last_checkpoint");
}

int
tracking_begin(const struct task *task, struct skiff_error *err)
{
	cleanup_free char *note = note_path(task);
	cleanup_free char *config =
	    xasprintf("%s/" SHIM_FILE_DUMP_CONFIG, task->dir);

	if (unlink(note) < 0 && errno != ENOENT)
		return err_errno(err, errno, "unlink %s", note);
	return fs_create_file(AT_FDCWD, config, CRIU_CONFIG,
			      strlen(CRIU_CONFIG), 0600, err);
}

void
tracking_note(const struct task *task, const char *name)
{
	struct checkpoint_store store = tasks_checkpoint_store(task->tasks);
	CLEANUP(checkpoint_image_freep) struct checkpoint_image *image = NULL;
	cleanup_free char *note = note_path(task);
	struct skiff_error left = ERROR_INIT;
	const char *text;

	if (checkpoint_image_load(&store, task->ns, name, &image, &left) == 0) {
		text = image->states[0].digest.text;
		if (fs_create_file(AT_FDCWD, note, text, strlen(text), 0600,
				   &left) == 0)
			return;
	}
	log_failure(LOG_WARN, &left, "memory tracking of task %s/%s, ignoring",
		    task->ns, task->id);
}
