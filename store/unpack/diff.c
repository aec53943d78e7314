/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an overlay's upper directory to a layer's tar, by libarchive's pax
 * writer.
 *
 * Names go out as the bytes they are (hdrcharset=BINARY where they are not
 * ASCII), as store/unpack/tar.h takes them in. A directory's descriptor is
 * held while what it holds is written, so depth is bounded as it is for
 * unpacking.
 */
#include "config.h"

#include "store/unpack/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/strv.h"
#include "store/unpack/attributes.h"
#include "store/unpack/refusal.h"
#include "store/unpack/tree.h"

#define BLOCK_SIZE 65536
#define XATTR_NAMES_MAX 65536
#define XATTR_SIZE_MAX 65536
/* More than that of one file: it is written whole. Unpacking takes 10000. */
#define PIECES_MAX 4096
#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

/* A file with several names: the first one that was written. */
struct link {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct diff {
	const struct diff_sink *sink;
	struct diff_result *result;
	struct archive *archive;
	struct archive_entry *entry;
	void *links; /* of tsearch(3) */
	char *block;
	bool has_failed; /* error says why a callback failed */
	bool is_blamed;	 /* the error names the path already */
	struct skiff_error error;
	char path[LAYER_PATH_SIZE];
	size_t path_len;
	int depth;
};

#define unrepresentable(err, ...)                                              \
	(err_set((err), SKIFF_FAILED_PRECONDITION, __VA_ARGS__),               \
	 err_reason((err), "layer_unrepresentable"))

/* --- the archive ------------------------------------------------------ */

static la_ssize_t
on_write(struct archive *archive, void *arg, const void *data, size_t len)
{
	struct diff *d = arg;

	if (!d->has_failed && d->sink->is_cancelled &&
	    d->sink->is_cancelled(d->sink->arg)) {
		(void)err_set(&d->error, SKIFF_CANCELLED, "cancelled");
		d->has_failed = true;
	}
	if (d->has_failed ||
	    d->sink->write(d->sink->arg, data, len, &d->error) < 0) {
		d->has_failed = true;
		archive_set_error(archive, EIO, "see struct diff");
		return -1;
	}
	d->result->stream_bytes += len;
	return (la_ssize_t)len;
}

static int
fail(const struct diff *d, struct skiff_error *err)
{
	const char *text = archive_error_string(d->archive);

	if (d->has_failed) {
		*err = d->error;
		return -1;
	}
	return err_set(err, SKIFF_INTERNAL, "write tar: %s",
		       text ? text : "no reason given");
}

static int
open_archive(struct diff *d, struct skiff_error *err)
{
	d->archive = archive_write_new();
	d->entry = archive_entry_new();
	if (!d->archive || !d->entry)
		return err_errno(err, ENOMEM, "write tar");
	if (archive_write_set_format_pax(d->archive) != ARCHIVE_OK ||
	    archive_write_set_options(d->archive,
				      "pax:hdrcharset=BINARY,"
				      "pax:xattrheader=SCHILY") != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(d->archive, BLOCK_SIZE) !=
		ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(d->archive, 1) !=
		ARCHIVE_OK ||
	    archive_write_open(d->archive, d, NULL, on_write, NULL) !=
		ARCHIVE_OK)
		return fail(d, err);
	return 0;
}

/* The header of what entry describes. */
static int
put_header(struct diff *d, struct skiff_error *err)
{
	/* A warning is about names that no character set has: see above. */
	if (archive_write_header(d->archive, d->entry) < ARCHIVE_WARN)
		return fail(d, err);
	d->result->n_entries++;
	return 0;
}

static int
put_data(struct diff *d, const void *data, size_t len, struct skiff_error *err)
{
	la_ssize_t n = archive_write_data(d->archive, data, len);

	return n == (la_ssize_t)len ? 0 : fail(d, err);
}

/* --- the path --------------------------------------------------------- */

static int
path_push(struct diff *d, const char *name, size_t *ret_before,
	  struct skiff_error *err)
{
	size_t len = strlen(name);
	size_t before = d->path_len;

