/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: kinds and parents, events, and what to mount. What an overlay
 * shows is proved with mounts in a mount namespace of the test's own.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/strbuf.h"
#include "store/events/log.h"
#include "tests/unit/snapshot_store.h"

static bool can_mount;

/* --- states ---------------------------------------------------------- */

static void
an_active_becomes_committed_under_its_new_name(void)
{
	const struct record_ref ref = { RECORD_SNAPSHOT, "a", "overlay/top" };
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *doc = NULL;
	cleanup_json json_t *object = NULL;
	struct store store;
	int64_t revision;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "base-1", NULL, &err) == 0);
	CHECK(commit(&store, "base", "base-1", &err) == 0);
	CHECK(!has(&store, "a", "base-1") && has(&store, "a", "base"));
	CHECK(make(&store, SNAPSHOT_ACTIVE, "top-1", "base", &err) == 0);
	CHECK(commit(&store, "top", "top-1", &err) == 0);
	CHECK(record_get(store.db, &ref, &doc, &revision, &err) == 0);
	CHECK(json_parse(doc, strlen(doc), &object, &err) == 0);
	CHECK_STR(json_get_text(object, "key"), "top");
	CHECK_STR(json_get_text(object, "parent"), "base");
	CHECK_STR(json_get_text(object, "kind"), "committed");
	CHECK_STR(json_get_text(object, "snapshotter"), "overlay");
	CHECK(json_object_get(object, "mounts") == NULL);
	CHECK(n_dirs(&store) == 2 && trash_is_empty(&store));
	store_done(&store);
}

