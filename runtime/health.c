/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health probes: a state machine on timers and the shim's news.
 *
 *	due → start the exec ─┬→ its exit → judge → due, after the interval
 *	                      └→ too late → SIGKILL → its exit → …
 *
 * Each step has a number; a timer of an earlier one finds that it is not
 * meant any more.
 */
#include "config.h"

#include "runtime/health.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/spec/health.h"
#include "runtime/task_internal.h"
#include "store/record.h"

#define PROBE_PREFIX "_health." /* no id that a client could give */
#define OUTPUT_MAX 4096
#define KILL_TIMEOUT_MS 5000

enum status { STARTING, HEALTHY, UNHEALTHY };

static const char *const status_names[] = { "starting", "healthy",
					    "unhealthy" };

struct health {
	struct health_wish wish;
	enum status status;
	int64_t streak;	      /* failures in a row */
	int64_t run_began_ns; /* monotonic */
	unsigned int number;  /* of the step that is due */
	bool is_probing;
	bool is_late; /* and killed for it */
	char probe[SHIM_EXEC_ID_MAX + 1];
	int64_t probe_began_ns;
};

/* What a probe came to. */
struct verdict {
	bool is_good;
	bool has_exit;
	int exit_status;
	const char *trouble; /* why there is no exit status, or no good one */
};

/* --- configuration ------------------------------------------------------- */

void
health_free(struct task *task)
{
	if (!task->health)
		return;
	health_done(&task->health->wish);
	free(task->health);
	task->health = NULL;
}

void
health_configure(struct task *task, const json_t *container)
{
	struct json_faults ignored = JSON_FAULTS_INIT;
	unsigned int number = task->health ? task->health->number : 0;
	struct health_wish wish;

	/* Checked when it came. */
	health_decode(json_object_get(container, "health"), "", &wish,
		      &ignored);
	json_faults_done(&ignored);
	health_free(task);
	if (wish.args.n == 0) {
		health_done(&wish);
		return;
	}
	task->health = xcalloc(1, sizeof(*task->health));
	task->health->wish = wish;
	task->health->number = number + 1;
}

/* --- the record ---------------------------------------------------------- */

static json_t *
to_json(const struct health *health)
{
	return json_pack("{s:s, s:I}", "status", status_names[health->status],
			 "failing_streak", (json_int_t)health->streak);
}

void
health_note_start(const struct task *task, json_t *object)
{
	static const struct health fresh = { .status = STARTING };

	if (task->health)
		(void)json_object_set_new(object, "health", to_json(&fresh));
	else
		(void)json_object_del(object, "health");
}

struct write {
	const struct task *task;
	const json_t *last;
};

static int
say_closure(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct write *write = arg;
	const struct task *task = write->task;
	struct record_ref ref = { RECORD_TASK, task->ns, task->id };
	cleanup_json json_t *event =
	    json_pack("{s:s, s:s, s:I, s:O}", "container_id", task->id,
		      "status", status_names[task->health->status],
		      "failing_streak", (json_int_t)task->health->streak,
		      "last", write->last);
	struct change change = { .verb = "health", .event = event };
	cleanup_json json_t *object = NULL;
	json_t *health = to_json(task->health);

	(void)json_object_set(health, "last", (json_t *)write->last);
	if (record_load(tx_conn(tx), &ref, &object, err) < 0) {
		json_decref(health);
		return -1;
	}
	(void)json_object_set_new(object, "health", health);
	return record_update(tx, &ref, object, &change, err);
}

/* --- what is due next ------------------------------------------------------
 */

struct due {
	struct task *task;
	unsigned int number;
};

static void run_due(void *arg);

static void
drop_due(void *arg)
{
	struct due *due = arg;

	task_unref(due->task);
	free(due);
}

static void
schedule(struct task *task, int64_t delay_ns)
{
	static const struct timer_ops ops = {
		.is_slow = true,
		.run = run_due,
		.drop = drop_due,
	};
	struct due *due = xcalloc(1, sizeof(*due));

	assert(lock_is_held(&task->step));
	due->task = task_ref(task);
	due->number = ++task->health->number;
	timers_add(task->tasks->timers, deadline_in_ms(delay_ns / NS_PER_MS),
		   &ops, due);
}

static bool
is_in_start_period(const struct health *health)
{
	return health->status == STARTING &&
	       clock_monotonic_ns() - health->run_began_ns <
		   health->wish.start_period_ns;
}