	if (before + 1 + len >= sizeof(d->path))
		return unrepresentable(err, "a path is longer than %zu bytes",
				       sizeof(d->path) - 1);
	if (before > 0)
		d->path[d->path_len++] = '/';
	memcpy(d->path + d->path_len, name, len + 1);
	d->path_len += len;
	*ret_before = before;
	return 0;
}

static void
path_pop(struct diff *d, size_t before)
{
	d->path_len = before;
	d->path[before] = '\0';
}

/* --- attributes ------------------------------------------------------- */

static void
describe(struct diff *d, const struct stat *st)
{
	archive_entry_clear(d->entry);
	archive_entry_copy_pathname(d->entry, d->path_len ? d->path : "./");
	archive_entry_set_mode(d->entry, st->st_mode);
	archive_entry_set_uid(d->entry, st->st_uid);
	archive_entry_set_gid(d->entry, st->st_gid);
	archive_entry_set_mtime(d->entry, st->st_mtim.tv_sec,
				st->st_mtim.tv_nsec);
	archive_entry_set_size(d->entry,
			       S_ISREG(st->st_mode) ? st->st_size : 0);
}

static int
add_xattr(struct diff *d, int fd, const char *name, bool is_directory,
	  struct skiff_error *err)
{
	char value[XATTR_SIZE_MAX];
	ssize_t len = fgetxattr(fd, name, value, sizeof(value));

	if (len < 0)
		return errno == ENODATA
			   ? 0
			   : err_errno(err, errno, "attribute %s", name);
	if (xattr_judge(name, value, (size_t)len, is_directory) == XATTR_KEEP)
		archive_entry_xattr_add_entry(d->entry, name, value,
					      (size_t)len);
	return 0;
}

static int
add_xattrs(struct diff *d, int fd, bool is_directory, struct skiff_error *err)
{
	cleanup_free char *names = xmalloc(XATTR_NAMES_MAX);
	ssize_t len = flistxattr(fd, names, XATTR_NAMES_MAX);

	if (len < 0)
		return errno == EOPNOTSUPP
			   ? 0
			   : err_errno(err, errno, "list attributes");
	for (const char *name = names; name < names + len;
	     name += strlen(name) + 1)
		if (add_xattr(d, fd, name, is_directory, err) < 0)
			return -1;
	return 0;
}

/* What overlay notes on a directory. */
static int
check_overlay(int fd, bool *ret_is_opaque, struct skiff_error *err)
{
	char value[4] = "";
	ssize_t n;

	/* Its content lies elsewhere, under another name. */
	if (fgetxattr(fd, "trusted.overlay.redirect", NULL, 0) >= 0)
		return unrepresentable(err, "overlay redirected it");
	n = fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value));
	*ret_is_opaque = n == 1 && value[0] == 'y';
	return 0;
}

/* --- files ------------------------------------------------------------ */

static int
compare_links(const void *a, const void *b)
{
	const struct link *x = a;
	const struct link *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return 0;
}

static void
free_link(void *arg)
{
	struct link *link = arg;

	free(link->path);
	free(link);
}

/* The earlier name of the same file; NULL when this is the first. */
static const char *
earlier_name(struct diff *d, const struct stat *st)
{
	struct link key = { .dev = st->st_dev, .ino = st->st_ino };
	struct link **found = tfind(&key, &d->links, compare_links);
	struct link *link;

	if (found)
		return (*found)->path;
	link = xcalloc(1, sizeof(*link));
	link->dev = st->st_dev;
	link->ino = st->st_ino;
	link->path = xstrdup(d->path);
	if (!tsearch(link, &d->links, compare_links))
		free_link(link);
	return NULL;
}

/* Tells the entry where the file has data, unless that is all of it. */
static void
add_pieces(struct diff *d, int fd, int64_t size)
{
	int64_t end = 0;
	int n = 0;

	while (end < size) {
		int64_t begin = lseek(fd, end, SEEK_DATA);

		if (begin < 0 || begin >= size)
			break;
		end = lseek(fd, begin, SEEK_HOLE);
		if (end < 0)
			break;
		if (end > size)
			end = size;
		if (++n > PIECES_MAX) {
			archive_entry_sparse_clear(d->entry);
			return;
		}
		archive_entry_sparse_add_entry(d->entry, begin, end - begin);
	}
	/* Nothing but a hole. */
	if (n == 0 && size > 0)
		archive_entry_sparse_add_entry(d->entry, size, 0);
}

