/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A pool of named threads for jobs that block.
 *
 * Slow jobs (a runtime call, an upload) take at most half of the threads,
 * so that short ones always find a free thread.
 */
#include <stdbool.h>

#include "base/cleanup.h"

struct workpool;

typedef void (*job_fn)(void *arg);

/* static_name: at most 12 bytes, for ps(1). Threads begin when needed. */
struct workpool *workpool_new(const char *static_name, int n_threads);
/*
 * run(NULL) is called on a thread of the pool each time when no job has
 * ended for so long since one did. Before the first job.
 */
void workpool_when_quiet(struct workpool *pool, job_fn run, int ms);
/* Never blocks. The job runs once, on some thread of the pool. */
void workpool_add(struct workpool *pool, bool is_slow, job_fn run, void *arg);
/* Runs what is queued, then joins. No job may be added any more. */
void workpool_free(struct workpool *pool);
DEFINE_CLEANUP(struct workpool *, workpool_free)
