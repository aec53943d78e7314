/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: kinds and parents, what to mount, layers shared between
 * namespaces, and what a crash leaves. What an overlay shows is proved
 * with mounts in a mount namespace of the test's own.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "store/events/log.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define DIRS "snapshots/overlay"
#define TRASH "snapshots/trash"

static bool can_mount;

struct store {
	char *root;
	struct db *db;
	struct snapshots *snapshots;
};

static void
shut(struct store *store)
{
	snapshots_close(STEAL_PTR(store->snapshots));
	if (store->db)
		db_close(STEAL_PTR(store->db));
}

static void
reopen(struct store *store)
{
	struct skiff_error err = ERROR_INIT;

	shut(store);
	if (db_open(store->root, NULL, &store->db, &err) < 0 ||
	    snapshots_open(store->db, store->root, &store->snapshots, &err) <
		0) {
		(void)printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

static void
store_open_at(struct store *store, char *root)
{
	*store = (struct store){ .root = root };
	reopen(store);
}

static void
store_done(struct store *store)
{
	shut(store);
	scratch_remove(store->root);
}

static int
make(struct store *store, enum snapshot_kind kind, const char *key,
     const char *parent, struct skiff_error *err)
{
	const struct snapshot_request request = {
		.ns = "a", .key = key, .parent = parent, .kind = kind
	};
	cleanup_free char *doc = NULL;

	return snapshot_prepare(store->snapshots, &request, &doc, err);
}

static int
commit(struct store *store, const char *name, const char *key,
       struct skiff_error *err)
{
	cleanup_free char *doc = NULL;

	return snapshot_commit(store->snapshots, "a", name, key, NULL, &doc,
			       err);
}

static int
drop(struct store *store, const char *key, struct skiff_error *err)
{
	return snapshot_remove(store->snapshots, "a", key, 0, err);
}

static int64_t
n_records(struct store *store, const char *ns)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(store->db);

	return record_count(conn, RECORD_SNAPSHOT, ns);
}

static bool
has(struct store *store, const char *ns, const char *key)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(store->db);
	cleanup_free char *record_key = xasprintf("overlay/%s", key);

	return record_exists(conn, &(struct record_ref){ RECORD_SNAPSHOT, ns,
							 record_key });
}

static int
n_dirs(const struct store *store)
{
	return scratch_count(store->root, DIRS);
}

static bool
trash_is_empty(const struct store *store)
{
	return scratch_count(store->root, TRASH) == 0;
}

/* The first directory of a snapshot, below the root; the caller frees. */
static char *
dir_of(struct store *store, const char *ns, const char *key)
{
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;
	struct skiff_error err = ERROR_INIT;

	if (snapshot_dirs(store->snapshots, ns, key, &dirs, &err) < 0)
		return xstrdup("");
	return xstrdup(dirs.items[0] + strlen(store->root) + 1);
}

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

