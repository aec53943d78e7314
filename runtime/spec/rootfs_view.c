/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view keeps one descriptor a layer. A directory of the merged tree is
 * its path, free of links, and the list of layers that show in it; a name
 * is looked up in those layers, top first, each time by openat2(2) from
 * the layer's root with every symlink refused, so that nothing an image
 * holds can lead out of its layers.
 */
#include "config.h"

#include "runtime/spec/rootfs_view.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/strbuf.h"

#define LAYERS_MAX 512
#define DEPTH_MAX 128
#define LINKS_MAX 40 /* as the kernel */

struct rootfs_view {
	int *fds;
	size_t n;
};

/* A directory on the way: its path's length, and the layers in it. */
struct level {
	size_t path_len;
	uint16_t *layers;
	size_t n;
};

struct walk {
	struct rootfs_view *view;
	const char *asked;  /* for error texts */
	struct strbuf path; /* resolved so far; "" is the root */
	struct strbuf rest; /* not yet */
	size_t rest_at;
	struct level levels[DEPTH_MAX];
	size_t depth; /* levels in use; the last is where we are */
	int n_links;
	struct strbuf name;
	/* Of the last name looked up: */
	size_t layer;
	struct stat st;
};

int
rootfs_view_open(const struct strv *dirs, struct rootfs_view **ret_view,
		 struct skiff_error *err)
{
	CLEANUP(rootfs_view_freep) struct rootfs_view *view = NULL;

	if (dirs->n == 0 || dirs->n > LAYERS_MAX)
		return err_set(err, SKIFF_RESOURCE_EXHAUSTED,
			       "%zu layers; 1 to %d can be read", dirs->n,
			       LAYERS_MAX);
	view = xcalloc(1, sizeof(*view));
	view->fds = xcalloc(dirs->n, sizeof(*view->fds));
	for (size_t i = 0; i < dirs->n; i++) {
		int fd = open(dirs->items[i],
			      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return err_errno(err, errno, "layer %s",
					 dirs->items[i]);
		view->fds[view->n++] = fd;
	}
	*ret_view = STEAL_PTR(view);
	return 0;
}

void
rootfs_view_free(struct rootfs_view *view)
{
	if (!view)
		return;
	for (size_t i = 0; i < view->n; i++)
		(void)close(view->fds[i]);
	free(view->fds);
	free(view);
}

static int
invalid_rootfs(const struct walk *walk, const char *what,
	       struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION, "%s in the image: %s",
		      walk->asked, what);
	return err_reason(err, "image_invalid_rootfs");
}

static int
absent(const struct walk *walk, struct skiff_error *err)
{
	return err_set(err, SKIFF_NOT_FOUND, "%s in the image: not found",
		       walk->asked);
}

/* A link-free path in one layer; -1 with errno. */
static int
open_in_layer(const struct rootfs_view *view, size_t layer, const char *path,
	      int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, view->fds[layer], *path ? path : ".",
			    &how, sizeof(how));
}

/* Whether a layer's directory hides those of the layers below. */
static bool
is_opaque(const struct walk *walk, size_t layer, const char *path)
{
	cleanup_close int fd =
	    open_in_layer(walk->view, layer, path, O_RDONLY | O_DIRECTORY);
	char value = 0;

	return fd >= 0 &&
	       fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 &&
	       value == 'y';
}

static void
pop_to(struct walk *walk, size_t depth)
{
	while (walk->depth > depth)
		free(walk->levels[--walk->depth].layers);
	walk->path.len = walk->levels[depth - 1].path_len;
	if (walk->path.cap)
		walk->path.buf[walk->path.len] = '\0';
}

static bool
is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/*
 * Looks for path in the layers of the present level. 1: found, what it is
 * stands in walk->st and walk->layer; a directory's layers in *ret_level.
 */
static int
look_up(struct walk *walk, const char *path, struct level *ret_level,
	struct skiff_error *err)
{
	const struct level *here = &walk->levels[walk->depth - 1];
	int found = 0;

	for (size_t i = 0; i < here->n; i++) {
		size_t layer = here->layers[i];
		cleanup_close int fd =
		    open_in_layer(walk->view, layer, path, O_PATH);
		struct stat st;

		if (fd < 0 && (errno == ENOENT || errno == ENAMETOOLONG))
			continue;
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_errno(err, errno, "%s in the image",
					 walk->asked);
		if (is_whiteout(&st) || (found && !S_ISDIR(st.st_mode)))
			break;
		if (!found) {
			walk->st = st;
			walk->layer = layer;
			found = 1;
		}
		if (!S_ISDIR(st.st_mode))
			break;
		ret_level->layers[ret_level->n++] = (uint16_t)layer;
		if (is_opaque(walk, layer, path))
			break;
	}
	return found;
}

