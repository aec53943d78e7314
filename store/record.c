/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: reading and writing rows of the one table.
 *
 * Within a write the order is: namespace (with its event), the event of
 * the change itself, whose id is the revision, the row, the labels.
 */
#include "config.h"

#include "store/record.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json.h"
#include "store/db_internal.h"
#include "store/events/log.h"
#include "store/kinds.h"
#include "store/page.h"

/* Sorts behind every key: UTF-8 never has this byte. */
#define BEHIND_ALL_KEYS "\xff"
/* A key with this behind it sorts before all longer and all greater ones. */
#define NEXT_KEY_SUFFIX "\x01"

enum {
	READ_BEGIN,
	READ_END,
	RECORD_GET,
	RECORD_PAGE,
	RECORD_COUNT,
	RECORD_COUNT_NS,
	RECORD_KEY,
	RECORD_EACH,
	RECORD_EACH_NS,
	RECORD_EACH_BELOW,
	RECORD_INSERT,
	RECORD_UPDATE,
	RECORD_RENAME,
	RECORD_DELETE,
	LABEL_INSERT,
	LABEL_DELETE,
	N_STATEMENTS
};

static const char *const sql[N_STATEMENTS] = {
	[READ_BEGIN] = "BEGIN",
	[READ_END] = "COMMIT",
	[RECORD_GET] = "SELECT doc, revision, created_ns FROM record "
		       "WHERE kind = ?1 AND ns = ?2 AND key = ?3",
	[RECORD_PAGE] = "SELECT key, doc FROM record WHERE kind = ?1 "
			"AND ns = ?2 AND key >= ?3 AND key < ?4 "
			"ORDER BY key LIMIT ?5",
	[RECORD_COUNT] = "SELECT count(*) FROM record WHERE kind = ?1",
	[RECORD_COUNT_NS] = "SELECT count(*) FROM record "
			    "WHERE kind = ?1 AND ns = ?2",
	[RECORD_KEY] = "SELECT 1 FROM record WHERE kind = ?1 AND key = ?2 "
		       "LIMIT 1",
	[RECORD_EACH] = "SELECT ns, key, doc FROM record WHERE kind = ?1 "
			"ORDER BY ns, key",
	[RECORD_EACH_NS] = "SELECT ns, key, doc FROM record WHERE kind = ?1 "
			   "AND ns = ?2 ORDER BY key",
	[RECORD_EACH_BELOW] = "SELECT ns, key, doc FROM record "
			      "WHERE kind = ?1 AND ns = ?2 AND key >= ?3 "
			      "AND key < ?4 ORDER BY key",
	[RECORD_INSERT] = "INSERT INTO record (kind, ns, key, revision, "
			  "created_ns, updated_ns, doc) "
			  "VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
	[RECORD_UPDATE] = "UPDATE record SET revision = ?4, updated_ns = ?5, "
			  "doc = ?6 WHERE kind = ?1 AND ns = ?2 AND key = ?3",
	[RECORD_RENAME] = "UPDATE record SET revision = ?4, updated_ns = ?5, "
			  "doc = ?6, key = ?7 "
			  "WHERE kind = ?1 AND ns = ?2 AND key = ?3",
	[RECORD_DELETE] = "DELETE FROM record "
			  "WHERE kind = ?1 AND ns = ?2 AND key = ?3",
	[LABEL_INSERT] = "INSERT INTO label (kind, ns, key, name, value) "
			 "VALUES (?1, ?2, ?3, ?4, ?5)",
	[LABEL_DELETE] = "DELETE FROM label "
			 "WHERE kind = ?1 AND ns = ?2 AND key = ?3",
};

/* --- errors --------------------------------------------------------- */

static int
record_error(struct skiff_error *err, enum skiff_code code,
	     const struct record_ref *ref, const char *text)
{
	const char *noun = record_kind_name(ref->kind);
	const char *key = kind_label_of_key(ref->kind, ref->key);

	if (ref->kind == RECORD_NAMESPACE)
		(void)err_set(err, code, "%s \"%s\": %s", noun, key, text);
	else
		(void)err_set(err, code, "%s \"%s\" in namespace \"%s\": %s",
			      noun, key, ref->ns, text);
	return err_object(err, noun, key);
}

int
record_match(const struct record_ref *ref, int64_t revision, int64_t if_match,
	     struct skiff_error *err)
{
	char text[96];

