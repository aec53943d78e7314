/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Shared by the files of the task room: the living task, its table, its
 * record. See runtime/task.h.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/lock.h"
#include "runtime/cgroup/path.h"
#include "runtime/checkpoint/image.h"
#include "runtime/monitor.h"
#include "runtime/shim_client.h"
#include "runtime/task.h"
#include "runtime/task_io.h"
#include "runtime/timers.h"
#include "store/db.h"

#define TASK_JOB_THREADS 8
/* unix(7): sun_path holds so much, and a NUL. */
#define SOCKET_PATH_MAX 107
#define SOCKET_NAME_LEN 16
#define BOOT_ID_MAX 64

enum task_state {
	TASK_CREATED,
	TASK_RUNNING,
	TASK_PAUSING, /* asked to freeze; some process does not yet */
	TASK_PAUSED,
	TASK_STOPPED,
	TASK_DELETED,
};

const char *task_state_name(enum task_state state);
/* TASK_DELETED for a name that is none. */
enum task_state task_state_from_name(const char *name);

struct task {
	struct tasks *tasks;
	struct task *next; /* guarded by the table's lock */
	int refs;	   /* guarded by the table's lock */
	char *rootfs;	   /* claimed, or NULL; guarded by the table's lock */
	/* constant: */
	char *ns;
	char *id;
	char *dir;     /* absolute, in tasks->root */
	char *run_dir; /* the same, in tasks->run_root */
	char *socket;
	char *runtime_root; /* of its namespace: ids repeat in others */
	/*
	 * Held over a whole step (create, start, settle, delete), runtime
	 * calls and commits included: steps of one task go one after the
	 * other, and nothing else ever waits for it.
	 */
	struct lock step;
	/* Guarded by the table's lock: */
	bool is_unrecalled; /* what it is made from was not looked up yet */
	bool is_untried;    /* not before the first try to make it known */
	/* guarded by step: */
	bool is_known;	      /* else it is yet to be settled */
	bool is_trouble_told; /* in the log, that this fails */
	enum task_state state;
	bool is_start_unsaid;	/* it runs, and the record does not know */
	bool is_restart_unsaid; /* and it is another run than the record's */
	bool is_stop_wanted;	/* by a person; see runtime/restart.h */
	bool is_restart_asked;	/* by a person: at once, when it has ended */
	bool is_restart_due;	/* there is a timer, and this is its number */
	unsigned int restart_number;
	bool is_checkpointing;
	char *cgroups_path; /* or NULL */
	struct strv runtime_args;
	char *runtime; /* path; NULL: not found */
	bool has_terminal;
	json_t *resources;	/* limits set since it was made, or NULL */
	int64_t oom_kills;	/* of this run, that the record knows */
	atomic_bool is_oom_due; /* any thread: a look at them is to come */
	int64_t kill_at_ns;	/* SIGKILL follows then; 0: no stop under way */
	struct exec *execs;	/* guarded by the table's lock */
	/* Only while it is created, and only from a checkpoint. */
	struct restore *restore;
	struct health *health;	/* or NULL; runtime/health.h */
	bool has_terminal_wish; /* whatever the spec says */
	json_t *stdio;		/* as in the record; NULL: the container's */
	json_t *options;	/* the same, of the runtime */
	/* Of the present run; NULL when the shim is out of reach. */
	struct shim_client *client;
};

struct tasks {
	struct db *db;
	struct snapshots *snapshots;
	char *root;			 /* root/tasks */
	char *run_root;			 /* state/tasks */
	atomic_uint_least64_t last_dead; /* name in .dead of either */
	char *socket_dir;		 /* state/s */
	char *runtime_root;		 /* state/runtime */
	char *shim_path;
	char *init_path; /* of skiff-init */
	const struct host *host;
	char *cgroup_prefix;
	char *shims_cgroup;
	char boot_id[BOOT_ID_MAX];
	char *root_path; /* the daemon's root */
	struct content *content;
	struct criu *criu;
	struct idmap *idmap;
	bool trusts_checkpoints; /* of other daemons */
	struct bus *bus;
	int64_t log_max_size;
	int64_t log_max_files;
	struct monitor *monitor;
	struct log_watches *log_watches;
	struct task_inputs *inputs;
	struct workpool *pool;
	struct timers *timers; /* run in pool */
	struct metrics *metrics;
	struct lock lock;
	struct task *first;  /* guarded by lock */
	size_t n_unrecalled; /* guarded by lock */
	size_t n_untried;    /* guarded by lock */
};

