/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The criu of this host: where it is, and whether it can work here. The
 * runtime finds it in PATH, so what counts is its directory.
 */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct criu;

/*
 * path: an absolute path that ends in "/criu", or NULL: the first one in
 * PATH, looked for again as long as there is none. trial_dir: is there while
 * it is tried.
 */
struct criu *criu_new(const char *path, const char *trial_dir);
void criu_free(struct criu *criu);
DEFINE_CLEANUP(struct criu *, criu_free)

/*
 * Why processes cannot be checkpointed on this host, or NULL when they
 * can; the caller frees. Asks criu itself ("criu check") when nobody did,
 * or when it said no some time ago: may block for a second.
 */
char *criu_reason(struct criu *criu);
/*
 * SKIFF_UNIMPLEMENTED, reason "criu_unavailable", with that text, or where
 * criu hangs when it is tried, the first time: then it takes seconds.
 */
int criu_need(struct criu *criu, struct skiff_error *err);
/*
 * The same, and that the kernel tells which memory was written, as what an
 * incremental dump leaves out was not.
 */
int criu_need_tracking(struct criu *criu, struct skiff_error *err);
/* What it wants of this host (enum shim_dump), after criu_need(). */
uint32_t criu_flags(struct criu *criu);
/* The directory to be put before PATH, after criu_need(); borrowed. */
const char *criu_dir(struct criu *criu);

/*
 * The end of criu's log in dirfd, at most max bytes; NULL without one. The
 * caller frees.
 */
char *criu_log_tail(int dirfd, const char *name, size_t max);
/*
 * Appends the errors that a log tells to an error's text, newest last.
 */
int criu_explain(const char *log, struct skiff_error *err);
