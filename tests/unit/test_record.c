/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: stamps, labels, lists, events of changes, namespaces made by
 * the first write.
 */
#include "config.h"

#include "base/alloc.h"
#include "store/events/log.h"
#include "store/kinds.h"
#include "store/page.h"
#include "tests/unit/store_help.h"
#include "tests/unit/tap.h"

static struct store store;

static const char image_a[] = "{\"name\":\"a\",\"labels\":{\"x\":\"1\","
			      "\"empty\":\"\"}}";

/* Every event as "id topic type namespace payload", one a line. */
static void
add_event(void *arg, int64_t id, const char *topic, const char *doc)
{
	cleanup_json json_t *event = NULL;
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *payload = NULL;

	if (json_parse(doc, strlen(doc), &event, &err) < 0)
		return;
	payload = json_text(json_object_get(event, "event"));
	strbuf_addf(arg, "%d %s %s %s %s\n", (int)id, topic,
		    json_get_text(event, "type"),
		    json_get_text(event, "namespace"), payload);
}

static char *
events(const char *ns)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	struct skiff_error err = ERROR_INIT;

	if (event_read(store.db, ns, 0, 1000, add_event, &out, &err) < 0)
		strbuf_adds(&out, err.text);
	return strbuf_steal(&out);
}

static void
a_first_write_makes_the_namespace_and_tells_it_first(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *ns = NULL;
	cleanup_free char *told = NULL;

	store_init(&store);
	CHECK(store_insert(&store, RECORD_IMAGE, "n", "a", image_a, &err) == 0);
	told = events(NULL);
	CHECK_STR(told, "1 /namespaces/create skiff.events.v1.NamespaceCreate "
			"n {\"name\":\"n\",\"labels\":{}}\n"
			"2 /images/create skiff.events.v1.ImageCreate "
			"n {\"name\":\"a\",\"labels\":{\"x\":\"1\"}}\n");
	ns = store_load(&store, RECORD_NAMESPACE, "", "n");
	CHECK_STR(json_get_text(ns, "name"), "n");
	CHECK(!json_object_get(ns, "namespace"));
	CHECK(store_insert(&store, RECORD_IMAGE, "-bad", "a", image_a, &err) <
	      0);
	CHECK(err.code == SKIFF_INVALID_ARGUMENT);
	store_done(&store);
}

static void
an_object_is_stamped_in_one_order(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *doc = NULL;
	cleanup_free char *expected = NULL;
	cleanup_json json_t *object = NULL;
	struct record_ref ref = { RECORD_IMAGE, "n", "a" };
	int64_t revision = 0;

	store_init(&store);
	CHECK(store_insert(&store, RECORD_IMAGE, "n", "a",
			   "{\"name\":\"a\",\"revision\":77,\"labels\":{},"
			   "\"namespace\":\"evil\",\"size\":1}",
			   &err) == 0);
	CHECK(record_get(store.db, &ref, &doc, &revision, &err) == 0);
	CHECK(revision == 2);
	object = store_load(&store, RECORD_IMAGE, "n", "a");
	expected = xasprintf("{\"name\":\"a\",\"size\":1,\"namespace\":\"n\","
			     "\"labels\":{},\"created_at\":\"%s\","
			     "\"updated_at\":\"%s\",\"revision\":2}",
			     json_get_text(object, "created_at"),
			     json_get_text(object, "created_at"));
	CHECK_STR(doc, expected);
	store_done(&store);
}

