/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Wakes those who follow a log when it grows or ends: one inotify(7)
 * instance for all, on the tasks' directories.
 */
#include "base/cleanup.h"
#include "base/error.h"

struct log_watch;
struct log_watches;
struct monitor;

/* monitor is borrowed, and must be freed first. */
struct log_watches *log_watches_new(struct monitor *monitor);
void log_watches_free(struct log_watches *watches);
DEFINE_CLEANUP(struct log_watches *, log_watches_free)

/*
 * Calls notify(arg), from the monitor's thread, after each change in the
 * task's directory: output, the exit record, its removal. notify must not
 * block. SKIFF_RESOURCE_EXHAUSTED when the user's watches are used up.
 */
int log_watch_add(struct log_watches *watches, int task_fd,
		  void (*notify)(void *arg), void *arg,
		  struct log_watch **ret_watch, struct skiff_error *err);
/* When it returns notify is not running and never will be again. */
void log_watch_remove(struct log_watch *watch);
