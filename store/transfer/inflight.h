/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is being made right now, by key: a blob by its digest, a layer by
 * its chain id. Whoever else wants the same waits, and then looks whether
 * it is there; if its maker failed, the next one makes it.
 *
 * A thread that holds layers may enter a blob, never the reverse; layers
 * of one chain are entered from the base upwards. So nobody waits in a
 * circle.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "store/registry/http.h"

struct inflight;

/* One layer, uncompressed, has the same digest for both. */
enum inflight_kind { INFLIGHT_BLOB, INFLIGHT_LAYER };

struct inflight *inflight_new(void);
void inflight_free(struct inflight *inflight);
DEFINE_CLEANUP(struct inflight *, inflight_free)

/* Blocks while somebody else is in there. SKIFF_CANCELLED. */
int inflight_enter(struct inflight *inflight, enum inflight_kind kind,
		   const char *digest, const struct cancel *cancel,
		   struct skiff_error *err);
void inflight_leave(struct inflight *inflight, enum inflight_kind kind,
		    const char *digest);
