/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks: the steps of one, and the whole.
 *
 * Order of a creation: directory, shim and runtime, then the record with
 * its event. Whatever fails undoes the rest in reverse; whatever a crash
 * leaves (a directory and perhaps a shim that no record names) the next
 * start removes. Order of a deletion: runtime and shim, then the record,
 * then the directory.
 */
#include "config.h"

#include "runtime/task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/workpool.h"
#include "runtime/bundle.h"
#include "runtime/cgroup/path.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/criu.h"
#include "runtime/checkpoint/restore.h"
#include "runtime/health.h"
#include "runtime/idmap.h"
#include "runtime/logs/watch.h"
#include "runtime/metrics.h"
#include "runtime/restart.h"
#include "runtime/spec/restart_policy.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/user_namespace.h"
#include "runtime/task_internal.h"
#include "runtime/task_stdio.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"

#define KILL_TIMEOUT_MS 10000
#define CONFIG_MAX (16 << 20)

/* Of all shims: no namespace begins with an underscore. */
#define SHIMS_NAME "_shims"

/* --- create ----------------------------------------------------------- */

static int
spawn_shim(struct task *task, const json_t *spec, struct skiff_error *err)
{
	struct json_faults faults = JSON_FAULTS_INIT;
	struct task_stdio stdio;
	struct spec_owner owner;
	struct shim_options options = {
		.place = task_place(task),
		.shim_path = task->tasks->shim_path,
		.cgroup = task->tasks->shims_cgroup,
		.has_terminal = task->has_terminal,
		.stdio = &stdio,
		.log_max_size = task->tasks->log_max_size,
		.log_max_files = task->tasks->log_max_files,
		.deadline = deadline_in_ms(TASK_STEP_TIMEOUT_MS),
	};
	int r = fault_hit(FAULT_TASK_BUNDLE_AFTER, err);

	if (spec_owner(spec, &owner))
		options.owner = &owner;
	if (task->restore)
		restore_set_options(task->restore, &options);
	/* It was found good when it was recorded. */
	task_stdio_decode(task->stdio, "/stdio", &stdio, &faults);
	json_faults_done(&faults);
	if (r == 0 && shim_spawn(&options, &task->client, err) < 0)
		r = task->restore ? restore_explain(task->restore, err) : -1;
	task_stdio_done(&stdio);
	return r;
}

/* Undoes spawn_shim(). */
static void
drop_shim(struct task *task)
{
	struct skiff_error undo = ERROR_INIT;
	struct shim_exit exit;

	if (shim_delete(task->client, /* force= */ true,
			deadline_in_ms(TASK_STEP_TIMEOUT_MS), &exit, &undo) < 0)
		log_failure(LOG_ERROR, &undo, "undo task %s/%s", task->ns,
			    task->id);
}

/* A task that is made, and limited as it shall be. */
static int
spawn_limited(struct task *task, const json_t *spec, struct skiff_error *err)
{
	if (task->restore && restore_states(task->restore, err) < 0)
		return -1;
	if (spawn_shim(task, spec, err) < 0)
		return -1;
	task->oom_kills = 0;
	if (task_limits_begin(task, spec, err) == 0)
		return 0;
	drop_shim(task);
	shim_client_free(task->client);
	task->client = NULL;
	return -1;
}

/* Its directory, and what is in it before the shim comes. */
static int
make_bundle(struct task *task, bool is_renewal, struct task_plan *plan,
	    struct skiff_error *err)
{
	struct bundle_request bundle = { .boot_id = task->tasks->boot_id,
					 .task_dir = task->dir,
					 .run_dir = task->run_dir,
					 .is_renewal = is_renewal };

