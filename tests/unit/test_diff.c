/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers made of directories: what is written, what it unpacks to, and
 * what is refused.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "base/strbuf.h"
#include "store/unpack/apply.h"
#include "store/unpack/diff.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define PLAIN_TAR "application/vnd.oci.image.layer.v1.tar"
#define HOLE ((off_t)8 << 20)

/* A tar in memory, written and read. */
struct bytes {
	struct strbuf text;
	size_t read;
	size_t room; /* 0: no bound */
	bool is_cancelled;
};

static int
take(void *arg, const void *data, size_t len, struct skiff_error *err)
{
	struct bytes *bytes = arg;

	if (bytes->room > 0 && bytes->text.len + len > bytes->room)
		return err_errno(err, ENOSPC, "write");
	strbuf_add(&bytes->text, data, len);
	return 0;
}

static bool
is_cancelled(void *arg)
{
	const struct bytes *bytes = arg;

	return bytes->is_cancelled;
}

static ssize_t
give(void *arg, void *buf, size_t max, struct skiff_error *err)
{
	struct bytes *bytes = arg;
	size_t n = bytes->text.len - bytes->read;

	(void)err;
	if (n > max)
		n = max;
	memcpy(buf, bytes->text.buf + bytes->read, n);
	bytes->read += n;
	return (ssize_t)n;
}

static int
dir_open(const char *root, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", root, name);
	struct skiff_error err = ERROR_INIT;
	int fd = -1;

	CHECK(fs_open_dir(AT_FDCWD, path, true, 0755, &fd, &err) == 0);
	return fd;
}

static int
diff(int fd, struct bytes *bytes, struct diff_result *result,
     struct skiff_error *err)
{
	const struct diff_sink sink = { .write = take,
					.is_cancelled = is_cancelled,
					.arg = bytes };

	bytes->text = (struct strbuf)STRBUF_INIT;
	bytes->read = 0;
	return layer_diff(fd, &sink, result, err);
}

static int
apply(int fd, struct bytes *bytes, struct skiff_error *err)
{
	const struct layer_source source = { .read = give, .arg = bytes };
	const struct layer_options options = { .media_type = PLAIN_TAR };
	CLEANUP(layer_result_done) struct layer_result result = { 0 };

	return layer_apply(fd, &source, &options, &result, err);
}

/* The tree as a tar, unpacked, as a tar again: the same bytes. */
static void
check_round_trip(const char *root, int from, struct diff_result *result)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_close int to = dir_open(root, "to");
	struct bytes first = { 0 };
	struct bytes second = { 0 };
	struct diff_result again;

	CHECK(diff(from, &first, result, &err) == 0);
	CHECK(result->stream_bytes == first.text.len);
	CHECK(apply(to, &first, &err) == 0);
	CHECK_STR(err.text, "");
	CHECK(diff(to, &second, &again, &err) == 0);
	CHECK(first.text.len == second.text.len &&
	      memcmp(first.text.buf, second.text.buf, first.text.len) == 0);
	strbuf_done(&first.text);
	strbuf_done(&second.text);
}

static void
put(int dirfd, const char *name, mode_t mode, const char *text)
{
	cleanup_close int fd =
	    openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct skiff_error err = ERROR_INIT;

	CHECK(fd >= 0 && fs_write_all(fd, text, strlen(text), &err) == 0);
	CHECK(fchmod(fd, mode) == 0);
}

static void
fill_names(int fd)
{
	char longest[256];
	char path[600];

	memset(longest, 'n', 255);
	longest[255] = '\0';
	put(fd, longest, 0644, "long");
	put(fd, "\xff\xfe not utf-8", 0644, "");
	put(fd, "e\xcc\x81 decomposed", 0644, "");
	put(fd, "new\nline", 0644, "");
	CHECK(mkdirat(fd, "dir", 01777) == 0);
	(void)snprintf(path, sizeof(path), "dir/%s", longest);
	CHECK(mkdirat(fd, path, 0700) == 0);
	(void)snprintf(path, sizeof(path), "dir/%s/%s", longest, longest);
	put(fd, path, 0600, "deep");
}

