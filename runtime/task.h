/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tasks: the running side of containers.
 *
 * A task is a record (RECORD_TASK), a directory, and a shim that serves
 * it; struct tasks knows the living ones. Steps of one task go one after
 * the other; steps of different tasks do not wait for each other. The
 * record follows the shim: an exit that happened while the daemon was away
 * is taken over, with its event, when it is back.
 *
 *	{id, container, state: "created|running|pausing|paused|stopped", pid,
 *	 exit_status?, exited_at?, started_at?, reason?, oom, terminal, stdio,
 *	 execs, stop_requested_at?, kill_at?}
 *
 * What each state allows; all else is SKIFF_FAILED_PRECONDITION, with the
 * state in it:
 *
 *	created   start, kill, stop, restart, update, resize, exec, delete
 *	running   pause, kill, stop, restart, update, resize, exec, checkpoint
 *	pausing   resume, kill, stop, restart, update, resize
 *	paused    resume, kill, stop, restart, update, resize, checkpoint
 *	stopped   stop (which only keeps it so), restart, rename, delete
 *
 * Order in the event log, for each task: create < start < exit < delete.
 * Every call may be made from any thread, and may block for as long as the
 * runtime takes (see TASK_STEP_TIMEOUT_MS).
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"

struct bus;
struct container_made;
struct container_rename;
struct content;
struct criu;
struct idmap;
struct db;
struct host;
struct json_faults;
struct snapshots;
struct tasks;

#define TASK_STEP_TIMEOUT_MS 60000

struct tasks_options {
	struct db *db; /* all borrowed */
	struct bus *bus;
	struct content *content;
	struct snapshots *snapshots;
	const char *root;	   /* task directories go to root/tasks */
	const char *state;	   /* sockets go to state/s */
	const char *shim_path;	   /* skiff-shim */
	const struct host *host;   /* which runtimes there are */
	const char *cgroup_prefix; /* above all cgroups of this daemon */
	const char *criu_path;	   /* NULL: the one in PATH */
	bool trusts_checkpoints;   /* of other daemons, too */
	/* Of a log whose stdio does not say, see runtime/task_stdio.h. */
	int64_t log_max_size;
	int64_t log_max_files;
};

/*
 * Finds every task of an earlier life again: connects to its shim, or
 * settles what died (real exit status where there is a record, 137 with
 * reason "shim_lost" or "host_reboot" where not); removes what no record
 * names. Returns when the tasks can be found; what became of them is found
 * out on the side, and by who asks.
 */
int tasks_open(const struct tasks_options *options, struct tasks **ret_tasks,
	       struct skiff_error *err);
/*
 * False while a task of the namespace (the one, or with id NULL any) has
 * yet to be asked what became of it: its record may be old. The bus tells
 * when that has changed. Never blocks.
 */
bool tasks_are_tried(struct tasks *tasks, const char *ns, const char *id);
/* Waits until it is known what became of the task, if that is possible. */
void task_settle(struct tasks *tasks, const char *ns, const char *id);
/* The criu that makes checkpoints; borrowed. */
struct criu *tasks_criu(struct tasks *tasks);
/* Whether there are user namespaces to be had; borrowed. */
struct idmap *tasks_idmap(struct tasks *tasks);
/* Shims and containers go on running. No call may be under way. */
void tasks_close(struct tasks *tasks);
DEFINE_CLEANUP(struct tasks *, tasks_close)

/*
 * Removes what a namespace's tasks shared, unless it exists or has tasks
 * yet: to be called after it was deleted. Best effort.
 */
void tasks_forget_namespace(struct tasks *tasks, const char *ns);

/* What a task is asked to be, beside what its container says. */
struct task_wishes {
	const char *ns;
	const char *id;		/* of the container and the task */
	const char *checkpoint; /* NULL, or the image it goes on from */
	/* criu's log should that fail, the caller's; or NULL: not wanted. */
	char **ret_log;
	const json_t *stdio; /* runtime/task_stdio.h; NULL: the container's */
	/* runtime/spec/runtime_options.h; NULL: the container's */
	const json_t *options;
	/* A terminal in place of three pipes, whatever the spec says. */
	bool has_terminal_wish;
	bool wants_terminal;
};

/*
 * Creates the task of a container: mounts, directory, shim, the runtime's
 * "create". All or nothing. SKIFF_NOT_FOUND (container),
 * SKIFF_ALREADY_EXISTS, and what shim_spawn() gives. From a checkpoint it
 * is running at once; what that may fail with: runtime/checkpoint/restore.h.
 */
int task_create(struct tasks *tasks, const struct task_wishes *wishes,
		char **ret_doc, int64_t *ret_revision, struct skiff_error *err);

