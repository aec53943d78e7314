/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of an image's layers: which of them have to be made, and how
 * unpacked directories become committed ones.
 *
 * Whoever makes a layer has its chain id in the in-flight table until it
 * is committed or given up; another pull of the same image waits for that,
 * and then finds the layer there.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "store/transfer/pull_internal.h"

static struct layer_request
request_for(const struct pull *pull, const struct layer *layers, size_t i)
{
	return (struct layer_request){
		.ns = pull->ns,
		.chain_id = layers[i].chain_id,
		.parent = i > 0 ? layers[i - 1].chain_id : NULL,
	};
}

int
layers_claim(struct pull *pull, struct layer *layers, size_t n,
	     struct skiff_error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct layer_request request = request_for(pull, layers, i);
		int r;

		if (inflight_enter(pull->inflight, INFLIGHT_LAYER,
				   layers[i].chain_id, &pull->abort, err) < 0)
			return -1;
		layers[i].is_claimed = true;
		r = layer_adopt(pull->stores->snapshots, &request, err);
		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		layers[i].is_claimed = false;
		inflight_leave(pull->inflight, INFLIGHT_LAYER,
			       layers[i].chain_id);
	}
	return 0;
}

void
layers_release(struct pull *pull, struct layer *layers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		snapshot_dir_free(STEAL_PTR(layers[i].dir));
		layer_result_done(&layers[i].result);
		if (layers[i].is_claimed)
			inflight_leave(pull->inflight, INFLIGHT_LAYER,
				       layers[i].chain_id);
	}
}

/* --- what a layer says about those below it --------------------------- */

struct lowers {
	int *fds; /* top first */
	size_t n;
};

static void
lowers_done(struct lowers *lowers)
{
	for (size_t i = 0; i < lowers->n; i++)
		(void)close(lowers->fds[i]);
	free(lowers->fds);
}

static int
open_layer(struct pull *pull, const struct layer *layer, int *ret_fd,
	   struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;

	if (layer->dir) {
		*ret_fd =
		    fcntl(snapshot_dir_fd(layer->dir), F_DUPFD_CLOEXEC, 3);
	} else {
		if (snapshot_dirs(pull->stores->snapshots, pull->ns,
				  layer->chain_id, &dirs, err) < 0)
			return -1;
		*ret_fd =
		    open(dirs.items[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (*ret_fd < 0)
		return err_errno(err, errno, "open layer %s", layer->chain_id);
	return 0;
}

static int
lowers_open(struct pull *pull, const struct layer *layers, size_t n,
	    struct lowers *lowers, struct skiff_error *err)
{
	lowers->fds = xcalloc(n + 1, sizeof(int));
	for (; lowers->n < n; lowers->n++)
		if (open_layer(pull, &layers[n - 1 - lowers->n],
			       &lowers->fds[lowers->n], err) < 0)
			return -1;
	return 0;
}

/* Hides one name of a lower layer: by a whiteout, or an opaque mark. */
static int
hide_name(int dirfd, const char *name, struct skiff_error *err)
{
	cleanup_close int fd = -1;

	if (mknodat(dirfd, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(err, errno, "whiteout %s", name);
	fd = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0; /* no directory: it hides what is below */
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_errno(err, errno, "opaque mark on %s", name);
	return 0;
}

static int
hide_names_of(int dirfd, int lower_fd, struct skiff_error *err)
{
	int fd = openat(lower_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return err_errno(err, errno, "list lower layer");
	while (r == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			r = hide_name(dirfd, entry->d_name, err);
	(void)closedir(dir);
	return r;
}

/*
 * Overlay ignores the opaque mark on the root, so a layer with one gets a
 * whiteout or a mark for each name that the layers below have there.
 */
static int
settle(struct pull *pull, const struct layer *layers, size_t i,
       struct skiff_error *err)
{
	const struct layer *layer = &layers[i];
	CLEANUP(lowers_done) struct lowers lowers = { 0 };
	int dirfd = snapshot_dir_fd(layer->dir);

	if (i == 0 ||
	    (!layer->result.is_root_opaque && layer->result.implied.n == 0))
		return 0;
	if (lowers_open(pull, layers, i, &lowers, err) < 0 ||
	    layer_fix_implied_parents(dirfd, &layer->result.implied, lowers.fds,
				      lowers.n, err) < 0)
		return -1;
	for (size_t k = 0; layer->result.is_root_opaque && k < lowers.n; k++)
		if (hide_names_of(dirfd, lowers.fds[k], err) < 0)
			return -1;
	return 0;
}

int
layers_commit(struct pull *pull, struct layer *layers, size_t n,
	      struct skiff_error *err)
{
	bool has_new = false;

	for (size_t i = 0; i < n; i++) {
		if (!layers[i].dir)
			continue;
		has_new = true;
		if (settle(pull, layers, i, err) < 0)
			return err_wrap(err, "layer %s", layers[i].chain_id);
	}
	if (has_new && snapshots_sync(pull->stores->snapshots, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct layer_request request = request_for(pull, layers, i);

		if (!layers[i].dir)
			continue;
		if (cancel_is_set(&pull->abort))
			return cancel_error(err);
		if (layer_commit(layers[i].dir, &request, err) < 0)
			return err_wrap(err, "layer %s", layers[i].chain_id);
		snapshot_dir_free(STEAL_PTR(layers[i].dir));
	}
	return 0;
}
