/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "runtime/spec/bind_root.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "runtime/spec/host.h"
#include "runtime/spec/wishes.h"

static int
not_allowed(struct skiff_error *err, const char *source, const char *why)
{
	(void)err_set(err, SKIFF_PERMISSION_DENIED, "mount source %.512s %s",
		      source, why);
	return err_reason(err, "bind_not_allowed");
}

int
bind_root_add(struct host *host, const char *dir, struct skiff_error *err)
{
	const char *fault = path_fault(dir);
	cleanup_close int fd = -1;
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	if (fault || len == 1)
		return err_set(err, SKIFF_INVALID_ARGUMENT, "%s",
			       fault ? fault : "must not be the root");
	if (fs_open_dir(AT_FDCWD, dir, /* create= */ false, 0, &fd, err) < 0)
		return -1;
	strv_add_owned(&host->bind_roots, xstrndup(dir, len));
	return 0;
}

static const char *
find_root(const struct host *host, const char *source)
{
	for (size_t i = 0; i < host->bind_roots.n; i++)
		if (path_is_below(source, host->bind_roots.items[i]))
			return host->bind_roots.items[i];
	return NULL;
}

/* All below it is on its mount, since no other is crossed. */
static bool
leaves_no_rights(int root_fd, const struct bind_wish *wish)
{
	struct statvfs st;

	return wish->is_read_only || wish->has_user_namespace ||
	       (fstatvfs(root_fd, &st) == 0 && (st.f_flag & ST_NOSUID));
}

int
bind_root_open(const struct host *host, const struct bind_wish *wish,
	       struct bind_source *ret_source, struct skiff_error *err)
{
	const char *source = wish->source;
	const char *root = find_root(host, source);
	cleanup_close int root_fd = -1;
	const char *below;

	if (!root)
		return not_allowed(err, source,
				   "lies below no directory that is open to "
				   "others than admins (--bind-root)");
	below = source + strlen(root);
	below += strspn(below, "/");
	if (!*below)
		below = ".";
	if (fs_open_dir(AT_FDCWD, root, /* create= */ false, 0, &root_fd, err) <
	    0)
		return -1;
	if (!leaves_no_rights(root_fd, wish))
		return not_allowed(err, source,
				   "could be left set-user-ID programs of "
				   "root: ask for \"userns\": \"auto\" or the "
				   "option \"ro\", or have it mounted nosuid");
	if (fs_open_beneath(root_fd, below, O_PATH, &ret_source->fd, err) < 0)
		return err->sys_errno == ELOOP || err->sys_errno == EXDEV
			   ? not_allowed(err, source,
					 "leads over a symbolic link or to "
					 "another mount")
			   : -1;
	ret_source->root = root;
	ret_source->below = below;
	return 0;
}