static void
put_file(int fd, const char *name, const char *text)
{
	struct skiff_error err = ERROR_INIT;

	CHECK(fs_replace_file(fd, name, text, strlen(text), 0644, false,
			      &err) == 0);
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

/* --- layers ---------------------------------------------------------- */

#define CHAIN_1 "sha256:1111"
#define CHAIN_2 "sha256:2222"

static int
unpack(struct store *store, const char *ns, const char *chain_id,
       const char *parent, struct skiff_error *err)
{
	const struct layer_request request = { .ns = ns,
					       .chain_id = chain_id,
					       .parent = parent };
	CLEANUP(snapshot_dir_freep) struct snapshot_dir *dir = NULL;

	if (snapshot_dir_make(store->snapshots, &dir, err) < 0)
		return -1;
	put_file(snapshot_dir_fd(dir), "file", chain_id);
	if (snapshots_sync(store->snapshots, err) < 0)
		return -1;
	return layer_commit(dir, &request, err);
}

static int
adopt(struct store *store, const char *ns, const char *chain_id,
      const char *parent, struct skiff_error *err)
{
	const struct layer_request request = { .ns = ns,
					       .chain_id = chain_id,
					       .parent = parent };

	return layer_adopt(store->snapshots, &request, err);
}

static void
namespaces_share_the_directory_of_a_layer(void)
{
	struct skiff_error err = ERROR_INIT;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(adopt(&store, "b", CHAIN_1, NULL, &err) == 0);
	CHECK(unpack(&store, "a", CHAIN_1, NULL, &err) == 0);
	CHECK(unpack(&store, "a", CHAIN_2, CHAIN_1, &err) == 0);
	CHECK(adopt(&store, "b", CHAIN_2, CHAIN_1, &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	CHECK(adopt(&store, "b", CHAIN_1, NULL, &err) == 1);
	CHECK(adopt(&store, "b", CHAIN_1, NULL, &err) == 1);
	CHECK(adopt(&store, "b", CHAIN_2, CHAIN_1, &err) == 1);
	CHECK(n_dirs(&store) == 2 && n_records(&store, NULL) == 4);
	CHECK(snapshot_remove(store.snapshots, "a", CHAIN_2, 0, &err) == 0);
	CHECK(snapshot_remove(store.snapshots, "a", CHAIN_1, 0, &err) == 0);
	CHECK(n_dirs(&store) == 2);
	reopen(&store);
	CHECK(scratch_has(store.root, DIRS "/1/fs/file"));
	CHECK(snapshot_remove(store.snapshots, "b", CHAIN_2, 0, &err) == 0);
	CHECK(n_dirs(&store) == 1 && trash_is_empty(&store));
	store_done(&store);
}

static void
the_slower_of_two_unpackings_leaves_nothing(void)
{
	struct skiff_error err = ERROR_INIT;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(unpack(&store, "a", CHAIN_1, NULL, &err) == 0);
	CHECK(unpack(&store, "a", CHAIN_1, NULL, &err) == 0);
	CHECK(unpack(&store, "b", CHAIN_1, NULL, &err) == 0);
	CHECK(n_dirs(&store) == 1 && trash_is_empty(&store));
	CHECK(n_records(&store, NULL) == 2);
	store_done(&store);
}

static void
what_a_client_committed_is_never_shared(void)
{
	struct skiff_error err = ERROR_INIT;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	CHECK(adopt(&store, "a", "x", NULL, &err) < 0);
	CHECK(err.code == SKIFF_ALREADY_EXISTS);
	CHECK(commit(&store, CHAIN_1, "x", &err) == 0);
	CHECK(adopt(&store, "a", CHAIN_1, NULL, &err) == 1);
	CHECK(adopt(&store, "b", CHAIN_1, NULL, &err) == 0);
	/* Nor what was unpacked on top of it. */
	CHECK(unpack(&store, "a", CHAIN_2, CHAIN_1, &err) == 0);
	CHECK(unpack(&store, "b", CHAIN_1, NULL, &err) == 0);
	CHECK(adopt(&store, "b", CHAIN_2, CHAIN_1, &err) == 0);
	CHECK(n_dirs(&store) == 3);
	store_done(&store);
}

/* --- the start ------------------------------------------------------- */

static void
a_lost_layer_goes_with_all_that_stands_on_it(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *path = NULL;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(unpack(&store, "a", CHAIN_1, NULL, &err) == 0);
	CHECK(unpack(&store, "a", CHAIN_2, CHAIN_1, &err) == 0);
	path = xasprintf("%s/" DIRS "/1", store.root);
	CHECK(fs_remove_tree(AT_FDCWD, path, &err) == 0);
	reopen(&store);
	CHECK(n_records(&store, NULL) == 0 && n_dirs(&store) == 0);
	CHECK(unpack(&store, "a", CHAIN_1, NULL, &err) == 0);

	/* What is in use is not taken away; it is logged. */
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", CHAIN_1, &err) == 0);
	path[strlen(path) - 1] = '3';
	CHECK(fs_remove_tree(AT_FDCWD, path, &err) == 0);
	reopen(&store);
	CHECK(has(&store, "a", CHAIN_1) && has(&store, "a", "x"));
	store_done(&store);
}

static void
directories_that_no_row_names_go_at_the_start(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *path = NULL;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", NULL, &err) == 0);
	path = xasprintf("%s/" DIRS "/70/fs", store.root);
	CHECK(fs_mkdir_all(AT_FDCWD, path, 0700, &err) == 0);
	scratch_write(store.root, DIRS "/stray", "x");
	scratch_write(store.root, TRASH "/9.dead", "x");
	reopen(&store);
	CHECK(n_dirs(&store) == 1 && trash_is_empty(&store));
	CHECK(make(&store, SNAPSHOT_ACTIVE, "y", NULL, &err) == 0);
	CHECK(scratch_has(store.root, DIRS "/71/fs"));
	store_done(&store);
}

/* --- faults ---------------------------------------------------------- */

static int
play(const char *role, const char *root)
{
	struct skiff_error err = ERROR_INIT;
	struct store store;
	int r = -1;

	store_open_at(&store, xstrdup(root));
	if (fault_setup(&err) < 0)
		return 2;
	if (!strcmp(role, "make"))
		r = make(&store, SNAPSHOT_ACTIVE, "new", "base", &err);
	else if (!strcmp(role, "unpack"))
		r = unpack(&store, "a", "new", NULL, &err);
	else if (!strcmp(role, "commit"))
		r = commit(&store, "new", "x", &err);
	else if (!strcmp(role, "remove"))
		r = drop(&store, "x", &err);
	shut(&store);
	free(store.root);
	return r < 0 ? 1 : 0;
}

struct step {
	const char *role;
	const char *point;
};

/* Starts from "base" (committed) and "x" (active on it). */
static void
check_step(const struct step *step, const char *action, int status)
{
	cleanup_free char *points = xasprintf("%s=%s", step->point, action);
	struct skiff_error err = ERROR_INIT;
	bool is_consistent;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(unpack(&store, "a", "base", NULL, &err) == 0);
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", "base", &err) == 0);
	shut(&store);
	CHECK(second_life(step->role, store.root, points) == status);
	reopen(&store);
	is_consistent = n_dirs(&store) == n_records(&store, NULL) &&
			trash_is_empty(&store) && has(&store, "a", "base") &&
			scratch_has(store.root, DIRS "/1/fs/file");
	if (!is_consistent)
		(void)printf("# %s %s\n", step->role, points);
	CHECK(is_consistent);
	/* And it can be done again. */
	if (!strcmp(step->role, "remove") && has(&store, "a", "x"))
		CHECK(drop(&store, "x", &err) == 0);
	if (!strcmp(step->role, "commit") && has(&store, "a", "x"))
		CHECK(commit(&store, "new", "x", &err) == 0);
	if (!strcmp(step->role, "make") && !has(&store, "a", "new"))
		CHECK(make(&store, SNAPSHOT_ACTIVE, "new", "base", &err) == 0);
	if (!strcmp(step->role, "unpack"))
		CHECK(unpack(&store, "a", "new", NULL, &err) == 0);
	CHECK(n_dirs(&store) == n_records(&store, NULL));
	store_done(&store);
}

static void
a_crash_at_any_step_leaves_all_or_nothing(void)
{
	static const struct step steps[] = {
		{ "make", "snapshot.mkdir" },
		{ "make", "snapshot.sync" },
		{ "make", "snapshot.row" },
		{ "make", "db.commit.before" },
		{ "make", "db.commit.after" },
		{ "unpack", "layer.syncfs" },
		{ "unpack", "layer.commit" },
		{ "unpack", "layer.committed" },
		{ "commit", "layer.syncfs" },
		{ "commit", "layer.commit" },
		{ "commit", "db.commit.before" },
		{ "remove", "snapshot.remove" },
		{ "remove", "snapshot.trash" },
		{ "remove", "db.commit.before" },
		{ "remove", "db.commit.after" },
		{ "remove", "snapshot.delete" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		check_step(&steps[i], "crash", KILLED);
}

static void
a_failure_at_any_step_leaves_all_or_nothing(void)
{
	static const struct step steps[] = {
		{ "make", "snapshot.mkdir" },
		{ "make", "snapshot.sync" },
		{ "make", "snapshot.row" },
		{ "make", "db.commit.before" },
		{ "unpack", "layer.syncfs" },
		{ "unpack", "layer.commit" },
		{ "commit", "layer.syncfs" },
		{ "commit", "layer.commit" },
		{ "commit", "db.commit.before" },
		{ "remove", "snapshot.remove" },
		{ "remove", "snapshot.trash" },
		{ "remove", "db.commit.before" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		check_step(&steps[i], "1*error(ENOSPC)", 1);
}

/* --- races ----------------------------------------------------------- */

struct racer {
	struct store *store;
	const char *ns;
	pthread_t thread;
	int n_bad;
};

static void *
race(void *arg)
{
	struct racer *racer = arg;
	struct store *store = racer->store;

	for (int i = 0; i < 30; i++) {
		struct skiff_error err = ERROR_INIT;
		cleanup_free char *dir = NULL;
		cleanup_free char *file = NULL;

		if (adopt(store, racer->ns, CHAIN_1, NULL, &err) == 0 &&
		    unpack(store, racer->ns, CHAIN_1, NULL, &err) < 0)
			racer->n_bad++;
		dir = dir_of(store, racer->ns, CHAIN_1);
		file = xasprintf("%s/file", dir);
		if (!scratch_has(store->root, file))
			racer->n_bad++;
		if (i % 3 == 0 && snapshot_remove(store->snapshots, racer->ns,
						  CHAIN_1, 0, &err) < 0)
			racer->n_bad++;
	}
	return NULL;
}

static void
layers_that_come_and_go_at_once_keep_their_bytes(void)
{
	struct racer racers[4] = {
		{ .ns = "a" }, { .ns = "b" }, { .ns = "c" }, { .ns = "d" }
	};
	struct skiff_error err = ERROR_INIT;
	struct store store;

	store_open_at(&store, scratch_make());
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
		racers[i].store = &store;
		CHECK(pthread_create(&racers[i].thread, NULL, race,
				     &racers[i]) == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
		CHECK(pthread_join(racers[i].thread, NULL) == 0);
		CHECK(racers[i].n_bad == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++)
		CHECK(snapshot_remove(store.snapshots, racers[i].ns, CHAIN_1, 0,
				      &err) == 0);
	CHECK(n_dirs(&store) == 0 && trash_is_empty(&store));
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
	TEST(namespaces_share_the_directory_of_a_layer),
	TEST(the_slower_of_two_unpackings_leaves_nothing),
	TEST(what_a_client_committed_is_never_shared),
	TEST(a_lost_layer_goes_with_all_that_stands_on_it),
	TEST(directories_that_no_row_names_go_at_the_start),
	TEST(a_crash_at_any_step_leaves_all_or_nothing),
	TEST(a_failure_at_any_step_leaves_all_or_nothing),
	TEST(layers_that_come_and_go_at_once_keep_their_bytes),
};

int
main(int argc, char **argv)
{
	if (argc == 3)
		return play(argv[1], argv[2]);
	/* What the tests mount goes with them, and nobody else sees it. */
	can_mount = unshare(CLONE_NEWNS) == 0 &&
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return tap_run(tests, ARRAY_SIZE(tests));
}
