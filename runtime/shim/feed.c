/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A terminal's input out of a path.
 *
 * Other processes read a path themselves; a terminal has to be typed at.
 * What it does not take yet waits here, a piece that is no larger than one
 * would type, and the rest where it came from. A terminal has no end but
 * what is typed: at the end of a file nothing more comes, and a FIFO, which
 * is open both ways, has none.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/cleanup.h"

static bool
is_empty(const struct shim_feed *feed)
{
	return feed->begin == feed->end;
}

int
shim_feed_wants(const struct shim_process *process, short *ret_events)
{
	const struct shim_feed *feed = &process->feed;

	if (feed->fd < 0 || process->console_fd < 0)
		return -1;
	*ret_events = is_empty(feed) ? POLLIN : POLLOUT;
	return is_empty(feed) ? feed->fd : process->console_fd;
}

void
shim_feed_close(struct shim_process *process)
{
	closep(&process->feed.fd);
	process->feed.fd = -1;
}

static bool
is_for_later(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

void
shim_feed_pump(struct shim_process *process)
{
	struct shim_feed *feed = &process->feed;
	ssize_t n;

	/* Its terminal may have gone in this very turn. */
	if (feed->fd < 0 || process->console_fd < 0)
		return;
	if (is_empty(feed)) {
		n = read(feed->fd, feed->data, sizeof(feed->data));
		if (n <= 0) {
			if (!is_for_later(n))
				shim_feed_close(process);
			return;
		}
		feed->begin = 0;
		feed->end = (uint16_t)n;
	}
	n = write(process->console_fd, feed->data + feed->begin,
		  (size_t)(feed->end - feed->begin));
	if (n > 0)
		feed->begin = (uint16_t)(feed->begin + n);
	else if (!is_for_later(n))
		shim_feed_close(process);
}