/*
 * Another id for a container, and for its task when it has one, which must
 * have ended (SKIFF_FAILED_PRECONDITION, reason "task_state") and goes by
 * the new id with its log and exit status. Gives beside that what
 * container_rename() does, whose rename->take_task is not the caller's here.
 */
int task_rename(struct tasks *tasks, const struct container_rename *rename,
		struct container_made *ret, struct skiff_error *err);

/* The steps: a state that forbids one is SKIFF_FAILED_PRECONDITION. */
int task_start(struct tasks *tasks, const char *ns, const char *id,
	       char **ret_doc, int64_t *ret_revision, struct skiff_error *err);
/*
 * Freezes every process. One that does not freeze in time leaves the task
 * running: SKIFF_DEADLINE_EXCEEDED, reason not_frozen.
 */
int task_pause(struct tasks *tasks, const char *ns, const char *id,
	       char **ret_doc, int64_t *ret_revision, struct skiff_error *err);
int task_resume(struct tasks *tasks, const char *ns, const char *id,
		char **ret_doc, int64_t *ret_revision, struct skiff_error *err);

/*
 * What is wrong with limits to be set, by JSON pointer below /resources:
 * memory, memory_swap, memory_reservation, cpus, cpu_shares, pids,
 * cpuset_cpus, cpuset_mems, blkio_weight, as those of a container; null or
 * -1 lifts one.
 */
void task_limits_check(const json_t *resources, struct json_faults *faults);
struct task_changes {
	const json_t *resources; /* given to task_limits_check() before */
	const json_t *labels;	 /* and to label_patch_check(), or NULL */
	int64_t if_match;	 /* as in struct change */
};

/*
 * Sets limits of a task that has not ended, and labels, all or none. The
 * limits hold until a person restarts it, or it is deleted.
 * SKIFF_FAILED_PRECONDITION, reason limit_below_use: it uses more.
 */
int task_update(struct tasks *tasks, const char *ns, const char *id,
		const struct task_changes *changes, char **ret_doc,
		int64_t *ret_revision, struct skiff_error *err);

struct task_kill {
	int signal;
	bool want_all; /* every process, not init alone */
	pid_t pid;     /* this one of its processes; 0: init */
};

/*
 * A paused task dies of SIGKILL as well; other signals act on it when it
 * is resumed. SKIFF_NOT_FOUND, reason process_not_found, for a pid that is
 * none of the task's.
 */
int task_kill(struct tasks *tasks, const char *ns, const char *id,
	      const struct task_kill *kill, struct skiff_error *err);

struct task_stop {
	int signal;	    /* 0: what the container says, or SIGTERM */
	int64_t timeout_ns; /* -1: what the container says, or 10 s */
};

#define TASK_STOP_TIMEOUT_NS (10 * NS_PER_SECOND)

/*
 * Sends the signal, and SIGKILL when the time is up, whether or not anyone
 * waits for it or the daemon is restarted meanwhile. A paused task is
 * resumed. Returns when the signal is sent. That a person wanted it is
 * kept in the record until a person starts the task again. *ret_kill_in_ns:
 * how long until the SIGKILL; 0 for a task that is stopped already.
 */
int task_stop(struct tasks *tasks, const char *ns, const char *id,
	      const struct task_stop *stop, int64_t *ret_kill_in_ns,
	      struct skiff_error *err);

/* How a task or an exec is removed. */
struct task_removal {
	bool want_force;  /* killed first, if need be */
	int64_t if_match; /* as in struct change; before anything is killed */
};

/*
 * Only created or stopped, or with force. *ret_exit is {exit_status,
 * exited_at}.
 */
int task_delete(struct tasks *tasks, const char *ns, const char *id,
		const struct task_removal *removal, json_t **ret_exit,
		struct skiff_error *err);
/* A restart that was begun. */
struct task_restart {
	int64_t kill_in_ns;
	int64_t after; /* the events with higher ids tell of it */
};

/*
 * Stops it in the same way unless it is stopped, and starts it again: see
 * runtime/restart.h. Returns when the signal is sent; the rest is done by
 * the daemon, or the next one. What comes of it the events tell: start, or
 * restart-failed.
 */
int task_restart(struct tasks *tasks, const char *ns, const char *id,
		 const struct task_stop *stop, struct task_restart *ret_restart,
		 struct skiff_error *err);
/* [{pid, ppid, uid, name}] of every process in the task's cgroup. */
int task_pids(struct tasks *tasks, const char *ns, const char *id,
	      json_t **ret_pids, struct skiff_error *err);

/* Wakes followers of logs. */
struct log_watches;
struct log_watches *tasks_log_watches(struct tasks *tasks);
/* The task's directory, for its log; SKIFF_NOT_FOUND without a task. */
int task_open_dir(struct tasks *tasks, const char *ns, const char *id,
		  int *ret_fd, struct skiff_error *err);
