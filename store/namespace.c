/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces: made on purpose here (record.c makes those that are first
 * written to), and deleted when nothing roots anything in them.
 */
#include "config.h"

#include "store/namespace.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "base/strv.h"
#include "store/content/content.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"
#include "store/user_range.h"

#define LABEL_ROOT "containerd.io/gc.root"

struct creation {
	const char *name;
	json_t *labels;
	char *doc;
	int64_t revision;
};

static int
create(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct creation *creation = arg;
	struct record_ref ref = { RECORD_NAMESPACE, "", creation->name };
	cleanup_json json_t *object = json_object();

	json_set_text(object, "name", creation->name);
	if (creation->labels)
		(void)json_object_set(object, "labels", creation->labels);
	if (record_insert(tx, &ref, object, NULL, err) < 0)
		return -1;
	creation->doc = json_text(object);
	creation->revision = json_get_int(object, "revision", 0);
	return 0;
}

int
namespace_create(struct db *db, const char *name, json_t *labels,
		 char **ret_doc, int64_t *ret_revision, struct skiff_error *err)
{
	struct creation creation = { .name = name, .labels = labels };

	if (id_check("namespace", name, err) < 0)
		return -1;
	if (db_write(db, create, &creation, err) < 0) {
		free(creation.doc);
		return -1;
	}
	*ret_doc = creation.doc;
	*ret_revision = creation.revision;
	return 0;
}

/* --- deletion ------------------------------------------------------- */

/* What is in a namespace: what forbids its deletion, what goes with it. */
struct holdings {
	int64_t n_live_snapshots; /* active ones and views */
	int64_t n_live_operations;
	int64_t n_rooted; /* by a label alone */
	struct strv operations;
	struct strv digests;
	struct strv snapshots;
	json_t *parents; /* of the committed snapshots, by key */
};

static void
holdings_done(struct holdings *holdings)
{
	strv_done(&holdings->operations);
	strv_done(&holdings->digests);
	strv_done(&holdings->snapshots);
	json_decref(holdings->parents);
}

static void
note_root(struct holdings *holdings, const json_t *object)
{
	const json_t *labels = json_object_get(object, "labels");

	holdings->n_rooted += *json_get_text(labels, LABEL_ROOT) != '\0';
}

static int
note_operation(void *arg, const char *ns, const char *key, json_t *object,
	       struct skiff_error *err)
{
	struct holdings *holdings = arg;
	const char *state = json_get_text(object, "state");

	(void)ns;
	(void)err;
	if (strcmp(state, "pending") == 0 || strcmp(state, "running") == 0)
		holdings->n_live_operations++;
	strv_add(&holdings->operations, key);
	return 0;
}

static int
note_content(void *arg, const char *ns, const char *key, json_t *object,
	     struct skiff_error *err)
{
	struct holdings *holdings = arg;

	(void)ns;
	(void)err;
	note_root(holdings, object);
	strv_add(&holdings->digests, key);
	return 0;
}

static int
note_snapshot(void *arg, const char *ns, const char *key, json_t *object,
	      struct skiff_error *err)
{
	struct holdings *holdings = arg;
	const char *name = json_get_text(object, "key");

	(void)ns;
	(void)key;
	(void)err;
	if (strcmp(json_get_text(object, "kind"), "committed") != 0) {
		holdings->n_live_snapshots++;
		return 0;
	}
	note_root(holdings, object);
	strv_add(&holdings->snapshots, name);
	json_set_text(holdings->parents, name, json_get_text(object, "parent"));
	return 0;
}

static void
add_count(struct strbuf *out, int64_t n, const char *noun, const char *more)
{
	if (n > 0)
		strbuf_addf(out, "%s%" PRId64 " %s%s%s", out->len ? ", " : "",
			    n, noun, n > 1 ? "s" : "", more);
}

