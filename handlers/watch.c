/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A waker that the event bus wakes.
 */
#include "config.h"

#include "handlers/watch.h"

#include "base/alloc.h"
#include "store/events/bus.h"

struct watch {
	struct waker *waker;
	struct subscription *subscription;
};

static void
wake(void *arg)
{
	waker_wake(arg);
}

struct watch *
watch_new(struct bus *bus, const char *ns, const char *key,
	  struct request *request)
{
	struct watch *watch = xcalloc(1, sizeof(*watch));

	watch->waker = request_waker(request);
	watch->subscription = bus_subscribe(bus, ns, key, wake, watch->waker);
	return watch;
}

void
watch_free(struct watch *watch)
{
	if (!watch)
		return;
	bus_unsubscribe(watch->subscription);
	waker_unref(watch->waker);
	free(watch);
}
