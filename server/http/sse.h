/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The text of server-sent events (WHATWG HTML, "Server-sent events").
 *
 *	sse_retry(&out, 2000);
 *	sse_event(&out, 17, "/tasks/exit", json, len);
 */
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define SSE_CONTENT_TYPE "text/event-stream"

/*
 * One event. id of 0 and event of NULL are left out; each line of data
 * becomes a data line. event must hold no line break.
 */
void sse_event(struct strbuf *out, uint64_t id, const char *event,
	       const char *data, size_t len);
/* Milliseconds after which the client tries again. */
void sse_retry(struct strbuf *out, int64_t retry_ms);
/* A comment that says nothing: ":\n\n". */
void sse_heartbeat(struct strbuf *out);
