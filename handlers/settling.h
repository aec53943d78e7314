/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reading tasks just after the daemon's start: an answer waits for at most
 * two seconds until each task that it speaks of has been asked what became
 * of it, and then tells what the records say.
 */
#include "base/error.h"
#include "handlers/services.h"
#include "http/request.h"
#include "http/response.h"

typedef int (*settled_fn)(struct request *request, void *context,
			  struct response **ret, struct skiff_error *err);

/* Answers by the function, now or then. id NULL: all of the namespace. */
int answer_settled(struct request *request, struct services *services,
		   const char *ns, const char *id, settled_fn answer,
		   struct response **ret, struct skiff_error *err);