static void
schedule_probe(struct task *task)
{
	const struct health *health = task->health;

	schedule(task, is_in_start_period(health)
			   ? health->wish.start_interval_ns
			   : health->wish.interval_ns);
}

/* --- judging ---------------------------------------------------------------
 */

static char *
probe_dir(const struct task *task)
{
	return xasprintf("%s/" SHIM_EXECS_DIR "/%s", task->dir,
			 task->health->probe);
}

/* The first of what it wrote, as text. */
static char *
read_output(const struct task *task)
{
	cleanup_free char *dir = probe_dir(task);
	cleanup_free char *path = xasprintf("%s/" SHIM_FILE_LOG, dir);
	char *text = xcalloc(1, OUTPUT_MAX + 1);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : pread(fd, text, OUTPUT_MAX, 0);

	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = '?';
	utf8_repair(text);
	return text;
}

static json_t *
describe(const struct task *task, const struct verdict *verdict)
{
	cleanup_free char *output = read_output(task);
	json_t *last = json_object();

	json_set_time(last, "started_at", task->health->probe_began_ns);
	json_set_time(last, "ended_at", clock_realtime_ns());
	if (verdict->has_exit)
		json_set_int(last, "exit_status", verdict->exit_status);
	json_set_text(last, "output",
		      verdict->trouble ? verdict->trouble : output);
	return last;
}

/* True when the record shall hear of it. */
static bool
judge(struct health *health, bool is_good)
{
	enum status before = health->status;

	if (is_good) {
		bool was_failing = health->streak > 0;

		health->streak = 0;
		health->status = HEALTHY;
		return before != HEALTHY || was_failing;
	}
	if (is_in_start_period(health))
		return false;
	health->streak++;
	if (health->streak >= health->wish.retries)
		health->status = UNHEALTHY;
	return health->status != before ||
	       health->streak <= health->wish.retries;
}

static void
conclude(struct task *task, const struct verdict *verdict)
{
	struct health *health = task->health;
	struct health before = *health;
	cleanup_json json_t *last = describe(task, verdict);
	cleanup_free char *dir = probe_dir(task);
	struct write write = { .task = task, .last = last };
	struct skiff_error err = ERROR_INIT;

	health->is_probing = false;
	if (fs_remove_tree(AT_FDCWD, dir, &err) < 0)
		log_failure(LOG_WARN, &err, "probe of task %s/%s, ignoring",
			    task->ns, task->id);
	if (judge(health, verdict->is_good) &&
	    db_write(task->tasks->db, say_closure, &write, &err) < 0) {
		/* The next probe says it. */
		log_failure(LOG_ERROR, &err, "health of task %s/%s", task->ns,
			    task->id);
		health->status = before.status;
		health->streak = before.streak;
	}
	schedule_probe(task);
}

/* --- probing ---------------------------------------------------------------
 */

/* The container's process, with other words to run. */
static int
write_process(const struct task *task, const char *dir, struct skiff_error *err)
{
	cleanup_json json_t *spec = NULL;
	cleanup_free char *text = NULL;
	cleanup_close int fd = -1;
	json_t *args;
	json_t *process;

	if (task_load_spec(task, &spec, err) < 0)
		return -1;
	args = json_array();
	for (size_t i = 0; i < task->health->wish.args.n; i++)
		(void)json_array_append_new(
		    args, json_string(task->health->wish.args.items[i]));
	process = json_object_get(spec, "process");
	(void)json_object_set_new(process, "args", args);
	(void)json_object_del(process, "consoleSize");
	json_set_bool(process, "terminal", false);
	text = json_text(process);
	if (fs_mkdir_all(AT_FDCWD, dir, 0700, err) < 0 ||
	    fs_open_dir(AT_FDCWD, dir, /* create= */ false, 0, &fd, err) < 0)
		return -1;
	return fs_create_file(fd, SHIM_FILE_PROCESS, text, strlen(text), 0600,
			      err);
}

static void
fail(struct task *task, const char *trouble)
{
	struct verdict verdict = { .trouble = trouble };

	conclude(task, &verdict);
}

static bool
is_present(const struct task *task, const char *probe)
{
	const struct health *health = task->health;

	return health && health->is_probing &&
	       strcmp(health->probe, probe) == 0;
}

/*
 * The runtime takes its time, in which the task can be stopped: then what
 * was started is not wanted any more.
 */