	if (if_match == 0 || if_match == revision)
		return 0;
	(void)snprintf(text, sizeof(text),
		       "revision is %" PRId64 ", not %" PRId64, revision,
		       if_match);
	return record_error(err, SKIFF_ABORTED, ref, text);
}

/* --- reading -------------------------------------------------------- */

/* 1 with stmt on the row, 0 no such record, -1. */
static int
find(sqlite3_stmt *stmt, const struct record_ref *ref, struct skiff_error *err)
{
	stmt_bind(stmt, "iss", (int64_t)ref->kind, ref->ns, ref->key);
	return stmt_step(stmt, err);
}

int
record_get(struct db *db, const struct record_ref *ref, char **ret_doc,
	   int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(db);
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[RECORD_GET]);
	int r = find(stmt, ref, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return record_error(err, SKIFF_NOT_FOUND, ref, "not found");
	*ret_doc = xstrdup(stmt_text(stmt, 0));
	*ret_revision = sqlite3_column_int64(stmt, 1);
	return 0;
}

int
record_check(struct db *db, const struct record_ref *ref, int64_t if_match,
	     struct skiff_error *err)
{
	cleanup_free char *doc = NULL;
	int64_t revision;

	if (record_get(db, ref, &doc, &revision, err) < 0)
		return -1;
	return record_match(ref, revision, if_match, err);
}

static int
parse(const struct record_ref *ref, sqlite3_stmt *stmt, int column,
      json_t **ret_object, struct skiff_error *err)
{
	const char *doc = stmt_text(stmt, column);

	if (json_parse(doc, strlen(doc), ret_object, err) == 0)
		return 0;
	return record_error(err, SKIFF_DATA_LOSS, ref,
			    "the stored document is broken");
}

int
record_load(struct conn *conn, const struct record_ref *ref,
	    json_t **ret_object, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[RECORD_GET]);
	int r = find(stmt, ref, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return record_error(err, SKIFF_NOT_FOUND, ref, "not found");
	return parse(ref, stmt, 0, ret_object, err);
}

bool
record_exists(struct conn *conn, const struct record_ref *ref)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[RECORD_GET]);
	struct skiff_error ignored = ERROR_INIT;

	return find(stmt, ref, &ignored) > 0;
}

int64_t
record_count(struct conn *conn, enum record_kind kind, const char *ns)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt =
	    conn_stmt(conn, sql[ns ? RECORD_COUNT_NS : RECORD_COUNT]);
	struct skiff_error ignored = ERROR_INIT;

	stmt_bind(stmt, ns ? "is" : "i", (int64_t)kind, ns);
	if (stmt_step(stmt, &ignored) <= 0)
		return 0;
	return sqlite3_column_int64(stmt, 0);
}

bool
record_key_exists(struct conn *conn, enum record_kind kind, const char *key)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[RECORD_KEY]);
	struct skiff_error ignored = ERROR_INIT;

	stmt_bind(stmt, "is", (int64_t)kind, key);
	/* What cannot be read may be there: callers delete what is not. */
	return stmt_step(stmt, &ignored) != 0;
}

static int
each_row(sqlite3_stmt *stmt, enum record_kind kind, record_fn each, void *arg,
	 struct skiff_error *err)
{
	int r;

	while ((r = stmt_step(stmt, err)) > 0) {
		struct record_ref ref = { kind, stmt_text(stmt, 0),
					  stmt_text(stmt, 1) };
		cleanup_json json_t *object = NULL;

		if (parse(&ref, stmt, 2, &object, err) < 0 ||
		    each(arg, ref.ns, ref.key, object, err) < 0)
			return -1;
	}
	return r;
}

int
record_each(struct conn *conn, enum record_kind kind, const char *ns,
	    record_fn each, void *arg, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt =
	    conn_stmt(conn, sql[ns ? RECORD_EACH_NS : RECORD_EACH]);

	stmt_bind(stmt, ns ? "is" : "i", (int64_t)kind, ns);
	return each_row(stmt, kind, each, arg, err);
}

int
record_each_below(struct conn *conn, enum record_kind kind, const char *ns,
		  const char *prefix, record_fn each, void *arg,
		  struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[RECORD_EACH_BELOW]);
	cleanup_free char *end = xasprintf("%s" BEHIND_ALL_KEYS, prefix);

	stmt_bind(stmt, "isss", (int64_t)kind, ns, prefix, end);
	return each_row(stmt, kind, each, arg, err);
}

