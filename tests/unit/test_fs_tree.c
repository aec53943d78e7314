/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees: removing and measuring them, however deep or wide.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "tests/unit/tap.h"

#define DEPTH 5000
#define WIDTH 5000

static int scratch_fd;
static atomic_int n_written;
static atomic_bool is_over;

static bool
exists(const char *path)
{
	struct stat st;

	return fstatat(scratch_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
touch(int dirfd, const char *name)
{
	cleanup_close int fd =
	    openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
}

/* Levels "d", a file in each. */
static void
make_deep(const char *name)
{
	cleanup_close int fd = -1;

	CHECK(mkdirat(scratch_fd, name, 0700) == 0);
	fd = openat(scratch_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 1; i < DEPTH && tap_is_ok; i++) {
		int next;

		touch(fd, "file");
		CHECK(mkdirat(fd, "d", 0700) == 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK(next >= 0);
		closep(&fd);
		fd = next;
	}
}

static void
a_deep_tree_is_measured_and_removed_with_few_descriptors(void)
{
	struct rlimit few = { .rlim_cur = 32, .rlim_max = 0 };
	struct skiff_error err = ERROR_INIT;
	struct rlimit before;
	uint64_t inodes = 0;
	uint64_t bytes = 0;

	make_deep("deep");
	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	few.rlim_max = before.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK(fs_usage(scratch_fd, "deep", &bytes, &inodes, &err) == 0);
	CHECK(inodes == 2 * DEPTH - 1);
	CHECK(fs_remove_tree(scratch_fd, "deep", &err) == 0);
	CHECK_STR(err.text, "");
	CHECK(!exists("deep"));
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

static void
a_wide_tree_takes_several_batches(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_close int fd = -1;
	uint64_t inodes = 0;
	uint64_t bytes = 0;
	char name[32];

	CHECK(fs_open_dir(scratch_fd, "wide", /* create= */ true, 0700, &fd,
			  &err) == 0);
	for (int i = 0; i < WIDTH; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		CHECK(mkdirat(fd, name, 0700) == 0);
	}
	CHECK(fs_usage(scratch_fd, "wide", &bytes, &inodes, &err) == 0);
	CHECK(inodes == WIDTH + 1);
	CHECK(fs_remove_tree(scratch_fd, "wide", &err) == 0);
	CHECK(!exists("wide"));
}

static void
links_are_removed_not_followed(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_close int fd = -1;

	CHECK(mkdirat(scratch_fd, "kept", 0700) == 0);
	touch(scratch_fd, "kept/file");
	CHECK(fs_open_dir(scratch_fd, "tree", /* create= */ true, 0700, &fd,
			  &err) == 0);
	CHECK(symlinkat("../kept", fd, "to-directory") == 0);
	CHECK(symlinkat("../kept/file", fd, "to-file") == 0);
	CHECK(fs_remove_tree(scratch_fd, "tree", &err) == 0);
	CHECK(!exists("tree") && exists("kept/file"));

	CHECK(symlinkat("kept", scratch_fd, "link") == 0);
	CHECK(fs_remove_tree(scratch_fd, "link", &err) == 0);
	CHECK(!exists("link") && exists("kept/file"));
	CHECK(fs_remove_tree(scratch_fd, "kept", &err) == 0);
	CHECK(fs_remove_tree(scratch_fd, "kept", &err) == 0);
}

static void
a_file_with_two_names_counts_once_at_most(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_close int fd = -1;
	uint64_t inodes = 0;
	uint64_t bytes = 0;
	struct stat dir_st;
	struct stat st;

	CHECK(mkdirat(scratch_fd, "links", 0700) == 0);
	fd =
	    openat(scratch_fd, "links/a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fs_write_all(fd, "some text", 9, &err) == 0);
	CHECK(fsync(fd) == 0);
	CHECK(linkat(scratch_fd, "links/a", scratch_fd, "links/b", 0) == 0);
	CHECK(fstat(fd, &st) == 0);
	CHECK(fstatat(scratch_fd, "links", &dir_st, 0) == 0);
	CHECK(fs_usage(scratch_fd, "links", &bytes, &inodes, &err) == 0);
	CHECK(inodes == 1);
	CHECK(bytes == (uint64_t)(st.st_blocks + dir_st.st_blocks) * 512);
	CHECK(fs_remove_tree(scratch_fd, "links", &err) == 0);
}

/*
 * Makes files in a directory until that is gone or all is over, with pauses
 * in which a removal finds it empty.
 */
static void *
fill(void *arg)
{
	const struct timespec pause = { .tv_nsec = 50000 };
	int fd;

	(void)arg;
	do {
		char name[64];

		(void)snprintf(name, sizeof(name), "written/sub/%d",
			       atomic_fetch_add(&n_written, 1));
		fd = openat(scratch_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC,
			    0600);
		if (fd >= 0)
			(void)close(fd);
		(void)nanosleep(&pause, NULL);
	} while (fd >= 0 && !atomic_load(&is_over));
	return NULL;
}

static void
what_is_still_written_is_removed_too(void)
{
	struct skiff_error err = ERROR_INIT;
	pthread_t writer;

	for (int i = 0; i < 50 && tap_is_ok; i++) {
		atomic_store(&n_written, 0);
		atomic_store(&is_over, false);
		CHECK(mkdirat(scratch_fd, "written", 0700) == 0);
		CHECK(mkdirat(scratch_fd, "written/sub", 0700) == 0);
		CHECK(pthread_create(&writer, NULL, fill, NULL) == 0);
		while (atomic_load(&n_written) < 10)
			(void)sched_yield();
		CHECK(fs_remove_tree(scratch_fd, "written", &err) == 0);
		CHECK_STR(err.text, "");
		atomic_store(&is_over, true);
		CHECK(pthread_join(writer, NULL) == 0);
		CHECK(!exists("written"));
	}
}

static const struct tap_test tests[] = {
	TEST(a_deep_tree_is_measured_and_removed_with_few_descriptors),
	TEST(a_wide_tree_takes_several_batches),
	TEST(links_are_removed_not_followed),
	TEST(a_file_with_two_names_counts_once_at_most),
	TEST(what_is_still_written_is_removed_too),
};

int
main(void)
{
	char scratch[] = "/tmp/skiff-test-XXXXXX";
	int r;

	if (!mkdtemp(scratch))
		return 1;
	scratch_fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = tap_run(tests, ARRAY_SIZE(tests));
	(void)rmdir(scratch);
	return r;
}
