/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The way into a process: its stdin, and the size of its terminal. exec_id
 * is NULL for the task's own process.
 *
 *	if (task_input_open(tasks, &who, wake, waker, &input, err) < 0)
 *		return -1;
 *	n = task_input_write(input, data, len);
 *
 * Several clients may feed one process; each write is whole or in parts,
 * as pipe(7) has it. Nobody waits here: a write that finds no room says
 * so, and the client's notify is called when there is some again.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct tasks;
struct task_input;
struct task_inputs;

struct task_process {
	const char *ns;
	const char *id;
	const char *exec_id; /* or NULL */
};

/*
 * May block. SKIFF_FAILED_PRECONDITION, reason stdin_closed, when it has
 * no stdin that can be fed, or no longer. notify is called on any thread,
 * with a lock held of rank LOCK_RANK_INPUT.
 */
int task_input_open(struct tasks *tasks, const struct task_process *process,
		    void (*notify)(void *arg), void *arg,
		    struct task_input **ret_input, struct skiff_error *err);
/* When it returns notify is not running and never will be again. */
void task_input_free(struct task_input *input);
DEFINE_CLEANUP(struct task_input *, task_input_free)
/*
 * Bytes taken; if that is not all of them, notify comes when there is room
 * again. -1: nothing goes in any more.
 */
ssize_t task_input_write(struct task_input *input, const void *data,
			 size_t len);

/* The process reads the end once what was written is read. May block. */
int task_input_end(struct tasks *tasks, const struct task_process *process,
		   struct skiff_error *err);
/* The same elsewhere, without an answer. */
void task_input_end_later(struct tasks *tasks,
			  const struct task_process *process);

/* SKIFF_FAILED_PRECONDITION, reason not_a_terminal. May block. */
int task_resize(struct tasks *tasks, const struct task_process *process,
		uint32_t width, uint32_t height, struct skiff_error *err);

/* Of struct tasks: who feeds whom. */
struct monitor;
struct task_inputs *task_inputs_new(struct monitor *monitor);
/* After the monitor is gone, and with nobody left. */
void task_inputs_free(struct task_inputs *inputs);
