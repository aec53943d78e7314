/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of workers: all jobs run, slow ones leave room, warm ones serve.
 */
#include "config.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/workpool.h"
#include "tests/unit/tap.h"

#define N_THREADS 4
#define N_JOBS 2000

static atomic_int n_done;
static atomic_int n_slow;
static atomic_int most_slow;
static atomic_int n_quiet;
static sem_t gate;
static sem_t done;

static void
count(void *arg)
{
	(void)arg;
	(void)atomic_fetch_add(&n_done, 1);
}

static void
every_job_runs_once_before_the_pool_ends(void)
{
	struct workpool *pool = workpool_new("test", N_THREADS);

	atomic_store(&n_done, 0);
	for (int i = 0; i < N_JOBS; i++)
		workpool_add(pool, i % 3 == 0, count, NULL);
	workpool_free(pool);
	CHECK(atomic_load(&n_done) == N_JOBS);
}

static void
wait_at_gate(void *arg)
{
	int n = atomic_fetch_add(&n_slow, 1) + 1;
	int most = atomic_load(&most_slow);

	(void)arg;
	while (n > most && !atomic_compare_exchange_weak(&most_slow, &most, n))
		continue;
	(void)sem_wait(&gate);
	(void)atomic_fetch_sub(&n_slow, 1);
}

static void
post(void *arg)
{
	(void)arg;
	(void)sem_post(&done);
}

static void
slow_jobs_leave_half_of_the_threads_free(void)
{
	struct workpool *pool = workpool_new("test", N_THREADS);

	(void)sem_init(&gate, 0, 0);
	(void)sem_init(&done, 0, 0);
	for (int i = 0; i < 3 * N_THREADS; i++)
		workpool_add(pool, /* is_slow= */ true, wait_at_gate, NULL);
	workpool_add(pool, /* is_slow= */ false, post, NULL);
	(void)sem_wait(&done);
	for (int i = 0; i < 3 * N_THREADS; i++)
		(void)sem_post(&gate);
	workpool_free(pool);
	CHECK(atomic_load(&n_slow) == 0);
	CHECK(atomic_load(&most_slow) <= N_THREADS / 2);
	(void)sem_destroy(&gate);
	(void)sem_destroy(&done);
}

static void
count_quiet(void *arg)
{
	(void)arg;
	(void)atomic_fetch_add(&n_quiet, 1);
	(void)sem_post(&gate);
}

static void
a_pool_says_that_it_has_become_quiet_once_after_work(void)
{
	struct workpool *pool = workpool_new("test", N_THREADS);

	(void)sem_init(&gate, 0, 0);
	(void)sem_init(&done, 0, 0);
	workpool_when_quiet(pool, count_quiet, 1);
	for (int i = 1; i <= 3; i++) {
		workpool_add(pool, i % 2 == 0, post, NULL);
		(void)sem_wait(&done);
		(void)sem_wait(&gate);
		CHECK(atomic_load(&n_quiet) == i);
	}
	workpool_free(pool);
	CHECK(atomic_load(&n_quiet) == 3);
	(void)sem_destroy(&gate);
	(void)sem_destroy(&done);
}

TESTS(TEST(every_job_runs_once_before_the_pool_ends),
      TEST(slow_jobs_leave_half_of_the_threads_free),
      TEST(a_pool_says_that_it_has_become_quiet_once_after_work))