static int
refuse_if_held(struct conn *conn, const char *name,
	       const struct holdings *holdings, struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf what = STRBUF_INIT;

	add_count(&what, record_count(conn, RECORD_IMAGE, name), "image", "");
	add_count(&what, record_count(conn, RECORD_CONTAINER, name),
		  "container", "");
	add_count(&what, record_count(conn, RECORD_TASK, name), "task", "");
	add_count(&what, holdings->n_live_operations, "running operation", "");
	add_count(&what, holdings->n_live_snapshots, "active snapshot", "");
	add_count(&what, holdings->n_rooted, "object", " labelled " LABEL_ROOT);
	if (what.len == 0)
		return 0;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "namespace %s must be empty: %s", name, what.buf);
	(void)err_reason(err, "namespace_not_empty");
	return err_object(err, "namespace", name);
}

/* 1 for a snapshot without a parent, 2 for its children, … */
static size_t
depth(const struct holdings *holdings, const char *key)
{
	size_t n = 0;

	while (*key && n < holdings->snapshots.n) {
		key = json_get_text(holdings->parents, key);
		n++;
	}
	return n;
}

/* Children before parents: a snapshot with a child cannot go. */
static int
remove_snapshots(struct snapshots *snapshots, struct tx *tx, const char *ns,
		 const struct holdings *holdings, struct skiff_error *err)
{
	size_t n = holdings->snapshots.n;
	cleanup_free size_t *depths = xcalloc(n + 1, sizeof(*depths));
	size_t deepest = 0;

	for (size_t i = 0; i < n; i++) {
		depths[i] = depth(holdings, holdings->snapshots.items[i]);
		if (depths[i] > deepest)
			deepest = depths[i];
	}
	for (size_t level = deepest; level > 0; level--)
		for (size_t i = 0; i < n; i++)
			if (depths[i] == level &&
			    snapshot_remove_in(snapshots, tx, ns,
					       holdings->snapshots.items[i],
					       /* if_match= */ 0, err) < 0)
				return -1;
	return 0;
}

struct deletion {
	struct content *content;
	struct snapshots *snapshots;
	const char *name;
	int64_t if_match;
};

static int
remove_rest(const struct deletion *deletion, struct tx *tx,
	    const struct holdings *holdings, struct skiff_error *err)
{
	const char *ns = deletion->name;

	if (remove_snapshots(deletion->snapshots, tx, ns, holdings, err) < 0)
		return -1;
	for (size_t i = 0; i < holdings->digests.n; i++) {
		struct record_ref ref = { RECORD_CONTENT, ns,
					  holdings->digests.items[i] };

		if (record_delete(tx, &ref, NULL, err) < 0 ||
		    content_drop_bytes(deletion->content, tx, ref.key, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < holdings->operations.n; i++) {
		struct record_ref ref = { RECORD_OPERATION, ns,
					  holdings->operations.items[i] };

		if (record_delete(tx, &ref, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int
delete_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct deletion *deletion = arg;
	const char *name = deletion->name;
	struct record_ref ref = { RECORD_NAMESPACE, "", name };
	struct change change = { .if_match = deletion->if_match };
	CLEANUP(holdings_done)
	struct holdings holdings = { .parents = json_object() };
	struct conn *conn = tx_conn(tx);

	if (record_each(conn, RECORD_OPERATION, name, note_operation, &holdings,
			err) < 0 ||
	    record_each(conn, RECORD_CONTENT, name, note_content, &holdings,
			err) < 0 ||
	    record_each(conn, RECORD_SNAPSHOT, name, note_snapshot, &holdings,
			err) < 0 ||
	    refuse_if_held(conn, name, &holdings, err) < 0 ||
	    remove_rest(deletion, tx, &holdings, err) < 0 ||
	    user_range_drop(tx, name, err) < 0)
		return -1;
	return record_delete(tx, &ref, &change, err);
}

int
namespace_delete(struct db *db, struct content *content,
		 struct snapshots *snapshots, const char *name,
		 int64_t if_match, struct skiff_error *err)
{
	struct deletion deletion = { content, snapshots, name, if_match };
	int r = db_write(db, delete_in, &deletion, err);

	/* After a failure these bring back what was moved away. */
	snapshots_empty_trash(snapshots);
	content_empty_trash(content);
	return r;
}
