/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Shared by the files of execs. A step of an exec holds its own lock, and
 * not its task's: many start at once. What concerns the task (is it live,
 * which shim) is asked before; whoever ends the task settles each of its
 * execs, and waits for their steps.
 */
#include "runtime/task_exec.h"
#include "runtime/task_internal.h"

enum exec_state { EXEC_CREATED, EXEC_RUNNING, EXEC_STOPPED, EXEC_DELETED };

struct exec {
	struct task *task; /* a reference */
	struct exec *next; /* guarded by the table's lock */
	int refs;	   /* guarded by the table's lock */
	/* constant: */
	char *id;
	char *dir; /* absolute */
	bool has_terminal;
	json_t *stdio; /* runtime/task_stdio.h */
	bool auto_remove;
	struct lock step;
	/* guarded by step: */
	enum exec_state state;
	pid_t pid;
	uint32_t rows; /* asked for before the start, or 0 */
	uint32_t columns;
};

const char *exec_state_name(enum exec_state state);

/* --- the table, runtime/task_exec_table.c ------------------------------- */

/* One that nobody can find yet, with one reference. */
struct exec *exec_new(struct task *task, const char *id);
/*
 * SKIFF_ALREADY_EXISTS, SKIFF_RESOURCE_EXHAUSTED. The table has a reference
 * of its own.
 */
int exec_table_add(struct exec *exec, struct skiff_error *err);
void exec_table_remove(struct exec *exec);
void exec_unref(struct exec *exec);
DEFINE_CLEANUP(struct exec *, exec_unref)
struct exec *exec_find(struct task *task, const char *id,
		       struct skiff_error *err);
/* References to all, oldest first; the caller gives back and frees. */
struct exec **execs_all(struct task *task, size_t *ret_n);

/*
 * One that is there, with its step taken, and a reference to its task's
 * shim (NULL: there is none).
 */
int exec_hold(struct tasks *tasks, const char *ns, const char *task_id,
	      const char *id, struct exec **ret_exec,
	      struct shim_client **ret_client, struct skiff_error *err);
void exec_release(struct exec *exec);
DEFINE_CLEANUP(struct exec *, exec_release)
/* SKIFF_FAILED_PRECONDITION that names the state. */
int exec_refuse(const struct exec *exec, const char *verb,
		struct skiff_error *err);

/* --- the record, runtime/task_exec_record.c ----------------------------- */

int exec_record_insert(struct exec *exec, const struct exec_wishes *wishes,
		       bool is_started, struct exec_made *made,
		       struct skiff_error *err);
int exec_record_started(struct exec *exec, char **ret_doc,
			int64_t *ret_revision, struct skiff_error *err);
/* The exit, and the end of the record with auto_remove. reason may be NULL. */
int exec_record_exited(struct exec *exec, const struct shim_exit *exit,
		       const char *reason, struct skiff_error *err);
int exec_record_delete(struct exec *exec, json_t **ret_exit,
		       struct skiff_error *err);

/* --- the end, runtime/task_exec_settle.c -------------------------------- */

/* Takes an exit over, unless it is there already. With the step held. */
int exec_settle_exit(struct exec *exec, const struct shim_exit *exit,
		     const char *reason, struct skiff_error *err);
/*
 * Of one whose shim (NULL: there is none) may have told its end already, or
 * can tell nothing any more: then it was killed. With the step held.
 */
int exec_settle_gone(struct exec *exec, struct shim_client *client,
		     const char *reason, struct skiff_error *err);
/* Its files go, and it is found no more. With the step held. */
void exec_forget(struct exec *exec);