/* --- lists ---------------------------------------------------------- */

struct page {
	int64_t kind;
	const char *ns;
	const char *from; /* first key that may be in it */
	const char *end;  /* first key behind the prefix */
	uint64_t limit;
	bool (*keep)(void *arg, const char *key, const char *doc,
		     size_t *looked);
	void *keep_arg;
};

/*
 * Asks for one row more than the page: it says whether there is a next. Among
 * how many rows the kept ones are is not known before.
 */
static int
add_page(struct conn *conn, const struct page *page, struct strbuf *out,
	 struct strbuf *cursor, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(conn, sql[RECORD_PAGE]);
	CLEANUP(strbuf_done) struct strbuf last = STRBUF_INIT;
	bool is_full = false;
	size_t looked = 0;
	uint64_t n = 0;
	int r;

	stmt_bind(stmt, "isssi", page->kind, page->ns, page->from, page->end,
		  page->keep ? INT64_MAX : (int64_t)page->limit + 1);
	while ((r = stmt_step(stmt, err)) > 0) {
		size_t before = looked;
		bool is_kept = !page->keep ||
			       page->keep(page->keep_arg, stmt_text(stmt, 0),
					  stmt_text(stmt, 1), &looked);

		/* What was looked at may be named; another perhaps not. */
		if (!is_kept && looked == before)
			continue;
		if (is_full && (is_kept || looked >= LIST_LOOKED_MAX))
			break;
		if (is_full)
			continue;
		if (is_kept) {
			if (n++ > 0)
				strbuf_addch(out, ',');
			strbuf_add(out, sqlite3_column_text(stmt, 1),
				   (size_t)sqlite3_column_bytes(stmt, 1));
		}
		is_full = n == page->limit || out->len >= LIST_BYTES_MAX ||
			  looked >= LIST_LOOKED_MAX;
		if (is_full)
			strbuf_adds(&last, stmt_text(stmt, 0));
	}
	if (r > 0)
		cursor_encode((int)page->kind, page->ns, last.buf, cursor);
	return r < 0 ? -1 : 0;
}

static int
run(struct conn *conn, const char *text, struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, text);

	return stmt_run(stmt, err);
}

/* The page and the revision that it shows, out of one snapshot. */
static int
read_page(struct db *db, const struct page *page, struct strbuf *out,
	  struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(db);
	CLEANUP(strbuf_done) struct strbuf cursor = STRBUF_INIT;
	struct skiff_error ignored = ERROR_INIT;
	int64_t revision = 0;
	int r;

	if (run(conn, sql[READ_BEGIN], err) < 0)
		return -1;
	strbuf_adds(out, "{\"items\":[");
	r = add_page(conn, page, out, &cursor, err);
	if (r == 0)
		r = event_last(conn, &revision, err);
	(void)run(conn, sql[READ_END], &ignored);
	if (r < 0)
		return -1;
	strbuf_addf(out, "],\"revision\":%" PRId64, revision);
	if (cursor.len > 0)
		strbuf_addf(out, ",\"cursor\":\"%s\"", cursor.buf);
	strbuf_addch(out, '}');
	return 0;
}

int
record_list(struct db *db, enum record_kind kind, const char *ns,
	    const struct list_options *options, struct strbuf *out,
	    struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf from = STRBUF_INIT;
	CLEANUP(strbuf_done) struct strbuf end = STRBUF_INIT;
	const char *prefix = options->prefix ? options->prefix : "";
	struct page page = { .kind = (int64_t)kind,
			     .ns = ns,
			     .keep = options->keep,
			     .keep_arg = options->keep_arg };

	page.limit = options->limit < 1 ? 1 : options->limit;
	if (page.limit > LIST_LIMIT_MAX)
		page.limit = LIST_LIMIT_MAX;
	strbuf_adds(&end, prefix);
	strbuf_adds(&end, BEHIND_ALL_KEYS);
	if (options->cursor) {
		if (!cursor_decode(options->cursor, (int)kind, ns, &from) ||
		    strncmp(from.buf, prefix, strlen(prefix)) != 0) {
			(void)err_set(err, SKIFF_INVALID_ARGUMENT,
				      "cursor does not belong to this list");
			return err_field(err, "cursor");
		}
		strbuf_adds(&from, NEXT_KEY_SUFFIX);
	} else {
		strbuf_adds(&from, prefix);
	}
	page.from = from.buf;
	page.end = end.buf;
	return read_page(db, &page, out, err);
}