/* Holes are fed as zeros, which the writer drops. */
static int
copy_data(struct diff *d, int fd, int64_t size, struct skiff_error *err)
{
	int64_t at = 0;

	while (at < size) {
		size_t want =
		    size - at < BLOCK_SIZE ? (size_t)(size - at) : BLOCK_SIZE;
		int64_t data = lseek(fd, at, SEEK_DATA);
		ssize_t n = 0;

		if (d->sink->is_cancelled &&
		    d->sink->is_cancelled(d->sink->arg))
			return err_set(err, SKIFF_CANCELLED, "cancelled");
		if (data < 0 || data >= at + (int64_t)want) {
			memset(d->block, 0, want);
		} else {
			n = pread(fd, d->block, want, at);
			if (n < 0)
				return err_errno(err, errno, "read");
			/* It became shorter: its header is written. */
			memset(d->block + n, 0, want - (size_t)n);
		}
		if (put_data(d, d->block, want, err) < 0)
			return -1;
		at += (int64_t)want;
	}
	return 0;
}

static int
open_same(int dirfd, const char *name, const struct stat *st, int flags,
	  int *ret_fd, struct skiff_error *err)
{
	cleanup_close int fd = openat(dirfd, name,
				      flags | O_RDONLY | O_NOFOLLOW |
					  O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0)
		return err_errno(err, errno, "open");
	if (now.st_ino != st->st_ino || now.st_dev != st->st_dev)
		return err_set(err, SKIFF_ABORTED,
			       "it changes while it is "
			       "read");
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int
write_file(struct diff *d, int dirfd, const char *name, const struct stat *st,
	   struct skiff_error *err)
{
	const char *earlier = st->st_nlink > 1 ? earlier_name(d, st) : NULL;
	cleanup_close int fd = -1;

	describe(d, st);
	if (earlier) {
		archive_entry_set_size(d->entry, 0);
		archive_entry_copy_hardlink(d->entry, earlier);
		return put_header(d, err);
	}
	if (open_same(dirfd, name, st, 0, &fd, err) < 0 ||
	    add_xattrs(d, fd, /* is_directory= */ false, err) < 0)
		return -1;
	if (st->st_size > (int64_t)st->st_blocks * 512)
		add_pieces(d, fd, st->st_size);
	if (put_header(d, err) < 0)
		return -1;
	return copy_data(d, fd, st->st_size, err);
}

static int
write_symlink(struct diff *d, int dirfd, const char *name,
	      const struct stat *st, struct skiff_error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_errno(err, errno, "readlink");
	target[n] = '\0';
	describe(d, st);
	archive_entry_copy_symlink(d->entry, target);
	return put_header(d, err);
}

/* An empty file of a meaning: ".wh.name" or ".wh..wh..opq". */
static int
write_mark(struct diff *d, const char *name, struct skiff_error *err)
{
	const struct stat mark = { .st_mode = S_IFREG };
	size_t before;
	int r;

	if (path_push(d, name, &before, err) < 0)
		return -1;
	describe(d, &mark);
	r = put_header(d, err);
	path_pop(d, before);
	return r;
}

static int
write_whiteout(struct diff *d, const char *name, struct skiff_error *err)
{
	cleanup_free char *mark = xasprintf(WHITEOUT "%s", name);

	if (strlen(mark) > LAYER_NAME_MAX)
		return unrepresentable(err, "the name of a deleted file is "
					    "too long for a layer");
	return write_mark(d, mark, err);
}

/* --- the tree --------------------------------------------------------- */

static int
write_other(struct diff *d, int dirfd, const char *name, const struct stat *st,
	    struct skiff_error *err)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return write_file(d, dirfd, name, st, err);
	case S_IFLNK:
		return write_symlink(d, dirfd, name, st, err);
	case S_IFCHR:
	case S_IFBLK:
		describe(d, st);
		archive_entry_set_rdevmajor(d->entry, major(st->st_rdev));
		archive_entry_set_rdevminor(d->entry, minor(st->st_rdev));
		return put_header(d, err);
	case S_IFIFO:
		describe(d, st);
		return put_header(d, err);
	default:
		d->result->n_skipped_sockets++;
		return 0;
	}
}

