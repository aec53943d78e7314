/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sampler. A series is what is known of one task while somebody asks
 * for it: the newest figures, and the processor time at the ends of the
 * last seconds. A job of the pool takes the samples, and leaves itself a
 * timer for the next ones as long as there is a series.
 */
#include "config.h"

#include "runtime/metrics_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/workpool.h"
#include "runtime/cgroup/file.h"
#include "runtime/cgroup/stats.h"
#include "store/record.h"

#define N_POINTS 64
#define FORGET_NS (30 * NS_PER_SECOND)

struct point {
	int64_t at_ns; /* monotonic */
	int64_t cpu_usage_ns;
};

/* All guarded by the metrics' lock. */
struct series {
	struct series *next;
	struct task *task; /* a reference */
	struct cgroup_stats stats;
	int64_t at_ns; /* of stats: monotonic, and for people */
	int64_t realtime_ns;
	struct point points[N_POINTS]; /* a ring, the newest at n - 1 */
	uint64_t n_points;
	int64_t started_ns; /* wall clock; 0: not known */
	int64_t asked_ns;   /* monotonic */
	bool has_ended;
	struct metrics_reader *readers;
};

struct metrics_reader {
	struct metrics *metrics;
	struct series *series;
	struct metrics_reader *next; /* guarded by the lock */
	struct metrics_wish wish;    /* without the names */
	int64_t told_ns;	     /* what was given last */
};

static const struct timer_ops sampling;

/* --- samples ------------------------------------------------------------ */

struct sample {
	struct cgroup_stats stats;
	int64_t at_ns;
	int64_t realtime_ns;
	bool is_there; /* else the task has ended */
};

static void
take_sample(const struct task *task, struct sample *ret_sample)
{
	struct skiff_error gone = ERROR_INIT;
	struct cgroup_dirs dirs;

	ret_sample->is_there =
	    task_cgroups(task, &dirs, &gone) == 0 && cgroup_exists(&dirs);
	if (ret_sample->is_there)
		cgroup_stats_read(&dirs, &ret_sample->stats);
	/* What is left of an ended one is its figures. */
	if (ret_sample->stats.pids == 0)
		ret_sample->is_there = false;
	ret_sample->at_ns = clock_monotonic_ns();
	ret_sample->realtime_ns = clock_realtime_ns();
}

static const struct point *
point_at(const struct series *series, uint64_t number)
{
	return &series->points[number % N_POINTS];
}

static void
add_sample_locked(struct series *series, const struct sample *sample)
{
	const struct point *last = point_at(series, series->n_points - 1);

	if (!sample->is_there) {
		series->has_ended = true;
		series->n_points = 0;
		return;
	}
	/* Another one was quicker. */
	if (series->n_points > 0 && sample->at_ns <= last->at_ns)
		return;
	/* A new run begins at nothing. */
	if (series->n_points > 0 &&
	    sample->stats.cpu_usage_ns < last->cpu_usage_ns)
		series->n_points = 0;
	series->has_ended = false;
	series->stats = sample->stats;
	series->at_ns = sample->at_ns;
	series->realtime_ns = sample->realtime_ns;
	series->points[series->n_points++ % N_POINTS] =
	    (struct point){ sample->at_ns, sample->stats.cpu_usage_ns };
}

/* --- series --------------------------------------------------------------- */

static struct series *
find_locked(struct metrics *metrics, const struct task *task)
{
	for (struct series *s = metrics->first; s; s = s->next)
		if (s->task == task)
			return s;
	return NULL;
}

void
metrics_run_locked(struct metrics *metrics)
{
	if (metrics->is_running)
		return;
	metrics->is_running = true;
	timers_add(metrics->tasks->timers,
		   deadline_in_ms(METRICS_PERIOD_NS / NS_PER_MS), &sampling,
		   metrics);
}

/* The task's series, and the sampler at work. */
static struct series *
get_series_locked(struct metrics *metrics, struct task *task)
{
	struct series *series = find_locked(metrics, task);

	assert(lock_is_held(&metrics->lock));
	if (!series) {
		series = xcalloc(1, sizeof(*series));
		series->task = task_ref(task);
		series->next = metrics->first;
		metrics->first = series;
	}
	series->asked_ns = clock_monotonic_ns();
	metrics_run_locked(metrics);
	return series;
}