/* --- writing -------------------------------------------------------- */

/* Labels without those that are not there: an empty value, or null. */
static json_t *
clean_labels(const json_t *object)
{
	json_t *labels = json_object_get(object, "labels");
	json_t *clean = json_object();
	const char *key;
	json_t *value;

	json_object_foreach (labels, key, value)
		if (json_string_length(value) > 0)
			(void)json_object_set(clean, key, value);
	return clean;
}

struct stamps {
	int64_t created_ns;
	int64_t updated_ns;
	int64_t revision;
};

/* Puts the stamps behind the kind's own fields, in one order for all. */
static void
stamp(const struct record_ref *ref, const struct stamps *stamps, json_t *object)
{
	static const char *const names[] = { "namespace", "labels",
					     "created_at", "updated_at",
					     "revision" };
	json_t *labels = clean_labels(object);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)json_object_del(object, names[i]);
	if (ref->kind != RECORD_NAMESPACE)
		json_set_text(object, "namespace", ref->ns);
	(void)json_object_set_new(object, "labels", labels);
	json_set_time(object, "created_at", stamps->created_ns);
	json_set_time(object, "updated_at", stamps->updated_ns);
	json_set_int(object, "revision", stamps->revision);
}

static int
write_labels(struct conn *conn, const struct record_ref *ref,
	     const json_t *object, struct skiff_error *err)
{
	json_t *labels = json_object_get(object, "labels");
	const char *name;
	json_t *value;

	json_object_foreach (labels, name, value) {
		CLEANUP(stmt_resetp)
		sqlite3_stmt *stmt = conn_stmt(conn, sql[LABEL_INSERT]);

		stmt_bind(stmt, "issss", (int64_t)ref->kind, ref->ns, ref->key,
			  name, json_string_value(value));
		if (stmt_run(stmt, err) < 0)
			return -1;
	}
	return 0;
}

/* Appends the event of a change; its id becomes the revision. */
static int
tell(struct tx *tx, const struct record_ref *ref, enum change_type type,
     const struct change *change, const json_t *object, int64_t *ret_revision,
     struct skiff_error *err)
{
	const char *verb =
	    change && change->verb ? change->verb : kind_verb(ref->kind, type);
	cleanup_json json_t *payload = NULL;
	cleanup_free char *topic = kind_topic(ref->kind, verb);
	cleanup_free char *name = kind_type(ref->kind, verb);
	struct event event = { .topic = topic, .type = name, .key = ref->key };

	if (change && change->told) {
		*ret_revision = change->told;
		return 0;
	}
	/* A namespace's own events are told in it. */
	event.ns = ref->kind == RECORD_NAMESPACE ? ref->key : ref->ns;
	if (!change || !change->event)
		payload = kind_payload(ref, type, object);
	event.payload = payload;
	if (change && change->event)
		event.payload = change->event;
	return event_append(tx, &event, ret_revision, err);
}

static int
insert(struct tx *tx, const struct record_ref *ref, json_t *object,
       const struct change *change, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx->conn, sql[RECORD_INSERT]);
	struct stamps stamps = { .created_ns = tx->now_ns,
				 .updated_ns = tx->now_ns };
	cleanup_free char *doc = NULL;

	stamp(ref, &stamps, object);
	if (tell(tx, ref, CHANGE_CREATE, change, object, &stamps.revision,
		 err) < 0)
		return -1;
	stamp(ref, &stamps, object);
	doc = json_text(object);
	stmt_bind(stmt, "issiis", (int64_t)ref->kind, ref->ns, ref->key,
		  stamps.revision, stamps.created_ns, doc);
	if (stmt_run(stmt, err) < 0)
		return -1;
	return write_labels(tx->conn, ref, object, err);
}

/* The first write to a namespace makes it. */
static int
need_namespace(struct tx *tx, const char *name, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx->conn, sql[RECORD_GET]);
	struct record_ref ref = { RECORD_NAMESPACE, "", name };
	cleanup_json json_t *object = NULL;
	int r = find(stmt, &ref, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (id_check("namespace", name, err) < 0)
		return -1;
	object = json_object();
	json_set_text(object, "name", name);
	return insert(tx, &ref, object, NULL, err);
}