/* Where checkpoints go to and come from. */
struct checkpoint_store tasks_checkpoint_store(const struct tasks *tasks);
/*
 * runtime/checkpoint/checkpoint.c: for steps that would disturb one.
 * SKIFF_FAILED_PRECONDITION, reason "checkpoint_running"; the step is held.
 */
int task_refuse_while_checkpointing(const struct task *task,
				    struct skiff_error *err);

/* --- the table, runtime/task_table.c ---------------------------------- */

/* A task that nobody can find yet, with one reference. */
struct task *task_new(struct tasks *tasks, const char *ns, const char *id);
/* False when there is one of that name. Takes a reference of its own. */
bool task_table_add(struct task *task);
void task_table_remove(struct task *task);
/*
 * Nobody else of its namespace has rootfs (taken; NULL: claims nothing):
 * SKIFF_FAILED_PRECONDITION, reason "rootfs_in_use", when somebody does.
 */
int task_table_claim(struct task *task, char *rootfs, struct skiff_error *err);
/* For task_unref(), and at the daemon's end, references or not. */
void task_free(struct task *task);
struct task *task_ref(struct task *task);
void task_unref(struct task *task);
DEFINE_CLEANUP(struct task *, task_unref)
/* A reference, or NULL with SKIFF_NOT_FOUND. */
struct task *task_find(struct tasks *tasks, const char *ns, const char *id,
		       struct skiff_error *err);
struct shim_place task_place(const struct task *task);
/* A task of an earlier life: to be recalled, and asked for its state. */
void task_note_untried(struct task *task);
/* True the first time: what it is made from is to be looked up now. */
bool task_note_recalled(struct task *task);
/* A reference to one that is still to be recalled, or NULL. */
struct task *task_find_unrecalled(struct tasks *tasks);
/* It was, with whatever success: who waits for it reads what there is. */
void task_note_tried(struct task *task);

/* --- a step, runtime/task_step.c ---------------------------------------- */

/* The task with its step taken; NULL, SKIFF_NOT_FOUND once it is deleted. */
struct task *task_begin_step(struct tasks *tasks, const char *ns,
			     const char *id, struct skiff_error *err);
/* Accepts NULL. */
void task_end_step(struct task *task);
DEFINE_CLEANUP(struct task *, task_end_step)
/* SKIFF_FAILED_PRECONDITION that names the state. */
int task_refuse(const struct task *task, const char *verb,
		struct skiff_error *err);
/*
 * A task that could not be settled after a restart, or whose shim did not
 * answer then, has no client: only a forced deletion can reach it.
 */
int task_need_shim(const struct task *task, struct skiff_error *err);
/* Created, running, pausing or paused. */
bool task_is_live(const struct task *task);
/* The cgroups that init was put into when the task was created. */
int task_cgroups(const struct task *task, struct cgroup_dirs *ret_dirs,
		 struct skiff_error *err);

/* --- limits, runtime/task_limits.c --------------------------------------- */

/*
 * For a task that was just made: the limits of its spec hold, or
 * SKIFF_FAILED_PRECONDITION with reason limits_not_applied; those that
 * were set since are set again.
 */
int task_limits_begin(struct task *task, const json_t *spec,
		      struct skiff_error *err);

/* --- kills for want of memory, runtime/task_oom.c --------------------------
 */

/* Those of this run are told as they happen. The client is set. */
void task_oom_watch(struct task *task);
/* How many the kernel has counted; CGROUP_UNKNOWN. */
int64_t task_oom_kills(const struct task *task);

/* --- pause and resume, runtime/task_pause.c ------------------------------ */

/* Thaws and records it, with the event; the task is pausing or paused. */
int task_thaw(struct task *task, char **ret_doc, int64_t *ret_revision,
	      struct skiff_error *err);
/*
 * After a restart: the record follows the freezer. Called with the step
 * held; the shim is connected.
 */
int task_believe_freezer(struct task *task, struct skiff_error *err);

/* --- stop, runtime/task_stop.c ------------------------------------------- */

/* From now on SIGKILL follows, at kill_at_ns on the wall clock. */
void task_kill_later(struct task *task, int64_t kill_at_ns);

