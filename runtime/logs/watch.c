/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wakes those who follow a log: one inotify(7) instance for all.
 *
 * The kernel gives one number for one directory however often it is
 * asked for, so followers of the same task share it, and the last one to
 * go takes it away.
 */
#include "config.h"

#include "runtime/logs/watch.h"

#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "base/alloc.h"
#include "base/lock.h"
#include "runtime/monitor.h"

#define WATCHED                                                                \
	(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF |    \
	 IN_ONLYDIR)

struct log_watch {
	struct log_watches *watches;
	struct log_watch *next;
	int number;
	void (*notify)(void *arg);
	void *arg;
};

struct log_watches {
	int fd;
	struct lock lock;
	struct log_watch *first; /* guarded by lock */
};

static bool
hear_changes(void *arg)
{
	struct log_watches *watches = arg;
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n = read(watches->fd, buf, sizeof(buf));

	LOCK_SCOPE(&watches->lock);
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const void *)(buf + at);

		for (struct log_watch *w = watches->first; w; w = w->next)
			if (w->number == event->wd ||
			    (event->mask & IN_Q_OVERFLOW))
				w->notify(w->arg);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return true;
}

static const struct monitor_ops inotify_ops = { .hear = hear_changes };

struct log_watches *
log_watches_new(struct monitor *monitor)
{
	struct log_watches *watches = xcalloc(1, sizeof(*watches));

	lock_init(&watches->lock, LOCK_RANK_LOG_WATCH);
	watches->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watches->fd >= 0)
		monitor_watch(monitor, watches->fd, &inotify_ops, watches);
	return watches;
}

void
log_watches_free(struct log_watches *watches)
{
	if (!watches)
		return;
	assert(!watches->first);
	if (watches->fd >= 0)
		(void)close(watches->fd);
	lock_done(&watches->lock);
	free(watches);
}

int
log_watch_add(struct log_watches *watches, int task_fd,
	      void (*notify)(void *arg), void *arg,
	      struct log_watch **ret_watch, struct skiff_error *err)
{
	struct log_watch *watch;
	char path[32];
	int number;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", task_fd);
	LOCK_SCOPE(&watches->lock);
	number = inotify_add_watch(watches->fd, path, WATCHED);
	if (number < 0)
		return err_set(
		    err, SKIFF_RESOURCE_EXHAUSTED, "cannot follow the log: %s",
		    errno == ENOSPC
			? "fs.inotify.max_user_watches is used up"
			: "fs.inotify.max_user_instances is used up");
	watch = xcalloc(1, sizeof(*watch));
	watch->watches = watches;
	watch->number = number;
	watch->notify = notify;
	watch->arg = arg;
	watch->next = watches->first;
	watches->first = watch;
	*ret_watch = watch;
	return 0;
}

static bool
is_shared_locked(const struct log_watches *watches, int number)
{
	for (struct log_watch *w = watches->first; w; w = w->next)
		if (w->number == number)
			return true;
	return false;
}

void
log_watch_remove(struct log_watch *watch)
{
	struct log_watches *watches;
	struct log_watch **link;

	if (!watch)
		return;
	watches = watch->watches;
	LOCK_SCOPE(&watches->lock);
	for (link = &watches->first; *link != watch; link = &(*link)->next)
		continue;
	*link = watch->next;
	/* It is gone already when the directory was removed. */
	if (!is_shared_locked(watches, watch->number))
		(void)inotify_rm_watch(watches->fd, watch->number);
	free(watch);
}