static void
series_free(struct series *series)
{
	task_unref(series->task);
	free(series);
}

/* Drops what nobody has asked for in a while. */
static void
forget_locked(struct metrics *metrics)
{
	int64_t now_ns = clock_monotonic_ns();
	struct series **link = &metrics->first;
	struct series *series;

	while ((series = *link) != NULL) {
		int64_t keep_ns =
		    FORGET_NS +
		    metrics_rounds_longest_locked(metrics, series->task->ns);
		bool is_wanted =
		    now_ns - series->asked_ns < keep_ns && !series->has_ended;

		if (is_wanted || series->readers) {
			link = &series->next;
			continue;
		}
		*link = series->next;
		series_free(series);
	}
}

/* References to all whose turn it is; the caller drops and frees. */
static size_t
list_tasks_locked(struct metrics *metrics, struct task ***ret_tasks)
{
	size_t n = 0;

	for (struct series *s = metrics->first; s; s = s->next)
		n++;
	*ret_tasks = xcalloc(n + 1, sizeof(struct task *));
	n = 0;
	for (struct series *s = metrics->first; s; s = s->next)
		(*ret_tasks)[n++] = task_ref(s->task);
	return n;
}

static void
sample_task(struct metrics *metrics, struct task *task)
{
	struct sample sample = { 0 };
	struct series *series;

	take_sample(task, &sample);
	LOCK_SCOPE(&metrics->lock);
	series = find_locked(metrics, task);
	if (!series)
		return;
	add_sample_locked(series, &sample);
	for (struct metrics_reader *r = series->readers; r; r = r->next)
		r->wish.wake(r->wish.arg);
}

static void
sample_all(void *arg)
{
	struct deadline next = deadline_in_ms(METRICS_PERIOD_NS / NS_PER_MS);
	cleanup_free struct task **tasks = NULL;
	struct metrics *metrics = arg;
	bool goes_on;
	size_t n;

	lock_take(&metrics->lock);
	forget_locked(metrics);
	n = list_tasks_locked(metrics, &tasks);
	goes_on = metrics->is_running = n > 0 || metrics->rounds;
	lock_release(&metrics->lock);
	for (size_t i = 0; i < n; i++) {
		sample_task(metrics, tasks[i]);
		task_unref(tasks[i]);
	}
	metrics_rounds_make(metrics);
	if (goes_on)
		timers_add(metrics->tasks->timers, next, &sampling, metrics);
}

static void
drop_sampling(void *arg)
{
	(void)arg;
}

static const struct timer_ops sampling = {
	.is_slow = true,
	.run = sample_all,
	.drop = drop_sampling,
};

/* --- figures -------------------------------------------------------------- */

static void
set_known(json_t *json, const char *key, int64_t value)
{
	if (value >= 0)
		json_set_int(json, key, value);
}

/* The newest point that is that old, or the oldest that there is. */
static const struct point *
point_before(const struct series *series, int64_t at_ns)
{
	uint64_t oldest =
	    series->n_points > N_POINTS ? series->n_points - N_POINTS : 0;
	uint64_t i = series->n_points - 1;

	while (i > oldest && point_at(series, i)->at_ns > at_ns)
		i--;
	return point_at(series, i);
}

/* 100 is one processor, over the window or as much of it as is known. */
static void
add_percent(json_t *cpu, const struct series *series, int64_t window_ns)
{
	const struct point *then =
	    point_before(series, series->at_ns - window_ns + METRICS_SLACK_NS);
	int64_t used_ns = series->stats.cpu_usage_ns - then->cpu_usage_ns;
	int64_t elapsed_ns = series->at_ns - then->at_ns;
	double percent;

	if (series->stats.cpu_usage_ns < 0)
		return;
	/*
	 * No history yet: since it was started, unless that was just now, when
	 * most of it is the runtime's of before.
	 */
	if (elapsed_ns <= 0 && series->started_ns) {
		used_ns = series->stats.cpu_usage_ns;
		elapsed_ns = series->realtime_ns - series->started_ns;
		if (elapsed_ns < METRICS_PERIOD_NS)
			return;
	}
	if (elapsed_ns <= 0)
		return;
	percent = 100.0 * (double)used_ns / (double)elapsed_ns;
	(void)json_object_set_new(
	    cpu, "percent",
	    json_real((double)(int64_t)(percent * 100.0 + 0.5) / 100.0));
	json_set_int(cpu, "window_ns", elapsed_ns);
}