static int write_tree(struct diff *d, int fd, const struct stat *st,
		      struct skiff_error *err);

static int
write_directory(struct diff *d, int dirfd, const char *name,
		const struct stat *st, struct skiff_error *err)
{
	cleanup_close int fd = -1;
	int r;

	if (d->depth >= LAYER_DEPTH_MAX)
		return unrepresentable(err, "deeper than %d directories",
				       LAYER_DEPTH_MAX);
	if (open_same(dirfd, name, st, O_DIRECTORY, &fd, err) < 0)
		return -1;
	d->depth++;
	r = write_tree(d, fd, st, err);
	d->depth--;
	return r;
}

static int
write_named(struct diff *d, int dirfd, const char *name,
	    struct skiff_error *err)
{
	char shown[LAYER_NAME_SHOWN];
	size_t before;
	struct stat st;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "stat");
	if (is_whiteout(&st))
		return write_whiteout(d, name, err);
	if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0)
		return unrepresentable(err,
				       "\"%s\" means a deletion in a "
				       "layer",
				       layer_name_text(name, shown));
	if (path_push(d, name, &before, err) < 0)
		return -1;
	r = S_ISDIR(st.st_mode) ? write_directory(d, dirfd, name, &st, err)
				: write_other(d, dirfd, name, &st, err);
	if (r < 0 && !d->is_blamed)
		(void)err_wrap(err, "%s", layer_name_text(d->path, shown));
	d->is_blamed = r < 0;
	path_pop(d, before);
	return r;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
write_tree(struct diff *d, int fd, const struct stat *st,
	   struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv names = STRV_INIT;
	bool is_opaque = false;

	if (check_overlay(fd, &is_opaque, err) < 0)
		return -1;
	describe(d, st);
	if (add_xattrs(d, fd, /* is_directory= */ true, err) < 0 ||
	    put_header(d, err) < 0 ||
	    (is_opaque && write_mark(d, OPAQUE, err) < 0) ||
	    fs_list(fd, ".", &names, err) < 0)
		return -1;
	if (names.n > 0)
		qsort(names.items, names.n, sizeof(char *), by_name);
	for (size_t i = 0; i < names.n; i++)
		if (write_named(d, fd, names.items[i], err) < 0)
			return -1;
	return 0;
}

static void
close_archive(struct diff *d)
{
	archive_entry_free(d->entry);
	/* After a failure nothing more is written: on_write() refuses. */
	d->has_failed = true;
	(void)archive_write_free(d->archive);
	tdestroy(d->links, free_link);
	free(d->block);
}

static int
write_all(struct diff *d, int upper_fd, struct skiff_error *err)
{
	struct stat st;

	if (fstat(upper_fd, &st) < 0)
		return err_errno(err, errno, "stat");
	if (open_archive(d, err) < 0 || write_tree(d, upper_fd, &st, err) < 0)
		return -1;
	if (archive_write_close(d->archive) != ARCHIVE_OK)
		return fail(d, err);
	return 0;
}

int
layer_diff(int upper_fd, const struct diff_sink *sink,
	   struct diff_result *ret_result, struct skiff_error *err)
{
	struct diff_result result = { 0 };
	struct diff d = { .sink = sink, .result = &result };
	locale_t bytes = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t before = uselocale(bytes);
	int r;

	d.block = xmalloc(BLOCK_SIZE);
	r = write_all(&d, upper_fd, err);
	close_archive(&d);
	(void)uselocale(before);
	freelocale(bytes);
	if (r < 0)
		return err_wrap(err, "make a layer");
	*ret_result = result;
	return 0;
}
