/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's uncompressed bytes, made ahead by a thread of their own.
 *
 * A ring of blocks. The thread publishes a block first and hashes it then,
 * while the consumer already works on it: both only read it, and nobody
 * but the thread itself overwrites it later.
 */
#include "config.h"

#include "store/unpack/stream.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/lock.h"

#define BLOCK_SIZE ((size_t)256 * 1024)
#define N_BLOCKS 8

struct block {
	unsigned char *data;
	size_t len;
};

struct layer_stream {
	struct decompressor *decompressor; /* the thread's */
	struct hash *hash;		   /* the thread's */
	pthread_t thread;
	struct block blocks[N_BLOCKS];
	struct lock lock;
	pthread_cond_t changed;
	uint64_t n_made;  /* guarded by lock */
	uint64_t n_freed; /* guarded by lock */
	uint64_t n_taken; /* the consumer's */
	bool is_done;	  /* guarded by lock; no block will follow */
	bool is_stopped;  /* guarded by lock; the consumer left */
	bool has_failed;  /* guarded by lock */
	struct skiff_error error;
	struct digest digest;
};

/* False when the consumer left. */
static bool
wait_for_room(struct layer_stream *s)
{
	LOCK_SCOPE(&s->lock);

	while (!s->is_stopped && s->n_made - s->n_freed == N_BLOCKS)
		(void)cond_wait(&s->changed, &s->lock, DEADLINE_NEVER);
	return !s->is_stopped;
}

static void
publish(struct layer_stream *s)
{
	LOCK_SCOPE(&s->lock);

	s->n_made++;
	PTOK(pthread_cond_broadcast(&s->changed));
}

static void
finish(struct layer_stream *s, bool has_failed)
{
	LOCK_SCOPE(&s->lock);

	s->is_done = true;
	s->has_failed = has_failed;
	PTOK(pthread_cond_broadcast(&s->changed));
}

static void *
run(void *arg)
{
	struct layer_stream *s = arg;

	(void)pthread_setname_np(pthread_self(), "layer-stream");
	for (uint64_t i = 0; wait_for_room(s); i++) {
		struct block *block = &s->blocks[i % N_BLOCKS];
		ssize_t n;

		if (!block->data)
			block->data = xmalloc(BLOCK_SIZE);
		n = decompressor_read(s->decompressor, block->data, BLOCK_SIZE,
				      &s->error);
		if (n <= 0) {
			if (n == 0)
				hash_final(s->hash, &s->digest);
			finish(s, n < 0);
			return NULL;
		}
		block->len = (size_t)n;
		publish(s);
		hash_update(s->hash, block->data, block->len);
	}
	return NULL;
}

static void
release(struct layer_stream *s)
{
	for (size_t i = 0; i < N_BLOCKS; i++)
		free(s->blocks[i].data);
	hash_free(s->hash);
	decompressor_free(s->decompressor);
	PTOK(pthread_cond_destroy(&s->changed));
	lock_done(&s->lock);
	free(s);
}

int
layer_stream_open(const struct layer_stream_options *options,
		  struct layer_stream **ret_stream, struct skiff_error *err)
{
	struct layer_stream *s = xcalloc(1, sizeof(*s));
	int r;

	s->decompressor =
	    decompressor_new(options->encoding, options->read, options->arg);
	s->hash = hash_new(DIGEST_SHA256);
	lock_init(&s->lock, LOCK_RANK_LEAF);
	cond_init(&s->changed);
	r = pthread_create(&s->thread, NULL, run, s);
	if (r != 0) {
		release(s);
		return err_errno(err, r, "start a layer's thread");
	}
	*ret_stream = s;
	return 0;
}

int
layer_stream_next(struct layer_stream *s, const void **ret_data,
		  size_t *ret_len, struct skiff_error *err)
{
	const struct block *block;
	LOCK_SCOPE(&s->lock);

	if (s->n_freed < s->n_taken) {
		s->n_freed = s->n_taken;
		PTOK(pthread_cond_broadcast(&s->changed));
	}
	while (!s->is_done && s->n_made == s->n_taken)
		(void)cond_wait(&s->changed, &s->lock, DEADLINE_NEVER);
	if (s->n_made == s->n_taken) {
		if (s->has_failed)
			*err = s->error;
		return s->has_failed ? -1 : 0;
	}
	block = &s->blocks[s->n_taken++ % N_BLOCKS];
	*ret_data = block->data;
	*ret_len = block->len;
	return 1;
}

void
layer_stream_digest(const struct layer_stream *s, struct digest *ret_digest)
{
	*ret_digest = s->digest;
}

void
layer_stream_free(struct layer_stream *s)
{
	if (!s)
		return;
	lock_take(&s->lock);
	s->is_stopped = true;
	PTOK(pthread_cond_broadcast(&s->changed));
	lock_release(&s->lock);
	PTOK(pthread_join(s->thread, NULL));
	release(s);
}
