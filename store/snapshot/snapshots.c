/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: preparing, committing, removing, looking.
 *
 * Keys and names share one space per namespace, as in containerd. The
 * record (store/record.h) is what clients see; the row beside it knows the
 * parent and the directory.
 */
#include "config.h"

#include "store/snapshot/snapshots.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/json.h"
#include "store/container_use.h"
#include "store/record.h"
#include "store/snapshot/snapshot_internal.h"

static const char *const kind_names[] = {
	[SNAPSHOT_VIEW] = "view",
	[SNAPSHOT_ACTIVE] = "active",
	[SNAPSHOT_COMMITTED] = "committed",
};

int
snapshotter_check(const char *name, const char **ret_name,
		  struct skiff_error *err)
{
	if (strcmp(name, "default") != 0 &&
	    strcmp(name, SNAPSHOTTER_DEFAULT) != 0)
		return err_not_found(err, "snapshotter", name);
	*ret_name = SNAPSHOTTER_DEFAULT;
	return 0;
}

/* "overlay/<key>"; the caller frees. */
static char *
snapshot_record_key(const char *key)
{
	return xasprintf(SNAPSHOTTER_DEFAULT "/%s", key);
}

/* containerd's fields of a snapshot's event; the caller owns it. */
static json_t *
event_of(const char *key, const char *parent, const char *name)
{
	json_t *event = json_object();

	json_set_text(event, "key", key);
	json_set_text(event, "parent", parent);
	json_set_text(event, "name", name);
	json_set_text(event, "snapshotter", SNAPSHOTTER_DEFAULT);
	return event;
}

int
snapshot_insert(struct tx *tx, const struct new_snapshot *snapshot,
		json_t **ret_object, struct skiff_error *err)
{
	const struct snapshot_row *row = snapshot->row;
	const char *from = snapshot->committed_from;
	cleanup_free char *record_key = snapshot_record_key(snapshot->key);
	const struct record_ref ref = { RECORD_SNAPSHOT, snapshot->ns,
					record_key };
	cleanup_json json_t *object = json_object();
	cleanup_json json_t *event =
	    event_of(from ? from : snapshot->key, row->parent,
		     from ? snapshot->key : NULL);
	const struct change change = { .verb = snapshot->verb, .event = event };

	json_set_text(object, "key", snapshot->key);
	json_set_text(object, "parent", row->parent);
	json_set_text(object, "kind", kind_names[row->kind]);
	json_set_text(object, "snapshotter", SNAPSHOTTER_DEFAULT);
	if (snapshot->labels)
		(void)json_object_set_new(object, "labels",
					  json_deep_copy(snapshot->labels));
	if (record_insert(tx, &ref, object, &change, err) < 0 ||
	    rows_insert(tx, snapshot->ns, snapshot->key, row, err) < 0)
		return -1;
	if (ret_object)
		*ret_object = STEAL_PTR(object);
	return 0;
}

static int
delete_record(struct tx *tx, const char *ns, const char *key, int64_t if_match,
	      struct skiff_error *err)
{
	cleanup_free char *record_key = snapshot_record_key(key);
	const struct record_ref ref = { RECORD_SNAPSHOT, ns, record_key };
	cleanup_json json_t *event = event_of(key, NULL, NULL);
	const struct change change = { .verb = "remove",
				       .event = event,
				       .if_match = if_match };

	if (record_delete(tx, &ref, &change, err) < 0)
		return -1;
	return rows_delete(tx, ns, key, err);
}

static int
find_or_fail(struct conn *conn, const char *ns, const char *key,
	     struct snapshot_row *row, struct skiff_error *err)
{
	int r = rows_find(conn, ns, key, row, err);

	if (r == 0)
		return err_not_found(err, "snapshot", key);
	return r < 0 ? -1 : 0;
}

int
snapshot_find_parent(struct conn *conn, const char *ns, const char *parent,
		     struct snapshot_row *ret_parent, struct skiff_error *err)
{
	if (find_or_fail(conn, ns, parent, ret_parent, err) < 0)
		return -1;
	if (ret_parent->kind == SNAPSHOT_COMMITTED)
		return 0;
	(void)err_set(err, SKIFF_INVALID_ARGUMENT,
		      "parent \"%s\" is not committed snapshot", parent);
	return err_object(err, "snapshot", parent);
}

