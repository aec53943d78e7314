/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The monitor: one thread that watches the shims' event descriptors, and
 * never blocks on anything else.
 */
#include <stdbool.h>
#include <stdint.h>

struct monitor;

/* A descriptor is readable. Runs in the monitor's thread. */
struct monitor_ops {
	/* False ends the watch. */
	bool (*hear)(void *arg);
	/*
	 * Optional: the descriptor is not watched any more, and may be
	 * closed from now on.
	 */
	void (*release)(void *arg);
};

struct monitor *monitor_new(void);
/*
 * Joins the thread: from now on nothing is heard, but others may still add
 * watches in vain.
 */
void monitor_stop(struct monitor *monitor);
/* After monitor_stop() and the end of those others: releases all watches. */
void monitor_free(struct monitor *monitor);

/* Any thread. fd and ops stay the caller's, and must outlive the watch. */
void monitor_watch(struct monitor *monitor, int fd,
		   const struct monitor_ops *ops, void *arg);