/* --- a run, runtime/task.c ------------------------------------------------ */

/*
 * Directory, shim, the runtime's "create": task->client. is_renewal: the
 * directory is there, with its log, and stays whatever happens. Called with
 * the step held.
 */
int task_spawn(struct task *task, bool is_renewal, struct skiff_error *err);

/* The OCI spec of its present run. */
int task_load_spec(const struct task *task, json_t **ret_spec,
		   struct skiff_error *err);
/* The container's document that its present run was made from. */
int task_load_container(const struct task *task, json_t **ret_container,
			struct skiff_error *err);

/* --- what it is made from, runtime/task_plan.c ------------------------- */

#define TASK_NAMESPACES 8 /* the kernel has so many types */

struct task_plan {
	json_t *container;    /* its document */
	struct mount *mounts; /* of its root filesystem */
	size_t n_mounts;
	/* Open as long as the container's document names them. */
	int namespace_fds[TASK_NAMESPACES];
	size_t n_namespace_fds;
	char *shm_namespace; /* path of a mount namespace, or NULL */
};

/*
 * Looks it up, and claims the root filesystem. SKIFF_NOT_FOUND (container,
 * snapshot), SKIFF_FAILED_PRECONDITION (reasons "no_rootfs",
 * "rootfs_in_use", "namespace_unavailable"), SKIFF_UNAVAILABLE
 * ("runtime_not_found").
 */
int task_plan_make(struct task *task, struct task_plan *ret_plan,
		   struct skiff_error *err);
void task_plan_done(struct task_plan *plan);
/*
 * runtime/task_namespaces.c: where the plan's spec asks for a namespace of
 * another container, its path becomes that of a descriptor of the plan. With
 * an IPC namespace goes its shared memory. SKIFF_FAILED_PRECONDITION, reason
 * "namespace_unavailable", when that has no task that runs, or keeps its IPC
 * namespace to itself.
 */
int task_plan_join(const struct task *task, struct task_plan *plan,
		   struct skiff_error *err);
/*
 * The files of a snapshot shall seem to be the ids that the spec maps. Those
 * in a directory of the client's own are what the client has made them.
 */
void task_plan_map_ids(struct task_plan *plan);
/* What a task of an earlier life has of it, as far as that is known. */
void task_plan_recall(struct task *task);

/* --- the end of a task, runtime/task_settle.c -------------------------- */

/*
 * Takes an exit over into the record, unless it is there already. Called
 * with the step held.
 */
int task_settle_exit(struct task *task, const struct shim_exit *exit,
		     const char *reason, struct skiff_error *err);
/*
 * The shim died: cleans up after it and settles the task with what its
 * exit record says, or as killed. Called with the step held.
 */
int task_settle_lost(struct task *task, struct skiff_error *err);
/* The same after a reboot: nothing of it can run any more. */
int task_settle_rebooted(struct task *task, struct skiff_error *err);
/* The exit record in the task's directory; false when there is none. */
bool task_read_exit(const struct task *task, struct shim_exit *ret_exit);
/* Writes one: followers of the log take it as the end. Best effort. */
void task_write_exit(const struct task *task, const struct shim_exit *exit);
/* Records a start that could not be recorded when it happened. */
int task_say_start(struct task *task, struct skiff_error *err);
/*
 * Does one of these three (EXITED, GONE, NONE) elsewhere, again and again
 * until it is recorded, the task has gone on to another shim, or the daemon
 * ends. client: whom it is news of, NULL for a task that has none.
 */
void task_settle_later(struct task *task, struct shim_client *client,
		       const struct shim_event *event);
/* From now on the monitor hears the task's shim. Called with the step held. */
void task_watch(struct task *task);

/* --- the record, runtime/task_record.c --------------------------------- */

int task_record_insert(struct task *task, pid_t pid, char **ret_doc,
		       int64_t *ret_revision, struct skiff_error *err);
int task_record_started(struct task *task, pid_t pid, char **ret_doc,
			int64_t *ret_revision, struct skiff_error *err);
/*
 * reason may be NULL. *ret_delay_ms: when the task shall come back
 * (runtime/restart.h).
 */
int task_record_exited(struct task *task, const struct shim_exit *exit,
		       const char *reason, int64_t *ret_delay_ms,
		       struct skiff_error *err);
