/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wakes a suspended exchange (see: wake-up note in http_internal.h).
 */
#include "config.h"

#include "http/waker.h"

#include "base/alloc.h"
#include "http/http_internal.h"

struct waker *
waker_new(struct request *request)
{
	struct waker *waker = xcalloc(1, sizeof(*waker));

	waker->node.kind = NODE_WAKE;
	atomic_init(&waker->refs, 1);
	lock_init(&waker->lock, LOCK_RANK_WAKER);
	waker->request = request;
	return waker;
}

struct waker *
waker_ref(struct waker *waker)
{
	atomic_fetch_add(&waker->refs, 1);
	return waker;
}

void
waker_unref(struct waker *waker)
{
	if (!waker || atomic_fetch_sub(&waker->refs, 1) != 1)
		return;
	lock_done(&waker->lock);
	free(waker);
}

void
waker_wake(struct waker *waker)
{
	LOCK_SCOPE(&waker->lock);
	if (!waker->request || waker->is_queued)
		return;
	waker->is_queued = true;
	(void)waker_ref(waker);
	loop_post(waker->request->loop, &waker->node);
}

void
waker_detach(struct waker *waker)
{
	LOCK_SCOPE(&waker->lock);
	waker->request = NULL;
}

void
waker_arrived(struct waker *waker)
{
	struct request *request;

	lock_take(&waker->lock);
	/* Cleared before anything is read: a wake-up from now on counts. */
	waker->is_queued = false;
	request = waker->request;
	lock_release(&waker->lock);
	/* Only this thread, the loop's, ends the request. */
	if (request)
		exchange_poll(request, /* timed_out= */ false);
	waker_unref(waker);
}
