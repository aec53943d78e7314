/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of named threads: two queues, fast and slow, one condition.
 */
#include "config.h"

#include "base/workpool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/lock.h"

struct job {
	struct job *next;
	job_fn run;
	void *arg;
};

struct queue {
	struct job *first;
	struct job **last;
};

struct workpool {
	struct lock lock;
	pthread_cond_t wakeup;
	/* guarded by lock: */
	struct queue fast;
	struct queue slow;
	int n_slow_running;
	bool is_stopping;
	/* constant: */
	int n_threads;
	pthread_t threads[];
};

static void
queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static struct job *
queue_pop(struct queue *queue)
{
	struct job *job = queue->first;

	if (job) {
		queue->first = job->next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return job;
}

static bool
may_run_slow_locked(const struct workpool *pool)
{
	int limit = pool->n_threads > 1 ? pool->n_threads / 2 : 1;

	return pool->n_slow_running < limit;
}

/* NULL when the pool stops and nothing is left for this thread. */
static struct job *
next_job_locked(struct workpool *pool, bool *ret_is_slow)
{
	for (;;) {
		struct job *job = queue_pop(&pool->fast);

		*ret_is_slow = false;
		if (!job && may_run_slow_locked(pool)) {
			job = queue_pop(&pool->slow);
			*ret_is_slow = job != NULL;
		}
		if (job || (pool->is_stopping && !pool->slow.first))
			return job;
		(void)cond_wait(&pool->wakeup, &pool->lock, DEADLINE_NEVER);
	}
}

static void *
worker_main(void *arg)
{
	struct workpool *pool = arg;
	struct job *job;
	bool is_slow;

	lock_take(&pool->lock);
	while ((job = next_job_locked(pool, &is_slow)) != NULL) {
		pool->n_slow_running += is_slow;
		lock_release(&pool->lock);
		job->run(job->arg);
		free(job);
		lock_take(&pool->lock);
		pool->n_slow_running -= is_slow;
		if (is_slow)
			PTOK(pthread_cond_broadcast(&pool->wakeup));
	}
	lock_release(&pool->lock);
	return NULL;
}

struct workpool *
workpool_new(const char *name, int n_threads)
{
	struct workpool *pool =
	    xcalloc(1, sizeof(*pool) + (size_t)n_threads * sizeof(pthread_t));
	sigset_t all;
	sigset_t old;

	lock_init(&pool->lock, LOCK_RANK_POOL);
	cond_init(&pool->wakeup);
	queue_init(&pool->fast);
	queue_init(&pool->slow);
	pool->n_threads = n_threads;

	(void)sigfillset(&all);
	PTOK(pthread_sigmask(SIG_SETMASK, &all, &old));
	for (int i = 0; i < n_threads; i++) {
		char thread_name[16];

		PTOK(
		    pthread_create(&pool->threads[i], NULL, worker_main, pool));
		(void)snprintf(thread_name, sizeof(thread_name), "%.12s-%d",
			       name, i % 100);
		(void)pthread_setname_np(pool->threads[i], thread_name);
	}
	PTOK(pthread_sigmask(SIG_SETMASK, &old, NULL));
	return pool;
}

void
workpool_add(struct workpool *pool, bool is_slow, job_fn run, void *arg)
{
	struct queue *queue = is_slow ? &pool->slow : &pool->fast;
	struct job *job = xcalloc(1, sizeof(*job));

	job->run = run;
	job->arg = arg;
	lock_take(&pool->lock);
	*queue->last = job;
	queue->last = &job->next;
	PTOK(pthread_cond_signal(&pool->wakeup));
	lock_release(&pool->lock);
}

void
workpool_free(struct workpool *pool)
{
	if (!pool)
		return;
	lock_take(&pool->lock);
	pool->is_stopping = true;
	PTOK(pthread_cond_broadcast(&pool->wakeup));
	lock_release(&pool->lock);
	for (int i = 0; i < pool->n_threads; i++)
		PTOK(pthread_join(pool->threads[i], NULL));
	PTOK(pthread_cond_destroy(&pool->wakeup));
	lock_done(&pool->lock);
	free(pool);
}
