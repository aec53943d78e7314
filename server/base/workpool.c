/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of named threads: two queues, fast and slow. The worker that went
 * idle last is woken first: its stack and its caches are warm, and those of
 * the workers that are rarely needed stay untouched; a worker that was never
 * needed has not even begun.
 */
#include "config.h"

#include "base/workpool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
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
	int n_started;
	bool is_stopping;
	bool is_restless;  /* on_quiet is to run when it is quiet again */
	int64_t active_ns; /* when the last job ended */
	/* constant: */
	const char *name;
	int n_threads;
	job_fn on_quiet; /* or NULL */
	int64_t quiet_ns;
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

/* Nobody has ended a job meanwhile: this worker is the one to say so. */
static void
run_quiet_locked(struct workpool *pool)
{
	if (!pool->is_restless ||
	    clock_monotonic_ns() - pool->active_ns < pool->quiet_ns)
		return;
	pool->is_restless = false;
	lock_release(&pool->lock);
	pool->on_quiet(NULL);
	lock_take(&pool->lock);
}

static void
wait_locked(struct worker *worker)
{
	struct workpool *pool = worker->pool;

	worker->is_idle = true;
	worker->next_idle = pool->idle;
	pool->idle = worker;
	if (pool->is_restless &&
	    !cond_wait(&worker->wakeup, &pool->lock,
		       deadline_in_ms(pool->quiet_ns / NS_PER_MS)))
		run_quiet_locked(pool);
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
		pool->is_restless = pool->on_quiet != NULL;
		pool->active_ns = clock_monotonic_ns();
		/* One less: what had to wait for that may go on. */
		if (is_slow && pool->slow.first)
			wake_one_locked(pool);
		else if (is_slow && pool->is_stopping)
			wake_all_locked(pool);
	}
	lock_release(&pool->lock);
	return NULL;
}

/* Not all need come to be: without one more the others do its work. */
static int
start_one_locked(struct workpool *pool)
{
	struct worker *worker = &pool->workers[pool->n_started];
	char thread_name[32];
	sigset_t all;
	sigset_t old;
	int r;

	worker->pool = pool;
	cond_init(&worker->wakeup);
	(void)sigfillset(&all);
	PTOK(pthread_sigmask(SIG_SETMASK, &all, &old));
	r = pthread_create(&worker->thread, NULL, worker_main, worker);
	PTOK(pthread_sigmask(SIG_SETMASK, &old, NULL));
	if (r != 0) {
		PTOK(pthread_cond_destroy(&worker->wakeup));
		return r;
	}
	(void)snprintf(thread_name, sizeof(thread_name), "%.12s-%d", pool->name,
		       pool->n_started % 100);
	(void)pthread_setname_np(worker->thread, thread_name);
	pool->n_started++;
	return 0;
}

struct workpool *
workpool_new(const char *static_name, int n_threads)
{
	struct workpool *pool =
	    xcalloc(1,
		    sizeof(*pool) + (size_t)n_threads * sizeof(struct worker));

	lock_init(&pool->lock, LOCK_RANK_POOL);
	queue_init(&pool->fast);
	queue_init(&pool->slow);
	pool->name = static_name;
	pool->n_threads = n_threads;
	lock_take(&pool->lock);
	PTOK(start_one_locked(pool));
	lock_release(&pool->lock);
	return pool;
}

void
workpool_when_quiet(struct workpool *pool, job_fn run, int ms)
{
	LOCK_SCOPE(&pool->lock);

	pool->on_quiet = run;
	pool->quiet_ns = (int64_t)ms * NS_PER_MS;
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
	if (pool->idle)
		wake_one_locked(pool);
	else if (pool->n_started < pool->n_threads)
		(void)start_one_locked(pool);
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
	for (int i = 0; i < pool->n_started; i++)
		PTOK(pthread_join(pool->workers[i].thread, NULL));
	for (int i = 0; i < pool->n_started; i++)
		PTOK(pthread_cond_destroy(&pool->workers[i].wakeup));
	lock_done(&pool->lock);
	free(pool);
}