static void
files_of_every_kind_come_back_as_they_were(void)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { .tv_sec = 1234567890,
					     .tv_nsec = 123456789 } };
	char *root = scratch_make();
	cleanup_close int from = dir_open(root, "from");
	cleanup_close int file = -1;
	struct diff_result result = { 0 };
	struct stat a = { 0 };
	struct stat b = { 0 };

	fill_names(from);
	put(from, "empty", 0644, "");
	put(from, "old", 04755, "an old program");
	CHECK(symlinkat("../../target", from, "link") == 0);
	CHECK(linkat(from, "old", from, "second", 0) == 0);
	CHECK(mkfifoat(from, "fifo", 0640) == 0);
	file = openat(from, "old", O_RDONLY | O_CLOEXEC);
	CHECK(fsetxattr(file, "user.mark", "value", 5, 0) == 0 ||
	      errno == EOPNOTSUPP);
	CHECK(futimens(file, times) == 0);
	check_round_trip(root, from, &result);
	CHECK(result.n_skipped_sockets == 0);
	CHECK(fstatat(from, "../to/old", &a, 0) == 0 &&
	      fstatat(from, "../to/second", &b, 0) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_mode == (S_IFREG | 04755));
	CHECK(a.st_mtim.tv_sec == 1234567890 && a.st_mtim.tv_nsec == 123456789);
	scratch_remove(root);
}

