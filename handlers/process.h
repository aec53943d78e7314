/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the routes of one process have in common: logs, output, attach,
 * stdin and its like exist below a task, for its own process, and below
 * each exec.
 */
#include <stdbool.h>

#include "handlers/common.h"
#include "http/waker.h"
#include "runtime/task_io.h"

struct task_removal;

/* The process that the path names, checked; {eid} names the exec. */
int take_process(struct request *request, bool is_exec,
		 struct task_process *ret_process, struct skiff_error *err);
/* The directory of its log and its exit record. */
int open_process_dir(struct services *services,
		     const struct task_process *process, int *ret_fd,
		     struct skiff_error *err);

/* What its record says. */
struct process_facts {
	bool has_terminal;
	bool has_log;
};

int read_process_facts(struct services *services,
		       const struct task_process *process,
		       struct process_facts *ret_facts,
		       struct skiff_error *err);

/* SKIFF_FAILED_PRECONDITION, reason not_logged. */
int need_log(const struct process_facts *facts, struct skiff_error *err);

/* How it is to be removed: ?force and If-Match. */
int take_removal(struct request *request, struct task_removal *ret_removal,
		 struct skiff_error *err);

/* ?stream=stdout|stderr|both, as LOG_READ_*; 0 for both. */
int take_streams(struct request *request, unsigned int *ret_streams,
		 struct skiff_error *err);
/* Has notify(arg) of log_watch_add() and task_input_open() wake a waker. */
void wake_waker(void *waker);
