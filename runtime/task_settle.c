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

#include "runtime/bundle.h"
#include "runtime/health.h"
#include "runtime/restart.h"
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

static int
say_restart(struct task *task, struct skiff_error *err)
{
	struct skiff_error unsaid = ERROR_INIT;

	if (fault_hit(FAULT_TASK_RESTART_ROW_BEFORE, err) < 0 ||
	    task_record_restarted(task, err) < 0)
		return -1;
	(void)fault_hit(FAULT_TASK_RESTART_ROW_AFTER, &unsaid);
	execs_forget_all(task);
	return 0;
}

int
task_say_start(struct task *task, struct skiff_error *err)
{
	cleanup_free char *doc = NULL;
	int64_t revision;

	assert(lock_is_held(&task->step));
	if (!task->is_start_unsaid)
		return 0;
	if (task->is_restart_unsaid
		? say_restart(task, err) < 0
		: task_record_started(task, shim_client_init_pid(task->client),
				      &doc, &revision, err) < 0)
		return -1;
	task->is_start_unsaid = task->is_restart_unsaid = false;
	task->is_restart_asked = task->is_stop_wanted = false;
	return 0;
}

int
task_settle_exit(struct task *task, const struct shim_exit *exit,
		 const char *reason, struct skiff_error *err)
{
	int64_t delay_ms;

	assert(lock_is_held(&task->step));
	if (task->state == TASK_STOPPED || task->state == TASK_DELETED)
		return 0;
	if (fault_hit(FAULT_TASK_EXIT_BEFORE, err) < 0 ||
	    task_say_start(task, err) < 0 ||
	    execs_settle_all(task, reason, err) < 0 ||
	    task_record_exited(task, exit, reason, &delay_ms, err) < 0)
		return err_wrap(err, "exit of task %s", task->id);
	task->state = TASK_STOPPED;
	health_end(task);
	task->kill_at_ns = 0;
	restart_schedule(task, delay_ms);
	return fault_hit(FAULT_TASK_EXIT_AFTER, err);
}

static int
open_dir(const struct task *task)
{
	return open(task->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool
task_read_exit(const struct task *task, struct shim_exit *ret_exit)
{
	struct skiff_error unread = ERROR_INIT;
	cleanup_close int dirfd = open_dir(task);

	return dirfd >= 0 &&
	       shim_read_exit_record(dirfd, ret_exit, &unread) == 0;
}

void
task_write_exit(const struct task *task, const struct shim_exit *exit)
{
	cleanup_close int dirfd = open_dir(task);
	struct skiff_error err = ERROR_INIT;
	char text[SHIM_TEXT_MAX];
	size_t len = shim_exit_format(exit, text);

	if (dirfd < 0)
		return;
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
	const char *reason = NULL;

	assert(lock_is_held(&task->step));
	if (shim_force_cleanup(&place, deadline_in_ms(CLEANUP_TIMEOUT_MS),
			       err) < 0)
		return err_wrap(err, "clean up task %s", task->id);
	if (!task_read_exit(task, &exit)) {
		exit.exited_ns = clock_realtime_ns();
		reason = "shim_lost";
		/* The dead shim could not. */
		task_write_exit(task, &exit);
	}
	return task_settle_exit(task, &exit, reason, err);
}

int
task_settle_rebooted(struct task *task, struct skiff_error *err)
{
	struct shim_exit exit = { .status = STATUS_KILLED };
	struct shim_place place = task_place(task);
	const char *reason = NULL;

	assert(lock_is_held(&task->step));
	/* The pid in there is another's now. */
	if (bundle_forget_shim(task->dir, err) < 0 ||
	    shim_force_cleanup(&place, deadline_in_ms(CLEANUP_TIMEOUT_MS),
			       err) < 0)
		return err_wrap(err, "clean up task %s", task->id);
	if (!task_read_exit(task, &exit)) {
		exit.exited_ns = clock_realtime_ns();
		reason = "host_reboot";
		task_write_exit(task, &exit);
	}
	return task_settle_exit(task, &exit, reason, err);
}

/* One thing that was heard, to be dealt with where it may block. */
struct news {
	struct task *task;
	struct shim_client *client; /* whom it is about */
	struct shim_event event;    /* NONE: only that it was started */
	bool is_told;		    /* in the log, that it fails */
};

static int
settle_once(const struct news *news, struct skiff_error *err)
{
	struct task *task = news->task;

	if (news->event.type == SHIM_EVENT_EXEC_EXITED)
		return health_is_probe(news->event.exec_id)
			   ? health_hear_exit(task, &news->event, err)
			   : exec_hear_exit(task, &news->event, err);
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
news_free(void *arg)
{
	struct news *news = arg;

	shim_client_free(news->client);
	task_unref(news->task);
	free(news);
}

/*
 * The disk is full, or a process does not want to die: not for ever. At
 * the daemon's end it is dropped, for the next one asks the shims.
 */
static void
settle_news(void *arg)
{
	static const struct timer_ops again = {
		.is_slow = true,
		.run = settle_news,
		.drop = news_free,
	};
	struct skiff_error err = ERROR_INIT;
	struct news *news = arg;
	struct task *task = news->task;

	if (settle_once(news, &err) == 0) {
		news_free(news);
		return;
	}
	if (!news->is_told)
		log_failure(LOG_ERROR, &err, "task %s/%s, trying again",
			    task->ns, task->id);
	news->is_told = true;
	timers_add(task->tasks->timers, deadline_in_ms(RETRY_MS), &again, news);
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
	return event.type != SHIM_EVENT_GONE;
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
	task_oom_watch(task);
}