static int
start_exec(struct task *task, const char *probe, struct skiff_error *err)
{
	struct skiff_error ended = ERROR_INIT;
	struct shim_client *client = shim_client_ref(task->client);
	struct shim_exec_options options = { .id = probe };
	struct deadline deadline = deadline_in_ms(TASK_STEP_TIMEOUT_MS);
	pid_t pid;
	int r;

	lock_release(&task->step);
	r = shim_exec_start(client, &options, deadline, &pid, err);
	lock_take(&task->step);
	if (r == 0 && !is_present(task, probe))
		(void)shim_exec_kill(client, probe, SIGKILL,
				     deadline_in_ms(KILL_TIMEOUT_MS), &ended);
	shim_client_free(client);
	return r;
}

static void
start_probe(struct task *task)
{
	struct health *health = task->health;
	char probe[sizeof(health->probe)];
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *dir = NULL;
	int r;

	(void)snprintf(probe, sizeof(probe), PROBE_PREFIX "%u", health->number);
	memcpy(health->probe, probe, sizeof(probe));
	health->is_probing = true;
	health->is_late = false;
	health->probe_began_ns = clock_realtime_ns();
	dir = probe_dir(task);
	if (write_process(task, dir, &err) < 0) {
		fail(task, err.text);
		return;
	}
	r = start_exec(task, probe, &err);
	if (!is_present(task, probe))
		return;
	if (r < 0)
		fail(task, err.text);
	else
		schedule(task, task->health->wish.timeout_ns);
}

/* Kills what is too late; what does not even die is let go. */
static void
end_probe(struct task *task)
{
	struct health *health = task->health;
	struct deadline deadline = deadline_in_ms(KILL_TIMEOUT_MS);
	struct skiff_error err = ERROR_INIT;
	bool was_late = health->is_late;

	health->is_late = true;
	if (was_late || shim_exec_kill(task->client, health->probe, SIGKILL,
				       deadline, &err) < 0)
		fail(task, "did not end in time, nor when it was killed");
	else
		schedule(task, KILL_TIMEOUT_MS * NS_PER_MS);
}

static void
run_due(void *arg)
{
	struct due *due = arg;
	struct task *task = due->task;

	lock_take(&task->step);
	if (!task->health || task->health->number != due->number ||
	    !task->client)
		goto out;
	if (task->health->is_probing)
		end_probe(task);
	else if (task->state == TASK_RUNNING)
		start_probe(task);
	else
		schedule_probe(task);
out:
	lock_release(&task->step);
	drop_due(due);
}

/* --- from outside ----------------------------------------------------------
 */

void
health_begin(struct task *task)
{
	if (!task->health)
		return;
	task->health->run_began_ns = clock_monotonic_ns();
	schedule_probe(task);
}

void
health_end(struct task *task)
{
	if (!task->health)
		return;
	task->health->is_probing = false;
	task->health->number++;
}

void
health_resume(struct task *task)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct record_ref ref = { RECORD_TASK, task->ns, task->id };
	struct skiff_error unknown = ERROR_INIT;
	cleanup_json json_t *object = NULL;
	const json_t *was;

	if (!task->health || record_load(conn, &ref, &object, &unknown) < 0)
		return;
	was = json_object_get(object, "health");
	for (size_t i = 0; i < ARRAY_SIZE(status_names); i++)
		if (strcmp(json_get_text(was, "status"), status_names[i]) == 0)
			task->health->status = (enum status)i;
	task->health->streak = json_get_int(was, "failing_streak", 0);
	health_begin(task);
}

bool
health_is_probe(const char *exec_id)
{
	return strncmp(exec_id, PROBE_PREFIX, strlen(PROBE_PREFIX)) == 0;
}

int
health_hear_exit(struct task *task, const struct shim_event *event,
		 struct skiff_error *err)
{
	struct verdict verdict = {
		.is_good = event->exit.status == 0,
		.has_exit = true,
		.exit_status = (int)event->exit.status,
	};

	struct health *health;

	(void)err;
	LOCK_SCOPE(&task->step);
	health = task->health;
	if (!health || !health->is_probing ||
	    strcmp(health->probe, event->exec_id) != 0)
		return 0;
	/* It dies with its task, or is about to: that says nothing. */
	if (task->kill_at_ns || !task_is_live(task)) {
		health->is_probing = false;
		return 0;
	}
	if (health->is_late) {
		verdict.is_good = false;
		verdict.trouble = "did not end in time";
	}
	conclude(task, &verdict);
	return 0;
}