int
record_insert(struct tx *tx, const struct record_ref *ref, json_t *object,
	      const struct change *change, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx->conn, sql[RECORD_GET]);
	int r = find(stmt, ref, err);

	if (r < 0)
		return -1;
	if (r > 0)
		return record_error(err, SKIFF_ALREADY_EXISTS, ref,
				    "already exists");
	if (reserve_refuse_new(tx->conn->db, err) < 0)
		return -1;
	if (ref->kind != RECORD_NAMESPACE &&
	    need_namespace(tx, ref->ns, err) < 0)
		return -1;
	return insert(tx, ref, object, change, err);
}

/* What the row says before a change; object may be NULL. */
static int
before_change(struct tx *tx, const struct record_ref *ref,
	      const struct change *change, int64_t *ret_created_ns,
	      json_t **ret_object, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx->conn, sql[RECORD_GET]);
	int r = find(stmt, ref, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return record_error(err, SKIFF_NOT_FOUND, ref, "not found");
	if (record_match(ref, sqlite3_column_int64(stmt, 1),
			 change ? change->if_match : 0, err) < 0)
		return -1;
	if (ret_created_ns)
		*ret_created_ns = sqlite3_column_int64(stmt, 2);
	return ret_object ? parse(ref, stmt, 0, ret_object, err) : 0;
}

static int
run_for(struct tx *tx, const char *text, const struct record_ref *ref,
	struct skiff_error *err)
{
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(tx->conn, text);

	stmt_bind(stmt, "iss", (int64_t)ref->kind, ref->ns, ref->key);
	return stmt_run(stmt, err);
}

int
record_update(struct tx *tx, const struct record_ref *ref, json_t *object,
	      const struct change *change, struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx->conn, sql[RECORD_UPDATE]);
	struct stamps stamps = { .updated_ns = tx->now_ns };
	cleanup_free char *doc = NULL;

	if (before_change(tx, ref, change, &stamps.created_ns, NULL, err) < 0)
		return -1;
	stamp(ref, &stamps, object);
	if (tell(tx, ref, CHANGE_UPDATE, change, object, &stamps.revision,
		 err) < 0)
		return -1;
	stamp(ref, &stamps, object);
	doc = json_text(object);
	stmt_bind(stmt, "issiis", (int64_t)ref->kind, ref->ns, ref->key,
		  stamps.revision, stamps.updated_ns, doc);
	if (stmt_run(stmt, err) < 0 ||
	    run_for(tx, sql[LABEL_DELETE], ref, err) < 0)
		return -1;
	return write_labels(tx->conn, ref, object, err);
}

int
record_rename(struct tx *tx, const struct record_ref *ref, const char *key,
	      json_t *object, const struct change *change,
	      struct skiff_error *err)
{
	CLEANUP(stmt_resetp)
	sqlite3_stmt *stmt = conn_stmt(tx->conn, sql[RECORD_RENAME]);
	const struct record_ref renamed = { ref->kind, ref->ns, key };
	struct stamps stamps = { .updated_ns = tx->now_ns };
	cleanup_free char *doc = NULL;

	if (before_change(tx, ref, change, &stamps.created_ns, NULL, err) < 0)
		return -1;
	if (record_exists(tx->conn, &renamed))
		return record_error(err, SKIFF_ALREADY_EXISTS, &renamed,
				    "already exists");
	stamp(&renamed, &stamps, object);
	if (tell(tx, &renamed, CHANGE_UPDATE, change, object, &stamps.revision,
		 err) < 0)
		return -1;
	stamp(&renamed, &stamps, object);
	doc = json_text(object);
	stmt_bind(stmt, "issiiss", (int64_t)ref->kind, ref->ns, ref->key,
		  stamps.revision, stamps.updated_ns, doc, key);
	if (stmt_run(stmt, err) < 0 ||
	    run_for(tx, sql[LABEL_DELETE], ref, err) < 0)
		return -1;
	return write_labels(tx->conn, &renamed, object, err);
}

int
record_delete(struct tx *tx, const struct record_ref *ref,
	      const struct change *change, struct skiff_error *err)
{
	cleanup_json json_t *object = NULL;
	int64_t revision;

	if (before_change(tx, ref, change, NULL, &object, err) < 0 ||
	    tell(tx, ref, CHANGE_DELETE, change, object, &revision, err) < 0 ||
	    run_for(tx, sql[RECORD_DELETE], ref, err) < 0)
		return -1;
	return run_for(tx, sql[LABEL_DELETE], ref, err);
}
