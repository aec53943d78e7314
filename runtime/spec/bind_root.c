/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "runtime/spec/bind_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "runtime/spec/host.h"
#include "runtime/spec/rules.h"
#include "runtime/spec/wishes.h"

#define LINKS_MAX 40

/* --- the roots ----------------------------------------------------------- */

static bool
is_roots_alone(const struct stat *dir, const struct stat *in_it)
{
	bool is_open = (dir->st_mode & (S_IWGRP | S_IWOTH)) != 0;

	/* In /tmp and its like nobody renames what is another's. */
	if (is_open && (dir->st_mode & S_ISVTX))
		return dir->st_uid == 0 && in_it->st_uid == 0;
	return dir->st_uid == 0 && !is_open;
}

/* Every directory above: who may write to one may put another root there. */
static int
check_way(const char *dir, struct skiff_error *err)
{
	cleanup_free char *path = xstrdup(dir);
	struct stat below;
	struct stat st;
	char *slash;

	if (lstat(path, &below) < 0)
		return err_errno(err, errno, "%s", path);
	while ((slash = strrchr(path, '/')) != NULL) {
		slash[slash == path] = '\0';
		if (lstat(path, &st) < 0)
			return err_errno(err, errno, "%s", path);
		if (!is_roots_alone(&st, &below))
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "others than root may change %s", path);
		if (slash == path)
			break;
		below = st;
	}
	return 0;
}

int
bind_root_add(struct host *host, const char *dir, struct skiff_error *err)
{
	cleanup_free char *path = xstrdup(dir);
	const char *fault = path_fault(path);
	cleanup_close int fd = -1;

	if (!fault) {
		path_normalise(path);
		fault = mount_source_fault(path, host);
	}
	if (fault)
		return err_set(err, SKIFF_INVALID_ARGUMENT, "%s", fault);
	if (fs_open_unlinked(path, O_PATH | O_DIRECTORY, &fd, err) < 0 ||
	    check_way(path, err) < 0)
		return -1;
	strv_add_owned(&host->bind_roots, STEAL_PTR(path));
	return 0;
}

/* --- what lies below ------------------------------------------------------ */

/* The innermost; path is normal. */
static const char *
find_root(const struct host *host, const char *path)
{
	const char *best = NULL;

	for (size_t i = 0; i < host->bind_roots.n; i++) {
		const char *root = host->bind_roots.items[i];

		if (path_is_below(path, root) &&
		    (!best || strlen(root) > strlen(best)))
			best = root;
	}
	return best;
}

bool
bind_root_has(const struct host *host, const char *path)
{
	cleanup_free char *normal = xstrdup(path);

	path_normalise(normal);
	return find_root(host, normal) != NULL;
}

/* A path that is walked: what has no link any more, and what is to come. */
struct walk {
	char *done;
	char *rest;
	int n_links;
};

static void
walk_done(struct walk *walk)
{
	free(walk->done);
	free(walk->rest);
}

/* The next name, onto done; NULL at the end. */
static const char *
walk_step(struct walk *walk)
{
	char *name = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(name, "/");
	cleanup_free char *old = walk->done;
	cleanup_free char *left = xstrdup(name + len);

	if (len == 0) {
		walk->done = xstrdup(old);
		return NULL;
	}
	if (len == 2 && strncmp(name, "..", len) == 0) {
		char *slash = strrchr(old, '/');

		walk->done =
		    slash ? xstrndup(old, (size_t)(slash - old)) : xstrdup("");
	} else {
		walk->done = len == 1 && *name == '.'
				 ? xstrdup(old)
				 : xasprintf("%s/%.*s", old, (int)len, name);
	}
	free(walk->rest);
	walk->rest = STEAL_PTR(left);
	return walk->done;
}

/* What done names, if it is a link, in its place. */
static int
walk_link(struct walk *walk, struct skiff_error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlink(walk->done, target, sizeof(target) - 1);
	char *slash = strrchr(walk->done, '/');
	char *rest;

	if (n < 0)
		return errno == EINVAL
			   ? 0
			   : err_errno(err, errno, "%s", walk->done);
	if (++walk->n_links > LINKS_MAX)
		return err_errno(err, ELOOP, "%s", walk->done);
	target[n] = '\0';
	rest = xasprintf("%s/%s", target, walk->rest);
	free(walk->rest);
	walk->rest = rest;
	*(*target == '/' ? walk->done : slash) = '\0';
	return 0;
}

/*
 * Link by link: what lies in a bind root may lead out of it again, and the
 * whole, looked up at once, would be seen there.
 */
bool
bind_root_is_led_to(const struct host *host, const char *path)
{
	CLEANUP(walk_done)
	struct walk walk = { .done = xstrdup(""), .rest = xstrdup(path) };
	struct skiff_error err = ERROR_INIT;
	const char *at;

	if (host->bind_roots.n == 0)
		return false;
	while ((at = walk_step(&walk)) != NULL) {
		if (find_root(host, at))
			return true;
		/* What cannot be looked at may lead anywhere. */
		if (*at && walk_link(&walk, &err) < 0)
			return err.code != SKIFF_NOT_FOUND;
	}
	return false;
}

static int
not_allowed(struct skiff_error *err, const char *path, const char *why)
{
	(void)err_set(err, SKIFF_PERMISSION_DENIED, "mount source %.512s %s",
		      path, why);
	return err_reason(err, "bind_not_allowed");
}

int
bind_root_open(const struct host *host, const char *path,
	       struct bind_source *ret_source, struct skiff_error *err)
{
	cleanup_free char *normal = xstrdup(path);
	cleanup_close int root_fd = -1;
	const char *below;
	const char *root;

	path_normalise(normal);
	root = find_root(host, normal);
	if (!root)
		return not_allowed(err, path,
				   "lies below no directory that is open to "
				   "others than admins (--bind-root)");
	below = normal + strlen(root);
	below += *below == '/';
	if (fs_open_unlinked(root, O_PATH | O_DIRECTORY, &root_fd, err) < 0)
		return -1;
	if (fs_open_beneath(root_fd, *below ? below : ".", O_PATH,
			    &ret_source->fd, err) < 0)
		return err->sys_errno == ELOOP || err->sys_errno == EXDEV
			   ? not_allowed(err, path,
					 "leads over a symbolic link or to "
					 "another mount")
			   : -1;
	ret_source->root = root;
	ret_source->below = xstrdup(*below ? below : ".");
	return 0;
}

void
bind_source_done(struct bind_source *source)
{
	closep(&source->fd);
	free(source->below);
	*source = (struct bind_source){ .fd = -1 };
}