	if (task_plan_make(task, plan, err) < 0 ||
	    (task->restore && restore_root(task->restore, plan, err) < 0))
		return -1;
	task_plan_map_ids(plan);
	bundle.container = plan->container;
	bundle.host = task->tasks->host;
	bundle.init_path = task->tasks->init_path;
	bundle.shm_namespace = plan->shm_namespace;
	bundle.network_hook = task->restore ? task->tasks->shim_path : NULL;
	bundle.mounts = plan->mounts;
	bundle.n_mounts = plan->n_mounts;
	if (fault_hit(FAULT_TASK_BUNDLE_BEFORE, err) < 0)
		return -1;
	if (bundle_make(&bundle, err) < 0)
		return -1;
	restart_expect(task,
		       restart_policy_of(plan->container).rule != RESTART_NO);
	return 0;
}

int
task_spawn(struct task *task, bool is_renewal, struct skiff_error *err)
{
	CLEANUP(task_plan_done) struct task_plan plan = { 0 };
	struct skiff_error undo = ERROR_INIT;

	if (make_bundle(task, is_renewal, &plan, err) < 0)
		return -1;
	if (spawn_limited(task, json_object_get(plan.container, "spec"), err) ==
	    0)
		return 0;
	if (!is_renewal && bundle_remove(task->dir, task->run_dir, &undo) < 0)
		log_failure(LOG_ERROR, &undo, "undo task %s/%s", task->ns,
			    task->id);
	return -1;
}

/* The run, then its record: undone when that fails. */
static int
create_step(struct task *task, char **ret_doc, int64_t *ret_revision,
	    struct skiff_error *err)
{
	struct skiff_error undo = ERROR_INIT;

	if (task_spawn(task, /* is_renewal= */ false, err) < 0)
		return -1;
	if (fault_hit(FAULT_TASK_ROW_BEFORE, err) < 0 ||
	    task_record_insert(task, shim_client_init_pid(task->client),
			       ret_doc, ret_revision, err) < 0)
		goto delete_shim;
	task->state = task->restore ? TASK_RUNNING : TASK_CREATED;
	task_watch(task);
	if (task->restore) {
		restore_finish(task->restore);
		health_begin(task);
	}
	(void)fault_hit(FAULT_TASK_ROW_AFTER, &undo);
	return 0;

delete_shim:
	drop_shim(task);
	if (bundle_remove(task->dir, task->run_dir, &undo) < 0)
		log_failure(LOG_ERROR, &undo, "undo task %s/%s", task->ns,
			    task->id);
	return -1;
}

/*
 * A container that was deleted meanwhile took its files along: what then
 * failed, and how, is not what the caller must hear.
 */
static void
blame_deletion(struct task *task, struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	const struct record_ref ref = { RECORD_CONTAINER, task->ns, task->id };

	if (record_exists(conn, &ref))
		return;
	*err = (struct skiff_error)ERROR_INIT;
	(void)err_not_found(err, "container", task->id);
}

/* With what it comes from, if from a checkpoint. */
static int
create_from(struct task *task, const struct task_wishes *wishes, char **ret_doc,
	    int64_t *ret_revision, struct skiff_error *err)
{
	int r;

	if (!wishes->checkpoint)
		return create_step(task, ret_doc, ret_revision, err);
	task->restore = restore_new(task, wishes->checkpoint);
	r = create_step(task, ret_doc, ret_revision, err);
	if (wishes->ret_log)
		*wishes->ret_log = restore_steal_log(task->restore);
	restore_free(STEAL_PTR(task->restore));
	return r;
}

int
task_create(struct tasks *tasks, const struct task_wishes *wishes,
	    char **ret_doc, int64_t *ret_revision, struct skiff_error *err)
{
	const char *id = wishes->id;
	CLEANUP(task_unrefp)
	struct task *task = task_new(tasks, wishes->ns, id);
	int r;

	tasks_recall(tasks);
	lock_take(&task->step);
	if (!task_table_add(task)) {
		lock_release(&task->step);
		(void)err_set(err, SKIFF_ALREADY_EXISTS,
			      "task %s: already exists", id);
		return err_object(err, "task", id);
	}
	task->stdio = json_incref((json_t *)wishes->stdio);
	task->options = json_incref((json_t *)wishes->options);
	task->has_terminal_wish = wishes->has_terminal_wish;
	task->has_terminal = wishes->wants_terminal;
	r = create_from(task, wishes, ret_doc, ret_revision, err);
	if (r < 0) {
		blame_deletion(task, err);
		task->state = TASK_DELETED;
		task_table_remove(task);
		tasks_forget_namespace(tasks, wishes->ns);
	}
	lock_release(&task->step);
	return r < 0 ? err_wrap(err, "create task %s", id) : 0;
}

