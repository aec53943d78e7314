/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Records: every object of the API as one row, whatever its kind.
 *
 * A row is its key (kind, namespace, key) and doc, the exact JSON of the
 * API's answer, rendered once when it is written. All kinds share getting,
 * listing, paging, labels, revisions and events; what is particular to a
 * kind (image, snapshot, …) stands in a file of its own on top of this.
 *
 * Writing stamps namespace, created_at, updated_at and revision into the
 * object, keeps its "labels" in an indexed side table (an empty value
 * removes the label), makes the namespace if it is the first write to it,
 * and appends the event, all in the caller's transaction. The revision of
 * an object is the id of the event that last changed it.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "store/db.h"

/* Numbers are stored: never change one, append only. */
enum record_kind {
	RECORD_NAMESPACE = 1, /* ns "", key = name */
	RECORD_IMAGE = 2,     /* key = name */
	RECORD_CONTENT = 3,   /* key = digest */
	RECORD_SNAPSHOT = 4,  /* key = "<snapshotter>/<key>" */
	RECORD_CONTAINER = 5, /* key = id */
	RECORD_TASK = 6,      /* key = container's id */
	RECORD_OPERATION = 7, /* key = id */
	RECORD_EXEC = 8,      /* key = "<task>/<exec>" */
};

struct record_ref {
	enum record_kind kind;
	const char *ns;
	const char *key;
};

/* What the event of a change says; all fields optional. */
struct change {
	/* Last part of the topic; NULL: "create", "update", "delete". */
	const char *verb;
	/* Payload instead of the kind's own fields; borrowed. */
	const json_t *event;
	/*
	 * The event that tells of this write, too: id of one that was
	 * appended in the same transaction. 0: the write has one of its own.
	 */
	int64_t told;
	/* DELETE and PATCH: SKIFF_ABORTED unless it is the revision; 0 any. */
	int64_t if_match;
};

/* "image", "container", …: for error texts and problems. */
const char *record_kind_name(enum record_kind kind);

/* --- reading, any thread ------------------------------------------- */

/*
 * The document as stored, owned by the caller. SKIFF_NOT_FOUND names kind
 * and key.
 */
int record_get(struct db *db, const struct record_ref *ref, char **ret_doc,
	       int64_t *ret_revision, struct skiff_error *err);

struct list_options {
	const char *prefix; /* keys that begin so, or NULL */
	const char *cursor; /* of the page before, or NULL */
	uint64_t limit;	    /* 1 … 10000 */
	/*
	 * Which are listed, by key and document; NULL: all. What it adds to
	 * *looked are bytes that took time: a page ends at LIST_LOOKED_MAX.
	 */
	bool (*keep)(void *arg, const char *key, const char *doc,
		     size_t *looked);
	void *keep_arg;
};

#define LIST_LIMIT_DEFAULT 1000
#define LIST_LIMIT_MAX 10000
/* A page that has become this large ends early. */
#define LIST_BYTES_MAX (16 << 20)
#define LIST_LOOKED_MAX (4 << 20)

/*
 * Appends the whole List document of API.md §1:
 * {"items":[…],"revision":R,"cursor":"…"}, one page in one read snapshot.
 * SKIFF_INVALID_ARGUMENT for a cursor that is not one of ours. A namespace
 * that does not exist has an empty list.
 */
int record_list(struct db *db, enum record_kind kind, const char *ns,
		const struct list_options *options, struct strbuf *out,
		struct skiff_error *err);

/* --- inside a transaction, or with a reader ------------------------- */

/* The object parsed; the caller owns it. */
int record_load(struct conn *conn, const struct record_ref *ref,
		json_t **ret_object, struct skiff_error *err);
bool record_exists(struct conn *conn, const struct record_ref *ref);
/* ns NULL counts all namespaces. */
int64_t record_count(struct conn *conn, enum record_kind kind, const char *ns);
/* Whether any namespace has this key (content: is the blob still named). */
bool record_key_exists(struct conn *conn, enum record_kind kind,
		       const char *key);
/* Calls each(arg, ns, key, object) in key order; ns NULL: all. Stops at -1. */
typedef int (*record_fn)(void *arg, const char *ns, const char *key,
			 json_t *object, struct skiff_error *err);
int record_each(struct conn *conn, enum record_kind kind, const char *ns,
		record_fn each, void *arg, struct skiff_error *err);
/* The same for the keys of a namespace that begin with prefix. */
int record_each_below(struct conn *conn, enum record_kind kind, const char *ns,
		      const char *prefix, record_fn each, void *arg,
		      struct skiff_error *err);

/*
 * object gets the stamps and is otherwise as the caller made it.
 * SKIFF_ALREADY_EXISTS.
 */
int record_insert(struct tx *tx, const struct record_ref *ref, json_t *object,
		  const struct change *change, struct skiff_error *err);
/* SKIFF_ABORTED unless if_match is 0 or the revision. */
int record_match(const struct record_ref *ref, int64_t revision,
		 int64_t if_match, struct skiff_error *err);
/* The same of the one that is there. SKIFF_NOT_FOUND. */
int record_check(struct db *db, const struct record_ref *ref, int64_t if_match,
		 struct skiff_error *err);
/* Replaces the document; created_at is kept. SKIFF_NOT_FOUND, SKIFF_ABORTED. */
int record_update(struct tx *tx, const struct record_ref *ref, json_t *object,
		  const struct change *change, struct skiff_error *err);
/* The same under another key. SKIFF_ALREADY_EXISTS: that is taken. */
int record_rename(struct tx *tx, const struct record_ref *ref, const char *key,
		  json_t *object, const struct change *change,
		  struct skiff_error *err);
int record_delete(struct tx *tx, const struct record_ref *ref,
		  const struct change *change, struct skiff_error *err);

/*
 * Merges labels (RFC 7396: null or "" removes) into the object; *ret_doc
 * is the new document. Used by PATCH of every kind.
 */
int record_patch_labels(struct db *db, const struct record_ref *ref,
			const json_t *labels, const struct change *change,
			char **ret_doc, int64_t *ret_revision,
			struct skiff_error *err);

/* Fault-checks an object of labels; each fault gets pointer + "/key". */
struct json_faults;
void labels_check(const json_t *labels, const char *pointer,
		  struct json_faults *faults);
/* The same for a merge patch, where null removes a label. */
void label_patch_check(const json_t *labels, const char *pointer,
		       struct json_faults *faults);
/* Sets what a good patch says in labels, and removes "" and null. */
void labels_merge(json_t *labels, const json_t *patch);
