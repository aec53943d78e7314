/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A snapshot store on a scratch root, for the tests of snapshots.
 */
#include "base/json.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define DIRS "snapshots/overlay"
#define TRASH "snapshots/trash"

struct store {
	char *root;
	struct db *db;
	struct snapshots *snapshots;
};

static inline void
shut(struct store *store)
{
	snapshots_close(STEAL_PTR(store->snapshots));
	if (store->db)
		db_close(STEAL_PTR(store->db));
}

static inline void
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

static inline void
store_open_at(struct store *store, char *root)
{
	*store = (struct store){ .root = root };
	reopen(store);
}

static inline void
store_done(struct store *store)
{
	shut(store);
	scratch_remove(store->root);
}

static inline int
make(struct store *store, enum snapshot_kind kind, const char *key,
     const char *parent, struct skiff_error *err)
{
	const struct snapshot_request request = {
		.ns = "a", .key = key, .parent = parent, .kind = kind
	};
	cleanup_json json_t *object = NULL;

	return snapshot_prepare(store->snapshots, &request, &object, err);
}

static inline int
commit(struct store *store, const char *name, const char *key,
       struct skiff_error *err)
{
	cleanup_json json_t *object = NULL;

	return snapshot_commit(store->snapshots, "a", name, key, NULL, &object,
			       err);
}

static inline int
drop(struct store *store, const char *key, struct skiff_error *err)
{
	return snapshot_remove(store->snapshots, "a", key, 0, err);
}

static inline int64_t
n_records(struct store *store, const char *ns)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(store->db);

	return record_count(conn, RECORD_SNAPSHOT, ns);
}

static inline bool
has(struct store *store, const char *ns, const char *key)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(store->db);
	cleanup_free char *record_key = xasprintf("overlay/%s", key);

	return record_exists(conn, &(struct record_ref){ RECORD_SNAPSHOT, ns,
							 record_key });
}

static inline int
n_dirs(const struct store *store)
{
	return scratch_count(store->root, DIRS);
}

static inline bool
trash_is_empty(const struct store *store)
{
	return scratch_count(store->root, TRASH) == 0;
}

/* The first directory of a snapshot, below the root; the caller frees. */
static inline char *
dir_of(struct store *store, const char *ns, const char *key)
{
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;
	struct skiff_error err = ERROR_INIT;

	if (snapshot_dirs(store->snapshots, ns, key, &dirs, &err) < 0)
		return xstrdup("");
	return xstrdup(dirs.items[0] + strlen(store->root) + 1);
}

static inline void
put_file(int fd, const char *name, const char *text)
{
	struct skiff_error err = ERROR_INIT;

	CHECK(fs_replace_file(fd, name, text, strlen(text), 0644, false,
			      &err) == 0);
}