/* --- start, delete ----------------------------------------------- */

/* Through the shim, unless it was and only the record does not know. */
static int
start_step(struct task *task, struct skiff_error *err)
{
	if (task->is_start_unsaid)
		return 0;
	if (task->state != TASK_CREATED)
		return task_refuse(task, "start", err);
	if (task_need_shim(task, err) < 0 ||
	    fault_hit(FAULT_TASK_START_BEFORE, err) < 0 ||
	    shim_start(task->client, deadline_in_ms(TASK_STEP_TIMEOUT_MS),
		       err) < 0)
		return err_wrap(err, "start task %s", task->id);
	/* It runs, whether or not that can be written down now. */
	task->state = TASK_RUNNING;
	task->is_start_unsaid = true;
	health_begin(task);
	return 0;
}

int
task_start(struct tasks *tasks, const char *ns, const char *id, char **ret_doc,
	   int64_t *ret_revision, struct skiff_error *err)
{
	static const struct shim_event started = { .type = SHIM_EVENT_NONE };
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, id, err);
	struct skiff_error unsaid = ERROR_INIT;

	if (!task || start_step(task, err) < 0)
		return -1;
	if (task_record_started(task, shim_client_init_pid(task->client),
				ret_doc, ret_revision, err) < 0) {
		task_settle_later(task, task->client, &started);
		return err_wrap(err, "task %s was started: record", id);
	}
	task->is_start_unsaid = false;
	(void)fault_hit(FAULT_TASK_START_AFTER, &unsaid);
	return 0;
}

/* What is frozen in v1 dies no sooner than it is thawed. */
static void
thaw_to_kill(struct task *task)
{
	struct skiff_error err = ERROR_INIT;
	struct cgroup_dirs dirs;

	if (task->state != TASK_PAUSED && task->state != TASK_PAUSING)
		return;
	if (task_cgroups(task, &dirs, &err) < 0 ||
	    cgroup_kill_all(&dirs, deadline_in_ms(KILL_TIMEOUT_MS), &err) < 0)
		log_failure(LOG_WARN, &err, "task %s/%s, ignoring", task->ns,
			    task->id);
}

/* The shim's end: by its own hand, or ours when it is gone. */
static int
take_down(struct task *task, struct shim_exit *ret_exit,
	  struct skiff_error *err)
{
	struct skiff_error lost = ERROR_INIT;

	thaw_to_kill(task);
	if (task->client &&
	    shim_delete(task->client, task->state != TASK_STOPPED,
			deadline_in_ms(TASK_STEP_TIMEOUT_MS), ret_exit,
			&lost) == 0)
		return 0;
	if (task->client && lost.code != SKIFF_UNAVAILABLE &&
	    lost.code != SKIFF_NOT_FOUND) {
		*err = lost;
		return -1;
	}
	return task_settle_lost(task, err);
}

static int
delete_step(struct task *task, json_t **ret_exit, struct skiff_error *err)
{
	struct shim_exit exit = { .status = 128 + SIGKILL };

	/* Whatever its policy: who deletes it does not want it back. */
	task->is_stop_wanted = true;
	exit.exited_ns = clock_realtime_ns();
	if (fault_hit(FAULT_TASK_DELETE_BEFORE, err) < 0 ||
	    take_down(task, &exit, err) < 0 ||
	    fault_hit(FAULT_TASK_DELETE_ROW_BEFORE, err) < 0 ||
	    task_say_start(task, err) < 0 ||
	    execs_settle_all(task, NULL, err) < 0 ||
	    task_record_delete(task, &exit, ret_exit, err) < 0)
		return -1;
	task->state = TASK_DELETED;
	execs_forget_all(task);
	/* Timers of its stop may hold the task for long. */
	shim_client_free(task->client);
	task->client = NULL;
	return 0;
}

