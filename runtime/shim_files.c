/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of a shim: the files that it finds.
 */
#include "config.h"

#include <string.h>

#include "base/fs.h"
#include "base/strbuf.h"
#include "runtime/shim_client.h"

static int
write_list(int task_fd, const char *name, const struct strbuf *text,
	   struct skiff_error *err)
{
	return fs_create_file(task_fd, name, text->buf, text->len, 0600, err);
}

int
shim_write_mounts(int task_fd, const struct shim_mount *mounts, size_t n,
		  struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < n; i++) {
		strbuf_add(&text, mounts[i].type, strlen(mounts[i].type) + 1);
		strbuf_add(&text, mounts[i].source,
			   strlen(mounts[i].source) + 1);
		for (size_t k = 0; k < mounts[i].n_options; k++) {
			const char *option = mounts[i].options[k];

			if (*option)
				strbuf_add(&text, option, strlen(option) + 1);
		}
		strbuf_add(&text, "", 1);
	}
	return write_list(task_fd, SHIM_FILE_MOUNTS, &text, err);
}

int
shim_write_mountpoints(int task_fd, const struct shim_mountpoint *points,
		       size_t n, struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < n; i++) {
		strbuf_addch(&text, points[i].is_dir ? 'd' : 'f');
		strbuf_add(&text, points[i].path, strlen(points[i].path) + 1);
	}
	return write_list(task_fd, SHIM_FILE_MOUNTPOINTS, &text, err);
}
