/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layered view of a root filesystem on hostile layers, and user
 * strings looked up in it.
 */
#include "config.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/strv.h"
#include "runtime/spec/rootfs_view.h"
#include "runtime/spec/user.h"
#include "tests/unit/tap.h"

static char top[64];

/* A fresh directory with layer 0 (the top) and layer 1. */
static void
scratch(void)
{
	struct skiff_error err = ERROR_INIT;

	(void)snprintf(top, sizeof(top), "/tmp/skiff-user.XXXXXX");
	CHECK(mkdtemp(top) != NULL);
	CHECK(chdir(top) == 0);
	CHECK(fs_mkdir_all(AT_FDCWD, "0/etc", 0755, &err) == 0);
	CHECK(fs_mkdir_all(AT_FDCWD, "1/etc", 0755, &err) == 0);
}

static void
clean(void)
{
	struct skiff_error err = ERROR_INIT;

	CHECK(chdir("/") == 0);
	CHECK(fs_remove_tree(AT_FDCWD, top, &err) == 0);
}

static void
put(const char *path, const char *text)
{
	struct skiff_error err = ERROR_INIT;

	CHECK(fs_replace_file(AT_FDCWD, path, text, strlen(text), 0644, false,
			      &err) == 0);
}

static struct rootfs_view *
view(void)
{
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;
	struct skiff_error err = ERROR_INIT;
	struct rootfs_view *made = NULL;

	strv_addf(&dirs, "%s/0", top);
	strv_addf(&dirs, "%s/1", top);
	CHECK(rootfs_view_open(&dirs, &made, &err) == 0);
	return made;
}

/* The text of a file, or the name of the error's class. */
static char *
text_of(const char *path)
{
	CLEANUP(rootfs_view_freep) struct rootfs_view *seen = view();
	struct skiff_error err = ERROR_INIT;
	char *text;
	size_t len;

	if (rootfs_view_read(seen, path, 4096, &text, &len, &err) == 0)
		return text;
	if (err.reason)
		return xasprintf("%s/%s", err_code_name(err.code), err.reason);
	return xstrdup(err_code_name(err.code));
}

#define CHECK_TEXT(path, expected)                                             \
	do {                                                                   \
		cleanup_free char *text_ = text_of(path);                      \
		CHECK_STR(text_, expected);                                    \
	} while (0)

#define INVALID "failed_precondition/image_invalid_rootfs"

static void
upper_layers_hide_lower_ones(void)
{
	scratch();
	put("0/etc/a", "upper");
	put("1/etc/a", "lower");
	put("1/etc/b", "below");
	put("1/etc/gone", "x");
	CHECK(mknod("0/etc/gone", S_IFCHR | 0600, makedev(0, 0)) == 0);
	CHECK(mkdir("1/d", 0755) == 0 && mkdir("0/d", 0755) == 0);
	put("1/d/hidden", "x");
	CHECK(setxattr("0/d", "trusted.overlay.opaque", "y", 1, 0) == 0);
	CHECK(mkdir("1/e", 0755) == 0);
	put("1/e/f", "x");
	put("0/e", "a file over a directory");
	put("1/g", "a file under a directory");
	CHECK(mkdir("0/g", 0755) == 0);
	put("0/g/h", "dir wins");
	CHECK_TEXT("/etc/a", "upper");
	CHECK_TEXT("etc//./b", "below");
	CHECK_TEXT("/etc/gone", "not_found");
	CHECK_TEXT("/d/hidden", "not_found");
	CHECK_TEXT("/e", "a file over a directory");
	CHECK_TEXT("/e/f", INVALID);
	CHECK_TEXT("/g/h", "dir wins");
	clean();
}

static void
links_stay_inside(void)
{
	scratch();
	put("1/etc/real", "inside");
	put("0/secret", "root of the image");
	CHECK(symlink("/etc/real", "0/absolute") == 0);
	CHECK(symlink("../../../../secret", "0/etc/up") == 0);
	CHECK(symlink("etc", "0/dir") == 0);
	CHECK(symlink("loop", "0/loop") == 0);
	CHECK(symlink("b/x", "0/a") == 0 && symlink("a/x", "0/b") == 0);
	CHECK(symlink("/etc/passwd", "0/host") == 0);
	CHECK_TEXT("/absolute", "inside");
	CHECK_TEXT("/etc/up", "root of the image");
	CHECK_TEXT("/dir/real", "inside");
	CHECK_TEXT("/../../dir/../secret", "root of the image");
	CHECK_TEXT("/loop", INVALID);
	CHECK_TEXT("/a", INVALID);
	CHECK_TEXT("/host", "not_found");
	clean();
}

static void
only_small_regular_files_are_read(void)
{
	scratch();
	CHECK(mkfifo("0/fifo", 0644) == 0);
	CHECK(mknod("0/zero", S_IFCHR | 0644, makedev(1, 5)) == 0);
	put("0/huge", "");
	CHECK(truncate("0/huge", INT64_C(10) << 30) == 0);
	CHECK_TEXT("/fifo", INVALID);
	CHECK_TEXT("/zero", INVALID);
	CHECK_TEXT("/huge", INVALID);
	CHECK_TEXT("/etc", INVALID);
	CHECK_TEXT("/absent", "not_found");
	clean();
}

