/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring buffer with a lock and two conditions.
 */
#include "config.h"

#include "store/transfer/ring.h"

#include <string.h>

#include "base/alloc.h"
#include "base/lock.h"

struct ring {
	struct lock lock;
	pthread_cond_t has_room;
	pthread_cond_t has_data;
	size_t size;
	/* guarded by lock: */
	size_t start;
	size_t len;
	bool is_ended;
	bool is_cut;
	bool is_closed;
	char data[];
};

struct ring *
ring_new(size_t size)
{
	struct ring *ring = xmalloc(sizeof(*ring) + size);

	memset(ring, 0, sizeof(*ring));
	lock_init(&ring->lock, LOCK_RANK_LEAF);
	cond_init(&ring->has_room);
	cond_init(&ring->has_data);
	ring->size = size;
	return ring;
}

void
ring_free(struct ring *ring)
{
	if (!ring)
		return;
	PTOK(pthread_cond_destroy(&ring->has_room));
	PTOK(pthread_cond_destroy(&ring->has_data));
	lock_done(&ring->lock);
	free(ring);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* As much as fits, in one or two pieces. */
static size_t
put_locked(struct ring *ring, const char *data, size_t len)
{
	size_t at = (ring->start + ring->len) % ring->size;
	size_t n = least(len, ring->size - ring->len);
	size_t first = least(n, ring->size - at);

	memcpy(ring->data + at, data, first);
	memcpy(ring->data, data + first, n - first);
	ring->len += n;
	return n;
}

static size_t
take_locked(struct ring *ring, char *buf, size_t max)
{
	size_t n = least(max, ring->len);
	size_t first = least(n, ring->size - ring->start);

	memcpy(buf, ring->data + ring->start, first);
	memcpy(buf + first, ring->data, n - first);
	ring->start = (ring->start + n) % ring->size;
	ring->len -= n;
	return n;
}

bool
ring_write(struct ring *ring, const void *data, size_t len)
{
	const char *bytes = data;
	LOCK_SCOPE(&ring->lock);

	while (len > 0 && !ring->is_closed) {
		size_t n = put_locked(ring, bytes, len);

		bytes += n;
		len -= n;
		if (n > 0)
			PTOK(pthread_cond_signal(&ring->has_data));
		else
			(void)cond_wait(&ring->has_room, &ring->lock,
					DEADLINE_NEVER);
	}
	return !ring->is_closed;
}

void
ring_end(struct ring *ring, bool is_whole)
{
	LOCK_SCOPE(&ring->lock);

	ring->is_ended = true;
	ring->is_cut = !is_whole;
	PTOK(pthread_cond_signal(&ring->has_data));
}

ssize_t
ring_read(struct ring *ring, void *buf, size_t max, struct skiff_error *err)
{
	size_t n;
	LOCK_SCOPE(&ring->lock);

	while (ring->len == 0 && !ring->is_ended)
		(void)cond_wait(&ring->has_data, &ring->lock, DEADLINE_NEVER);
	if (ring->is_cut)
		return err_set(err, SKIFF_CANCELLED, "the download ended");
	n = take_locked(ring, buf, max);
	if (n > 0)
		PTOK(pthread_cond_signal(&ring->has_room));
	return (ssize_t)n;
}

void
ring_close(struct ring *ring)
{
	LOCK_SCOPE(&ring->lock);

	ring->is_closed = true;
	PTOK(pthread_cond_signal(&ring->has_room));
}
