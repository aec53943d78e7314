/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: what is due runs, and the rest is dropped.
 */
#include "config.h"

#include <semaphore.h>

#include "runtime/timers.h"
#include "tests/unit/tap.h"

static sem_t done;
static int n_run;
static int n_dropped;

static void
run(void *arg)
{
	(void)arg;
	n_run++;
	(void)sem_post(&done);
}

static void
drop(void *arg)
{
	(void)arg;
	n_dropped++;
}

static const struct timer_ops ops = { .run = run, .drop = drop };

static void
add(struct timers *timers, int64_t in_ms)
{
	timers_add(timers, deadline_in_ms(in_ms), &ops, NULL);
}

static void
what_is_due_runs_and_the_rest_is_dropped(void)
{
	struct workpool *pool = workpool_new("test", 1);
	struct timers *timers = timers_new(pool);

	(void)sem_init(&done, 0, 0);
	add(timers, 3600000);
	add(timers, 40);
	add(timers, 20);
	add(timers, 60);
	for (int i = 0; i < 3; i++)
		(void)sem_wait(&done);
	add(timers, 7200000);
	timers_stop(timers);
	workpool_free(pool);
	/* A last job may have added one. */
	add(timers, 0);
	timers_free(timers);
	CHECK(n_run == 3);
	CHECK(n_dropped == 3);
	(void)sem_destroy(&done);
}

TESTS(TEST(what_is_due_runs_and_the_rest_is_dropped))