/* --- preparing ------------------------------------------------------- */

static int
add_mounts(const struct snapshot_dir *dir, struct tx *tx,
	   const struct snapshot_request *request, json_t *object,
	   struct skiff_error *err)
{
	CLEANUP(chain_done) struct chain chain = { 0 };
	struct mount *mount;

	if (rows_chain(tx_conn(tx), request->ns, request->key, &chain, err) < 0)
		return -1;
	assert(chain.n > 0);
	mount = overlay_mount(dir->snapshots, request->kind, &chain);
	(void)json_object_set_new(object, "mounts", mounts_to_json(mount, 1));
	mounts_free(mount, 1);
	return 0;
}

int
snapshot_prepare_in(struct snapshot_dir *dir, struct tx *tx,
		    const struct snapshot_request *request, json_t **ret_object,
		    struct skiff_error *err)
{
	CLEANUP(snapshot_row_done) struct snapshot_row parent = { 0 };
	cleanup_json json_t *object = NULL;
	bool has_parent = request->parent && *request->parent;
	const struct snapshot_row row = {
		.kind = request->kind,
		.number = dir->number,
		.parent = has_parent ? (char *)request->parent : NULL,
	};
	const struct new_snapshot snapshot = {
		.ns = request->ns,
		.key = request->key,
		.row = &row,
		.labels = request->labels,
		.verb = request->kind == SNAPSHOT_VIEW ? "view" : "prepare",
	};

	assert(request->kind != SNAPSHOT_COMMITTED);
	if (name_check("snapshot key", request->key, err) < 0)
		return -1;
	if (has_parent &&
	    (snapshot_find_parent(tx_conn(tx), request->ns, request->parent,
				  &parent, err) < 0 ||
	     dirs_own_like(dir->snapshots, dir->fd, parent.number, err) < 0))
		return -1;
	if (fault_hit(FAULT_SNAPSHOT_ROW, err) < 0 ||
	    snapshot_insert(tx, &snapshot, &object, err) < 0 ||
	    add_mounts(dir, tx, request, object, err) < 0)
		return -1;
	*ret_object = STEAL_PTR(object);
	return 0;
}

struct preparation {
	struct snapshot_dir *dir;
	const struct snapshot_request *request;
	json_t *object;
};

static int
prepare_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct preparation *preparation = arg;

	return snapshot_prepare_in(preparation->dir, tx, preparation->request,
				   &preparation->object, err);
}

int
snapshot_prepare(struct snapshots *snapshots,
		 const struct snapshot_request *request, json_t **ret_object,
		 struct skiff_error *err)
{
	CLEANUP(snapshot_dir_freep) struct snapshot_dir *dir = NULL;
	struct preparation preparation = { .request = request };
	int r;

	if (snapshot_dir_make(snapshots, &dir, err) < 0)
		return -1;
	preparation.dir = dir;
	r = db_write(snapshots->db, prepare_in, &preparation, err);
	if (r == 0)
		*ret_object = STEAL_PTR(preparation.object);
	json_decref(preparation.object);
	return r;
}

/* --- committing ------------------------------------------------------ */

struct commit {
	const char *ns;
	const char *name;
	const char *key;
	const json_t *labels;
	json_t *object;
};

static int
find_active(struct conn *conn, const struct commit *commit,
	    struct snapshot_row *row, struct skiff_error *err)
{
	if (find_or_fail(conn, commit->ns, commit->key, row, err) < 0)
		return -1;
	if (row->kind == SNAPSHOT_ACTIVE)
		return 0;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "snapshot \"%s\" is not active", commit->key);
	(void)err_state(err, kind_names[row->kind]);
	return err_object(err, "snapshot", commit->key);
}

/* A container's snapshot goes with the last container that has it. */
static int
refuse_used(struct conn *conn, const char *ns, const char *key,
	    struct skiff_error *err)
{
	cleanup_free char *id = NULL;
	int r = container_use_find(conn, ns, key, &id, err);

	if (r <= 0)
		return r;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "container %s stands on the snapshot, which goes with it",
		      id);
	(void)err_reason(err, "snapshot_in_use");
	return err_object(err, "snapshot", key);
}

