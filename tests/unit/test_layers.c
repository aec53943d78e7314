/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers that namespaces share, and what a crash leaves of snapshots.
 */
#include "config.h"

#include <pthread.h>

#include "base/fault.h"
#include "tests/unit/snapshot_store.h"

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
an_empty_directory_that_a_power_cut_took_is_made_again(void)
{
	static const char *const taken[] = { "", "/fs", "/work" };
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *base = NULL;
	cleanup_free char *own = NULL;
	struct stat st = { 0 };
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(unpack(&store, "a", CHAIN_1, NULL, &err) == 0);
	CHECK(make(&store, SNAPSHOT_ACTIVE, "x", CHAIN_1, &err) == 0);
	base = xasprintf("%s/" DIRS "/1/fs", store.root);
	own = xasprintf("%s/" DIRS "/2/fs", store.root);
	if (geteuid() == 0)
		CHECK(chown(base, 1234, 1235) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		cleanup_free char *path =
		    xasprintf("%s/" DIRS "/2%s", store.root, taken[i]);

		CHECK(fs_remove_tree(AT_FDCWD, path, &err) == 0);
		reopen(&store);
		CHECK(has(&store, "a", "x"));
		CHECK(scratch_has(store.root, DIRS "/2/fs"));
		CHECK(scratch_has(store.root, DIRS "/2/work"));
	}
	CHECK(stat(own, &st) == 0 && (st.st_mode & 07777) == 0755);
	if (geteuid() == 0)
		CHECK(st.st_uid == 1234 && st.st_gid == 1235);
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
	TEST(namespaces_share_the_directory_of_a_layer),
	TEST(the_slower_of_two_unpackings_leaves_nothing),
	TEST(what_a_client_committed_is_never_shared),
	TEST(a_lost_layer_goes_with_all_that_stands_on_it),
	TEST(an_empty_directory_that_a_power_cut_took_is_made_again),
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
	return tap_run(tests, ARRAY_SIZE(tests));
}
