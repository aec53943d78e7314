/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way into a process.
 *
 * The shim hands over the write end, and each process that somebody feeds
 * has one here, for all who feed it: so it can be closed for all at once,
 * and the process reads its end. An epoll of its own, heard by the
 * monitor, tells when a full one has room again; an event names its feed
 * by a number, so that a late one finds nothing.
 */
#include "config.h"

#include "runtime/task_io.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/workpool.h"
#include "runtime/task_exec_internal.h"

#define EVENTS_AT_ONCE 32

/* The write end of one process. All guarded by the lock of the inputs. */
struct feed {
	struct feed *next;
	uint64_t number;
	char *ns;
	char *id;
	char *exec_id; /* "" for the task's own process */
	pid_t shim_pid;
	int fd; /* -1: closed */
	struct task_input *users;
};

struct task_input {
	struct task_inputs *inputs;
	struct feed *feed;
	struct task_input *next; /* of the same feed */
	void (*notify)(void *arg);
	void *arg;
};

struct task_inputs {
	int epoll_fd;
	struct lock lock;
	struct feed *feeds; /* guarded by lock */
	uint64_t n_numbers; /* likewise */
};

static void
notify_all_locked(const struct feed *feed)
{
	for (struct task_input *user = feed->users; user; user = user->next)
		user->notify(user->arg);
}

static void
close_feed_locked(struct task_inputs *inputs, struct feed *feed)
{
	if (feed->fd < 0)
		return;
	(void)epoll_ctl(inputs->epoll_fd, EPOLL_CTL_DEL, feed->fd, NULL);
	(void)close(feed->fd);
	feed->fd = -1;
	notify_all_locked(feed);
}

static bool
hear_room(void *arg)
{
	struct task_inputs *inputs = arg;
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(inputs->epoll_fd, events, EVENTS_AT_ONCE, 0);

	LOCK_SCOPE(&inputs->lock);
	for (int i = 0; i < n; i++)
		for (struct feed *feed = inputs->feeds; feed; feed = feed->next)
			if (feed->number == events[i].data.u64)
				notify_all_locked(feed);
	return true;
}

static const struct monitor_ops room_ops = { .hear = hear_room };

struct task_inputs *
task_inputs_new(struct monitor *monitor)
{
	struct task_inputs *inputs = xcalloc(1, sizeof(*inputs));

	lock_init(&inputs->lock, LOCK_RANK_INPUT);
	inputs->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	assert(inputs->epoll_fd >= 0);
	monitor_watch(monitor, inputs->epoll_fd, &room_ops, inputs);
	return inputs;
}

void
task_inputs_free(struct task_inputs *inputs)
{
	if (!inputs)
		return;
	assert(!inputs->feeds);
	(void)close(inputs->epoll_fd);
	lock_done(&inputs->lock);
	free(inputs);
}

/* --- who is fed -------------------------------------------------------- */

static const char *
exec_of(const struct task_process *process)
{
	return process->exec_id ? process->exec_id : "";
}

/* An open one; that of an earlier run of the task is none. */
static struct feed *
find_feed_locked(struct task_inputs *inputs, const struct task_process *process,
		 pid_t shim_pid)
{
	for (struct feed *feed = inputs->feeds; feed; feed = feed->next)
		if (feed->fd >= 0 && feed->shim_pid == shim_pid &&
		    strcmp(feed->id, process->id) == 0 &&
		    strcmp(feed->ns, process->ns) == 0 &&
		    strcmp(feed->exec_id, exec_of(process)) == 0)
			return feed;
	return NULL;
}

