/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills for want of memory: told when they happen, whether or not the task
 * goes on, and counted in the record.
 *
 * v1 signals an eventfd (admin-guide/cgroup-v1/memory.rst, "OOM Control"),
 * and does so before the kernel has chosen, and when the cgroup is removed;
 * v2 makes memory.events readable out of band (cgroup-v2.rst), but says no
 * more of a cgroup that goes than its cgroup.events. What counts is the counter
 * beside: an exit looks at it, too, so that its own kill is told before it, and
 * so does a daemon that comes back.
 */
#include "config.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "runtime/cgroup/file.h"
#include "runtime/cgroup/stats.h"
#include "runtime/task_internal.h"

#define V1_COUNTER "memory.oom_control"
#define V2_COUNTER "memory.events"
/* A task that is killed at all the time is told of once in a while. */
#define STORM_NS NS_PER_SECOND
/* From the signal to the kill. */
#define LOOK_MS 20
#define N_LOOKS 50

struct oom_watch {
	struct task *task;
	struct shim_client *client; /* the run that it is about */
	int fd; /* v1: an eventfd; v2: an epoll of the two below */
	int counter_fd;
	int end_fd; /* v2: cgroup.events; else -1 */
	int64_t heard_ns;
};

struct look {
	struct task *task;
	struct shim_client *client;
	int n_left;
};

static const struct timer_ops looking;

int64_t
task_oom_kills(const struct task *task)
{
	struct skiff_error gone = ERROR_INIT;
	struct cgroup_dirs dirs;

	if (task_cgroups(task, &dirs, &gone) < 0)
		return CGROUP_UNKNOWN;
	return cgroup_oom_kills(&dirs);
}

/* --- what is heard -------------------------------------------------------- */

static void
look_free(void *arg)
{
	struct look *look = arg;

	shim_client_free(look->client);
	task_unref(look->task);
	free(look);
}

/* False: not yet, or not now. */
static bool
look_once(const struct look *look)
{
	struct task *task = look->task;
	struct skiff_error err = ERROR_INIT;
	int64_t n;

	LOCK_SCOPE(&task->step);
	if (!task_is_live(task) || task->client != look->client)
		return true;
	n = task_oom_kills(task);
	if (n <= task->oom_kills)
		return false;
	if (task_say_start(task, &err) < 0 ||
	    task_record_oom(task, n, &err) < 0) {
		log_failure(LOG_ERROR, &err, "task %s/%s", task->ns, task->id);
		return false;
	}
	task->oom_kills = n;
	return true;
}

static void
run_look(void *arg)
{
	struct look *look = arg;

	/* What happens from here on is another look's. */
	atomic_store(&look->task->is_oom_due, false);
	if (look_once(look) || --look->n_left <= 0)
		look_free(look);
	else
		timers_add(look->task->tasks->timers, deadline_in_ms(LOOK_MS),
			   &looking, look);
}

static const struct timer_ops looking = {
	.is_slow = true,
	.run = run_look,
	.drop = look_free,
};

static void
look_later(const struct oom_watch *watch, int64_t in_ms, int n_looks)
{
	struct look *look;

	if (atomic_exchange(&watch->task->is_oom_due, true))
		return;
	look = xcalloc(1, sizeof(*look));
	look->task = task_ref(watch->task);
	look->client = shim_client_ref(watch->client);
	look->n_left = n_looks;
	timers_add(watch->task->tasks->timers, deadline_in_ms(in_ms), &looking,
		   look);
}

/* Of v2: nothing runs in it any more, or it is gone. */
static bool
has_ended(const struct oom_watch *watch)
{
	char text[128];
	ssize_t n = pread(watch->end_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return true;
	text[n] = '\0';
	return strstr(text, "populated 0") != NULL;
}

/* Reading makes it quiet; false when nothing more is to come. */
static bool
hush(const struct oom_watch *watch)
{
	char text[512];
	eventfd_t n;

	if (watch->end_fd < 0)
		(void)eventfd_read(watch->fd, &n);
	else if (has_ended(watch))
		return false;
	return pread(watch->counter_fd, text, sizeof(text), 0) > 0;
}

static bool
hear_oom(void *arg)
{
	struct oom_watch *watch = arg;
	int64_t now_ns = clock_monotonic_ns();
	bool is_storm = now_ns - watch->heard_ns < STORM_NS;

	if (!hush(watch))
		return false;
	watch->heard_ns = now_ns;
	look_later(watch, is_storm ? STORM_NS / NS_PER_MS : 0, N_LOOKS);
	return true;
}

static void
release_watch(void *arg)
{
	struct oom_watch *watch = arg;

	closep(&watch->end_fd);
	(void)close(watch->counter_fd);
	(void)close(watch->fd);
	shim_client_free(watch->client);
	task_unref(watch->task);
	free(watch);
}

static const struct monitor_ops oom_ops = {
	.hear = hear_oom,
	.release = release_watch,
};

/* --- listening ------------------------------------------------------------ */

/* The eventfd of a v1 counter, or -1. */
static int
listen_v1(const struct cgroup_dirs *dirs, size_t i, int counter_fd)
{
	cleanup_close int control_fd =
	    cgroup_open_at(dirs, i, "cgroup.event_control", O_WRONLY);
	cleanup_close int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	char text[32];
	int n = snprintf(text, sizeof(text), "%d %d", fd, counter_fd);

	if (control_fd < 0 || fd < 0 || write(control_fd, text, (size_t)n) != n)
		return -1;
	return STEAL_FD(fd);
}

static int
add_events(int epoll_fd, int fd)
{
	struct epoll_event event = { .events = EPOLLPRI };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* An epoll of a v2 counter and of the cgroup's end, or -1. */
static int
listen_v2(int counter_fd, int end_fd)
{
	cleanup_close int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || end_fd < 0 || add_events(fd, counter_fd) < 0 ||
	    add_events(fd, end_fd) < 0)
		return -1;
	return STEAL_FD(fd);
}

static void
watch_counter(struct task *task, int fd, int counter_fd, int end_fd)
{
	struct oom_watch *watch = xcalloc(1, sizeof(*watch));

	watch->task = task_ref(task);
	watch->client = shim_client_ref(task->client);
	watch->fd = fd;
	watch->counter_fd = counter_fd;
	watch->end_fd = end_fd;
	/* What happened while nobody listened. */
	look_later(watch, 0, 1);
	monitor_watch(task->tasks->monitor, fd, &oom_ops, watch);
}

void
task_oom_watch(struct task *task)
{
	struct skiff_error gone = ERROR_INIT;
	struct cgroup_dirs dirs;

	assert(lock_is_held(&task->step));
	if (!task_is_live(task) || task_cgroups(task, &dirs, &gone) < 0)
		return;
	for (size_t i = 0; i < dirs.n; i++) {
		cleanup_close int end_fd = -1;
		cleanup_close int counter_fd =
		    cgroup_open_at(&dirs, i, V1_COUNTER, O_RDONLY);
		int fd = -1;

		if (counter_fd >= 0) {
			fd = listen_v1(&dirs, i, counter_fd);
		} else {
			counter_fd =
			    cgroup_open_at(&dirs, i, V2_COUNTER, O_RDONLY);
			if (counter_fd < 0)
				continue;
			end_fd =
			    cgroup_open_at(&dirs, i, "cgroup.events", O_RDONLY);
			fd = listen_v2(counter_fd, end_fd);
		}
		if (fd >= 0)
			watch_counter(task, fd, STEAL_FD(counter_fd),
				      STEAL_FD(end_fd));
		return;
	}
}