static json_t *
memory_figures(const struct cgroup_stats *stats)
{
	json_t *memory = json_object();

	set_known(memory, "usage", stats->memory_usage);
	/* What the kernel could not simply drop. */
	if (stats->memory_usage >= 0 && stats->memory_inactive_file >= 0)
		json_set_int(memory, "working_set",
			     stats->memory_usage > stats->memory_inactive_file
				 ? stats->memory_usage -
				       stats->memory_inactive_file
				 : 0);
	set_known(memory, "limit", stats->memory_limit);
	set_known(memory, "peak", stats->memory_peak);
	set_known(memory, "swap", stats->memory_swap);
	set_known(memory, "anon", stats->memory_anon);
	set_known(memory, "file", stats->memory_file);
	set_known(memory, "inactive_file", stats->memory_inactive_file);
	set_known(memory, "oom_kills", stats->memory_oom_kills);
	return memory;
}

static json_t *
cpu_figures(const struct series *series, int64_t window_ns)
{
	const struct cgroup_stats *stats = &series->stats;
	json_t *cpu = json_object();

	set_known(cpu, "usage_ns", stats->cpu_usage_ns);
	set_known(cpu, "user_ns", stats->cpu_user_ns);
	set_known(cpu, "system_ns", stats->cpu_system_ns);
	add_percent(cpu, series, window_ns);
	set_known(cpu, "periods", stats->cpu_periods);
	set_known(cpu, "throttled_periods", stats->cpu_throttled_periods);
	set_known(cpu, "throttled_ns", stats->cpu_throttled_ns);
	return cpu;
}

static json_t *
figures(const struct series *series, int64_t window_ns)
{
	const struct cgroup_stats *stats = &series->stats;
	json_t *figures = json_pack("{s:s, s:s}", "namespace", series->task->ns,
				    "id", series->task->id);
	json_t *pids = json_object();
	json_t *io = json_object();

	json_set_time(figures, "timestamp", series->realtime_ns);
	(void)json_object_set_new(figures, "cpu",
				  cpu_figures(series, window_ns));
	(void)json_object_set_new(figures, "memory", memory_figures(stats));
	set_known(pids, "current", stats->pids);
	set_known(pids, "limit", stats->pids_limit);
	(void)json_object_set_new(figures, "pids", pids);
	set_known(io, "read_bytes", stats->io_read_bytes);
	set_known(io, "write_bytes", stats->io_write_bytes);
	set_known(io, "reads", stats->io_reads);
	set_known(io, "writes", stats->io_writes);
	(void)json_object_set_new(figures, "io", io);
	return figures;
}

/* --- asking --------------------------------------------------------------- */

/* By the record: nobody waits here for a step that is under way. */
static int
check_live(struct tasks *tasks, const char *ns, const char *id,
	   int64_t *ret_started_ns, struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(tasks->db);
	struct record_ref ref = { RECORD_TASK, ns, id };
	cleanup_json json_t *object = NULL;
	const char *state;

	if (record_load(conn, &ref, &object, err) < 0)
		return -1;
	state = json_get_text(object, "state");
	if (strcmp(state, task_state_name(TASK_STOPPED)) == 0) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "cannot measure task %s: it is %s", id, state);
		(void)err_reason(err, "task_state");
		(void)err_object(err, "task", id);
		return err_state(err, state);
	}
	*ret_started_ns = 0;
	(void)rfc3339_parse(json_get_text(object, "started_at"),
			    ret_started_ns);
	return 0;
}