/* Takes fd. */
static struct feed *
add_feed_locked(struct task_inputs *inputs, const struct task_process *process,
		pid_t shim_pid, int fd)
{
	struct feed *feed = xcalloc(1, sizeof(*feed));
	struct epoll_event event = { .events = EPOLLONESHOT };

	feed->number = event.data.u64 = ++inputs->n_numbers;
	feed->ns = xstrdup(process->ns);
	feed->id = xstrdup(process->id);
	feed->exec_id = xstrdup(exec_of(process));
	feed->shim_pid = shim_pid;
	feed->fd = fd;
	(void)epoll_ctl(inputs->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	feed->next = inputs->feeds;
	inputs->feeds = feed;
	return feed;
}

static void
remove_feed_locked(struct task_inputs *inputs, struct feed *feed)
{
	struct feed **link = &inputs->feeds;

	close_feed_locked(inputs, feed);
	while (*link != feed)
		link = &(*link)->next;
	*link = feed->next;
	free(feed->exec_id);
	free(feed->id);
	free(feed->ns);
	free(feed);
}

/* A process with its step taken, and a shim to call. */
struct hold {
	struct task *task;
	struct exec *exec;
	struct shim_client *client;
};

static void
hold_done(struct hold *hold)
{
	exec_release(hold->exec);
	task_end_step(hold->task);
	shim_client_free(hold->client);
}

static int
hold_exec(struct tasks *tasks, const struct task_process *process,
	  struct hold *hold, struct skiff_error *err)
{
	if (exec_hold(tasks, process->ns, process->id, process->exec_id,
		      &hold->exec, &hold->client, err) < 0)
		return -1;
	if (hold->client)
		return 0;
	(void)err_set(err, SKIFF_UNAVAILABLE, "the shim of task %s is gone",
		      process->id);
	return err_reason(err, "shim_gone");
}

static int
hold_process(struct tasks *tasks, const struct task_process *process,
	     const char *verb, struct hold *hold, struct skiff_error *err)
{
	if (process->exec_id)
		return hold_exec(tasks, process, hold, err);
	hold->task = task_begin_step(tasks, process->ns, process->id, err);
	if (!hold->task)
		return -1;
	if (hold->task->state == TASK_STOPPED)
		return task_refuse(hold->task, verb, err);
	if (task_need_shim(hold->task, err) < 0)
		return -1;
	hold->client = shim_client_ref(hold->task->client);
	return 0;
}

/* The shim knows an exec only while it runs. */
static int
hold_running(struct tasks *tasks, const struct task_process *process,
	     const char *verb, struct hold *hold, struct skiff_error *err)
{
	if (hold_process(tasks, process, verb, hold, err) < 0)
		return -1;
	return hold->exec && hold->exec->state != EXEC_RUNNING
		   ? exec_refuse(hold->exec, verb, err)
		   : 0;
}

/* It ended a moment ago, and that is not recorded yet. */
static int
explain(const struct hold *hold, const char *what, struct skiff_error *err)
{
	if (hold->exec && err->code == SKIFF_NOT_FOUND) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "%s of exec %s: it has ended", what,
			      hold->exec->id);
		return err_state(err, "stopped");
	}
	return err_wrap(err, "%s of %s", what,
			hold->exec ? hold->exec->id : hold->task->id);
}

int
task_input_open(struct tasks *tasks, const struct task_process *process,
		void (*notify)(void *arg), void *arg,
		struct task_input **ret_input, struct skiff_error *err)
{
	CLEANUP(hold_done) struct hold hold = { 0 };
	struct task_inputs *inputs = tasks->inputs;
	cleanup_close int fd = -1;
	struct task_input *input;
	struct feed *feed;
	pid_t shim_pid;

	if (hold_running(tasks, process, "feed", &hold, err) < 0)
		return -1;
	if (shim_input(hold.client, exec_of(process),
		       deadline_in_ms(TASK_STEP_TIMEOUT_MS), &fd, err) < 0)
		return explain(&hold, "stdin", err);
	shim_pid = shim_client_shim_pid(hold.client);
	input = xcalloc(1, sizeof(*input));
	input->inputs = inputs;
	input->notify = notify;
	input->arg = arg;
	LOCK_SCOPE(&inputs->lock);
	feed = find_feed_locked(inputs, process, shim_pid);
	if (!feed)
		feed = add_feed_locked(inputs, process, shim_pid, STEAL_FD(fd));
	input->feed = feed;
	input->next = feed->users;
	feed->users = input;
	*ret_input = input;
	return 0;
}

void
task_input_free(struct task_input *input)
{
	struct task_inputs *inputs;
	struct task_input **link;

	if (!input)
		return;
	inputs = input->inputs;
	LOCK_SCOPE(&inputs->lock);
	for (link = &input->feed->users; *link != input; link = &(*link)->next)
		continue;
	*link = input->next;
	if (!input->feed->users)
		remove_feed_locked(inputs, input->feed);
	free(input);
}

