/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restarts: who comes back, when, and the new run itself.
 */
#include "config.h"

#include "runtime/restart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/health.h"
#include "runtime/logs/reader.h"
#include "runtime/spec/restart_policy.h"
#include "runtime/spec/wishes.h"
#include "runtime/task_internal.h"
#include "store/record.h"

#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 60000
#define RUN_GOOD_NS (10 * NS_PER_SECOND)
#define DELAY_UNRECORDED_MS 1000

/* --- whether and when ---------------------------------------------------- */

static int
load_container(struct conn *conn, const struct task *task,
	       json_t **ret_container, struct skiff_error *err)
{
	struct record_ref ref = { RECORD_CONTAINER, task->ns, task->id };

	return record_load(conn, &ref, ret_container, err);
}

static int
load_policy(struct conn *conn, const struct task *task,
	    struct restart_policy *ret_policy, struct skiff_error *err)
{
	cleanup_json json_t *container = NULL;

	if (load_container(conn, task, &container, err) < 0)
		return -1;
	*ret_policy = restart_policy_of(container);
	return 0;
}

static bool
is_wanted_back(const struct task *task, struct restart_policy policy,
	       const json_t *object)
{
	int64_t retries =
	    json_get_int(json_object_get(object, "restart"), "retries", 0);

	/* One that never ran was never to be kept running. */
	if (task->is_stop_wanted || !json_object_get(object, "started_at"))
		return false;
	switch (policy.rule) {
	case RESTART_NO:
		return false;
	case RESTART_ON_FAILURE:
		return json_get_int(object, "exit_status", 0) != 0 &&
		       (policy.max_retries == 0 ||
			retries < policy.max_retries);
	case RESTART_UNLESS_STOPPED:
	case RESTART_ALWAYS:
		return true;
	}
	return false;
}

static int64_t
time_of(const json_t *object, const char *key)
{
	int64_t at_ns;

	return rfc3339_parse(json_get_text(object, key), &at_ns) ? at_ns : 0;
}

static int64_t
next_delay(const json_t *restart, bool begins_anew)
{
	double seconds = json_number_value(json_object_get(restart, "delay"));
	int64_t delay_ms = (int64_t)(seconds * 1000.0 + 0.5) * 2;

	if (begins_anew || delay_ms < DELAY_FIRST_MS)
		return DELAY_FIRST_MS;
	return delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;
}

/* The object's "restart", made when it has none; borrowed. */
static json_t *
restart_of(json_t *object)
{
	json_t *restart = json_object_get(object, "restart");

	if (restart)
		return restart;
	restart = json_pack("{s:i, s:f}", "retries", 0, "delay", 0.0);
	(void)json_object_set_new(object, "restart", restart);
	return restart;
}

static void
plan(json_t *object, bool begins_anew, int64_t *ret_delay_ms)
{
	json_t *restart = restart_of(object);
	int64_t delay_ms = next_delay(restart, begins_anew);

	json_set_int(restart, "retries",
		     json_get_int(restart, "retries", 0) + 1);
	(void)json_object_set_new(restart, "delay",
				  json_real((double)delay_ms / 1000.0));
	json_set_time(restart, "at",
		      clock_realtime_ns() + delay_ms * NS_PER_MS);
	*ret_delay_ms = delay_ms;
}

void
restart_plan_now(json_t *object)
{
	json_set_time(restart_of(object), "at", clock_realtime_ns());
}

int
restart_plan_exit(struct conn *conn, const struct task *task, json_t *object,
		  int64_t *ret_delay_ms, struct skiff_error *err)
{
	int64_t ran_ns =
	    time_of(object, "exited_at") - time_of(object, "started_at");
	struct restart_policy policy;

	*ret_delay_ms = RESTART_NEVER;
	if (task->is_restart_asked) {
		restart_plan_now(object);
		*ret_delay_ms = 0;
		return 0;
	}
	if (load_policy(conn, task, &policy, err) < 0)
		return -1;
	if (is_wanted_back(task, policy, object))
		plan(object, ran_ns >= RUN_GOOD_NS, ret_delay_ms);
	return 0;
}

int
restart_plan_retry(struct conn *conn, const struct task *task, json_t *object,
		   int64_t *ret_delay_ms, struct skiff_error *err)
{
	json_t *restart = restart_of(object);
	struct restart_policy policy;

	*ret_delay_ms = RESTART_NEVER;
	(void)json_object_del(restart, "at");
	if (load_policy(conn, task, &policy, err) < 0)
		return -1;
	/* A try that failed counts as a run that did, whatever was before. */
	json_set_int(object, "exit_status",
		     json_get_int(object, "exit_status", 0));
	if (is_wanted_back(task, policy, object))
		plan(object, /* begins_anew= */ false, ret_delay_ms);
	return 0;
}