static void
wrong_parents_keys_and_states_are_refused(void)
{
	struct skiff_error err = ERROR_INIT;
	struct mount *mounts = NULL;
	struct store store;
	size_t n;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", "nothing", &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	CHECK(make(&store, SNAPSHOT_VIEW, "x", NULL, &err) < 0);
	CHECK(err.code == SKIFF_ALREADY_EXISTS);
	CHECK(make(&store, SNAPSHOT_ACTIVE, "y", "x", &err) < 0);
	CHECK(err.code == SKIFF_INVALID_ARGUMENT);
	CHECK_STR(err.text, "parent \"x\" is not committed snapshot");
	CHECK(make(&store, SNAPSHOT_ACTIVE, "a\nb", NULL, &err) < 0);
	CHECK(err.code == SKIFF_INVALID_ARGUMENT);

	CHECK(commit(&store, "base", "nothing", &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	CHECK(commit(&store, "x", "x", &err) < 0);
	CHECK(err.code == SKIFF_ALREADY_EXISTS);
	CHECK(commit(&store, "base", "x", &err) == 0);
	CHECK(commit(&store, "again", "base", &err) < 0);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.text, "snapshot \"base\" is not active");
	CHECK(make(&store, SNAPSHOT_VIEW, "v", "base", &err) == 0);
	CHECK(commit(&store, "again", "v", &err) < 0);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK(snapshot_mounts(store.snapshots, "a", "base", &mounts, &n, &err) <
	      0);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK(snapshot_mounts(store.snapshots, "b", "v", &mounts, &n, &err) <
	      0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	CHECK(n_dirs(&store) == 2 && trash_is_empty(&store));
	store_done(&store);
}

static void
a_snapshot_with_a_child_stays(void)
{
	struct skiff_error err = ERROR_INIT;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	CHECK(commit(&store, "base", "x", &err) == 0);
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", "base", &err) == 0);
	CHECK(commit(&store, "middle", "x", &err) == 0);
	CHECK(make(&store, SNAPSHOT_VIEW, "top", "middle", &err) == 0);
	CHECK(drop(&store, "middle", &err) < 0);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.text, "cannot remove snapshot with child");
	CHECK(drop(&store, "base", &err) < 0);
	CHECK(drop(&store, "top", &err) == 0);
	CHECK(drop(&store, "middle", &err) == 0);
	CHECK(drop(&store, "base", &err) == 0);
	CHECK(drop(&store, "base", &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	CHECK(n_dirs(&store) == 0 && trash_is_empty(&store));
	store_done(&store);
}

static void
add_topic(void *arg, int64_t id, const char *topic, const char *doc)
{
	cleanup_json json_t *event = json_loads(doc, 0, NULL);
	const json_t *payload = json_object_get(event, "event");

	(void)id;
	if (strncmp(topic, "/snapshots/", 11) == 0)
		strbuf_addf(arg, "%s %s %s\n", topic + 11,
			    json_get_text(payload, "key"),
			    json_get_text(payload, "name"));
}

static void
each_change_has_its_event(void)
{
	CLEANUP(strbuf_done) struct strbuf topics = STRBUF_INIT;
	struct skiff_error err = ERROR_INIT;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	CHECK(commit(&store, "base", "x", &err) == 0);
	CHECK(make(&store, SNAPSHOT_VIEW, "v", "base", &err) == 0);
	CHECK(drop(&store, "v", &err) == 0);
	CHECK(event_read(store.db, "a", 0, 100, add_topic, &topics, &err) > 0);
	CHECK_STR(topics.buf, "prepare x \ncommit x base\nremove x \n"
			      "view v \nremove v \n");
	store_done(&store);
}

static void
no_directory_number_is_used_twice(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *first = NULL;
	cleanup_free char *second = NULL;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	first = dir_of(&store, "a", "x");
	CHECK_STR(first, DIRS "/1/fs");
	CHECK(drop(&store, "x", &err) == 0);
	reopen(&store);
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	second = dir_of(&store, "a", "x");
	CHECK_STR(second, DIRS "/2/fs");
	store_done(&store);
}

static void
directories_are_private_and_owned_like_the_parents_root(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *path = NULL;
	cleanup_free char *child = NULL;
	struct stat st = { 0 };
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	path = xasprintf("%s/" DIRS "/1/fs", store.root);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0755);
	if (geteuid() == 0)
		CHECK(chown(path, 1234, 1235) == 0);
	path[strlen(path) - 3] = '\0';
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(commit(&store, "base", "x", &err) == 0);
	CHECK(make(&store, SNAPSHOT_ACTIVE, "y", "base", &err) == 0);
	child = xasprintf("%s/" DIRS "/2/fs", store.root);
	CHECK(stat(child, &st) == 0 && (st.st_mode & 07777) == 0755);
	if (geteuid() == 0)
		CHECK(st.st_uid == 1234 && st.st_gid == 1235);
	store_done(&store);
}

static void
usage_counts_a_snapshots_own_bytes(void)
{
	struct skiff_error err = ERROR_INIT;
	uint64_t bytes = 0;
	uint64_t inodes = 0;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	scratch_write(store.root, DIRS "/1/fs/file", "text");
	CHECK(snapshot_usage(store.snapshots, "a", "x", &bytes, &inodes,
			     &err) == 0);
	CHECK(inodes == 2 && bytes >= 4096);
	CHECK(commit(&store, "base", "x", &err) == 0);
	CHECK(make(&store, SNAPSHOT_VIEW, "v", "base", &err) == 0);
	CHECK(snapshot_usage(store.snapshots, "a", "v", &bytes, &inodes,
			     &err) == 0);
	CHECK(inodes == 0 && bytes == 0);
	store_done(&store);
}

/* --- what to mount --------------------------------------------------- */

/* "type|source|option,option", without the root; the caller frees. */
static char *
mount_text(struct store *store, const char *key)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	struct skiff_error err = ERROR_INIT;
	struct mount *mounts = NULL;
	char *root;
	char *rest;
	size_t n = 0;

	if (snapshot_mounts(store->snapshots, "a", key, &mounts, &n, &err) < 0)
		return xstrdup(err.text);
	strbuf_addf(&text, "%s|%s|", mounts[0].type, mounts[0].source);
	for (size_t i = 0; i < mounts[0].options.n; i++)
		if (!strstr(mounts[0].options.items[i], "=off") &&
		    !strstr(mounts[0].options.items[i], "=nofollow"))
			strbuf_addf(&text, "%s,", mounts[0].options.items[i]);
	mounts_free(mounts, n);
	for (rest = text.buf; (root = strstr(rest, store->root)) != NULL;
	     rest = root + strlen(store->root) + strlen("/" DIRS)) {
		strbuf_add(&out, rest, (size_t)(root - rest));
		strbuf_adds(&out, "@");
	}
	strbuf_adds(&out, rest);
	return strbuf_steal(&out);
}

static void
check_mount(struct store *store, const char *key, const char *expected)
{
	cleanup_free char *text = mount_text(store, key);

	CHECK_STR(text, expected);
}

static void
mounts_are_the_simplest_that_show_it(void)
{
	struct skiff_error err = ERROR_INIT;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	check_mount(&store, "x", "bind|@/1/fs|rw,rbind,");
	CHECK(commit(&store, "base", "x", &err) == 0);
	CHECK(make(&store, SNAPSHOT_VIEW, "v0", NULL, &err) == 0);
	check_mount(&store, "v0", "bind|@/2/fs|ro,rbind,");
	CHECK(make(&store, SNAPSHOT_VIEW, "v1", "base", &err) == 0);
	check_mount(&store, "v1", "bind|@/1/fs|ro,rbind,");
	CHECK(make(&store, SNAPSHOT_ACTIVE, "y", "base", &err) == 0);
	check_mount(&store, "y",
		    "overlay|overlay|workdir=@/4/work,upperdir=@/4/fs,"
		    "lowerdir=@/1/fs,");
	CHECK(commit(&store, "top", "y", &err) == 0);
	CHECK(make(&store, SNAPSHOT_VIEW, "v2", "top", &err) == 0);
	check_mount(&store, "v2", "overlay|overlay|lowerdir=@/4/fs:@/1/fs,");
	CHECK(make(&store, SNAPSHOT_ACTIVE, "z", "top", &err) == 0);
	check_mount(&store, "z",
		    "overlay|overlay|workdir=@/6/work,upperdir=@/6/fs,"
		    "lowerdir=@/4/fs:@/1/fs,");
	store_done(&store);
}

/* Mounts a snapshot at <root>/mnt, with relative paths as a shim does. */
static bool
show(struct store *store, const char *key)
{
	cleanup_free char *target = xasprintf("%s/mnt", store->root);
	cleanup_free char *dirs = xasprintf("%s/" DIRS, store->root);
	CLEANUP(strbuf_done) struct strbuf options = STRBUF_INIT;
	struct skiff_error err = ERROR_INIT;
	struct mount *mounts = NULL;
	cleanup_free char *text = NULL;
	const char *rest;
	const char *at;
	size_t n = 0;
	int r;

	(void)mkdir(target, 0700);
	if (snapshot_mounts(store->snapshots, "a", key, &mounts, &n, &err) < 0)
		return false;
	for (size_t i = 0; i < mounts[0].options.n; i++)
		strbuf_addf(&options, "%s%s", i ? "," : "",
			    mounts[0].options.items[i]);
	if (!strcmp(mounts[0].type, "bind")) {
		r = mount(mounts[0].source, target, NULL, MS_BIND | MS_REC,
			  NULL);
		if (r == 0 && strncmp(options.buf, "ro", 2) == 0)
			r = mount(NULL, target, NULL,
				  MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
		mounts_free(mounts, n);
		return r == 0;
	}
	mounts_free(mounts, n);
	text = strbuf_steal(&options);
	for (rest = text; (at = strstr(rest, dirs)) != NULL;
	     rest = at + strlen(dirs) + 1)
		strbuf_add(&options, rest, (size_t)(at - rest));
	strbuf_adds(&options, rest);
	r = chdir(dirs) < 0
		? -1
		: mount("overlay", target, "overlay", 0, options.buf);
	if (r < 0)
		(void)printf("# mount %s: %m: %.200s\n", key, options.buf);
	return chdir("/") == 0 && r == 0;
}

static void
hide(struct store *store)
{
	cleanup_free char *target = xasprintf("%s/mnt", store->root);

	CHECK(umount2(target, 0) == 0);
}

/* Runs edit on a new child of parent and commits it as name. */
typedef void (*edit_fn)(int fd);

static void
layer(struct store *store, const char *name, const char *parent, edit_fn edit)
{
	cleanup_free char *target = xasprintf("%s/mnt", store->root);
	struct skiff_error err = ERROR_INIT;
	int fd;

	CHECK(make(store, SNAPSHOT_ACTIVE, "edit", parent, &err) == 0);
	CHECK(show(store, "edit"));
	fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	edit(fd);
	(void)close(fd);
	hide(store);
	CHECK(commit(store, name, "edit", &err) == 0);
}

static char *
file_text(struct store *store, const char *name)
{
	cleanup_free char *path = xasprintf("%s/mnt/%s", store->root, name);
	struct skiff_error err = ERROR_INIT;
	char *text = NULL;

	if (fs_read_file(AT_FDCWD, path, 1000, &text, NULL, &err) < 0)
		return xstrdup("(none)");
	return text;
}

static void
check_file(struct store *store, const char *name, const char *expected)
{
	cleanup_free char *text = file_text(store, name);

	CHECK_STR(text, expected);
}

static void
first_edit(int fd)
{
	put_file(fd, "kept", "one");
	put_file(fd, "changed", "one");
	put_file(fd, "deleted", "one");
	put_file(fd, "moved", "one");
	CHECK(mkdirat(fd, "dir", 0711) == 0);
	put_file(fd, "dir/inner", "one");
	CHECK(mkdirat(fd, "gone", 0755) == 0);
	put_file(fd, "gone/inner", "one");
	put_file(fd, "owned", "one");
}

static void
second_edit(int fd)
{
	put_file(fd, "changed", "two");
	CHECK(unlinkat(fd, "deleted", 0) == 0);
	CHECK(renameat(fd, "moved", fd, "dir/moved") == 0);
	CHECK(unlinkat(fd, "gone/inner", 0) == 0);
	CHECK(unlinkat(fd, "gone", AT_REMOVEDIR) == 0);
	CHECK(mkdirat(fd, "gone", 0755) == 0);
	put_file(fd, "gone/new", "two");
	CHECK(fchownat(fd, "owned", 1234, 1235, 0) == 0);
	CHECK(fchmodat(fd, "dir", 0700, 0) == 0);
}

static void
a_child_shows_its_changes_over_its_parents(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *path = NULL;
	struct store store;
	struct stat st;

	if (!can_mount)
		SKIP("needs root for mounts");
	store_open_at(&store, scratch_make());
	path = xasprintf("%s/mnt/owned", store.root);
	layer(&store, "one", NULL, first_edit);
	layer(&store, "two", "one", second_edit);
	CHECK(make(&store, SNAPSHOT_VIEW, "see", "two", &err) == 0);
	CHECK(show(&store, "see"));
	check_file(&store, "kept", "one");
	check_file(&store, "changed", "two");
	check_file(&store, "deleted", "(none)");
	check_file(&store, "moved", "(none)");
	check_file(&store, "dir/moved", "one");
	check_file(&store, "dir/inner", "one");
	check_file(&store, "gone/inner", "(none)");
	check_file(&store, "gone/new", "two");
	CHECK(stat(path, &st) == 0 && st.st_uid == 1234 && st.st_gid == 1235);
	memcpy(strrchr(path, '/'), "/dir", sizeof("/dir"));
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
	hide(&store);
	/* The parent is as it was. */
	CHECK(make(&store, SNAPSHOT_VIEW, "before", "one", &err) == 0);
	CHECK(show(&store, "before"));
	check_file(&store, "changed", "one");
	check_file(&store, "deleted", "one");
	check_file(&store, "gone/inner", "one");
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0711);
	hide(&store);
	store_done(&store);
}

static void
a_view_is_read_only(void)
{
	static const char *const parents[] = { NULL, "one", "two" };
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *path = NULL;
	struct store store;

	if (!can_mount)
		SKIP("needs root for mounts");
	store_open_at(&store, scratch_make());
	path = xasprintf("%s/mnt/file", store.root);
	layer(&store, "one", NULL, first_edit);
	layer(&store, "two", "one", second_edit);
	for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
		CHECK(make(&store, SNAPSHOT_VIEW, "v", parents[i], &err) == 0);
		CHECK(show(&store, "v"));
		CHECK(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
		CHECK(errno == EROFS);
		hide(&store);
		CHECK(drop(&store, "v", &err) == 0);
	}
	store_done(&store);
}

static void
stack_edit(int fd)
{
	static int n;
	char name[32];

	n++;
	(void)snprintf(name, sizeof(name), "file-%d", n);
	put_file(fd, name, name);
	put_file(fd, "last", name);
}

static void
a_stack_of_128_layers_can_be_mounted(void)
{
	struct skiff_error err = ERROR_INIT;
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;
	char name[32];
	char parent[32];
	struct store store;

	if (!can_mount)
		SKIP("needs root for mounts");
	store_open_at(&store, scratch_make());
	for (int i = 1; i <= 128; i++) {
		(void)snprintf(name, sizeof(name), "layer-%d", i);
		(void)snprintf(parent, sizeof(parent), "layer-%d", i - 1);
		layer(&store, name, i == 1 ? NULL : parent, stack_edit);
	}
	CHECK(make(&store, SNAPSHOT_ACTIVE, "top", "layer-128", &err) == 0);
	CHECK(snapshot_dirs(store.snapshots, "a", "top", &dirs, &err) == 0);
	CHECK(dirs.n == 129);
	CHECK(show(&store, "top"));
	check_file(&store, "file-1", "file-1");
	check_file(&store, "file-64", "file-64");
	check_file(&store, "last", "file-128");
	hide(&store);
	store_done(&store);
}

static const struct tap_test tests[] = {
	TEST(an_active_becomes_committed_under_its_new_name),
	TEST(wrong_parents_keys_and_states_are_refused),
	TEST(a_snapshot_with_a_child_stays),
	TEST(each_change_has_its_event),
	TEST(no_directory_number_is_used_twice),
	TEST(directories_are_private_and_owned_like_the_parents_root),
	TEST(usage_counts_a_snapshots_own_bytes),
	TEST(mounts_are_the_simplest_that_show_it),
	TEST(a_child_shows_its_changes_over_its_parents),
	TEST(a_view_is_read_only),
	TEST(a_stack_of_128_layers_can_be_mounted),
};

int
main(void)
{
	/* What the tests mount goes with them, and nobody else sees it. */
	can_mount = unshare(CLONE_NEWNS) == 0 &&
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return tap_run(tests, ARRAY_SIZE(tests));
}