/* A sample of the task, unless there is one of this second. */
static void
refresh(struct metrics *metrics, struct task *task)
{
	struct sample sample = { 0 };
	struct series *series;
	bool is_fresh;

	lock_take(&metrics->lock);
	series = get_series_locked(metrics, task);
	is_fresh = series->n_points > 0 &&
		   clock_monotonic_ns() - series->at_ns < METRICS_PERIOD_NS;
	lock_release(&metrics->lock);
	if (is_fresh)
		return;
	take_sample(task, &sample);
	lock_take(&metrics->lock);
	add_sample_locked(get_series_locked(metrics, task), &sample);
	lock_release(&metrics->lock);
}

static int
gone(const char *id, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "task %s has no cgroups any more", id);
	(void)err_reason(err, "task_state");
	return err_object(err, "task", id);
}

int
metrics_figures(struct task *task, int64_t started_ns, int64_t window_ns,
		json_t **ret_figures, struct skiff_error *err)
{
	struct metrics *metrics = task->tasks->metrics;
	struct series *series;

	refresh(metrics, task);
	LOCK_SCOPE(&metrics->lock);
	series = get_series_locked(metrics, task);
	if (series->has_ended || series->n_points == 0)
		return gone(task->id, err);
	series->started_ns = started_ns;
	*ret_figures = figures(series, window_ns);
	return 0;
}

int
metrics_get(struct tasks *tasks, const char *ns, const char *id,
	    json_t **ret_figures, struct skiff_error *err)
{
	CLEANUP(task_unrefp) struct task *task = NULL;
	int64_t started_ns;

	if (check_live(tasks, ns, id, &started_ns, err) < 0)
		return -1;
	task = task_find(tasks, ns, id, err);
	if (!task)
		return -1;
	return metrics_figures(task, started_ns, METRICS_WINDOW_NS, ret_figures,
			       err);
}

int
metrics_reader_new(struct tasks *tasks, const struct metrics_wish *wish,
		   struct metrics_reader **ret_reader, struct skiff_error *err)
{
	CLEANUP(task_unrefp) struct task *task = NULL;
	struct metrics *metrics = tasks->metrics;
	struct metrics_reader *reader;
	int64_t started_ns;

	if (check_live(tasks, wish->ns, wish->id, &started_ns, err) < 0)
		return -1;
	task = task_find(tasks, wish->ns, wish->id, err);
	if (!task)
		return -1;
	refresh(metrics, task);
	reader = xcalloc(1, sizeof(*reader));
	reader->metrics = metrics;
	reader->wish = *wish;
	reader->wish.ns = reader->wish.id = NULL;
	LOCK_SCOPE(&metrics->lock);
	reader->series = get_series_locked(metrics, task);
	reader->series->started_ns = started_ns;
	reader->next = reader->series->readers;
	reader->series->readers = reader;
	*ret_reader = reader;
	return 0;
}

int
metrics_reader_next(struct metrics_reader *reader, json_t **ret_figures)
{
	struct series *series = reader->series;
	int64_t passed_ns;

	LOCK_SCOPE(&reader->metrics->lock);
	passed_ns = series->at_ns - reader->told_ns;
	if (series->n_points > 0 &&
	    (!reader->told_ns ||
	     passed_ns + METRICS_SLACK_NS >= reader->wish.interval_ns)) {
		reader->told_ns = series->at_ns;
		*ret_figures = figures(series, reader->wish.interval_ns);
		return 1;
	}
	return series->has_ended ? -1 : 0;
}

void
metrics_reader_free(struct metrics_reader *reader)
{
	struct metrics_reader **link = &reader->series->readers;

	lock_take(&reader->metrics->lock);
	while (*link != reader)
		link = &(*link)->next;
	*link = reader->next;
	lock_release(&reader->metrics->lock);
	free(reader);
}

struct metrics *
metrics_new(struct tasks *tasks)
{
	struct metrics *metrics = xcalloc(1, sizeof(*metrics));

	metrics->tasks = tasks;
	lock_init(&metrics->lock, LOCK_RANK_METRICS);
	return metrics;
}

void
metrics_free(struct metrics *metrics)
{
	struct series *series;

	if (!metrics)
		return;
	assert(!metrics->rounds);
	while ((series = metrics->first) != NULL) {
		metrics->first = series->next;
		series_free(series);
	}
	lock_done(&metrics->lock);
	free(metrics);
}