/* --- the new run --------------------------------------------------------- */

int
task_clear_run(struct task *task, struct skiff_error *err)
{
	struct deadline deadline = deadline_in_ms(TASK_STEP_TIMEOUT_MS);
	struct shim_place place = task_place(task);
	struct skiff_error gone = ERROR_INIT;
	struct shim_exit exit;

	if (!task->client || shim_delete(task->client, /* force= */ true,
					 deadline, &exit, &gone) < 0)
		if (shim_force_cleanup(&place, deadline, err) < 0)
			return -1;
	shim_client_free(task->client);
	task->client = NULL;
	return 0;
}

static int
make_run(struct task *task, struct skiff_error *err)
{
	struct deadline deadline = deadline_in_ms(TASK_STEP_TIMEOUT_MS);
	struct skiff_error undo = ERROR_INIT;

	if (task_clear_run(task, err) < 0 ||
	    fault_hit(FAULT_TASK_RESTART_CLEARED, err) < 0 ||
	    task_spawn(task, /* is_renewal= */ true, err) < 0)
		return -1;
	if (fault_hit(FAULT_TASK_START_BEFORE, err) == 0 &&
	    shim_start(task->client, deadline, err) == 0)
		return 0;
	if (task_clear_run(task, &undo) < 0)
		log_failure(LOG_ERROR, &undo, "undo restart of task %s/%s",
			    task->ns, task->id);
	return -1;
}

static void
bring_up(struct task *task, struct skiff_error *err, bool *ret_is_up)
{
	static const struct shim_event started = { .type = SHIM_EVENT_NONE };
	struct skiff_error unsaid = ERROR_INIT;
	struct shim_exit exit = { .status = 0 };
	bool has_exit = task_read_exit(task, &exit);

	*ret_is_up = make_run(task, err) == 0;
	if (!*ret_is_up) {
		/* Followers of the log see that nothing comes. */
		if (has_exit)
			task_write_exit(task, &exit);
		return;
	}
	if (task->is_restart_asked) {
		json_decref(task->resources);
		task->resources = NULL;
	}
	task->state = TASK_RUNNING;
	task->is_start_unsaid = task->is_restart_unsaid = true;
	(void)fault_hit(FAULT_TASK_START_AFTER, &unsaid);
	task_watch(task);
	health_begin(task);
	if (task_say_start(task, &unsaid) < 0) {
		log_failure(LOG_ERROR, &unsaid, "restart of task %s/%s",
			    task->ns, task->id);
		task_settle_later(task, task->client, &started);
	}
}

static void
note_failure(struct task *task, const struct skiff_error *why)
{
	struct skiff_error err = ERROR_INIT;
	int64_t delay_ms = DELAY_UNRECORDED_MS;

	log_failure(LOG_ERROR, why, "restart of task %s/%s", task->ns,
		    task->id);
	if (fault_hit(FAULT_TASK_RESTART_FAILED_BEFORE, &err) < 0 ||
	    task_record_restart_failed(task, why, &delay_ms, &err) < 0)
		/* Who asked is still waiting: the next try is for them, too. */
		log_failure(LOG_ERROR, &err, "restart of task %s/%s", task->ns,
			    task->id);
	else
		task->is_restart_asked = false;
	(void)fault_hit(FAULT_TASK_RESTART_FAILED_AFTER, &err);
	restart_schedule(task, delay_ms);
}

/* The policy may have been changed while the task waited. */
static bool
is_still_wanted(const struct task *task)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct skiff_error ignored = ERROR_INIT;
	struct restart_policy policy;

	if (task->is_restart_asked)
		return true;
	return load_policy(conn, task, &policy, &ignored) == 0 &&
	       policy.rule != RESTART_NO;
}

static void
come_back(struct task *task)
{
	struct skiff_error err = ERROR_INIT;
	bool is_up;

	task->is_restart_due = false;
	if (!is_still_wanted(task)) {
		restart_expect(task, false);
		if (task_record_restart_dropped(task, &err) < 0)
			log_failure(LOG_WARN, &err, "task %s/%s, ignoring",
				    task->ns, task->id);
		return;
	}
	bring_up(task, &err, &is_up);
	if (!is_up)
		note_failure(task, &err);
}