/* Nobody verified what a client wrote: no chain id, so nobody shares it. */
static int
commit_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct commit *commit = arg;
	CLEANUP(snapshot_row_done) struct snapshot_row row = { 0 };
	const struct new_snapshot snapshot = {
		.ns = commit->ns,
		.key = commit->name,
		.row = &row,
		.labels = commit->labels,
		.verb = "commit",
		.committed_from = commit->key,
	};

	if (find_active(tx_conn(tx), commit, &row, err) < 0 ||
	    refuse_used(tx_conn(tx), commit->ns, commit->key, err) < 0)
		return -1;
	row.kind = SNAPSHOT_COMMITTED;
	if (snapshot_insert(tx, &snapshot, &commit->object, err) < 0)
		return -1;
	return delete_record(tx, commit->ns, commit->key, 0, err);
}

static int
check_active(struct snapshots *snapshots, const struct commit *commit,
	     struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(snapshots->db);
	CLEANUP(snapshot_row_done) struct snapshot_row row = { 0 };

	return find_active(conn, commit, &row, err);
}

int
snapshot_commit(struct snapshots *snapshots, const char *ns, const char *name,
		const char *key, const json_t *labels, json_t **ret_object,
		struct skiff_error *err)
{
	struct commit commit = {
		.ns = ns, .name = name, .key = key, .labels = labels
	};
	int r;

	if (name_check("snapshot name", name, err) < 0 ||
	    check_active(snapshots, &commit, err) < 0 ||
	    snapshots_sync(snapshots, err) < 0 ||
	    fault_hit(FAULT_LAYER_COMMIT, err) < 0)
		return -1;
	r = db_write(snapshots->db, commit_in, &commit, err);
	if (r == 0)
		*ret_object = STEAL_PTR(commit.object);
	json_decref(commit.object);
	return r;
}

int
snapshots_sync(struct snapshots *snapshots, struct skiff_error *err)
{
	if (fault_hit(FAULT_LAYER_SYNCFS, err) < 0)
		return -1;
	if (syncfs(snapshots->dir_fd) < 0)
		return err_errno(err, errno, "syncfs snapshots");
	return 0;
}

/* --- removing -------------------------------------------------------- */

int
snapshot_remove_in(struct snapshots *snapshots, struct tx *tx, const char *ns,
		   const char *key, int64_t if_match, struct skiff_error *err)
{
	CLEANUP(snapshot_row_done) struct snapshot_row row = { 0 };
	int has_child;

	if (find_or_fail(tx_conn(tx), ns, key, &row, err) < 0)
		return -1;
	has_child = rows_has_child(tx_conn(tx), ns, key, err);
	if (has_child < 0)
		return -1;
	if (has_child) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "cannot remove snapshot with child");
		return err_object(err, "snapshot", key);
	}
	if (fault_hit(FAULT_SNAPSHOT_REMOVE, err) < 0 ||
	    delete_record(tx, ns, key, if_match, err) < 0)
		return -1;
	return dirs_drop(snapshots, tx, row.number, err);
}

struct removal {
	struct snapshots *snapshots;
	const char *ns;
	const char *key;
	int64_t if_match;
};

static int
remove_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct removal *removal = arg;

	if (refuse_used(tx_conn(tx), removal->ns, removal->key, err) < 0)
		return -1;

	return snapshot_remove_in(removal->snapshots, tx, removal->ns,
				  removal->key, removal->if_match, err);
}

int
snapshot_remove(struct snapshots *snapshots, const char *ns, const char *key,
		int64_t if_match, struct skiff_error *err)
{
	struct removal removal = { snapshots, ns, key, if_match };
	int r = db_write(snapshots->db, remove_in, &removal, err);

	/* After a failure it brings back what the closure moved away. */
	snapshots_empty_trash(snapshots);
	return r;
}

/* --- looking --------------------------------------------------------- */

static int
find_chain(struct snapshots *snapshots, const char *ns, const char *key,
	   struct snapshot_row *row, struct chain *chain,
	   struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(snapshots->db);

	if (find_or_fail(conn, ns, key, row, err) < 0 ||
	    rows_chain(conn, ns, key, chain, err) < 0)
		return -1;
	/* It may have gone between the two. */
	return chain->n > 0 ? 0 : err_not_found(err, "snapshot", key);
}

