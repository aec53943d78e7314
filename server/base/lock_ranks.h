/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The order in which locks may be taken: a thread takes only locks of a
 * higher rank than all it holds. One row a kind of lock.
 */
enum lock_rank {
	LOCK_RANK_TASK = 10,	   /* one task's steps, runtime/task.c */
	LOCK_RANK_EXEC = 12,	   /* one exec's steps, runtime/task_exec.c */
	LOCK_RANK_METRICS = 15,	   /* series of samples, runtime/metrics.c */
	LOCK_RANK_TASK_TABLE = 20, /* who is there, runtime/task.c */
	LOCK_RANK_CRIU = 30,	   /* what criu said, runtime/checkpoint */
	LOCK_RANK_IDMAP = 32,	   /* what the kernel can, runtime/idmap.c */
	LOCK_RANK_TRANSFER = 40,   /* operations, store/transfer */
	LOCK_RANK_INFLIGHT = 50,   /* layers and blobs being made */
	LOCK_RANK_WRITER = 60,	   /* the writing connection */
	LOCK_RANK_READERS = 70,	   /* the pool of reading connections */
	LOCK_RANK_BUS = 80,	   /* subscribers of events */
	LOCK_RANK_LOG_WATCH = 82,  /* followers of logs */
	LOCK_RANK_INPUT = 83,	   /* who feeds whose stdin */
	LOCK_RANK_WAKER = 85,	   /* one suspended exchange */
	LOCK_RANK_TIMERS = 88,	   /* what is due later, runtime/timers.c */
	LOCK_RANK_LOOP = 90,	   /* an HTTP loop's lists */
	LOCK_RANK_POOL = 95,	   /* a worker pool's queue */
	LOCK_RANK_LEAF = 100,	   /* takes no other lock */
};
