/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/error.h"
#include "handlers/services.h"
#include "http/request.h"
#include "http/response.h"

struct exec_wishes;

/*
 * POST N/tasks/{id}/execs?wait=true: an exec from its start to its exit
 * status and output, in one answer.
 */
int exec_run(struct request *request, struct services *services,
	     struct exec_wishes *wishes, struct response **ret,
	     struct skiff_error *err);
