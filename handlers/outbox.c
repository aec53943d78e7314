/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream has rendered and not sent yet.
 */
#include "config.h"

#include "handlers/outbox.h"

#include <string.h>

#define KEPT 512

bool
outbox_is_empty(const struct outbox *outbox)
{
	return outbox->sent == outbox->text.len;
}

ssize_t
outbox_send(struct outbox *outbox, char *buf, size_t max)
{
	size_t n = outbox->text.len - outbox->sent;

	if (n > max)
		n = max;
	memcpy(buf, outbox->text.buf + outbox->sent, n);
	outbox->sent += n;
	if (outbox_is_empty(outbox)) {
		/* Followers sleep for hours: none keeps what it does not need.
		 */
		if (outbox->text.cap > KEPT)
			strbuf_done(&outbox->text);
		else
			strbuf_reset(&outbox->text);
		outbox->sent = 0;
	}
	return (ssize_t)n;
}

void
outbox_done(struct outbox *outbox)
{
	strbuf_done(&outbox->text);
}

ssize_t
idle_comment(void *arg, char *buf, size_t max)
{
	static const char comment[] = { ':', '\n', '\n' };

	(void)arg;
	(void)max;
	memcpy(buf, comment, sizeof(comment));
	return sizeof(comment);
}