/* Puts a link's target before what is left of the path. */
static int
follow(struct walk *walk, const char *path, struct skiff_error *err)
{
	cleanup_close int fd =
	    open_in_layer(walk->view, walk->layer, path, O_PATH);
	cleanup_free char *left = xstrdup(walk->rest.buf + walk->rest_at);
	char target[PATH_MAX];
	ssize_t n;

	if (++walk->n_links > LINKS_MAX)
		return invalid_rootfs(walk, "too many symbolic links", err);
	n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target));
	if (n < 0)
		return err_errno(err, errno, "%s in the image", walk->asked);
	if (n == sizeof(target) || (size_t)n + strlen(left) > 4 * PATH_MAX)
		return invalid_rootfs(walk, "symbolic link is too long", err);
	if (n > 0 && target[0] == '/')
		pop_to(walk, 1);
	strbuf_reset(&walk->rest);
	strbuf_add(&walk->rest, target, (size_t)n);
	strbuf_addch(&walk->rest, '/');
	strbuf_adds(&walk->rest, left);
	walk->rest_at = 0;
	return 0;
}

static bool
next_name(struct walk *walk)
{
	const char *at = walk->rest.buf + walk->rest_at;
	size_t len;

	at += strspn(at, "/");
	len = strcspn(at, "/");
	walk->rest_at = (size_t)(at - walk->rest.buf) + len;
	strbuf_reset(&walk->name);
	strbuf_add(&walk->name, at, len);
	return len > 0;
}

/* One name further; the path's last file ends the walk. */
static int
step(struct walk *walk, struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf path = STRBUF_INIT;
	struct level level = { 0 };
	int r;

	if (walk->depth == DEPTH_MAX)
		return invalid_rootfs(walk, "path is too deep", err);
	strbuf_add(&path, walk->path.buf, walk->path.len);
	if (path.len)
		strbuf_addch(&path, '/');
	strbuf_add(&path, walk->name.buf, walk->name.len);
	level.path_len = path.len;
	level.layers = xcalloc(walk->view->n, sizeof(*level.layers));
	r = look_up(walk, path.buf, &level, err);
	if (r > 0 && S_ISDIR(walk->st.st_mode)) {
		walk->levels[walk->depth++] = level;
		strbuf_reset(&walk->path);
		strbuf_add(&walk->path, path.buf, path.len);
		return 0;
	}
	free(level.layers);
	if (r <= 0)
		return r < 0 ? -1 : absent(walk, err);
	if (S_ISLNK(walk->st.st_mode))
		return follow(walk, path.buf, err);
	if (next_name(walk))
		return invalid_rootfs(walk, "not a directory on the way", err);
	strbuf_reset(&walk->path);
	strbuf_add(&walk->path, path.buf, path.len);
	return 0;
}

static void
walk_done(struct walk *walk)
{
	while (walk->depth > 0)
		free(walk->levels[--walk->depth].layers);
	strbuf_done(&walk->path);
	strbuf_done(&walk->rest);
	strbuf_done(&walk->name);
}

static void
walk_start(struct walk *walk, struct rootfs_view *view, const char *path)
{
	struct level *root = &walk->levels[0];

	*walk = (struct walk){ .view = view,
			       .asked = path,
			       .path = STRBUF_INIT,
			       .rest = STRBUF_INIT,
			       .name = STRBUF_INIT };
	strbuf_adds(&walk->rest, path);
	root->layers = xcalloc(view->n, sizeof(*root->layers));
	for (root->n = 0; root->n < view->n; root->n++)
		root->layers[root->n] = (uint16_t)root->n;
	walk->depth = 1;
}

/* Resolves the whole path; *ret_fd is an O_PATH descriptor of its end. */
static int
walk_all(struct walk *walk, int *ret_fd, struct skiff_error *err)
{
	cleanup_close int fd = -1;

	while (next_name(walk)) {
		const char *name = walk->name.buf;

		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0)
			pop_to(walk, walk->depth > 1 ? walk->depth - 1 : 1);
		else if (step(walk, err) < 0)
			return -1;
	}
	/* A directory's topmost layer is the first of its level. */
	if (walk->path.len == walk->levels[walk->depth - 1].path_len)
		walk->layer = walk->levels[walk->depth - 1].layers[0];
	fd = open_in_layer(walk->view, walk->layer, walk->path.buf, O_PATH);
	if (fd < 0 || fstat(fd, &walk->st) < 0)
		return err_errno(err, errno, "%s in the image", walk->asked);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int
rootfs_view_stat(struct rootfs_view *view, const char *path,
		 struct stat *ret_stat, struct skiff_error *err)
{
	CLEANUP(walk_done) struct walk walk;
	cleanup_close int fd = -1;

	walk_start(&walk, view, path);
	if (walk_all(&walk, &fd, err) < 0)
		return -1;
	*ret_stat = walk.st;
	return 0;
}

int
rootfs_view_read(struct rootfs_view *view, const char *path, size_t max,
		 char **ret_text, size_t *ret_len, struct skiff_error *err)
{
	CLEANUP(walk_done) struct walk walk;
	cleanup_close int place = -1;
	cleanup_close int fd = -1;

	walk_start(&walk, view, path);
	if (walk_all(&walk, &place, err) < 0)
		return -1;
	if (!S_ISREG(walk.st.st_mode))
		return invalid_rootfs(&walk, "not a regular file", err);
	if (walk.st.st_size < 0 || (uint64_t)walk.st.st_size > max)
		return invalid_rootfs(&walk, "file is too large", err);
	fd = open_in_layer(view, walk.layer, walk.path.buf,
			   O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, errno, "%s in the image", path);
	return fs_read_fd(fd, max, ret_text, ret_len, err);
}
