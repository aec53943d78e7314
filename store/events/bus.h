/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The bus tells who waits that something was committed. It carries no
 * data: subscribers read the event log, or the object itself, so there is
 * no second copy to lose and no queue to overflow.
 */
#include "base/cleanup.h"

struct bus;
struct subscription;

struct bus *bus_new(void);
void bus_free(struct bus *bus);
DEFINE_CLEANUP(struct bus *, bus_free)

/* Must not block, nor subscribe, unsubscribe or announce. */
typedef void (*bus_fn)(void *arg);

/*
 * Calls notify after each commit that touched namespace ns (NULL: any) and
 * object key (NULL: any), from the committing thread.
 */
struct subscription *bus_subscribe(struct bus *bus, const char *ns,
				   const char *key, bus_fn notify, void *arg);
/* When it returns, notify is not running and never will be again. */
void bus_unsubscribe(struct subscription *subscription);
DEFINE_CLEANUP(struct subscription *, bus_unsubscribe)

/*
 * Wakes the subscribers of one object: called by the database after a
 * COMMIT for each of its events, and directly for progress that is not
 * stored (a pull's bytes).
 */
void bus_announce(struct bus *bus, const char *ns, const char *key);
