/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Shared by the sampler of tasks and the rounds over all of them.
 */
#include "runtime/metrics.h"
#include "runtime/task_internal.h"

/* Over which time a single answer says how busy the processors were. */
#define METRICS_WINDOW_NS (5 * NS_PER_SECOND)
/* A sampler that comes a little early is not a period too late. */
#define METRICS_SLACK_NS (METRICS_PERIOD_NS / 10)

struct series;

struct metrics {
	struct tasks *tasks;
	struct lock lock;
	/* guarded by lock: */
	struct series *first;
	struct metrics_rounds *rounds;
	bool is_running; /* a job or timer is there */
};

/* The figures of a task that was alive a moment ago; 0: start not known. */
int metrics_figures(struct task *task, int64_t started_ns, int64_t window_ns,
		    json_t **ret_figures, struct skiff_error *err);
/* The sampler is at work from now on, until nobody asks. */
void metrics_run_locked(struct metrics *metrics);

/* runtime/metrics_rounds.c, called by the sampler: */
/* Makes those that are due. */
void metrics_rounds_make(struct metrics *metrics);
/* How long nobody may ask for a task of this namespace. */
int64_t metrics_rounds_longest_locked(const struct metrics *metrics,
				      const char *ns);