static void
errors_name_kind_key_and_namespace(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *doc = NULL;
	int64_t revision;

	store_init(&store);
	CHECK(record_get(store.db,
			 &(struct record_ref){ RECORD_IMAGE, "ns", "x" }, &doc,
			 &revision, &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	CHECK_STR(err.text, "image \"x\" in namespace \"ns\": not found");
	CHECK_STR(err.kind, "image");
	CHECK_STR(err.id, "x");
	CHECK(record_get(store.db,
			 &(struct record_ref){ RECORD_NAMESPACE, "", "x" },
			 &doc, &revision, &err) < 0);
	CHECK_STR(err.text, "namespace \"x\": not found");
	CHECK(store_insert(&store, RECORD_SNAPSHOT, "ns", "overlay/k", "{}",
			   &err) == 0);
	CHECK(store_insert(&store, RECORD_SNAPSHOT, "ns", "overlay/k", "{}",
			   &err) < 0);
	CHECK(err.code == SKIFF_ALREADY_EXISTS);
	CHECK_STR(err.text,
		  "snapshot \"k\" in namespace \"ns\": already exists");
	CHECK_STR(err.id, "k");
	store_done(&store);
}

static void
namespaces_do_not_see_each_other(void)
{
	struct skiff_error err = ERROR_INIT;
	struct list_options options = { .limit = 10 };
	CLEANUP(strbuf_done) struct strbuf list = STRBUF_INIT;
	cleanup_json json_t *other = NULL;
	struct record_ref ref = { RECORD_IMAGE, "one", "a" };

	store_init(&store);
	CHECK(store_insert(&store, RECORD_IMAGE, "one", "a", image_a, &err) ==
	      0);
	CHECK(store_insert(&store, RECORD_IMAGE, "two", "a", image_a, &err) ==
	      0);
	CHECK(db_write(store.db, store_delete_in, &ref, &err) == 0);
	other = store_load(&store, RECORD_IMAGE, "two", "a");
	CHECK(other != NULL);
	CHECK(record_list(store.db, RECORD_IMAGE, "one", &options, &list,
			  &err) == 0);
	CHECK_STR(list.buf, "{\"items\":[],\"revision\":5}");
	strbuf_reset(&list);
	CHECK(record_list(store.db, RECORD_IMAGE, "never", &options, &list,
			  &err) == 0);
	CHECK_STR(list.buf, "{\"items\":[],\"revision\":5}");
	store_done(&store);
}

static int64_t
count_labels(void)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(store.db);
	static const char count[] = "SELECT count(*) FROM label";
	CLEANUP(stmt_resetp) sqlite3_stmt *stmt = conn_stmt(conn, count);
	struct skiff_error err = ERROR_INIT;

	return stmt_step(stmt, &err) > 0 ? sqlite3_column_int64(stmt, 0) : -1;
}

static char *
patch(const char *json, int64_t if_match, struct skiff_error *err)
{
	struct record_ref ref = { RECORD_IMAGE, "n", "a" };
	struct change change = { .if_match = if_match };
	cleanup_json json_t *labels = NULL;
	cleanup_json json_t *object = NULL;
	cleanup_free char *doc = NULL;
	int64_t revision;

	if (json_parse(json, strlen(json), &labels, err) < 0 ||
	    record_patch_labels(store.db, &ref, labels, &change, &doc,
				&revision, err) < 0 ||
	    json_parse(doc, strlen(doc), &object, err) < 0)
		return xstrdup(err->text);
	CHECK(json_get_int(object, "revision", 0) == revision);
	return json_text(json_object_get(object, "labels"));
}

static void
labels_merge_and_an_empty_value_removes(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *added = NULL;
	cleanup_free char *removed = NULL;
	cleanup_free char *bad = NULL;
	cleanup_free char *reserved = NULL;

	store_init(&store);
	CHECK(store_insert(&store, RECORD_IMAGE, "n", "a", image_a, &err) == 0);
	CHECK(count_labels() == 1);
	added = patch("{\"y\":\"2\",\"z\":\"3\"}", 0, &err);
	CHECK_STR(added, "{\"x\":\"1\",\"y\":\"2\",\"z\":\"3\"}");
	CHECK(count_labels() == 3);
	removed = patch("{\"x\":null,\"y\":\"\",\"never\":\"\"}", 0, &err);
	CHECK_STR(removed, "{\"z\":\"3\"}");
	CHECK(count_labels() == 1);
	bad = patch("{\"a/b\":1}", 0, &err);
	CHECK_STR(bad, "/labels/a~1b: must be a string or null");
	CHECK_STR(err.field, "/labels/a~1b");
	reserved = patch("{\"skiff.x\":\"1\"}", 0, &err);
	CHECK(strstr(reserved, "reserved") != NULL);
	store_done(&store);
}

static void
a_revision_that_moved_on_aborts(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *first = NULL;
	cleanup_free char *second = NULL;
	cleanup_free char *told = NULL;

	store_init(&store);
	CHECK(store_insert(&store, RECORD_IMAGE, "n", "a", image_a, &err) == 0);
	first = patch("{\"y\":\"2\"}", 2, &err);
	CHECK_STR(first, "{\"x\":\"1\",\"y\":\"2\"}");
	second = patch("{\"y\":\"3\"}", 2, &err);
	CHECK(err.code == SKIFF_ABORTED);
	CHECK_STR(second,
		  "image \"a\" in namespace \"n\": revision is 3, not 2");
	told = events("n");
	CHECK(strstr(told, "\n3 /images/update") != NULL);
	CHECK(strstr(told, "\n4 ") == NULL);
	store_done(&store);
}

static void
a_deletion_tells_what_is_gone_and_takes_the_labels(void)
{
	struct skiff_error err = ERROR_INIT;
	struct record_ref ref = { RECORD_SNAPSHOT, "n", "overlay/k" };
	cleanup_free char *told = NULL;

	store_init(&store);
	CHECK(store_insert(&store, RECORD_SNAPSHOT, "n", "overlay/k",
			   "{\"key\":\"k\",\"snapshotter\":\"overlay\","
			   "\"labels\":{\"a\":\"b\"}}",
			   &err) == 0);
	CHECK(db_write(store.db, store_delete_in, &ref, &err) == 0);
	told = events("n");
	CHECK(strstr(told,
		     "3 /snapshots/remove skiff.events.v1.SnapshotRemove n "
		     "{\"key\":\"k\",\"snapshotter\":\"overlay\"}\n") != NULL);
	CHECK(count_labels() == 0);
	CHECK(db_write(store.db, store_delete_in, &ref, &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	store_done(&store);
}

static void
verbs_make_topics_and_types(void)
{
	cleanup_free char *type = kind_type(RECORD_TASK, "exec-added");
	cleanup_free char *topic = kind_topic(RECORD_TASK, "exec-added");

	CHECK_STR(type, "TaskExecAdded");
	CHECK_STR(topic, "/tasks/exec-added");
}

/* --- lists ---------------------------------------------------------- */

static void
insert_images(const char *prefix, int from, int to, int step)
{
	struct skiff_error err = ERROR_INIT;

	for (int i = from; i < to; i += step) {
		cleanup_free char *name = xasprintf("%s%03d", prefix, i);

		CHECK(store_insert(&store, RECORD_IMAGE, "n", name,
				   "{\"name\":\"x\"}", &err) == 0);
	}
}

/* What page() lists of: NULL, all. */
static bool (*keep)(void *arg, const char *key, const char *doc,
		    size_t *looked);

static bool
is_kept(void *arg, const char *key, const char *doc, size_t *looked)
{
	(void)arg;
	(void)looked;
	CHECK(strstr(doc, "\"name\""));
	return strspn(key + strlen(key) - 1, "0369") == 1;
}

/* The number of items; *cursor becomes the next one or NULL. */
static size_t
page(const char *prefix, char **cursor, uint64_t limit)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	cleanup_json json_t *list = NULL;
	struct skiff_error err = ERROR_INIT;
	struct list_options options = { .prefix = prefix,
					.cursor = *cursor,
					.limit = limit,
					.keep = keep,
					.keep_arg = &options };
	json_t *next;

	if (record_list(store.db, RECORD_IMAGE, "n", &options, &out, &err) <
		0 ||
	    json_parse(out.buf, out.len, &list, &err) < 0) {
		CHECK_STR(err.text, "");
		return 0;
	}
	free(*cursor);
	next = json_object_get(list, "cursor");
	*cursor = next ? xstrdup(json_string_value(next)) : NULL;
	return json_array_size(json_object_get(list, "items"));
}

static void
pages_neither_skip_nor_repeat_while_others_insert(void)
{
	cleanup_free char *cursor = NULL;
	size_t n;

	store_init(&store);
	insert_images("", 0, 20, 2);
	n = page(NULL, &cursor, 4); /* 000 002 004 006 */
	CHECK(n == 4 && cursor);
	insert_images("", 1, 20, 2);
	n += page(NULL, &cursor, 4); /* 007 008 009 010 */
	CHECK(n == 8 && cursor);
	n += page(NULL, &cursor, 100); /* 011 … 019 */
	CHECK(n == 17 && !cursor);
	store_done(&store);
}

static void
a_list_of_some_has_full_pages_and_no_other_names(void)
{
	cleanup_free char *cursor = NULL;

	store_init(&store);
	insert_images("", 0, 19, 1);
	keep = is_kept;
	CHECK(page(NULL, &cursor, 4) == 4 && cursor); /* 000 003 006 009 */
	/* 010 013 016, and what follows is not told of */
	CHECK(page(NULL, &cursor, 3) == 3 && !cursor);
	keep = NULL;
	store_done(&store);
}

static bool
is_dear(void *arg, const char *key, const char *doc, size_t *looked)
{
	(void)arg;
	(void)doc;
	*looked += LIST_LOOKED_MAX / 3;
	return strcmp(key, "010") == 0;
}

static void
a_page_ends_when_much_was_looked_at_for_it(void)
{
	cleanup_free char *cursor = NULL;
	size_t n_pages = 1;
	size_t n;

	store_init(&store);
	insert_images("", 0, 20, 1);
	keep = is_dear;
	for (n = page(NULL, &cursor, 100); cursor; n_pages++)
		n += page(NULL, &cursor, 100);
	CHECK(n == 1 && n_pages >= 5);
	keep = NULL;
	store_done(&store);
}

static void
a_full_last_page_has_no_cursor(void)
{
	cleanup_free char *cursor = NULL;

	store_init(&store);
	insert_images("", 0, 4, 1);
	CHECK(page(NULL, &cursor, 4) == 4);
	CHECK(!cursor);
	store_done(&store);
}

/* Ten thousand large documents at once would be the whole memory. */
static void
a_page_of_large_documents_ends_early(void)
{
	cleanup_free char *cursor = NULL;
	cleanup_free char *json =
	    xasprintf("{\"text\":\"%*s\"}", LIST_BYTES_MAX / 4, "");
	struct skiff_error err = ERROR_INIT;

	store_init(&store);
	for (int i = 0; i < 6; i++) {
		cleanup_free char *key = xasprintf("%d", i);

		CHECK(store_insert(&store, RECORD_IMAGE, "n", key, json,
				   &err) == 0);
	}
	CHECK(page(NULL, &cursor, 1000) == 4 && cursor);
	CHECK(page(NULL, &cursor, 1000) == 2 && !cursor);
	store_done(&store);
}

static void
a_prefix_bounds_a_list_and_its_pages(void)
{
	cleanup_free char *cursor = NULL;

	store_init(&store);
	insert_images("a/", 0, 3, 1);
	insert_images("b/", 0, 3, 1);
	insert_images("b/\xc3\xbc", 0, 3, 1);
	insert_images("c/", 0, 3, 1);
	CHECK(page("b/", &cursor, 4) == 4 && cursor);
	CHECK(page("b/", &cursor, 4) == 2 && !cursor);
	store_done(&store);
}

static void
a_cursor_that_is_not_ours_is_refused(void)
{
	static const char *const bad[] = { "",	       "x",    "AAAA",
					   "AAAAAAAA", "!!!!", "YWJjZGVmZ2g=",
					   "../..",    "\xff" };
	CLEANUP(strbuf_done) struct strbuf other = STRBUF_INIT;
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	struct list_options options = { .limit = 10 };
	struct skiff_error err = ERROR_INIT;

	store_init(&store);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		options.cursor = bad[i];
		CHECK(record_list(store.db, RECORD_IMAGE, "n", &options, &out,
				  &err) < 0);
		CHECK(err.code == SKIFF_INVALID_ARGUMENT);
	}
	cursor_encode(RECORD_IMAGE, "other", "a", &other);
	options.cursor = other.buf;
	CHECK(record_list(store.db, RECORD_IMAGE, "n", &options, &out, &err) <
	      0);
	CHECK(record_list(store.db, RECORD_IMAGE, "other", &options, &out,
			  &err) == 0);
	store_done(&store);
}

static void
cursors_carry_any_key(void)
{
	static const char *const keys[] = { "a", "ab", "abc", "a b/\xc3\xbc~",
					    ">>>???" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		CLEANUP(strbuf_done) struct strbuf cursor = STRBUF_INIT;
		CLEANUP(strbuf_done) struct strbuf key = STRBUF_INIT;

		cursor_encode(2, "n", keys[i], &cursor);
		CHECK(strpbrk(cursor.buf, "+/=") == NULL);
		CHECK(cursor_decode(cursor.buf, 2, "n", &key));
		CHECK_STR(key.buf, keys[i]);
		CHECK(!cursor_decode(cursor.buf, 3, "n", &key));
		cursor.buf[cursor.len - 1] ^= 1;
		CHECK(!cursor_decode(cursor.buf, 2, "n", &key));
	}
}

TESTS(TEST(a_first_write_makes_the_namespace_and_tells_it_first),
      TEST(an_object_is_stamped_in_one_order),
      TEST(errors_name_kind_key_and_namespace),
      TEST(namespaces_do_not_see_each_other),
      TEST(labels_merge_and_an_empty_value_removes),
      TEST(a_revision_that_moved_on_aborts),
      TEST(a_deletion_tells_what_is_gone_and_takes_the_labels),
      TEST(verbs_make_topics_and_types),
      TEST(pages_neither_skip_nor_repeat_while_others_insert),
      TEST(a_full_last_page_has_no_cursor),
      TEST(a_list_of_some_has_full_pages_and_no_other_names),
      TEST(a_page_ends_when_much_was_looked_at_for_it),
      TEST(a_page_of_large_documents_ends_early),
      TEST(a_prefix_bounds_a_list_and_its_pages),
      TEST(a_cursor_that_is_not_ours_is_refused), TEST(cursors_carry_any_key))
