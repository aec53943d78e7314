/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a request that begins an operation answers: the operation, 202; its
 * end (?wait=true); or a stream of its progress (Accept: text/event-stream).
 */
#include <stdbool.h>
#include <stdint.h>

struct request;
struct response;
struct services;

struct begun {
	const char *ns; /* borrowed */
	char *id;	/* owned, as doc is */
	char *doc;
	int64_t revision;
	bool want_wait;
};
void begun_done(struct begun *begun);

struct response *operation_response(struct request *request,
				    struct services *services,
				    struct begun *begun);
