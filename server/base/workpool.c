/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of named threads: two queues, fast and slow. The worker that went
 * idle last is woken first: its stack and its caches are warm, and those of
 * the workers that are rarely needed stay untouched.
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

struct worker {
	struct workpool *pool;
	pthread_t thread;
	pthread_cond_t wakeup;
	struct worker *next_idle;
	bool is_idle; /* guarded by pool->lock, as next_idle */
};

struct workpool {
	struct lock lock;
	/* guarded by lock: */
	struct queue fast;
	struct queue slow;
	struct worker *idle;
	int n_slow_running;
	bool is_stopping;
	/* constant: */
	int n_threads;
	struct worker workers[];
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

static void
wake_one_locked(struct workpool *pool)
{
	struct worker *worker = pool->idle;

	if (!worker)
		return;
	pool->idle = worker->next_idle;
	worker->is_idle = false;
	PTOK(pthread_cond_signal(&worker->wakeup));
}

static void
wake_all_locked(struct workpool *pool)
{
	while (pool->idle)
		wake_one_locked(pool);
}

static void
wait_locked(struct worker *worker)
{
	struct workpool *pool = worker->pool;

	worker->is_idle = true;
	worker->next_idle = pool->idle;
	pool->idle = worker;
	while (worker->is_idle)
		(void)cond_wait(&worker->wakeup, &pool->lock, DEADLINE_NEVER);
}

/* NULL when the pool stops and nothing is left for this thread. */
static struct job *
next_job_locked(struct worker *worker, bool *ret_is_slow)
{
	struct workpool *pool = worker->pool;

	for (;;) {
		struct job *job = queue_pop(&pool->fast);

		*ret_is_slow = false;
		if (!job && may_run_slow_locked(pool)) {
			job = queue_pop(&pool->slow);
			*ret_is_slow = job != NULL;
		}
		if (job || (pool->is_stopping && !pool->slow.first))
			return job;
		wait_locked(worker);
	}
}

static void *
worker_main(void *arg)
{
	struct worker *worker = arg;
	struct workpool *pool = worker->pool;
	struct job *job;
	bool is_slow;

	lock_take(&pool->lock);
	while ((job = next_job_locked(worker, &is_slow)) != NULL) {
		pool->n_slow_running += is_slow;
		lock_release(&pool->lock);
		job->run(job->arg);
		free(job);
		lock_take(&pool->lock);
		pool->n_slow_running -= is_slow;
		/* One less: what had to wait for that may go on. */
		if (is_slow && pool->slow.first)
			wake_one_locked(pool);
		else if (is_slow && pool->is_stopping)
			wake_all_locked(pool);
	}
	lock_release(&pool->lock);
	return NULL;
}

struct workpool *
workpool_new(const char *name, int n_threads)
{
	struct workpool *pool =
	    xcalloc(1,
		    sizeof(*pool) + (size_t)n_threads * sizeof(struct worker));
	sigset_t all;
	sigset_t old;

	lock_init(&pool->lock, LOCK_RANK_POOL);
	queue_init(&pool->fast);
	queue_init(&pool->slow);
	pool->n_threads = n_threads;

	(void)sigfillset(&all);
	PTOK(pthread_sigmask(SIG_SETMASK, &all, &old));
	for (int i = 0; i < n_threads; i++) {
		struct worker *worker = &pool->workers[i];
		char thread_name[16];

		worker->pool = pool;
		cond_init(&worker->wakeup);
		PTOK(
		    pthread_create(&worker->thread, NULL, worker_main, worker));
		(void)snprintf(thread_name, sizeof(thread_name), "%.12s-%d",
			       name, i % 100);
		(void)pthread_setname_np(worker->thread, thread_name);
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
	wake_one_locked(pool);
	lock_release(&pool->lock);
}

void
workpool_free(struct workpool *pool)
{
	if (!pool)
		return;
	lock_take(&pool->lock);
	pool->is_stopping = true;
	wake_all_locked(pool);
	lock_release(&pool->lock);
	for (int i = 0; i < pool->n_threads; i++)
		PTOK(pthread_join(pool->workers[i].thread, NULL));
	for (int i = 0; i < pool->n_threads; i++)
		PTOK(pthread_cond_destroy(&pool->workers[i].wakeup));
	lock_done(&pool->lock);
	free(pool);
}
