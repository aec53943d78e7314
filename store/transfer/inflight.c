/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-flight table: a short vector of keys and one condition.
 */
#include "config.h"

#include "store/transfer/inflight.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/lock.h"
#include "base/strv.h"

/* How late a waiter may notice that it was cancelled. */
#define LOOK_MS 200

struct inflight {
	struct lock lock;
	pthread_cond_t left;
	struct strv keys; /* guarded by lock */
};

struct inflight *
inflight_new(void)
{
	struct inflight *inflight = xcalloc(1, sizeof(*inflight));

	lock_init(&inflight->lock, LOCK_RANK_INFLIGHT);
	cond_init(&inflight->left);
	return inflight;
}

void
inflight_free(struct inflight *inflight)
{
	if (!inflight)
		return;
	assert(inflight->keys.n == 0);
	strv_done(&inflight->keys);
	PTOK(pthread_cond_destroy(&inflight->left));
	lock_done(&inflight->lock);
	free(inflight);
}

/* "blob sha256:…"; owned. */
static char *
key_of(enum inflight_kind kind, const char *digest)
{
	return xasprintf("%s %s", kind == INFLIGHT_BLOB ? "blob" : "layer",
			 digest);
}

int
inflight_enter(struct inflight *inflight, enum inflight_kind kind,
	       const char *digest, const struct cancel *cancel,
	       struct skiff_error *err)
{
	cleanup_free char *key = key_of(kind, digest);
	LOCK_SCOPE(&inflight->lock);

	while (strv_has(&inflight->keys, key)) {
		if (cancel_is_set(cancel))
			return cancel_error(err);
		(void)cond_wait(&inflight->left, &inflight->lock,
				deadline_in_ms(LOOK_MS));
	}
	strv_add(&inflight->keys, key);
	return 0;
}

void
inflight_leave(struct inflight *inflight, enum inflight_kind kind,
	       const char *digest)
{
	cleanup_free char *key = key_of(kind, digest);
	LOCK_SCOPE(&inflight->lock);
	struct strv *keys = &inflight->keys;

	for (size_t i = 0; i < keys->n; i++) {
		if (strcmp(keys->items[i], key) != 0)
			continue;
		free(keys->items[i]);
		keys->items[i] = keys->items[--keys->n];
		keys->items[keys->n] = NULL;
		PTOK(pthread_cond_broadcast(&inflight->left));
		return;
	}
	abort(); /* left what was not entered */
}
