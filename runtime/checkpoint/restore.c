/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a checkpoint's image back to a task.
 */
#include "config.h"

#include "runtime/checkpoint/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/criu.h"
#include "runtime/checkpoint/dump_options.h"
#include "runtime/checkpoint/image.h"
#include "runtime/checkpoint/rights.h"
#include "runtime/shim_proto.h"
#include "runtime/spec/host.h"
#include "runtime/task_internal.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"
#include "store/unpack/apply.h"

#define LOG_TAIL ((size_t)32 * 1024)
#define LOWERS_MAX 512
#define RESTORE_TIMEOUT_MS 600000

struct restore {
	struct task *task; /* whose creation it is part of */
	const char *name;
	/* NULL until restore_root(): */
	struct checkpoint_image *image;
	char *snapshot_key;
	uint32_t flags;
	int dir_fd; /* the task's SHIM_DIR_RESTORE, or -1 */
	struct snapshot_dir *snapshot;
	char *log; /* criu's, of a failure */
};

struct restore *
restore_new(struct task *task, const char *image)
{
	struct restore *restore = xcalloc(1, sizeof(*restore));

	restore->task = task;
	restore->name = image;
	restore->dir_fd = -1;
	return restore;
}

void
restore_free(struct restore *restore)
{
	if (!restore)
		return;
	closep(&restore->dir_fd);
	/* Kept if the snapshot has it by now. */
	snapshot_dir_free(restore->snapshot);
	checkpoint_image_free(restore->image);
	free(restore->snapshot_key);
	free(restore->log);
	free(restore);
}

/* --- does it fit? ----------------------------------------------------- */

#define mismatch(err, ...)                                                     \
	(err_set((err), SKIFF_FAILED_PRECONDITION, __VA_ARGS__),               \
	 err_reason((err), "checkpoint_mismatch"))

static int
check_machine(const json_t *config, const json_t *container, bool has_terminal,
	      struct skiff_error *err)
{
	const char *runtime =
	    json_get_text(json_object_get(container, "runtime"), "name");
	const char *was = json_get_text(config, "runtime");
	const char *machine = json_get_text(config, "architecture");
	struct utsname host;

	(void)uname(&host);
	if (strcmp(machine, host.machine) != 0)
		return mismatch(err, "it was made on %.64s, this is %s",
				machine, host.machine);
	if (json_get_bool(config, "terminal") != has_terminal)
		return mismatch(err, "it was made %s a terminal",
				has_terminal ? "without" : "with");
	if (strcmp(was, runtime) != 0)
		return mismatch(err,
				"it was made by runtime %.64s, the "
				"container's is %s",
				was, runtime);
	return 0;
}

/* The files below the writable layer must be those it was made above. */
static int
check_base(const struct restore *restore, struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(restore->task->tasks->db);
	cleanup_free char *key =
	    xasprintf(SNAPSHOTTER_DEFAULT "/%s", restore->snapshot_key);
	struct record_ref ref = { RECORD_SNAPSHOT, restore->task->ns, key };
	cleanup_json json_t *snapshot = NULL;
	const char *was =
	    json_get_text(restore->image->config, "snapshot_parent");
	const char *is;

	if (record_load(conn, &ref, &snapshot, err) < 0)
		return -1;
	is = json_get_text(snapshot, "parent");
	if (strcmp(was, is) != 0)
		return mismatch(err,
				"it was made above %.100s, the container "
				"stands on %.100s",
				*was ? was : "nothing", *is ? is : "nothing");
	return 0;
}

static int
check(const struct restore *restore, const json_t *container,
      struct skiff_error *err)
{
	const json_t *config = restore->image->config;

	if (checkpoint_check_origin(restore->image,
				    restore->task->tasks->trusts_checkpoints,
				    err) < 0 ||
	    check_machine(config, container, restore->task->has_terminal, err) <
		0 ||
	    check_base(restore, err) < 0)
		return -1;
	return checkpoint_compare_specs(json_object_get(config, "spec"),
					json_object_get(container, "spec"),
					err);
}

