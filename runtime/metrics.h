/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What tasks use: one sampler for all who ask.
 *
 * While somebody asks for a task, its cgroups are read once a second, and
 * a short history is kept; so any number of readers cost no more than one,
 * and how busy the processors are is known without waiting for a second
 * look. A while after the last question the sampling ends by itself.
 *
 *	{namespace, id, timestamp,
 *	 cpu: {usage_ns, user_ns, system_ns, percent, window_ns, periods,
 *	       throttled_periods, throttled_ns},
 *	 memory: {usage, working_set, limit, peak, swap, anon, file,
 *		  inactive_file, oom_kills},
 *	 pids: {current, limit},
 *	 io: {read_bytes, write_bytes, reads, writes}}
 *
 * Only what the kernel tells; a limit that is absent is none. percent: 100
 * is one processor, over the last window_ns.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/filter.h"

struct metrics;
struct metrics_reader;
struct metrics_rounds;
struct tasks;

#define METRICS_PERIOD_NS NS_PER_SECOND

struct metrics *metrics_new(struct tasks *tasks);
/* After the end of the timers. */
void metrics_free(struct metrics *metrics);

/*
 * The figures of now, at most a second old. SKIFF_NOT_FOUND; for a task
 * that is stopped SKIFF_FAILED_PRECONDITION.
 */
int metrics_get(struct tasks *tasks, const char *ns, const char *id,
		json_t **ret_figures, struct skiff_error *err);

/*
 * Figures again and again: wake(arg) is called, in any thread, when there
 * are new ones.
 */
struct metrics_wish {
	const char *ns;
	const char *id;
	int64_t interval_ns; /* at least METRICS_PERIOD_NS */
	void (*wake)(void *arg);
	void *arg;
};

int metrics_reader_new(struct tasks *tasks, const struct metrics_wish *wish,
		       struct metrics_reader **ret_reader,
		       struct skiff_error *err);
/* Never blocks. 1 with figures, 0 nothing now, -1 the task has ended. */
int metrics_reader_next(struct metrics_reader *reader, json_t **ret_figures);
void metrics_reader_free(struct metrics_reader *reader);
DEFINE_CLEANUP(struct metrics_reader *, metrics_reader_free)

/*
 * Those of all tasks of a namespace that have not ended: {items: […]}. A
 * filter (store/filter.h) may name these fields; filters may be NULL.
 */
extern const struct filter_field metrics_filter_fields[];
int metrics_get_all(struct tasks *tasks, const char *ns,
		    const struct filters *filters, json_t **ret_list,
		    struct skiff_error *err);

/* The same again and again, the first one at once. */
struct metrics_rounds_wish {
	const char *ns;
	struct filters *filters; /* taken over, whatever comes of it */
	int64_t interval_ns;	 /* at least METRICS_PERIOD_NS */
	void (*wake)(void *arg); /* in any thread, when there is a new one */
	void *arg;
};

int metrics_rounds_new(struct tasks *tasks,
		       const struct metrics_rounds_wish *wish,
		       struct metrics_rounds **ret_rounds,
		       struct skiff_error *err);
/* Never blocks. The newest as text, the caller's; NULL: nothing now. */
char *metrics_rounds_next(struct metrics_rounds *rounds);
void metrics_rounds_free(struct metrics_rounds *rounds);
DEFINE_CLEANUP(struct metrics_rounds *, metrics_rounds_free)
