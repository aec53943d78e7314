/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whether this kernel shows the files of a snapshot with other ids, which
 * containers with user namespaces need (runtime/shim/idmap.c). The shim
 * tries it, in a mount namespace of its own, once for the daemon's life and
 * not before somebody wants to know.
 */
#include "base/cleanup.h"
#include "base/error.h"

struct idmap;

/* root_path: the daemon's root. */
struct idmap *idmap_new(const char *shim_path, const char *root_path);
void idmap_free(struct idmap *idmap);
DEFINE_CLEANUP(struct idmap *, idmap_free)

/* SKIFF_UNIMPLEMENTED, reason "idmap_unsupported", with the kernel's word. */
int idmap_need(struct idmap *idmap, struct skiff_error *err);