ssize_t
task_input_write(struct task_input *input, const void *data, size_t len)
{
	struct task_inputs *inputs = input->inputs;
	struct feed *feed = input->feed;
	struct epoll_event event = { .events = EPOLLOUT | EPOLLONESHOT };
	ssize_t n;

	LOCK_SCOPE(&inputs->lock);
	if (feed->fd < 0)
		return -1;
	n = write(feed->fd, data, len);
	if (n == (ssize_t)len)
		return n;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* Nobody reads it any more, and nobody will. */
		close_feed_locked(inputs, feed);
		return -1;
	}
	event.data.u64 = feed->number;
	(void)epoll_ctl(inputs->epoll_fd, EPOLL_CTL_MOD, feed->fd, &event);
	return n < 0 ? 0 : n;
}

/* --- its end, and the window ------------------------------------------- */

int
task_input_end(struct tasks *tasks, const struct task_process *process,
	       struct skiff_error *err)
{
	CLEANUP(hold_done) struct hold hold = { 0 };
	struct task_inputs *inputs = tasks->inputs;
	struct feed *feed;

	if (hold_running(tasks, process, "close stdin of", &hold, err) < 0)
		return -1;
	if (shim_input_close(hold.client, exec_of(process),
			     deadline_in_ms(TASK_STEP_TIMEOUT_MS), err) < 0)
		return explain(&hold, "stdin", err);
	LOCK_SCOPE(&inputs->lock);
	feed = find_feed_locked(inputs, process,
				shim_client_shim_pid(hold.client));
	if (feed)
		close_feed_locked(inputs, feed);
	return 0;
}

struct ending {
	struct tasks *tasks;
	char *ns;
	char *id;
	char *exec_id;
};

static void
run_ending(void *arg)
{
	struct ending *ending = arg;
	struct task_process process = { ending->ns, ending->id,
					ending->exec_id };
	struct skiff_error err = ERROR_INIT;

	/* The task may have ended before its input did. */
	if (task_input_end(ending->tasks, &process, &err) < 0 &&
	    err.code != SKIFF_NOT_FOUND &&
	    err.code != SKIFF_FAILED_PRECONDITION)
		log_failure(LOG_WARN, &err,
			    "end of an attached client's input");
	free(ending->ns);
	free(ending->id);
	free(ending->exec_id);
	free(ending);
}

void
task_input_end_later(struct tasks *tasks, const struct task_process *process)
{
	struct ending *ending = xcalloc(1, sizeof(*ending));

	ending->tasks = tasks;
	ending->ns = xstrdup(process->ns);
	ending->id = xstrdup(process->id);
	if (process->exec_id)
		ending->exec_id = xstrdup(process->exec_id);
	workpool_add(tasks->pool, /* is_slow= */ false, run_ending, ending);
}

/* One that does not run yet gets it when it does. */
static int
keep_window(struct exec *exec, const struct shim_window *window,
	    struct skiff_error *err)
{
	if (!exec->has_terminal) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "exec %s has no terminal", exec->id);
		return err_reason(err, "not_a_terminal");
	}
	exec->rows = window->rows;
	exec->columns = window->columns;
	return 0;
}

int
task_resize(struct tasks *tasks, const struct task_process *process,
	    uint32_t width, uint32_t height, struct skiff_error *err)
{
	CLEANUP(hold_done) struct hold hold = { 0 };
	struct shim_window window = { .rows = height, .columns = width };

	if (hold_process(tasks, process, "resize", &hold, err) < 0)
		return -1;
	if (hold.exec && hold.exec->state == EXEC_CREATED)
		return keep_window(hold.exec, &window, err);
	if (hold.exec && hold.exec->state != EXEC_RUNNING)
		return exec_refuse(hold.exec, "resize", err);
	if (shim_window(hold.client, exec_of(process), &window,
			deadline_in_ms(TASK_STEP_TIMEOUT_MS), err) < 0)
		return explain(&hold, "terminal", err);
	return 0;
}
