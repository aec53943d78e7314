/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking of a layer into a directory of an overlay file system.
 *
 * What an entry finds in its place is this layer's own, since the
 * directory was empty: directories merge, anything else is replaced. A
 * whiteout speaks of lower layers only, so it never removes what this
 * layer brought, before or behind it; a directory that takes the place of
 * a whiteout, or of another kind of file, hides lower layers' content.
 */
#include "config.h"

#include "store/unpack/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "store/unpack/attributes.h"
#include "store/unpack/refusal.h"
#include "store/unpack/tar.h"
#include "store/unpack/tree.h"

#define ENTRIES_MAX UINT64_C(1000000)
#define BYTES_MAX (UINT64_C(64) << 30)
#define TRAILING_MAX (UINT64_C(64) << 20)
#define PIECES_MAX 10000 /* of a sparse file */
#define XATTR_SIZE_MAX ((size_t)64 * 1024)
#define SPACE_CHECK_BYTES (UINT64_C(64) << 20)

struct apply {
	const struct layer_options *options;
	struct layer_limits limits;
	struct layer_result *result;
	struct tar *tar;
	struct tree tree;
	uint64_t apparent_bytes;
	uint64_t next_space_check;
	uid_t own_uid; /* what new files get */
	gid_t own_gid;
	/* The present entry. */
	struct tar_entry entry;
	struct layer_path path;
	struct attributes attrs;
};

static int
check_cancel(const struct apply *a, struct skiff_error *err)
{
	if (a->options->is_cancelled &&
	    a->options->is_cancelled(a->options->cancel_arg))
		return err_set(err, SKIFF_CANCELLED, "cancelled");
	return 0;
}

static int
check_space(struct apply *a, struct skiff_error *err)
{
	struct statvfs st;

	if (a->limits.min_free_bytes == 0 ||
	    a->result->file_bytes < a->next_space_check)
		return 0;
	a->next_space_check = a->result->file_bytes + SPACE_CHECK_BYTES;
	if (fstatvfs(a->tree.root_fd, &st) < 0)
		return err_errno(err, errno, "ask for free space");
	if (st.f_bavail * st.f_frsize < a->limits.min_free_bytes)
		return err_set(err, SKIFF_INSUFFICIENT_STORAGE,
			       "less than %llu bytes would stay free",
			       (unsigned long long)a->limits.min_free_bytes);
	return 0;
}

/* Extended attributes. */

static int
set_xattr(struct apply *a, int fd, const char *name, const void *value,
	  size_t len, struct skiff_error *err)
{
	struct statvfs st;

	if (fsetxattr(fd, name, value, len, 0) == 0)
		return 0;
	if (errno == EOPNOTSUPP) {
		a->result->n_dropped_xattrs++;
		return 0;
	}
	/* ext4 also says ENOSPC when attributes outgrow their block. */
	if (errno == E2BIG ||
	    (errno == ENOSPC && fstatvfs(fd, &st) == 0 && st.f_bavail > 0))
		return layer_limit(err, "the file system cannot hold its "
					"extended attributes");
	if (errno == ERANGE || errno == EINVAL)
		return layer_fault(err, "an extended attribute is not sound");
	return err_errno(err, errno, "set an extended attribute");
}

/* fd: -1 for what can have none; then they are only judged. */
static int
apply_xattrs(struct apply *a, int fd, bool is_directory,
	     struct skiff_error *err)
{
	const char *name;
	const void *value;
	size_t len;

	while (tar_xattr(a->tar, &name, &value, &len)) {
		enum xattr_verdict verdict =
		    xattr_judge(name, value, len, is_directory);

		if (verdict == XATTR_REFUSE)
			return layer_fault(err, "security.capability is not "
						"sound");
		if (verdict == XATTR_DROP || fd < 0) {
			a->result->n_dropped_xattrs++;
			continue;
		}
		if (len > XATTR_SIZE_MAX)
			return layer_limit(err, "an extended attribute has "
						"more than 64 KiB");
		if (set_xattr(a, fd, name, value, len, err) < 0)
			return -1;
	}
	return 0;
}

