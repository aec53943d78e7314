/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: one thread on epoll(7).
 *
 * Each watch is a small heap object that epoll carries; the list exists
 * only so that monitor_free() finds what is left.
 */
#include "config.h"

#include "runtime/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/alloc.h"
#include "base/lock.h"

#define EVENTS_AT_ONCE 64

struct watch {
	struct watch *next;
	struct watch *previous;
	int fd;
	const struct monitor_ops *ops;
	void *arg;
};

struct monitor {
	int epoll_fd;
	int stop_fd;
	pthread_t thread;
	struct lock lock;
	struct watch *watches; /* guarded by lock */
};

static void
end_watch(struct monitor *monitor, struct watch *watch)
{
	(void)epoll_ctl(monitor->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	lock_take(&monitor->lock);
	if (watch->previous)
		watch->previous->next = watch->next;
	else
		monitor->watches = watch->next;
	if (watch->next)
		watch->next->previous = watch->previous;
	lock_release(&monitor->lock);
	if (watch->ops->release)
		watch->ops->release(watch->arg);
	free(watch);
}

static void *
monitor_main(void *arg)
{
	struct monitor *monitor = arg;
	struct epoll_event events[EVENTS_AT_ONCE];

	for (;;) {
		int n =
		    epoll_wait(monitor->epoll_fd, events, EVENTS_AT_ONCE, -1);

		assert(n >= 0 || errno == EINTR);
		for (int i = 0; i < n; i++) {
			struct watch *watch = events[i].data.ptr;

			if (!watch)
				return NULL;
			if (!watch->ops->hear(watch->arg))
				end_watch(monitor, watch);
		}
	}
}

static void
add_fd(struct monitor *monitor, int fd, struct watch *watch)
{
	struct epoll_event event = {
		.events = EPOLLIN,
		.data.ptr = watch,
	};
	int r = epoll_ctl(monitor->epoll_fd, EPOLL_CTL_ADD, fd, &event);

	assert(r == 0);
	(void)r;
}

struct monitor *
monitor_new(void)
{
	struct monitor *monitor = xcalloc(1, sizeof(*monitor));
	sigset_t all;
	sigset_t old;

	lock_init(&monitor->lock, LOCK_RANK_LEAF);
	monitor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	monitor->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(monitor->epoll_fd >= 0 && monitor->stop_fd >= 0);
	add_fd(monitor, monitor->stop_fd, NULL);

	(void)sigfillset(&all);
	PTOK(pthread_sigmask(SIG_SETMASK, &all, &old));
	PTOK(pthread_create(&monitor->thread, NULL, monitor_main, monitor));
	PTOK(pthread_sigmask(SIG_SETMASK, &old, NULL));
	(void)pthread_setname_np(monitor->thread, "monitor");
	return monitor;
}

void
monitor_stop(struct monitor *monitor)
{
	(void)eventfd_write(monitor->stop_fd, 1);
	PTOK(pthread_join(monitor->thread, NULL));
}

void
monitor_free(struct monitor *monitor)
{
	while (monitor->watches)
		end_watch(monitor, monitor->watches);
	(void)close(monitor->stop_fd);
	(void)close(monitor->epoll_fd);
	lock_done(&monitor->lock);
	free(monitor);
}

void
monitor_watch(struct monitor *monitor, int fd, const struct monitor_ops *ops,
	      void *arg)
{
	struct watch *watch = xcalloc(1, sizeof(*watch));

	watch->fd = fd;
	watch->ops = ops;
	watch->arg = arg;
	lock_take(&monitor->lock);
	watch->next = monitor->watches;
	if (watch->next)
		watch->next->previous = watch;
	monitor->watches = watch;
	lock_release(&monitor->lock);
	add_fd(monitor, fd, watch);
}
