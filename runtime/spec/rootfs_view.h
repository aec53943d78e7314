/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container's root filesystem as overlayfs would show it, read without
 * a mount: directories top first, whiteouts (character device 0/0) and
 * opaque directories (trusted.overlay.opaque) respected, symlinks resolved
 * inside, ".." clamped at the root.
 *
 * What an image holds is hostile: only regular files are opened, never
 * blocking, and only up to the size that the caller bears.
 */
#include <stddef.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strv.h"

struct rootfs_view;

/* dirs: absolute paths, top first (snapshot_dirs()). */
int rootfs_view_open(const struct strv *dirs, struct rootfs_view **ret_view,
		     struct skiff_error *err);
void rootfs_view_free(struct rootfs_view *view);
DEFINE_CLEANUP(struct rootfs_view *, rootfs_view_free)

/*
 * Follows symlinks, the last one too. SKIFF_NOT_FOUND;
 * SKIFF_FAILED_PRECONDITION with reason "image_invalid_rootfs" for too
 * many links, or a path through what is no directory.
 */
int rootfs_view_stat(struct rootfs_view *view, const char *path,
		     struct stat *ret_stat, struct skiff_error *err);

/*
 * The whole of a regular file with a NUL behind it; the caller frees.
 * SKIFF_NOT_FOUND; SKIFF_FAILED_PRECONDITION, reason
 * "image_invalid_rootfs", for anything else than a regular file of at most
 * max bytes.
 */
int rootfs_view_read(struct rootfs_view *view, const char *path, size_t max,
		     char **ret_text, size_t *ret_len, struct skiff_error *err);
