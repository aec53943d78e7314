/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutex with a rank. Each thread keeps the locks that it holds, so that
 * a wrong order is found by the first thread that takes it, alone.
 */
#include "config.h"

#include "base/lock.h"

#include <errno.h>
#include <string.h>

#define MAX_HELD 16

static _Thread_local const struct lock *held[MAX_HELD];
static _Thread_local int n_held;

void
lock_init(struct lock *lock, enum lock_rank rank)
{
	PTOK(pthread_mutex_init(&lock->mutex, NULL));
	lock->rank = rank;
}

void
lock_done(struct lock *lock)
{
	PTOK(pthread_mutex_destroy(&lock->mutex));
}

static void
push(const struct lock *lock)
{
	assert(n_held < MAX_HELD);
	held[n_held++] = lock;
}

static void
pop(const struct lock *lock)
{
	for (int i = n_held - 1; i >= 0; i--) {
		if (held[i] != lock)
			continue;
		memmove(&held[i], &held[i + 1],
			(size_t)(n_held - i - 1) * sizeof(held[0]));
		n_held--;
		return;
	}
	assert(false && "released a lock that is not held");
}

void
lock_take(struct lock *lock)
{
	for (int i = 0; i < n_held; i++)
		assert(held[i]->rank < lock->rank);
	PTOK(pthread_mutex_lock(&lock->mutex));
	push(lock);
}

void
lock_release(struct lock *lock)
{
	pop(lock);
	PTOK(pthread_mutex_unlock(&lock->mutex));
}

bool
lock_is_held(const struct lock *lock)
{
	for (int i = 0; i < n_held; i++)
		if (held[i] == lock)
			return true;
	return false;
}

void
cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	PTOK(pthread_condattr_init(&attributes));
	PTOK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
	PTOK(pthread_cond_init(cond, &attributes));
	PTOK(pthread_condattr_destroy(&attributes));
}

bool
cond_wait(pthread_cond_t *cond, struct lock *lock, struct deadline deadline)
{
	struct timespec until = deadline_timespec(deadline);
	int r;

	assert(lock_is_held(lock));
	if (deadline.at_ns == 0)
		r = pthread_cond_wait(cond, &lock->mutex);
	else
		r = pthread_cond_timedwait(cond, &lock->mutex, &until);
	assert(r == 0 || r == ETIMEDOUT);
	return r == 0;
}