static void
owners_devices_and_whiteouts_come_back(void)
{
	char *root;
	cleanup_close int from = -1;
	cleanup_close int dir = -1;
	struct diff_result result = { 0 };
	struct stat st = { 0 };
	char value[2];

	if (geteuid() != 0)
		SKIP("devices and owners need root");
	root = scratch_make();
	from = dir_open(root, "from");

	CHECK(mknodat(from, "gone", S_IFCHR, makedev(0, 0)) == 0);
	CHECK(mkdirat(from, "replaced", 0755) == 0);
	put(from, "replaced/new", 0644, "new");
	put(from, "owned", 0600, "x");
	CHECK(fchownat(from, "owned", 3000000000U, 70000, 0) == 0);
	dir = openat(from, "replaced", O_RDONLY | O_CLOEXEC);
	CHECK(fsetxattr(dir, "trusted.overlay.opaque", "y", 1, 0) == 0);
	check_round_trip(root, from, &result);
	CHECK(fstatat(from, "../to/gone", &st, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
	CHECK(fstatat(from, "../to/owned", &st, 0) == 0);
	CHECK(st.st_uid == 3000000000U && st.st_gid == 70000);
	(void)close(dir);
	dir = openat(from, "../to/replaced", O_RDONLY | O_CLOEXEC);
	CHECK(fgetxattr(dir, "trusted.overlay.opaque", value, 2) == 1);
	scratch_remove(root);
}

static void
holes_stay_holes(void)
{
	char *root = scratch_make();
	cleanup_close int from = dir_open(root, "from");
	cleanup_close int fd = -1;
	cleanup_close int hollow = -1;
	struct diff_result result = { 0 };
	struct stat st = { 0 };
	char byte = 0;

	fd = openat(from, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	CHECK(pwrite(fd, "a", 1, HOLE) == 1 &&
	      pwrite(fd, "b", 1, 3 * HOLE) == 1);
	CHECK(ftruncate(fd, 4 * HOLE) == 0);
	hollow = openat(from, "hollow", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	CHECK(ftruncate(hollow, HOLE) == 0);
	check_round_trip(root, from, &result);
	CHECK(result.stream_bytes < (uint64_t)HOLE);
	(void)close(fd);
	fd = openat(from, "../to/sparse", O_RDONLY | O_CLOEXEC);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 4 * HOLE);
	CHECK(st.st_blocks * 512 < HOLE);
	CHECK(pread(fd, &byte, 1, HOLE) == 1 && byte == 'a');
	CHECK(pread(fd, &byte, 1, 3 * HOLE) == 1 && byte == 'b');
	CHECK(pread(fd, &byte, 1, 2 * HOLE) == 1 && byte == 0);
	CHECK(fstatat(from, "../to/hollow", &st, 0) == 0 && st.st_size == HOLE);
	scratch_remove(root);
}

static void
sockets_are_left_out(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct skiff_error err = ERROR_INIT;
	char *root = scratch_make();
	cleanup_close int from = dir_open(root, "from");
	cleanup_close int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct bytes bytes = { 0 };
	struct diff_result result = { 0 };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/from/s",
		       root);
	CHECK(bind(sock, (struct sockaddr *)&address, sizeof(address)) == 0);
	CHECK(diff(from, &bytes, &result, &err) == 0);
	CHECK(result.n_entries == 1 && result.n_skipped_sockets == 1);
	strbuf_done(&bytes.text);
	scratch_remove(root);
}

static void
a_name_that_would_delete_is_refused_by_its_path(void)
{
	struct skiff_error err = ERROR_INIT;
	char *root = scratch_make();
	cleanup_close int from = dir_open(root, "from");
	struct bytes bytes = { 0 };
	struct diff_result result;

	CHECK(mkdirat(from, "a", 0755) == 0 && mkdirat(from, "a/b", 0755) == 0);
	put(from, "a/b/.wh.passwd", 0644, "");
	CHECK(diff(from, &bytes, &result, &err) < 0);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.reason, "layer_unrepresentable");
	CHECK_STR(err.text,
		  "make a layer: a/b: \".wh.passwd\" means a deletion "
		  "in a layer");
	strbuf_done(&bytes.text);
	scratch_remove(root);
}

static void
a_tree_deeper_than_layers_may_be_is_refused(void)
{
	struct skiff_error err = ERROR_INIT;
	char *root = scratch_make();
	cleanup_close int from = dir_open(root, "from");
	cleanup_close int at = fcntl(from, F_DUPFD_CLOEXEC, 0);
	struct bytes bytes = { 0 };
	struct diff_result result;

	for (int i = 0; i < 300; i++) {
		int next;

		CHECK(mkdirat(at, "d", 0755) == 0);
		next = openat(at, "d", O_RDONLY | O_CLOEXEC);
		(void)close(at);
		at = next;
	}
	CHECK(diff(from, &bytes, &result, &err) < 0);
	CHECK_STR(err.reason, "layer_unrepresentable");
	strbuf_done(&bytes.text);
	scratch_remove(root);
}

static void
a_sink_that_fails_or_cancels_ends_it(void)
{
	struct skiff_error err = ERROR_INIT;
	char *root = scratch_make();
	cleanup_close int from = dir_open(root, "from");
	struct bytes bytes = { .room = 1024 };
	struct diff_result result;

	put(from, "file", 0644, "text");
	CHECK(diff(from, &bytes, &result, &err) < 0);
	CHECK(err.code == SKIFF_INSUFFICIENT_STORAGE);
	strbuf_done(&bytes.text);
	bytes = (struct bytes){ .is_cancelled = true };
	err = (struct skiff_error)ERROR_INIT;
	CHECK(diff(from, &bytes, &result, &err) < 0);
	CHECK(err.code == SKIFF_CANCELLED);
	strbuf_done(&bytes.text);
	scratch_remove(root);
}

TESTS(TEST(files_of_every_kind_come_back_as_they_were),
      TEST(owners_devices_and_whiteouts_come_back), TEST(holes_stay_holes),
      TEST(sockets_are_left_out),
      TEST(a_name_that_would_delete_is_refused_by_its_path),
      TEST(a_tree_deeper_than_layers_may_be_is_refused),
      TEST(a_sink_that_fails_or_cancels_ends_it))