int
task_delete(struct tasks *tasks, const char *ns, const char *id,
	    const struct task_removal *removal, json_t **ret_exit,
	    struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, id, err);
	const struct record_ref ref = { RECORD_TASK, ns, id };
	struct skiff_error left = ERROR_INIT;

	if (!task ||
	    (removal->if_match &&
	     record_check(tasks->db, &ref, removal->if_match, err) < 0))
		return -1;
	if (!removal->want_force && task->state != TASK_CREATED &&
	    task->state != TASK_STOPPED)
		return task_refuse(task, "delete", err);
	if (delete_step(task, ret_exit, err) < 0)
		return err_wrap(err, "delete task %s", id);
	if (fault_hit(FAULT_TASK_DELETE_ROW_AFTER, &left) < 0 ||
	    task_discard_dir(task, &left) < 0)
		log_failure(LOG_WARN, &left,
			    "task %s/%s, left for the next start", ns, id);
	task_table_remove(task);
	tasks_forget_namespace(tasks, ns);
	return 0;
}

static int
load_json(const struct task *task, const char *file, json_t **ret_json,
	  struct skiff_error *err)
{
	cleanup_free char *path = xasprintf("%s/%s", task->dir, file);
	cleanup_free char *text = NULL;
	size_t len;

	if (fs_read_file(AT_FDCWD, path, CONFIG_MAX, &text, &len, err) < 0)
		return -1;
	return json_parse(text, len, ret_json, err);
}

int
task_load_spec(const struct task *task, json_t **ret_spec,
	       struct skiff_error *err)
{
	return load_json(task, BUNDLE_CONFIG_FILE, ret_spec, err);
}

int
task_load_container(const struct task *task, json_t **ret_container,
		    struct skiff_error *err)
{
	cleanup_json json_t *spec = NULL;

	if (task_load_spec(task, &spec, err) < 0 ||
	    load_json(task, BUNDLE_CONTAINER_FILE, ret_container, err) < 0)
		return -1;
	/* Those of a restore are the daemon's, and no others are taken. */
	(void)json_object_del(spec, "hooks");
	(void)json_object_set(*ret_container, "spec", spec);
	return 0;
}

/* --- looking ----------------------------------------------------------- */

int
task_open_dir(struct tasks *tasks, const char *ns, const char *id, int *ret_fd,
	      struct skiff_error *err)
{
	CLEANUP(task_unrefp)
	struct task *task = task_find(tasks, ns, id, err);
	int fd;

	if (!task)
		return -1;
	fd = open(task->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "directory of task %s", id);
	*ret_fd = fd;
	return 0;
}

struct log_watches *
tasks_log_watches(struct tasks *tasks)
{
	return tasks->log_watches;
}

/* --- the whole --------------------------------------------------------- */

struct criu *
tasks_criu(struct tasks *tasks)
{
	return tasks->criu;
}

struct idmap *
tasks_idmap(struct tasks *tasks)
{
	return tasks->idmap;
}

struct checkpoint_store
tasks_checkpoint_store(const struct tasks *tasks)
{
	return (struct checkpoint_store){
		.db = tasks->db,
		.content = tasks->content,
		.root = tasks->root_path,
	};
}

static int
make_dirs(struct tasks *tasks, struct skiff_error *err)
{
	const char *const dirs[] = { tasks->root, tasks->run_root,
				     tasks->socket_dir, tasks->runtime_root };

	if (strlen(tasks->socket_dir) + 1 + SOCKET_NAME_LEN > SOCKET_PATH_MAX)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "the state directory's path is too long: the "
			       "sockets in %s would exceed %d bytes",
			       tasks->socket_dir, SOCKET_PATH_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(dirs[i], 0700) < 0 && errno != EEXIST)
			return err_errno(err, errno, "mkdir %s", dirs[i]);
	return 0;
}

