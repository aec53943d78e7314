/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a list in the order in which they are due, and a thread that
 * hands its head to the workpool.
 */
#include "config.h"

#include "runtime/timers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/lock.h"

struct timer {
	struct timer *next;
	struct deadline deadline;
	const struct timer_ops *ops;
	void *arg;
};

struct timers {
	struct workpool *pool;
	pthread_t thread;
	pthread_cond_t changed;
	struct lock lock;
	struct timer *first; /* guarded by lock */
	bool is_ending;	     /* guarded by lock */
};

static void
run_due_locked(struct timers *timers)
{
	struct timer *timer;

	assert(lock_is_held(&timers->lock));
	while ((timer = timers->first) != NULL &&
	       deadline_passed(timer->deadline)) {
		timers->first = timer->next;
		workpool_add(timers->pool, timer->ops->is_slow, timer->ops->run,
			     timer->arg);
		free(timer);
	}
}

static void *
timers_main(void *arg)
{
	struct timers *timers = arg;

	LOCK_SCOPE(&timers->lock);
	while (!timers->is_ending) {
		run_due_locked(timers);
		(void)cond_wait(&timers->changed, &timers->lock,
				timers->first ? timers->first->deadline
					      : DEADLINE_NEVER);
	}
	return NULL;
}

struct timers *
timers_new(struct workpool *pool)
{
	struct timers *timers = xcalloc(1, sizeof(*timers));
	sigset_t all;
	sigset_t old;

	timers->pool = pool;
	cond_init(&timers->changed);
	lock_init(&timers->lock, LOCK_RANK_TIMERS);
	(void)sigfillset(&all);
	PTOK(pthread_sigmask(SIG_SETMASK, &all, &old));
	PTOK(pthread_create(&timers->thread, NULL, timers_main, timers));
	PTOK(pthread_sigmask(SIG_SETMASK, &old, NULL));
	(void)pthread_setname_np(timers->thread, "timers");
	return timers;
}

void
timers_add(struct timers *timers, struct deadline deadline,
	   const struct timer_ops *ops, void *arg)
{
	struct timer *timer = xcalloc(1, sizeof(*timer));
	struct timer **link = &timers->first;

	timer->deadline = deadline;
	timer->ops = ops;
	timer->arg = arg;
	LOCK_SCOPE(&timers->lock);
	while (*link && (*link)->deadline.at_ns <= deadline.at_ns)
		link = &(*link)->next;
	timer->next = *link;
	*link = timer;
	if (timers->first == timer)
		PTOK(pthread_cond_signal(&timers->changed));
}

void
timers_stop(struct timers *timers)
{
	lock_take(&timers->lock);
	timers->is_ending = true;
	PTOK(pthread_cond_signal(&timers->changed));
	lock_release(&timers->lock);
	PTOK(pthread_join(timers->thread, NULL));
}

void
timers_free(struct timers *timers)
{
	struct timer *timer;

	while ((timer = timers->first) != NULL) {
		timers->first = timer->next;
		timer->ops->drop(timer->arg);
		free(timer);
	}
	PTOK(pthread_cond_destroy(&timers->changed));
	lock_done(&timers->lock);
	free(timers);
}