static int
open_image(struct restore *restore, const json_t *container,
	   struct skiff_error *err)
{
	struct task *task = restore->task;
	struct checkpoint_store store = tasks_checkpoint_store(task->tasks);
	struct json_faults faults = JSON_FAULTS_INIT;

	restore->snapshot_key =
	    xstrdup(json_get_text(container, "snapshot_key"));
	if (checkpoint_image_load(&store, task->ns, restore->name,
				  &restore->image, err) < 0 ||
	    checkpoint_need_runtime(task, err) < 0 ||
	    checkpoint_need_snapshot(container, err) < 0 ||
	    criu_need(task->tasks->criu, err) < 0)
		return -1;
	if (check(restore, container, err) < 0)
		return err_wrap(err, "checkpoint %s", restore->name);
	/* They were checked when the image was loaded. */
	restore->flags = dump_options_decode(
	    json_object_get(restore->image->config, "options"), "", &faults);
	json_faults_done(&faults);
	return 0;
}

/* --- unpacking -------------------------------------------------------- */

struct lowers {
	int fds[LOWERS_MAX];
	size_t n;
};

static void
lowers_done(struct lowers *lowers)
{
	for (size_t i = 0; i < lowers->n; i++)
		closep(&lowers->fds[i]);
}

static int
open_lowers(const struct restore *restore, struct lowers *lowers,
	    struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;

	if (snapshot_dirs(restore->task->tasks->snapshots, restore->task->ns,
			  restore->snapshot_key, &dirs, err) < 0)
		return -1;
	/* The first is the snapshot's own. */
	for (size_t i = 1; i < dirs.n && lowers->n < LOWERS_MAX; i++) {
		if (fs_open_dir(AT_FDCWD, dirs.items[i], false, 0,
				&lowers->fds[lowers->n], err) < 0)
			return -1;
		lowers->n++;
	}
	return 0;
}

static int
unpack_layer(struct restore *restore, struct skiff_error *err)
{
	struct tasks *tasks = restore->task->tasks;
	struct checkpoint_store store = tasks_checkpoint_store(tasks);
	CLEANUP(layer_result_done) struct layer_result result = { 0 };
	CLEANUP(lowers_done) struct lowers lowers = { 0 };
	int fd;

	if (snapshot_dir_make(tasks->snapshots, &restore->snapshot, err) < 0)
		return -1;
	fd = snapshot_dir_fd(restore->snapshot);
	if (checkpoint_unpack_layer(&store, restore->task->ns, restore->image,
				    fd, &result, err) < 0 ||
	    open_lowers(restore, &lowers, err) < 0 ||
	    layer_fix_implied_parents(fd, &result.implied, lowers.fds, lowers.n,
				      err) < 0)
		return -1;
	return snapshots_sync(tasks->snapshots, err);
}

static int
unpack_states(struct restore *restore, struct skiff_error *err)
{
	struct checkpoint_store store =
	    tasks_checkpoint_store(restore->task->tasks);
	cleanup_close int task_fd = -1;

	if (fs_open_dir(AT_FDCWD, restore->task->dir, false, 0, &task_fd, err) <
		0 ||
	    fs_open_dir(task_fd, SHIM_DIR_RESTORE, true, 0700, &restore->dir_fd,
			err) < 0)
		return -1;
	if (mkdirat(restore->dir_fd, SHIM_DIR_CRIU_WORK, 0700) < 0)
		return err_errno(err, errno, "mkdir " SHIM_DIR_CRIU_WORK);
	return checkpoint_unpack_states(&store, restore->task->ns,
					restore->image, /* first= */ 0,
					restore->dir_fd, err);
}

int
restore_root(struct restore *restore, struct task_plan *plan,
	     struct skiff_error *err)
{
	struct mount *mounts;
	size_t n;