int
snapshot_mounts(struct snapshots *snapshots, const char *ns, const char *key,
		struct mount **ret_mounts, size_t *ret_n,
		struct skiff_error *err)
{
	CLEANUP(snapshot_row_done) struct snapshot_row row = { 0 };
	CLEANUP(chain_done) struct chain chain = { 0 };

	if (find_chain(snapshots, ns, key, &row, &chain, err) < 0)
		return -1;
	if (row.kind == SNAPSHOT_COMMITTED) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "snapshot \"%s\" is not active or view", key);
		(void)err_state(err, kind_names[row.kind]);
		return err_object(err, "snapshot", key);
	}
	*ret_mounts = overlay_mount(snapshots, row.kind, &chain);
	*ret_n = 1;
	return 0;
}

int
snapshot_usage(struct snapshots *snapshots, const char *ns, const char *key,
	       uint64_t *ret_bytes, uint64_t *ret_inodes,
	       struct skiff_error *err)
{
	CLEANUP(snapshot_row_done) struct snapshot_row row = { 0 };
	CLEANUP(chain_done) struct chain chain = { 0 };
	cleanup_free char *path = NULL;

	if (find_chain(snapshots, ns, key, &row, &chain, err) < 0)
		return -1;
	if (row.kind == SNAPSHOT_VIEW) {
		*ret_bytes = 0;
		*ret_inodes = 0;
		return 0;
	}
	path = xasprintf("%" PRId64 "/fs", row.number);
	return fs_usage(snapshots->dir_fd, path, ret_bytes, ret_inodes, err);
}

int
snapshot_dirs(struct snapshots *snapshots, const char *ns, const char *key,
	      struct strv *ret_dirs, struct skiff_error *err)
{
	CLEANUP(snapshot_row_done) struct snapshot_row row = { 0 };
	CLEANUP(chain_done) struct chain chain = { 0 };

	if (find_chain(snapshots, ns, key, &row, &chain, err) < 0)
		return -1;
	for (size_t i = 0; i < chain.n; i++)
		strv_addf(ret_dirs, "%s/%" PRId64 "/fs", snapshots->dir_path,
			  chain.numbers[i]);
	return 0;
}

/* --- opening --------------------------------------------------------- */

static int
open_directories(struct snapshots *snapshots, const char *root_path,
		 struct skiff_error *err)
{
	cleanup_close int root = -1;
	cleanup_close int top = -1;

	if (fs_open_dir(AT_FDCWD, root_path, false, 0, &root, err) < 0 ||
	    fs_open_dir(root, "snapshots", true, 0700, &top, err) < 0 ||
	    fs_open_dir(top, "overlay", true, 0700, &snapshots->dir_fd, err) <
		0 ||
	    fs_open_dir(top, "trash", true, 0700, &snapshots->trash_fd, err) <
		0 ||
	    fs_sync_dir(top, err) < 0)
		return -1;
	return fs_sync_dir(root, err);
}

int
snapshots_open(struct db *db, const char *root_path,
	       struct snapshots **ret_snapshots, struct skiff_error *err)
{
	CLEANUP(snapshots_closep)
	struct snapshots *snapshots = xcalloc(1, sizeof(*snapshots));

	snapshots->db = db;
	snapshots->dir_fd = -1;
	snapshots->trash_fd = -1;
	if (*root_path != '/' || strpbrk(root_path, ":,\\"))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "root directory \"%s\" must be an absolute path "
			       "without ':', ',' and '\\': the options of an "
			       "overlay mount cannot hold them",
			       root_path);
	snapshots->dir_path =
	    xasprintf("%s/snapshots/" SNAPSHOTTER_DEFAULT, root_path);
	overlay_probe(&snapshots->options);
	if (open_directories(snapshots, root_path, err) < 0)
		return err_wrap(err, "snapshots");
	if (dirs_sweep(snapshots, err) < 0)
		return err_wrap(err, "snapshots: clean up");
	*ret_snapshots = STEAL_PTR(snapshots);
	return 0;
}

void
snapshots_close(struct snapshots *snapshots)
{
	if (!snapshots)
		return;
	closep(&snapshots->dir_fd);
	closep(&snapshots->trash_fd);
	strv_done(&snapshots->options);
	free(snapshots->dir_path);
	free(snapshots);
}
