/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a stream has rendered and not sent yet.
 *
 *	if (outbox_is_empty(&follower->outbox))
 *		sse_event(&follower->outbox.text, …);
 *	return outbox_send(&follower->outbox, buf, max);
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/strbuf.h"

struct outbox {
	struct strbuf text; /* add to it */
	size_t sent;
};

#define OUTBOX_INIT                                                            \
	{                                                                      \
		.text = STRBUF_INIT                                            \
	}

bool outbox_is_empty(const struct outbox *outbox);
/* Moves up to max bytes to buf; 0 when there is nothing. */
ssize_t outbox_send(struct outbox *outbox, char *buf, size_t max);
void outbox_done(struct outbox *outbox);

/* stream_ops.idle of server-sent events: a comment. */
ssize_t idle_comment(void *arg, char *buf, size_t max);
