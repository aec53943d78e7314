/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A waker that the event bus wakes: what every wait and stream of the
 * handlers sleeps on.
 */
#include "http/request.h"

struct bus;
struct watch;

/* ns and key as for bus_subscribe(); NULL is any. */
struct watch *watch_new(struct bus *bus, const char *ns, const char *key,
			struct request *request);
void watch_free(struct watch *watch);
