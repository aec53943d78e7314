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
 *	{id, container, state: "created|running|stopped", pid, exit_status?,
 *	 exited_at?, started_at?, reason?, oom, terminal, stdio, execs}
 *
 * Order in the event log, for each task: create < start < exit < delete.
 * Every call may be made from any thread, and may block for as long as the
 * runtime takes (see TASK_STEP_TIMEOUT_MS).
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct bus;
struct db;
struct snapshots;
struct tasks;

#define TASK_STEP_TIMEOUT_MS 60000

struct tasks_options {
	struct db *db; /* all borrowed */
	struct bus *bus;
	struct snapshots *snapshots;
	const char *root;	   /* task directories go to root/tasks */
	const char *state;	   /* sockets go to state/s */
	const char *shim_path;	   /* skiff-shim */
	const char *runtime_path;  /* NULL: there is none */
	const char *cgroup_prefix; /* above all cgroups of this daemon */
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
/* Shims and containers go on running. No call may be under way. */
void tasks_close(struct tasks *tasks);
DEFINE_CLEANUP(struct tasks *, tasks_close)

/*
 * Removes what a namespace's tasks shared, unless it exists or has tasks
 * yet: to be called after it was deleted. Best effort.
 */
void tasks_forget_namespace(struct tasks *tasks, const char *ns);

/*
 * Creates the task of a container: mounts, directory, shim, the runtime's
 * "create". All or nothing. SKIFF_NOT_FOUND (container),
 * SKIFF_ALREADY_EXISTS, and what shim_spawn() gives.
 */
int task_create(struct tasks *tasks, const char *ns, const char *id,
		char **ret_doc, int64_t *ret_revision, struct skiff_error *err);

/* The steps: a state that forbids one is SKIFF_FAILED_PRECONDITION. */
int task_start(struct tasks *tasks, const char *ns, const char *id,
	       char **ret_doc, int64_t *ret_revision, struct skiff_error *err);
int task_kill(struct tasks *tasks, const char *ns, const char *id, int signal,
	      bool want_all, struct skiff_error *err);
/*
 * Only created or stopped, or with force, which kills first. *ret_exit is
 * {exit_status, exited_at}.
 */
int task_delete(struct tasks *tasks, const char *ns, const char *id,
		bool want_force, json_t **ret_exit, struct skiff_error *err);
/* [{"pid": N}] of every process in the task's cgroup. */
int task_pids(struct tasks *tasks, const char *ns, const char *id,
	      json_t **ret_pids, struct skiff_error *err);

/* Wakes followers of logs. */
struct log_watches;
struct log_watches *tasks_log_watches(struct tasks *tasks);
/* The task's directory, for its log; SKIFF_NOT_FOUND without a task. */
int task_open_dir(struct tasks *tasks, const char *ns, const char *id,
		  int *ret_fd, struct skiff_error *err);
