/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The way to wake a suspended exchange: a stream that had nothing to say,
 * or a wait.
 *
 * Counted; any thread may wake at any time, also while its own locks below
 * LOCK_RANK_WAKER are held, and also when the connection is long gone.
 * A wake-up is never lost: one that comes between "nothing to read" and
 * the suspension causes another read. Several may be merged into one.
 */
#include "base/cleanup.h"

struct waker;

struct waker *waker_ref(struct waker *waker);
void waker_unref(struct waker *waker);
void waker_wake(struct waker *waker);
DEFINE_CLEANUP(struct waker *, waker_unref)
