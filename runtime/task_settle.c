/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a task: what the shim tells, what it left behind when it
 * died, and how either becomes the record.
 *
 * The shim writes its exit record before it tells anyone, so an exit is
 * never lost; hearing of it twice does no harm, since the task's state
 * says whether it was taken over.
 */
#include "config.h"

#include "runtime/task_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/workpool.h"

#define CLEANUP_TIMEOUT_MS 20000
#define RETRY_MS 1000
#define STATUS_KILLED (128 + SIGKILL)

int
task_say_start(struct task *task, struct skiff_error *err)
{
	cleanup_free char *doc = NULL;
	int64_t revision;

	assert(lock_is_held(&task->step));
	if (!task->is_start_unsaid)
		return 0;
	if (task_record_started(task, shim_client_init_pid(task->client), &doc,
				&revision, err) < 0)
		return -1;
	task->is_start_unsaid = false;
	return 0;
}

int
task_settle_exit(struct task *task, const struct shim_exit *exit,
		 const char *reason, struct skiff_error *err)
{
	assert(lock_is_held(&task->step));
	if (task->state == TASK_STOPPED || task->state == TASK_DELETED)
		return 0;
	if (fault_hit(FAULT_TASK_EXIT_BEFORE, err) < 0 ||
	    task_say_start(task, err) < 0 ||
	    task_record_exited(task, exit, reason, err) < 0)
		return err_wrap(err, "exit of task %s", task->id);
	task->state = TASK_STOPPED;
	return fault_hit(FAULT_TASK_EXIT_AFTER, err);
}

/*
 * Writes the record that the dead shim could not: followers of the log
 * take it as the end.
 */
static void
write_exit_record(const struct task *task, int dirfd,
		  const struct shim_exit *exit)
{
	struct skiff_error err = ERROR_INIT;
	char text[SHIM_TEXT_MAX];
	size_t len = shim_exit_format(exit, text);

	if (fs_replace_file(dirfd, SHIM_FILE_EXIT, text, len, 0600,
			    /* durable= */ false, &err) < 0)
		log_failure(LOG_WARN, &err, "task %s/%s, ignoring", task->ns,
			    task->id);
}

int
task_settle_lost(struct task *task, struct skiff_error *err)
{
	struct shim_exit exit = { .status = STATUS_KILLED };
	struct shim_place place = task_place(task);
	struct skiff_error unread = ERROR_INIT;
	const char *reason = NULL;
	cleanup_close int dirfd = -1;

	assert(lock_is_held(&task->step));
	if (shim_force_cleanup(&place, deadline_in_ms(CLEANUP_TIMEOUT_MS),
			       err) < 0)
		return err_wrap(err, "clean up task %s", task->id);
	dirfd = open(task->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 || shim_read_exit_record(dirfd, &exit, &unread) < 0) {
		exit.exited_ns = clock_realtime_ns();
		reason = "shim_lost";
		if (dirfd >= 0)
			write_exit_record(task, dirfd, &exit);
	}
	return task_settle_exit(task, &exit, reason, err);
}

/* One thing that was heard, to be dealt with where it may block. */
struct news {
	struct task *task;
	struct shim_client *client; /* whom it is about */
	struct shim_event event;    /* NONE: only that it was started */
};

static int
settle_once(const struct news *news, struct skiff_error *err)
{
	struct task *task = news->task;

	LOCK_SCOPE(&task->step);
	if (task->state == TASK_STOPPED || task->state == TASK_DELETED ||
	    news->client != task->client)
		return 0;
	if (news->event.type == SHIM_EVENT_EXITED)
		return task_settle_exit(task, &news->event.exit, NULL, err);
	if (news->event.type == SHIM_EVENT_GONE)
		return task_settle_lost(task, err);
	return task_say_start(task, err);
}

static void
news_free(struct news *news)
{
	shim_client_free(news->client);
	task_unref(news->task);
	free(news);
}

/* False when the daemon ends: the next one asks the shims. */
static bool
pause_before_retry(struct tasks *tasks)
{
	struct deadline deadline = deadline_in_ms(RETRY_MS);

	LOCK_SCOPE(&tasks->lock);
	while (!tasks->is_ending)
		if (!cond_wait(&tasks->ending, &tasks->lock, deadline))
			return true;
	return false;
}

/* The disk is full, or a process does not want to die: not for ever. */
static void
settle_again(void *arg)
{
	struct news *news = arg;

	for (;;) {
		struct skiff_error err = ERROR_INIT;

		if (!pause_before_retry(news->task->tasks) ||
		    settle_once(news, &err) == 0)
			break;
	}
	news_free(news);
}

static void
settle_news(void *arg)
{
	struct skiff_error err = ERROR_INIT;
	struct news *news = arg;
	struct task *task = news->task;

	if (settle_once(news, &err) == 0) {
		news_free(news);
		return;
	}
	log_failure(LOG_ERROR, &err, "task %s/%s, trying again", task->ns,
		    task->id);
	/* Slow ones leave threads to the news of other tasks. */
	workpool_add(task->tasks->pool, /* is_slow= */ true, settle_again,
		     news);
}

void
task_settle_later(struct task *task, struct shim_client *client,
		  const struct shim_event *event)
{
	struct news *news = xcalloc(1, sizeof(*news));

	news->task = task_ref(task);
	news->client = client ? shim_client_ref(client) : NULL;
	news->event = *event;
	workpool_add(task->tasks->pool, /* is_slow= */ false, settle_news,
		     news);
}

/* One run of a task, as the monitor hears it. */
struct run {
	struct task *task;
	struct shim_client *client;
};

static bool
hear_shim(void *arg)
{
	struct run *run = arg;
	struct shim_event event;

	shim_client_read_event(run->client, &event);
	if (event.type == SHIM_EVENT_NONE)
		return true;
	task_settle_later(run->task, run->client, &event);
	return event.type == SHIM_EVENT_EXITED;
}

static void
release_run(void *arg)
{
	struct run *run = arg;

	shim_client_free(run->client);
	task_unref(run->task);
	free(run);
}

static const struct monitor_ops shim_ops = {
	.hear = hear_shim,
	.release = release_run,
};

void
task_watch(struct task *task)
{
	struct run *run = xcalloc(1, sizeof(*run));

	assert(lock_is_held(&task->step));
	run->task = task_ref(task);
	run->client = shim_client_ref(task->client);
	monitor_watch(task->tasks->monitor, shim_client_event_fd(task->client),
		      &shim_ops, run);
}
