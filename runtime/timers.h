/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Timers: jobs of a workpool that are due later. One thread sleeps until
 * the next one, whatever their number.
 *
 *	timers_add(tasks->timers, deadline_in_ms(500), &restart_timer,
 *		   task_ref(task));
 *
 * A timer cannot be taken back: what it runs looks whether it is still
 * wanted. Any thread may add one.
 */
#include <stdbool.h>

#include "base/clock.h"
#include "base/workpool.h"

struct timers;

struct timer_ops {
	bool is_slow; /* see workpool_add() */
	/* Runs once, in the pool, when it is due, and owns arg. */
	job_fn run;
	/* Instead of run, for what is not due at the end. */
	job_fn drop;
};

/* pool is borrowed. */
struct timers *timers_new(struct workpool *pool);
void timers_add(struct timers *timers, struct deadline deadline,
		const struct timer_ops *ops, void *arg);
/*
 * From now on nothing is handed to the pool, whose last jobs may still add
 * timers in vain.
 */
void timers_stop(struct timers *timers);
/* After timers_stop() and the pool's end: drops what is left. */
void timers_free(struct timers *timers);