void
restart_expect(const struct task *task, bool is_expected)
{
	cleanup_free char *path = xasprintf("%s/" LOG_FILE_AGAIN, task->dir);
	cleanup_close int fd = -1;

	if (is_expected) {
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0)
			return;
	} else if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR) {
		return;
	}
	log_warn("%s: %s, ignoring", path, strerrorname_np(errno));
}

/* --- when it is due --------------------------------------------------------
 */

/* A timer cannot be taken back: the number says whether it is still meant. */
struct due {
	struct task *task;
	unsigned int number;
};

static void
drop_due(void *arg)
{
	struct due *due = arg;

	task_unref(due->task);
	free(due);
}

static void
run_due(void *arg)
{
	struct due *due = arg;
	struct task *task = due->task;

	lock_take(&task->step);
	if (task->state == TASK_STOPPED && task->is_restart_due &&
	    task->restart_number == due->number)
		come_back(task);
	lock_release(&task->step);
	drop_due(due);
}

void
restart_schedule(struct task *task, int64_t delay_ms)
{
	static const struct timer_ops ops = {
		.is_slow = true,
		.run = run_due,
		.drop = drop_due,
	};
	struct due *due;

	assert(lock_is_held(&task->step));
	task->restart_number++;
	task->is_restart_due = delay_ms != RESTART_NEVER;
	restart_expect(task, task->is_restart_due);
	if (!task->is_restart_due)
		return;
	due = xcalloc(1, sizeof(*due));
	due->task = task_ref(task);
	due->number = task->restart_number;
	timers_add(task->tasks->timers, deadline_in_ms(delay_ms), &ops, due);
}

/* --- what people want ------------------------------------------------------
 */

bool
restart_is_stop_signal(const struct task *task, int signal)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct skiff_error ignored = ERROR_INIT;
	cleanup_json json_t *container = NULL;

	switch (signal) {
	case SIGKILL:
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		return true;
	default:
		break;
	}
	return load_container(conn, task, &container, &ignored) == 0 &&
	       signal_number(json_get_text(container, "stop_signal")) == signal;
}

int
restart_note_stop(struct task *task, struct skiff_error *err)
{
	bool was_due = task->is_restart_due || task->is_restart_asked;
	struct restart_policy policy;
	struct conn *conn;
	int r;

	assert(lock_is_held(&task->step));
	if (task->is_stop_wanted && !was_due)
		return 0;
	conn = db_reader_get(task->tasks->db);
	r = load_policy(conn, task, &policy, err);
	db_reader_put(conn);
	if (r < 0)
		return -1;
	if ((was_due || policy.rule != RESTART_NO) &&
	    task_record_stop_wanted(task, err) < 0)
		return -1;
	task->is_stop_wanted = true;
	task->is_restart_asked = false;
	restart_schedule(task, RESTART_NEVER);
	return 0;
}

int
restart_ask(struct task *task, struct skiff_error *err)
{
	struct skiff_error unsaid = ERROR_INIT;

	assert(lock_is_held(&task->step));
	if (task_record_restart_wanted(task, err) < 0)
		return -1;
	task->is_stop_wanted = false;
	task->is_restart_asked = true;
	(void)fault_hit(FAULT_TASK_RESTART_ASK_AFTER, &unsaid);
	restart_schedule(task, 0);
	return 0;
}

/* --- after a restart of the daemon -----------------------------------------
 */

void
restart_recover(struct task *task)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct record_ref ref = { RECORD_TASK, task->ns, task->id };
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *object = NULL;
	struct restart_policy policy;
	int64_t at_ns;
	int64_t left_ms;

	if (task->state != TASK_STOPPED)
		return;
	if (record_load(conn, &ref, &object, &err) < 0 ||
	    load_policy(conn, task, &policy, &err) < 0) {
		log_failure(LOG_WARN, &err, "restart of task %s/%s", task->ns,
			    task->id);
		return;
	}
	at_ns = time_of(json_object_get(object, "restart"), "at");
	if (at_ns > 0) {
		left_ms = (at_ns - clock_realtime_ns()) / NS_PER_MS;
		/* The clock may have been set: no pause is longer. */
		restart_schedule(task, left_ms < 0		? 0
				       : left_ms < DELAY_MAX_MS ? left_ms
								: DELAY_MAX_MS);
		return;
	}
	if (json_object_get(object, "started_at") &&
	    (policy.rule == RESTART_ALWAYS ||
	     (policy.rule == RESTART_UNLESS_STOPPED && !task->is_stop_wanted)))
		restart_schedule(task, 0);
}
