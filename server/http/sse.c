/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of server-sent events.
 */
#include "config.h"

#include "http/sse.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Every line break that the format knows: LF, CR, CRLF. */
static size_t
line_length(const char *data, size_t len)
{
	size_t n = 0;

	while (n < len && data[n] != '\n' && data[n] != '\r')
		n++;
	return n;
}

static void
add_data(struct strbuf *out, const char *data, size_t len)
{
	for (;;) {
		size_t n = line_length(data, len);

		strbuf_add(out, "data: ", 6);
		strbuf_add(out, data, n);
		strbuf_addch(out, '\n');
		if (n == len)
			return;
		n += data[n] == '\r' && n + 1 < len && data[n + 1] == '\n' ? 2
									   : 1;
		data += n;
		len -= n;
	}
}

void
sse_event(struct strbuf *out, uint64_t id, const char *event, const char *data,
	  size_t len)
{
	if (id != 0)
		strbuf_addf(out, "id: %" PRIu64 "\n", id);
	if (event) {
		assert(!strpbrk(event, "\r\n"));
		strbuf_add(out, "event: ", 7);
		strbuf_adds(out, event);
		strbuf_addch(out, '\n');
	}
	add_data(out, data, len);
	strbuf_addch(out, '\n');
}

void
sse_retry(struct strbuf *out, int64_t retry_ms)
{
	strbuf_addf(out, "retry: %" PRId64 "\n\n", retry_ms);
}

void
sse_heartbeat(struct strbuf *out)
{
	strbuf_add(out, ":\n\n", 3);
}
