/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Execs: more processes in the container of a task.
 *
 * An exec is a record (RECORD_EXEC, key "<task>/<exec>") and a directory
 * TASK_DIR/execs/<exec> with its process and its log. It is registered,
 * started once, and stays, with its exit status, until it is deleted, or
 * until it has ended if that was asked for; it goes with its task.
 *
 *	{id, container, state: "created|running|stopped", pid?, exit_status?,
 *	 exited_at?, started_at?, reason?, auto_remove, …} and the wishes.
 *
 * Order in the event log, for each exec: exec-added < exec-started < exit
 * (with the exec's id) < exec-deleted. Every call may be made from any
 * thread and may block for as long as the runtime takes. Without the task
 * or the exec: SKIFF_NOT_FOUND.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct exec_wishes;
struct task_removal;
struct tasks;

#define EXECS_MAX 1000 /* of one task */

struct exec_request {
	const struct exec_wishes *wishes; /* id NULL: a random one */
	bool want_start;
	bool auto_remove; /* when it has ended */
	/*
	 * Optional, with want_start: called with the exec's directory when it
	 * runs and its log is there. Afterwards, with auto_remove, all of it
	 * may be gone at any moment. -1 undoes the exec.
	 */
	int (*opened)(void *arg, int dir_fd, struct skiff_error *err);
	void *arg;
};

struct exec_made {
	char *id;
	char *doc;
	int64_t revision;
};
void exec_made_done(struct exec_made *made);

/*
 * Registers, or registers and starts in one commit: when the start fails
 * nothing is left. SKIFF_ALREADY_EXISTS; SKIFF_INVALID_ARGUMENT with field
 * and, for the user, reason; SKIFF_RESOURCE_EXHAUSTED; and what
 * exec_start() gives.
 */
int exec_create(struct tasks *tasks, const char *ns, const char *task_id,
		const struct exec_request *request, struct exec_made *ret_made,
		struct skiff_error *err);
/*
 * SKIFF_FAILED_PRECONDITION with the state of the task (which must be
 * created or running) or of the exec; reason executable_not_found,
 * cwd_not_found, argument_list_too_long, runtime_exec_failed. One that
 * could not be started is still created.
 */
int exec_start(struct tasks *tasks, const char *ns, const char *task_id,
	       const char *id, char **ret_doc, int64_t *ret_revision,
	       struct skiff_error *err);
int exec_kill(struct tasks *tasks, const char *ns, const char *task_id,
	      const char *id, int signal, struct skiff_error *err);
/*
 * Not while it runs, but with force. *ret_exit is {exit_status, exited_at},
 * {} of one that was never started.
 */
int exec_delete(struct tasks *tasks, const char *ns, const char *task_id,
		const char *id, const struct task_removal *removal,
		json_t **ret_exit, struct skiff_error *err);
/* SIGKILL, elsewhere and without an answer. */
void exec_kill_later(struct tasks *tasks, const char *ns, const char *task_id,
		     const char *id);
/* Its directory, for its log: like task_open_dir(). */
int exec_open_dir(struct tasks *tasks, const char *ns, const char *task_id,
		  const char *id, int *ret_fd, struct skiff_error *err);