static int
read_boot_id(struct tasks *tasks, struct skiff_error *err)
{
	cleanup_free char *text = NULL;

	if (fs_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id",
			 BOOT_ID_MAX - 1, &text, NULL, err) < 0)
		return -1;
	(void)snprintf(tasks->boot_id, sizeof(tasks->boot_id), "%.*s",
		       (int)strcspn(text, "\n"), text);
	return 0;
}

static char *
beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	int len = slash ? (int)(slash + 1 - path) : 0;

	return xasprintf("%.*s%s", len, path, name);
}

int
tasks_open(const struct tasks_options *options, struct tasks **ret_tasks,
	   struct skiff_error *err)
{
	CLEANUP(tasks_closep) struct tasks *tasks = xcalloc(1, sizeof(*tasks));
	cleanup_free char *criu_dir = xasprintf("%s/criu", options->state);

	lock_init(&tasks->lock, LOCK_RANK_TASK_TABLE);
	tasks->db = options->db;
	tasks->bus = options->bus;
	tasks->content = options->content;
	tasks->root_path = xstrdup(options->root);
	tasks->criu = criu_new(options->criu_path, criu_dir);
	tasks->idmap = idmap_new(options->shim_path, options->root);
	tasks->trusts_checkpoints = options->trusts_checkpoints;
	tasks->snapshots = options->snapshots;
	tasks->root = xasprintf("%s/tasks", options->root);
	/* Larger than in any earlier life. */
	tasks->last_dead = (uint64_t)clock_realtime_ns();
	tasks->socket_dir = xasprintf("%s/s", options->state);
	tasks->run_root = xasprintf("%s/tasks", options->state);
	tasks->runtime_root = xasprintf("%s/runtime", options->state);
	tasks->shim_path = xstrdup(options->shim_path);
	tasks->init_path = beside(options->shim_path, "skiff-init");
	tasks->cgroup_prefix = xstrdup(options->cgroup_prefix);
	tasks->shims_cgroup =
	    xasprintf("%s/" SHIMS_NAME, options->cgroup_prefix);
	tasks->log_max_size = options->log_max_size;
	tasks->log_max_files = options->log_max_files;
	tasks->host = options->host;
	tasks->monitor = monitor_new();
	tasks->log_watches = log_watches_new(tasks->monitor);
	tasks->inputs = task_inputs_new(tasks->monitor);
	tasks->pool = workpool_new("task", TASK_JOB_THREADS);
	tasks->timers = timers_new(tasks->pool);
	tasks->metrics = metrics_new(tasks);
	if (read_boot_id(tasks, err) < 0 || make_dirs(tasks, err) < 0 ||
	    checkpoints_recover(tasks, err) < 0 ||
	    tasks_recover(tasks, err) < 0)
		return -1;
	task_places_sweep(tasks);
	*ret_tasks = STEAL_PTR(tasks);
	return 0;
}

void
tasks_close(struct tasks *tasks)
{
	struct task *task;

	if (!tasks)
		return;
	/* The last jobs of the pool may still add watches and timers. */
	monitor_stop(tasks->monitor);
	timers_stop(tasks->timers);
	workpool_free(tasks->pool);
	timers_free(tasks->timers);
	monitor_free(tasks->monitor);
	log_watches_free(tasks->log_watches);
	metrics_free(tasks->metrics);
	task_inputs_free(tasks->inputs);
	task_places_sweep(tasks);
	while ((task = tasks->first) != NULL) {
		tasks->first = task->next;
		task_free(task);
	}
	lock_done(&tasks->lock);
	free(tasks->shims_cgroup);
	free(tasks->cgroup_prefix);
	free(tasks->init_path);
	free(tasks->shim_path);
	free(tasks->runtime_root);
	free(tasks->run_root);
	free(tasks->socket_dir);
	free(tasks->root);
	free(tasks->root_path);
	criu_free(tasks->criu);
	idmap_free(tasks->idmap);
	free(tasks);
}