/* Kinds of entries. */

static int
apply_root(struct apply *a, struct skiff_error *err)
{
	int fd = a->tree.root_fd;
	struct stat st;
	int copy;

	if (a->entry.type != TAR_DIRECTORY)
		return layer_fault(err, "the root is not a directory");
	if (attributes_set_fd(fd, &a->attrs, /* want_chown= */ true, err) < 0 ||
	    apply_xattrs(a, fd, /* is_directory= */ true, err) < 0)
		return -1;
	a->tree.has_setgid |= (a->attrs.mode & S_ISGID) != 0;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0 || fstat(fd, &st) < 0) {
		(void)err_errno(err, errno, "stat the layer's directory");
		closep(&copy);
		return -1;
	}
	return tree_add(&a->tree, &a->path, copy, &st, &a->attrs.mtime, err);
}

/* The directory's descriptor, owned by the caller; merges with one there. */
static int
make_directory(struct apply *a, int parent, int *ret_fd,
	       struct skiff_error *err)
{
	const char *name = a->path.name;
	bool is_opaque = false;
	cleanup_close int fd = -1;
	mode_t type = 0;

	while (mkdirat(parent, name, 0700) < 0) {
		struct stat st;

		if (errno != EEXIST)
			return err_errno(err, errno, "mkdir");
		if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_errno(err, errno, "stat");
		if (S_ISDIR(st.st_mode))
			break;
		if (tree_remove(&a->tree, parent, name, &type, err) < 0)
			return -1;
		is_opaque = true;
	}
	fd = openat(parent, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open");
	if (is_opaque && tree_set_opaque(fd, err) < 0)
		return -1;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int
apply_directory(struct apply *a, int parent, struct skiff_error *err)
{
	cleanup_close int fd = -1;
	struct stat st;

	if (make_directory(a, parent, &fd, err) < 0)
		return -1;
	/* It may be one that was there, with an owner: always chown. */
	if (attributes_set_fd(fd, &a->attrs, /* want_chown= */ true, err) < 0 ||
	    apply_xattrs(a, fd, /* is_directory= */ true, err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "stat");
	a->tree.has_setgid |= (a->attrs.mode & S_ISGID) != 0;
	return tree_add(&a->tree, &a->path, STEAL_FD(fd), &st, &a->attrs.mtime,
			err);
}

static int
write_at(int fd, const void *data, size_t len, int64_t offset,
	 struct skiff_error *err)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "write");
		p += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

static int
check_piece(struct apply *a, size_t len, int64_t offset, int64_t end,
	    uint64_t *n_pieces, struct skiff_error *err)
{
	if (check_cancel(a, err) < 0 || check_space(a, err) < 0)
		return -1;
	if (offset < end || offset > a->entry.size ||
	    (uint64_t)len > (uint64_t)(a->entry.size - offset))
		return layer_fault(err, "its sparse map is not sound");
	if (offset > end && ++*n_pieces > PIECES_MAX)
		return layer_limit(err,
				   "its sparse map has more than %d "
				   "pieces",
				   PIECES_MAX);
	return 0;
}

static int
write_content(struct apply *a, int fd, struct skiff_error *err)
{
	uint64_t n_pieces = 0;
	const void *data;
	int64_t end = 0;
	int64_t offset;
	size_t len;
	int r;

	while ((r = tar_data(a->tar, &data, &len, &offset, err)) > 0) {
		if (len == 0)
			continue;
		if (check_piece(a, len, offset, end, &n_pieces, err) < 0 ||
		    write_at(fd, data, len, offset, err) < 0)
			return -1;
		end = offset + (int64_t)len;
		a->result->file_bytes += len;
	}
	if (r < 0)
		return -1;
	/* A hole at the end. */
	if (end < a->entry.size && ftruncate(fd, a->entry.size) < 0)
		return err_errno(err, errno, "set its size");
	return 0;
}

/* Removes what stands in the entry's place, for another attempt. */
static int
make_room(struct apply *a, int parent, const char *what,
	  struct skiff_error *err)
{
	mode_t type;

	if (errno != EEXIST)
		return err_errno(err, errno, "%s", what);
	return tree_remove(&a->tree, parent, a->path.name, &type, err);
}

static int
apply_file(struct apply *a, int parent, struct skiff_error *err)
{
	/* A directory with set-group-ID would give its own group. */
	bool want_chown = a->tree.has_setgid || a->attrs.uid != a->own_uid ||
			  a->attrs.gid != a->own_gid;
	cleanup_close int fd = -1;

	if (a->entry.size < 0)
		return layer_fault(err, "its size is negative");
	if ((uint64_t)a->entry.size > a->limits.max_bytes - a->apparent_bytes)
		return layer_limit(err, "the files have more than %llu bytes",
				   (unsigned long long)a->limits.max_bytes);
	a->apparent_bytes += (uint64_t)a->entry.size;
	while (
	    (fd = openat(parent, a->path.name,
			 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			 0600)) < 0)
		if (make_room(a, parent, "create", err) < 0)
			return -1;
	if (a->entry.size > 0 && write_content(a, fd, err) < 0)
		return -1;
	if (attributes_set_fd(fd, &a->attrs, want_chown, err) < 0 ||
	    apply_xattrs(a, fd, /* is_directory= */ false, err) < 0)
		return -1;
	return attributes_set_time(fd, &a->attrs, err);
}

static int
apply_symlink(struct apply *a, int parent, struct skiff_error *err)
{
	size_t len = strlen(a->entry.target);

	if (len == 0)
		return layer_fault(err, "a symlink to nothing");
	if (len >= LAYER_PATH_SIZE)
		return layer_limit(err, "a symlink's target has more than "
					"4095 bytes");
	while (symlinkat(a->entry.target, parent, a->path.name) < 0)
		if (make_room(a, parent, "symlink", err) < 0)
			return -1;
	if (apply_xattrs(a, -1, /* is_directory= */ false, err) < 0)
		return -1;
	return attributes_set_at(parent, a->path.name, &a->attrs,
				 /* is_symlink= */ true, err);
}

/* Opens the directory of the link's target, and looks at the target. */
static int
find_target(struct apply *a, const struct layer_path *target, int *ret_fd,
	    struct stat *ret_st, struct skiff_error *err)
{
	if (tree_open(&a->tree, target->text, target->parent_len,
		      /* create= */ false, ret_fd, err) < 0)
		return err_wrap(err, "a hard link's target");
	if (fstatat(*ret_fd, target->name, ret_st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return err_errno(err, errno, "a hard link's target");
		return layer_fault(err, "a hard link's target is not in the "
					"layer");
	}
	if (S_ISDIR(ret_st->st_mode) || is_whiteout(ret_st))
		return layer_fault(err, "a hard link to a directory or a "
					"whiteout");
	return 0;
}

/*
 * The target's last part is not followed: a link to a symlink is a second
 * name of the symlink. Attributes are the target's; data is ignored.
 */
static int
apply_hardlink(struct apply *a, struct skiff_error *err)
{
	struct layer_path target;
	struct stat target_st;
	bool is_skipped;
	int target_dir;
	int parent;

	if (layer_path_parse(a->entry.target, &target, &is_skipped, err) < 0)
		return err_wrap(err, "a hard link's target");
	if (target.len == 0)
		return layer_fault(err, "a hard link to the root");
	for (;;) {
		struct stat st;
		mode_t type;

		/* Before the parent is made: it may replace a file. */
		if (tree_parent(&a->tree, &a->path, &parent, err) < 0 ||
		    find_target(a, &target, &target_dir, &target_st, err) < 0)
			return -1;
		if (linkat(target_dir, target.name, parent, a->path.name, 0) ==
		    0)
			return 0;
		if (errno == EMLINK)
			return layer_limit(err, "a file has too many links");
		if (errno != EEXIST)
			return err_errno(err, errno, "link");
		if (fstatat(parent, a->path.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_errno(err, errno, "stat");
		if (st.st_ino == target_st.st_ino)
			return 0;
		if (tree_remove(&a->tree, parent, a->path.name, &type, err) < 0)
			return -1;
	}
}

static bool
is_device_allowed(const struct tar_entry *entry)
{
	static const unsigned int allowed[][2] = {
		{ 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 },
		{ 1, 9 }, { 5, 0 }, { 5, 1 }, { 5, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (allowed[i][0] == entry->major &&
		    allowed[i][1] == entry->minor)
			return entry->type == TAR_CHARACTER_DEVICE;
	return false;
}

static int
apply_node(struct apply *a, int parent, mode_t type, struct skiff_error *err)
{
	dev_t device =
	    type == S_IFIFO ? 0 : makedev(a->entry.major, a->entry.minor);

	while (mknodat(parent, a->path.name, type | 0600, device) < 0)
		if (make_room(a, parent, "make a node", err) < 0)
			return -1;
	if (apply_xattrs(a, -1, /* is_directory= */ false, err) < 0)
		return -1;
	return attributes_set_at(parent, a->path.name, &a->attrs,
				 /* is_symlink= */ false, err);
}

/* Whiteouts (OCI image-spec, layer.md, "Whiteouts"). */

static int
hide_directory(int parent, const char *name, struct skiff_error *err)
{
	cleanup_close int fd =
	    openat(parent, name,
		   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "open");
	return tree_set_opaque(fd, err);
}

static int
apply_whiteout(struct apply *a, int parent, struct skiff_error *err)
{
	const char *name = a->path.name + 4;
	struct stat st;

	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return layer_fault(err, "a whiteout of no name");
	if (mknodat(parent, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(err, errno, "make a whiteout");
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "stat");
	return S_ISDIR(st.st_mode) ? hide_directory(parent, name, err) : 0;
}

static int
apply_opaque(struct apply *a, int parent, struct skiff_error *err)
{
	if (a->path.parent_len == 0)
		a->result->is_root_opaque = true;
	return hide_directory(parent, ".", err);
}

static int
apply_in(struct apply *a, int parent, struct skiff_error *err)
{
	if (!strcmp(a->path.name, ".wh..wh..opq"))
		return apply_opaque(a, parent, err);
	if (!strncmp(a->path.name, ".wh.", 4))
		return apply_whiteout(a, parent, err);
	switch (a->entry.type) {
	case TAR_FILE:
		return apply_file(a, parent, err);
	case TAR_DIRECTORY:
		return apply_directory(a, parent, err);
	case TAR_SYMLINK:
		return apply_symlink(a, parent, err);
	case TAR_FIFO:
		return apply_node(a, parent, S_IFIFO, err);
	case TAR_CHARACTER_DEVICE:
		return apply_node(a, parent, S_IFCHR, err);
	case TAR_BLOCK_DEVICE:
	case TAR_HARDLINK:
		break;
	}
	return err_set(err, SKIFF_INTERNAL, "no way to make it");
}

static int
apply_entry(struct apply *a, struct skiff_error *err)
{
	const struct tar_entry *entry = &a->entry;
	bool is_skipped;
	int parent;

	if (layer_path_parse(entry->path, &a->path, &is_skipped, err) < 0)
		return -1;
	if (is_skipped)
		return 0;
	if (attributes_of(entry, &a->attrs, err) < 0)
		return -1;
	if (a->path.len == 0)
		return apply_root(a, err);
	if (entry->type == TAR_CHARACTER_DEVICE && entry->major == 0 &&
	    entry->minor == 0)
		return layer_fault(err, "a device 0:0 would be a whiteout");
	if (strncmp(a->path.name, ".wh.", 4) != 0) {
		if (entry->type == TAR_HARDLINK)
			return apply_hardlink(a, err);
		if ((entry->type == TAR_CHARACTER_DEVICE ||
		     entry->type == TAR_BLOCK_DEVICE) &&
		    !is_device_allowed(entry)) {
			a->result->n_skipped_devices++;
			return 0;
		}
	}
	if (tree_parent(&a->tree, &a->path, &parent, err) < 0)
		return -1;
	return apply_in(a, parent, err);
}

static int
check_totals(struct apply *a, struct skiff_error *err)
{
	if (check_cancel(a, err) < 0)
		return -1;
	if (a->result->n_entries + a->tree.n_implied > a->limits.max_entries)
		return layer_limit(err, "more than %llu entries",
				   (unsigned long long)a->limits.max_entries);
	return 0;
}

static int
apply_entries(struct apply *a, struct skiff_error *err)
{
	char shown[LAYER_NAME_SHOWN];
	int r;

	while ((r = tar_next(a->tar, &a->entry, err)) > 0) {
		a->result->n_entries++;
		if (check_totals(a, err) < 0 ||
		    fault_hit(FAULT_APPLY_ENTRY, err) < 0)
			return -1;
		if (apply_entry(a, err) < 0)
			return err_wrap(err, "entry \"%s\"",
					layer_name_text(a->entry.path, shown));
	}
	return r;
}

static int
check_diff_id(const struct apply *a, struct skiff_error *err)
{
	const struct digest *expected = a->options->diff_id;

	if (!expected || digest_is_equal(expected, &a->result->diff_id))
		return 0;
	(void)err_set(err, SKIFF_DATA_LOSS,
		      "the uncompressed layer is %s, not %s",
		      a->result->diff_id.text, expected->text);
	return err_reason(err, "digest_mismatch");
}

static int
apply_stream(struct apply *a, struct layer_stream *stream,
	     struct skiff_error *err)
{
	const struct tar_limits limits = {
		.max_bytes = a->limits.max_bytes,
		.is_cancelled = a->options->is_cancelled,
		.cancel_arg = a->options->cancel_arg,
	};

	if (tar_open(stream, &limits, &a->tar, err) < 0 ||
	    apply_entries(a, err) < 0 ||
	    tar_drain(a->tar, a->limits.max_trailing, err) < 0)
		return -1;
	a->result->stream_bytes = tar_bytes(a->tar);
	layer_stream_digest(stream, &a->result->diff_id);
	if (check_diff_id(a, err) < 0)
		return -1;
	if (tree_finish(&a->tree, &a->result->implied, err) < 0)
		return -1;
	return fault_hit(FAULT_APPLY_END, err);
}

static struct layer_limits
limits_or_defaults(const struct layer_limits *given)
{
	struct layer_limits limits = *given;

	if (limits.max_entries == 0)
		limits.max_entries = ENTRIES_MAX;
	if (limits.max_bytes == 0)
		limits.max_bytes = BYTES_MAX;
	if (limits.max_trailing == 0)
		limits.max_trailing = TRAILING_MAX;
	return limits;
}

int
layer_apply(int dirfd, const struct layer_source *source,
	    const struct layer_options *options,
	    struct layer_result *ret_result, struct skiff_error *err)
{
	struct layer_stream_options stream_options = { .read = source->read,
						       .arg = source->arg };
	CLEANUP(layer_stream_freep) struct layer_stream *stream = NULL;
	struct layer_result result = { .implied = STRV_INIT };
	struct apply *a;
	int r;

	if (layer_encoding_of(options->media_type, &stream_options.encoding,
			      err) < 0 ||
	    layer_stream_open(&stream_options, &stream, err) < 0)
		return -1;
	a = xcalloc(1, sizeof(*a));
	a->options = options;
	a->limits = limits_or_defaults(&options->limits);
	a->result = &result;
	a->own_uid = geteuid();
	a->own_gid = getegid();
	r = tree_init(&a->tree, dirfd, err);
	if (r == 0) {
		r = apply_stream(a, stream, err);
		tree_done(&a->tree);
	}
	tar_free(a->tar);
	free(a);
	if (r < 0) {
		layer_result_done(&result);
		return -1;
	}
	*ret_result = result;
	return 0;
}

void
layer_result_done(struct layer_result *result)
{
	strv_done(&result->implied);
}
