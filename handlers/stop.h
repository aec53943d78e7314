/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How a task is to be stopped, as /stop and /restart are told.
 */
#include "http/request.h"
#include "runtime/task.h"

/*
 * {"signal": "TERM" | 15, "timeout": 10 | "1m30s"}; both optional, as is
 * the body. *stop is filled with the defaults by the caller.
 */
int take_stop(struct request *request, struct task_stop *stop,
	      struct skiff_error *err);