	if (open_image(restore, plan->container, err) < 0 ||
	    fault_hit(FAULT_RESTORE_LAYER, err) < 0 ||
	    unpack_layer(restore, err) < 0 ||
	    snapshot_mounts_with(restore->snapshot, restore->task->ns,
				 restore->snapshot_key, &mounts, &n, err) < 0)
		return -1;
	mounts_free(plan->mounts, plan->n_mounts);
	plan->mounts = mounts;
	plan->n_mounts = n;
	return 0;
}

/*
 * Of v2 runc 1.1 does not tell criu where the container's cgroup is, and
 * left to itself criu restores that of the container that was dumped.
 */
static int
name_cgroup(const struct restore *restore, struct skiff_error *err)
{
	const struct task *task = restore->task;
	cleanup_free char *config =
	    xasprintf("%s/" SHIM_FILE_RESTORE_CONFIG, task->dir);
	cleanup_free char *line = NULL;

	if (task->tasks->host->cgroup_mode != CGROUP_V2)
		return 0;
	if (strpbrk(task->cgroups_path, "\"\\"))
		return err_set(err, SKIFF_FAILED_PRECONDITION,
			       "criu cannot be told of cgroup %s: its name "
			       "holds a quote or a backslash",
			       task->cgroups_path);
	/* v2 is the hierarchy whose controllers have no name. */
	line = xasprintf("cgroup-root \":%s\"\n", task->cgroups_path);
	return fs_create_file(AT_FDCWD, config, line, strlen(line), 0600, err);
}

int
restore_states(struct restore *restore, struct skiff_error *err)
{
	if (fault_hit(FAULT_RESTORE_STATES, err) < 0 ||
	    unpack_states(restore, err) < 0 || name_cgroup(restore, err) < 0)
		return -1;
	return fault_hit(FAULT_RESTORE_UNPACKED, err);
}

/* --- the shim --------------------------------------------------------- */

/* criu puts the new pipe where the old one was: neither more nor less. */
static void
fit_stdin(const struct restore *restore)
{
	json_t *stdio = restore->task->stdio;

	/* A path of the new task's own feeds it, if it wants to be fed. */
	if (json_is_string(json_object_get(stdio, "stdin")))
		return;
	if (json_get_bool(restore->image->config, "stdin"))
		json_set_bool(stdio, "stdin", true);
	else
		(void)json_object_del(stdio, "stdin");
}

void
restore_set_options(const struct restore *restore, struct shim_options *options)
{
	fit_stdin(restore);
	options->is_restore = true;
	options->restore_flags =
	    restore->flags | criu_flags(restore->task->tasks->criu);
	options->criu_dir = criu_dir(restore->task->tasks->criu);
	options->deadline = deadline_in_ms(RESTORE_TIMEOUT_MS);
}

int
restore_explain(struct restore *restore, struct skiff_error *err)
{
	struct skiff_error unread = ERROR_INIT;
	cleanup_close int work_fd = -1;

	if (fs_open_dir(restore->dir_fd, SHIM_DIR_CRIU_WORK, false, 0, &work_fd,
			&unread) < 0)
		return -1;
	restore->log = criu_log_tail(work_fd, "restore.log", LOG_TAIL);
	return criu_explain(restore->log, err);
}

char *
restore_steal_log(struct restore *restore)
{
	return STEAL_PTR(restore->log);
}

const char *
restore_image(const struct restore *restore)
{
	return restore->name;
}

/* --- the end ---------------------------------------------------------- */

int
restore_commit_in(struct restore *restore, struct tx *tx,
		  struct skiff_error *err)
{
	return snapshot_replace_in(restore->snapshot, tx, restore->task->ns,
				   restore->snapshot_key, err);
}

void
restore_finish(struct restore *restore)
{
	struct skiff_error left = ERROR_INIT;
	cleanup_close int task_fd = -1;

	snapshots_empty_trash(restore->task->tasks->snapshots);
	if (fs_open_dir(AT_FDCWD, restore->task->dir, false, 0, &task_fd,
			&left) < 0 ||
	    fs_remove_tree(task_fd, SHIM_DIR_RESTORE, &left) < 0)
		log_failure(LOG_WARN, &left,
			    "files of a restored checkpoint, ignoring");
}
