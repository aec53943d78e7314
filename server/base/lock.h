/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A mutex with a rank: taking locks out of order aborts at once, on every
 * run, not only when the deadlock happens (see base/lock_ranks.h).
 */
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/lock_ranks.h"

struct lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;
};

#define LOCK_INIT(r)                                                           \
	{                                                                      \
		.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (r)                \
	}

/* Every pthread call goes through this: none may fail. */
#define PTOK(call)                                                             \
	do {                                                                   \
		int ptok_ = (call);                                            \
		assert(ptok_ == 0);                                            \
		(void)ptok_;                                                   \
	} while (0)

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_done(struct lock *lock);
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);
bool lock_is_held(const struct lock *lock);

/* A condition variable on CLOCK_MONOTONIC. */
void cond_init(pthread_cond_t *cond);
/* False when the deadline passed. The lock is held before and after. */
bool cond_wait(pthread_cond_t *cond, struct lock *lock,
	       struct deadline deadline);

static inline __attribute__((unused)) void
lock_releasep(struct lock **lock)
{
	if (*lock)
		lock_release(*lock);
}

static inline __attribute__((unused)) struct lock *
lock_taken(struct lock *lock)
{
	lock_take(lock);
	return lock;
}

/* Holds the lock until the end of the scope. */
#define LOCK_SCOPE(l)                                                          \
	__attribute__((cleanup(lock_releasep),                                 \
		       unused)) struct lock *lock_scope_ = lock_taken(l)