/*
 * The state is another, for a reason that the event's verb says: "paused",
 * "resumed", "update".
 */
int task_record_state(struct task *task, enum task_state state,
		      const char *verb, char **ret_doc, int64_t *ret_revision,
		      struct skiff_error *err);
/*
 * A person wants it stopped, or restarted; SIGKILL follows at kill_at_ns.
 */
int task_record_stop(struct task *task, int64_t kill_at_ns, bool is_restart,
		     struct skiff_error *err);
/* So many of its processes were killed for want of memory by now. */
int task_record_oom(struct task *task, int64_t oom_kills,
		    struct skiff_error *err);
/* resources are those of the task from now on, beside the changes. */
int task_record_changes(struct task *task, const struct task_changes *changes,
			const json_t *resources, char **ret_doc,
			int64_t *ret_revision, struct skiff_error *err);
/* exit is recorded with its event first, unless it was already. */
int task_record_delete(struct task *task, const struct shim_exit *exit,
		       json_t **ret_exit, struct skiff_error *err);

/* --- restarts, runtime/restart.c ------------------------------------------ */

/*
 * The container and the shim of a run that has ended, and what is left of
 * them, but for the directory. Called with the step held.
 */
int task_clear_run(struct task *task, struct skiff_error *err);

/* --- restarts, runtime/restart_record.c --------------------------------- */

/* The new run: what ended is over, restart and start in one. */
int task_record_restarted(struct task *task, struct skiff_error *err);
int task_record_restart_failed(struct task *task, const struct skiff_error *why,
			       int64_t *ret_delay_ms, struct skiff_error *err);
/* It was to come back, and shall not any more. */
int task_record_restart_dropped(struct task *task, struct skiff_error *err);
/* A person wants the stopped task to stay so, or to come back now. */
int task_record_stop_wanted(struct task *task, struct skiff_error *err);
int task_record_restart_wanted(struct task *task, struct skiff_error *err);

/* --- what tasks of a namespace share, runtime/task_places.c ------------- */

/* At the start and the end, when there is no task at all. */
void task_places_sweep(struct tasks *tasks);

/* --- what deleted tasks leave, runtime/task_discard.c -------------------- */

/* Beside the namespaces' directories; none of them has such a name. */
#define TASKS_DEAD ".dead"

/* The task's directories are gone when this returns, their files later. */
int task_discard_dir(struct task *task, struct skiff_error *err);
/* At the start: removes what an earlier life did not. */
int task_discards_sweep(struct tasks *tasks, struct skiff_error *err);

/* --- after a restart, runtime/task_recover.c --------------------------- */

/*
 * Takes over what became of a task of an earlier life, unless that was done.
 * Called with the step held; for at most a few seconds.
 */
void task_make_known(struct task *task);
/*
 * All of them know what they are made from: what one runs on is claimed.
 * Called with no step held.
 */
void tasks_recall(struct tasks *tasks);

int tasks_recover(struct tasks *tasks, struct skiff_error *err);
/* What the record says of a task that has just been made. */
void task_remember(struct task *task, const json_t *object);

/* --- another id, runtime/task_rename.c ------------------------------------ */

/*
 * At the start, of a directory that no record names: true when it was that
 * of a task which was renamed, and is in its place now.
 */
bool task_rename_finish(struct tasks *tasks, const char *ns, const char *id);

/* --- execs, for the steps of their task: runtime/task_exec_settle.c ------ */

/*
 * Each exec that runs has ended, or does so at once: their exits are
 * recorded before the task's. reason: of those that left no word. Called
 * with the step held.
 */
int execs_settle_all(struct task *task, const char *reason,
		     struct skiff_error *err);
/* What became of them while the daemon was away. With the step held. */
int execs_follow(struct task *task, struct skiff_error *err);
/* What the shim told. Elsewhere than in the monitor's thread. */
int exec_hear_exit(struct task *task, const struct shim_event *event,
		   struct skiff_error *err);
/* Those of an earlier life, out of their records, and before anyone asks. */
int execs_load(struct tasks *tasks, struct skiff_error *err);
/* In the transaction that deletes the task's record. */
int execs_record_delete_all(struct task *task, struct tx *tx,
			    struct skiff_error *err);
/* After it: nobody finds them any more. With the step held. */
void execs_forget_all(struct task *task);
/* At the daemon's end, references or not. */
void execs_free(struct task *task);