static void
a_path_s_kind_is_told(void)
{
	scratch();
	CLEANUP(rootfs_view_freep) struct rootfs_view *seen = view();
	struct skiff_error err = ERROR_INIT;
	struct stat st;

	CHECK(rootfs_view_stat(seen, "/", &st, &err) == 0 &&
	      S_ISDIR(st.st_mode));
	CHECK(rootfs_view_stat(seen, "/etc/", &st, &err) == 0 &&
	      S_ISDIR(st.st_mode));
	CHECK(rootfs_view_stat(seen, "/none", &st, &err) < 0 &&
	      err.code == SKIFF_NOT_FOUND);
	clean();
}

/* "uid:gid", or the class of the error. */
static char *
who(const char *user)
{
	CLEANUP(rootfs_view_freep) struct rootfs_view *seen = view();
	CLEANUP(user_done) struct user found = { 0 };
	struct skiff_error err = ERROR_INIT;

	if (user_resolve(seen, user, &found, &err) < 0)
		return xstrdup(err_code_name(err.code));
	return xasprintf("%u:%u", found.uid, found.gid);
}

#define CHECK_USER(user, expected)                                             \
	do {                                                                   \
		cleanup_free char *who_ = who(user);                           \
		CHECK_STR(who_, expected);                                     \
	} while (0)

static void
users_are_who_they_say(void)
{
	char longest[301];

	memset(longest, 'a', 300);
	longest[300] = '\0';
	scratch();
	put("1/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
			    "app:x:1000:1000::/home/app:/bin/sh\n"
			    "weird:x:0:0::/:/bin/sh\n"
			    "4294967296:x:0:0::/:/bin/sh\n"
			    "wrap:x:4294967296:0::/:/bin/sh\n"
			    "broken:x\n");
	put("1/etc/group", "root:x:0:\nstaff:x:50:\nwheel:x:10:app,x\n"
			   "more:x:20:x,app\nnear:x:30:apple\n");
	CHECK_USER("", "0:0");
	CHECK_USER("0", "0:0");
	CHECK_USER("1000", "1000:1000");
	CHECK_USER("1000:10", "1000:10");
	CHECK_USER("app", "1000:1000");
	CHECK_USER("app:staff", "1000:50");
	CHECK_USER("2000", "2000:0");
	CHECK_USER("2000:2001", "2000:2001");
	CHECK_USER("4294967294", "4294967294:0");
	CHECK_USER("weird", "0:0");
	static const char *const refused[] = {
		"nosuch",
		"app:nosuch",
		"4294967295",
		"4294967296",
		"18446744073709551616",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1:",
		":1",
		"1:2:3",
		"0x0",
		"1e3",
		"root\n",
		"00",
		"wrap",
		"broken",
		":",
		"app:4294967296",
		"root/..",
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		CHECK_USER(refused[i], "invalid_argument");
	CHECK_USER(longest, "invalid_argument");
	clean();
}

static void
groups_hold_the_primary_one_and_memberships(void)
{
	scratch();
	put("1/etc/passwd", "app:x:1000:1000::/home/app:/bin/sh\n");
	put("1/etc/group", "app:x:1000:app\nwheel:x:10:app\n"
			   "more:x:20:x,app\nnear:x:30:apple\n");
	CLEANUP(rootfs_view_freep) struct rootfs_view *seen = view();
	CLEANUP(user_done) struct user user = { 0 };
	CLEANUP(user_done) struct user other = { 0 };
	struct skiff_error err = ERROR_INIT;

	CHECK(user_resolve(seen, "1000", &user, &err) == 0);
	CHECK(user.n_groups == 3 && user.groups[0] == 1000 &&
	      user.groups[1] == 10 && user.groups[2] == 20);
	CHECK_STR(user.home, "/home/app");
	CHECK(user_resolve(seen, "app:5", &other, &err) == 0);
	CHECK(other.n_groups == 1 && other.groups[0] == 5);
	clean();
}

static void
hostile_passwd_files_are_refused(void)
{
	scratch();
	CHECK(mkfifo("0/etc/passwd", 0644) == 0);
	CHECK_USER("", "failed_precondition");
	CHECK(unlink("0/etc/passwd") == 0);
	put("0/etc/passwd", "");
	CHECK(truncate("0/etc/passwd", INT64_C(1) << 33) == 0);
	CHECK_USER("1000", "failed_precondition");
	CHECK(unlink("0/etc/passwd") == 0);
	CHECK(symlink("/proc/self/environ", "0/etc/passwd") == 0);
	CHECK_USER("1000", "1000:0");
	CHECK(unlink("0/etc/passwd") == 0 && rmdir("0/etc") == 0);
	CHECK(symlink("/tmp", "0/etc") == 0);
	CHECK_USER("0", "0:0");
	clean();
}

TESTS(TEST(upper_layers_hide_lower_ones), TEST(links_stay_inside),
      TEST(only_small_regular_files_are_read), TEST(a_path_s_kind_is_told),
      TEST(users_are_who_they_say),
      TEST(groups_hold_the_primary_one_and_memberships),
      TEST(hostile_passwd_files_are_refused))
