/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus: subscribers in buckets by the key that they wait for; those of
 * any key in one list.
 *
 * Subscribers are called under the bus's lock. That is what lets
 * bus_unsubscribe() promise that notify is over, and it is short: notify
 * only sets a flag and wakes a loop.
 */
#include "config.h"

#include "store/events/bus.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/lock.h"

#define N_BUCKETS 256

struct subscription {
	struct bus *bus;
	char *ns;  /* NULL: any */
	char *key; /* NULL: any */
	bus_fn notify;
	void *arg;
	struct subscription *next;
	struct subscription **link; /* what points to this one */
};

struct bus {
	struct lock lock;
	struct subscription *by_key[N_BUCKETS]; /* guarded by lock */
	struct subscription *any_key;		/* guarded by lock */
};

struct bus *
bus_new(void)
{
	struct bus *bus = xcalloc(1, sizeof(*bus));

	lock_init(&bus->lock, LOCK_RANK_BUS);
	return bus;
}

void
bus_free(struct bus *bus)
{
	if (!bus)
		return;
	assert(!bus->any_key);
	lock_done(&bus->lock);
	free(bus);
}

/* FNV-1a. */
static struct subscription **
bucket(struct bus *bus, const char *key)
{
	uint32_t hash = 2166136261u;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 16777619u;
	return &bus->by_key[hash % N_BUCKETS];
}

struct subscription *
bus_subscribe(struct bus *bus, const char *ns, const char *key, bus_fn notify,
	      void *arg)
{
	struct subscription *s = xcalloc(1, sizeof(*s));
	struct subscription **list = key ? bucket(bus, key) : &bus->any_key;
	LOCK_SCOPE(&bus->lock);

	s->bus = bus;
	s->ns = ns ? xstrdup(ns) : NULL;
	s->key = key ? xstrdup(key) : NULL;
	s->notify = notify;
	s->arg = arg;
	s->next = *list;
	s->link = list;
	if (s->next)
		s->next->link = &s->next;
	*list = s;
	return s;
}

void
bus_unsubscribe(struct subscription *subscription)
{
	if (!subscription)
		return;
	lock_take(&subscription->bus->lock);
	*subscription->link = subscription->next;
	if (subscription->next)
		subscription->next->link = subscription->link;
	lock_release(&subscription->bus->lock);
	free(subscription->ns);
	free(subscription->key);
	free(subscription);
}

static void
notify_list_locked(const struct subscription *list, const char *ns,
		   const char *key)
{
	for (; list; list = list->next)
		if ((!list->ns || strcmp(list->ns, ns) == 0) &&
		    (!list->key || strcmp(list->key, key) == 0))
			list->notify(list->arg);
}

void
bus_announce(struct bus *bus, const char *ns, const char *key)
{
	LOCK_SCOPE(&bus->lock);

	notify_list_locked(*bucket(bus, key), ns, key);
	notify_list_locked(bus->any_key, ns, key);
}
