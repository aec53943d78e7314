/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The monitor: one thread that watches the shims' event descriptors, and
 * never blocks on anything else.
 */
#include <stdbool.h>

#include "base/cleanup.h"

struct monitor;

/*
 * What to do when a descriptor is readable, in the monitor's thread. False
 * ends the watch; the argument is not used again then.
 */
typedef bool (*monitor_fn)(void *arg);

struct monitor *monitor_new(void);
/* Joins the thread. Watches that are left are dropped without a call. */
void monitor_free(struct monitor *monitor);
DEFINE_CLEANUP(struct monitor *, monitor_free)

/* Any thread. fd stays the caller's and must live until the watch ends. */
void monitor_watch(struct monitor *monitor, int fd, monitor_fn fn, void *arg);
