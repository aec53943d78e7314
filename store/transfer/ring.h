/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A bounded pipe of bytes between two threads: the one that fetches a
 * layer and the one that unpacks it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct ring;

struct ring *ring_new(size_t size);
void ring_free(struct ring *ring);
DEFINE_CLEANUP(struct ring *, ring_free)

/* Blocks while it is full. False once the reader is gone. */
bool ring_write(struct ring *ring, const void *data, size_t len);
/* The writer is done; with is_whole false the reader gets an error. */
void ring_end(struct ring *ring, bool is_whole);

/* Up to max bytes; 0 at the end; -1 SKIFF_CANCELLED when cut off. */
ssize_t ring_read(struct ring *ring, void *buf, size_t max,
		  struct skiff_error *err);
/* The reader wants no more; the writer is let go. */
void ring_close(struct ring *ring);
