/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content store: what is kept, for whom, and what a crash leaves.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "base/fault.h"
#include "base/json.h"
#include "store/content/content.h"
#include "store/record.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define TEXT "the bytes of a blob"

struct store {
	char *root;
	int root_fd;
	struct db *db;
	struct content *content;
};

static void
reopen(struct store *store)
{
	struct skiff_error err = ERROR_INIT;

	content_close(STEAL_PTR(store->content));
	if (store->db)
		db_close(STEAL_PTR(store->db));
	if (db_open(store->root, NULL, &store->db, &err) < 0 ||
	    content_open(store->db, store->root_fd, &store->content, &err) <
		0) {
		(void)printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

static void
store_open_at(struct store *store, char *root)
{
	*store = (struct store){ .root = root };
	store->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	reopen(store);
}

static void
store_close(struct store *store)
{
	content_close(store->content);
	db_close(store->db);
	(void)close(store->root_fd);
}

static void
store_done(struct store *store)
{
	store_close(store);
	scratch_remove(store->root);
}

static int
put(struct store *store, const char *ns, const char *text,
    const struct digest *expected, const json_t *labels,
    struct skiff_error *err)
{
	CLEANUP(ingest_freep) struct ingest *ingest = NULL;
	struct digest digest;

	if (ingest_begin(store->content, expected, (int64_t)strlen(text),
			 &ingest, err) < 0 ||
	    ingest_write(ingest, text, strlen(text), err) < 0)
		return -1;
	return ingest_commit(ingest, ns, labels, "text/plain", &digest, err);
}

static void
digest_of_text(const char *text, struct digest *digest)
{
	digest_of(text, strlen(text), digest);
}

static bool
can_read(struct store *store, const char *ns, const char *text)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *actual = NULL;
	struct digest digest;
	size_t len;

	digest_of_text(text, &digest);
	return content_read_blob(store->content, ns, &digest, 4096, &actual,
				 &len, &err) == 0 &&
	       len == strlen(text) && memcmp(actual, text, len) == 0;
}

static int
n_files(const struct store *store)
{
	return scratch_count(store->root, "content/blobs/sha256");
}

static bool
nothing_lies_about(const struct store *store)
{
	return scratch_count(store->root, "content/ingests") == 0 &&
	       scratch_count(store->root, "content/trash") == 0;
}

static int64_t
n_records(struct store *store, const char *ns)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(store->db);

	return record_count(conn, RECORD_CONTENT, ns);
}

static void
two_namespaces_share_the_bytes_of_a_blob(void)
{
	struct skiff_error err = ERROR_INIT;
	struct digest digest;
	struct store store;

	store_open_at(&store, scratch_make());
	digest_of_text(TEXT, &digest);
	CHECK(content_adopt(store.content, "b", &digest, NULL, NULL, &err) ==
	      0);
	CHECK(put(&store, "a", TEXT, &digest, NULL, &err) == 0);
	CHECK(!can_read(&store, "b", TEXT));
	CHECK(content_adopt(store.content, "b", &digest, NULL, NULL, &err) ==
	      1);
	CHECK(content_adopt(store.content, "b", &digest, NULL, NULL, &err) ==
	      1);
	CHECK(n_files(&store) == 1);
	CHECK(content_delete(store.content, "a", &digest, 0, &err) == 0);
	CHECK(!can_read(&store, "a", TEXT) && can_read(&store, "b", TEXT));
	CHECK(content_delete(store.content, "a", &digest, 0, &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	CHECK(n_files(&store) == 1);
	CHECK(content_delete(store.content, "b", &digest, 0, &err) == 0);
	CHECK(n_files(&store) == 0 && nothing_lies_about(&store));
	store_done(&store);
}

static void
a_blob_is_private_and_read_only(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *path = NULL;
	struct digest digest;
	struct store store;
	struct stat st;

	store_open_at(&store, scratch_make());
	digest_of_text(TEXT, &digest);
	CHECK(put(&store, "a", TEXT, NULL, NULL, &err) == 0);
	path = xasprintf("%s/content/blobs/sha256/%s", store.root,
			 digest_hex(&digest));
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0400);
	CHECK(st.st_nlink == 1);
	path[strlen(path) - 65] = '\0';
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
	store_done(&store);
}

static void
the_document_says_digest_size_and_media_type(void)
{
	struct record_ref ref = { .kind = RECORD_CONTENT, .ns = "a" };
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *doc = NULL;
	cleanup_json json_t *object = NULL;
	cleanup_json json_t *first = json_pack("{s:s, s:s}", "x", "1", "y", "");
	cleanup_json json_t *second =
	    json_pack("{s:s, s:s}", "x", "", "z", "3");
	struct digest digest;
	int64_t revision = 0;
	int64_t again = 0;
	struct store store;

	store_open_at(&store, scratch_make());
	digest_of_text(TEXT, &digest);
	ref.key = digest.text;
	CHECK(put(&store, "a", TEXT, NULL, first, &err) == 0);
	CHECK(record_get(store.db, &ref, &doc, &revision, &err) == 0);
	CHECK(json_parse(doc, strlen(doc), &object, &err) == 0);
	CHECK_STR(json_get_text(object, "digest"), digest.text);
	CHECK_STR(json_get_text(object, "media_type"), "text/plain");
	CHECK(json_get_int(object, "size", 0) == (int64_t)strlen(TEXT));
	CHECK_STR(json_get_text(json_object_get(object, "labels"), "x"), "1");
	CHECK(json_object_size(json_object_get(object, "labels")) == 1);

	/* Again: it says that it was there, and merges the labels. */
	CHECK(put(&store, "a", TEXT, NULL, second, &err) == 1);
	free(STEAL_PTR(doc));
	json_decref(STEAL_PTR(object));
	CHECK(record_get(store.db, &ref, &doc, &again, &err) == 0);
	CHECK(json_parse(doc, strlen(doc), &object, &err) == 0);
	CHECK(again > revision);
	CHECK_STR(json_get_text(json_object_get(object, "labels"), "x"), "");
	CHECK_STR(json_get_text(json_object_get(object, "labels"), "z"), "3");

	/* A merge that changes nothing is no change. */
	free(STEAL_PTR(doc));
	revision = again;
	CHECK(content_adopt(store.content, "a", &digest, second, NULL, &err) ==
	      1);
	CHECK(record_get(store.db, &ref, &doc, &again, &err) == 0);
	CHECK(again == revision);
	store_done(&store);
}

static void
a_wrong_digest_or_size_keeps_nothing(void)
{
	CLEANUP(ingest_freep) struct ingest *ingest = NULL;
	struct skiff_error err = ERROR_INIT;
	struct digest digest;
	struct store store;

	store_open_at(&store, scratch_make());
	digest_of_text("something else", &digest);
	CHECK(put(&store, "a", TEXT, &digest, NULL, &err) < 0);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.reason, "digest_mismatch");
	CHECK(strstr(err.text, "unexpected commit digest sha256:") != NULL);

	/* One byte too many is refused as it arrives, too few at the end. */
	CHECK(ingest_begin(store.content, NULL, 3, &ingest, &err) == 0);
	CHECK(ingest_write(ingest, "abcd", 4, &err) < 0);
	CHECK_STR(err.reason, "size_mismatch");
	CHECK(ingest_write(ingest, "ab", 2, &err) == 0);
	CHECK(ingest_offset(ingest) == 2);
	CHECK(ingest_commit(ingest, "a", NULL, NULL, NULL, &err) < 0);
	CHECK_STR(err.reason, "size_mismatch");
	CHECK_STR(err.text, "unexpected commit size 2, expected 3");
	ingest_free(STEAL_PTR(ingest));
	CHECK(n_files(&store) == 0 && nothing_lies_about(&store));
	CHECK(n_records(&store, NULL) == 0);
	store_done(&store);
}

static void
the_expected_digest_chooses_the_algorithm(void)
{
	static const enum digest_algorithm algorithms[] = { DIGEST_SHA384,
							    DIGEST_SHA512 };
	struct skiff_error err = ERROR_INIT;
	struct store store;

	store_open_at(&store, scratch_make());
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		CLEANUP(hash_freep) struct hash *hash = hash_new(algorithms[i]);
		cleanup_free char *text = NULL;
		struct digest digest;
		size_t len;

		hash_update(hash, TEXT, strlen(TEXT));
		hash_final(hash, &digest);
		CHECK(put(&store, "a", TEXT, &digest, NULL, &err) == 0);
		CHECK(content_read_blob(store.content, "a", &digest, 100, &text,
					&len, &err) == 0);
		CHECK_STR(text, TEXT);
	}
	reopen(&store);
	CHECK(n_records(&store, "a") == 2);
	CHECK(scratch_count(store.root, "content/blobs/sha512") == 1);
	store_done(&store);
}

static void
bytes_that_rotted_are_told_and_mended_by_fetching_again(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *name = NULL;
	cleanup_free char *text = NULL;
	struct digest digest;
	struct store store;
	size_t len;

	store_open_at(&store, scratch_make());
	digest_of_text(TEXT, &digest);
	name = xasprintf("content/blobs/sha256/%s", digest_hex(&digest));
	CHECK(put(&store, "a", TEXT, NULL, NULL, &err) == 0);
	CHECK(content_read_blob(store.content, "a", &digest, 5, &text, &len,
				&err) < 0);
	CHECK(err.code == SKIFF_TOO_LARGE);
	scratch_write(store.root, name, "THE BYTES OF A BLOB");
	CHECK(content_read_blob(store.content, "a", &digest, 100, &text, &len,
				&err) < 0);
	CHECK(err.code == SKIFF_DATA_LOSS);
	CHECK(put(&store, "a", TEXT, NULL, NULL, &err) == 1);
	CHECK(can_read(&store, "a", TEXT));
	store_done(&store);
}

static void
a_record_without_its_bytes_goes_at_the_start(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *name = NULL;
	struct digest digest;
	struct store store;

	store_open_at(&store, scratch_make());
	digest_of_text(TEXT, &digest);
	name = xasprintf("content/blobs/sha256/%s", digest_hex(&digest));
	CHECK(put(&store, "a", TEXT, NULL, NULL, &err) == 0);
	CHECK(content_adopt(store.content, "b", &digest, NULL, NULL, &err) ==
	      1);
	scratch_write(store.root, name, "torn");
	reopen(&store);
	CHECK(n_records(&store, NULL) == 0 && n_files(&store) == 0);
	CHECK(put(&store, "b", TEXT, NULL, NULL, &err) == 0);
	CHECK(can_read(&store, "b", TEXT));
	store_done(&store);
}

static void
what_no_record_names_goes_at_the_start(void)
{
	struct skiff_error err = ERROR_INIT;
	struct store store;

	store_open_at(&store, scratch_make());
	CHECK(put(&store, "a", TEXT, NULL, NULL, &err) == 0);
	scratch_write(store.root, "content/blobs/sha256/0123", "x");
	scratch_write(store.root, "content/ingests/0123", "x");
	scratch_write(store.root, "content/trash/sha256:00.11", "x");
	reopen(&store);
	CHECK(n_files(&store) == 1 && nothing_lies_about(&store));
	CHECK(can_read(&store, "a", TEXT));
	store_done(&store);
}

/* --- faults ---------------------------------------------------------- */

static int
play(const char *role, const char *root)
{
	struct skiff_error err = ERROR_INIT;
	struct digest digest;
	struct store store;
	int r = -1;

	store_open_at(&store, xstrdup(root));
	if (fault_setup(&err) < 0)
		return 2;
	digest_of_text(TEXT, &digest);
	if (!strcmp(role, "put"))
		r = put(&store, "a", TEXT, NULL, NULL, &err);
	else if (!strcmp(role, "delete"))
		r = content_delete(store.content, "a", &digest, 0, &err);
	if (!nothing_lies_about(&store))
		r = 3;
	store_close(&store);
	free(store.root);
	return r < 0 ? 1 : r;
}

static void
check_consistent(struct store *store, const char *when)
{
	int64_t n = n_records(store, NULL);
	bool is_so = n == n_files(store) && nothing_lies_about(store) &&
		     (n == 0 || can_read(store, "a", TEXT));

	if (!is_so)
		(void)printf("# %s\n", when);
	CHECK(is_so);
}

static void
a_crash_at_any_step_leaves_all_or_nothing(void)
{
	static const char *const steps[][2] = {
		{ "put", "blob.write" },
		{ "put", "blob.fsync" },
		{ "put", "blob.rename" },
		{ "put", "blob.dirsync" },
		{ "put", "blob.commit" },
		{ "put", "db.commit.before" },
		{ "put", "db.commit.after" },
		{ "put", "blob.recorded" },
		{ "delete", "blob.trash" },
		{ "delete", "db.commit.before" },
		{ "delete", "db.commit.after" },
		{ "delete", "blob.unlink" },
	};
	struct skiff_error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		cleanup_free char *points = xasprintf("%s=crash", steps[i][1]);
		bool is_put = !strcmp(steps[i][0], "put");
		struct store store;

		store_open_at(&store, scratch_make());
		if (!is_put)
			CHECK(put(&store, "a", TEXT, NULL, NULL, &err) == 0);
		db_close(STEAL_PTR(store.db));
		CHECK(second_life(steps[i][0], store.root, points) == KILLED);
		reopen(&store);
		check_consistent(&store, points);
		CHECK(put(&store, "a", TEXT, NULL, NULL, &err) >= 0);
		CHECK(can_read(&store, "a", TEXT));
		store_done(&store);
	}
}

static void
a_failure_at_any_step_leaves_all_or_nothing(void)
{
	static const char *const steps[][2] = {
		{ "put", "blob.write=error(ENOSPC)" },
		{ "put", "blob.fsync=error(EIO)" },
		{ "put", "blob.rename=error(EIO)" },
		{ "put", "blob.dirsync=error(EIO)" },
		{ "put", "blob.commit=error(EIO)" },
		{ "put", "db.commit.before=1*error(ENOSPC)" },
		{ "delete", "blob.trash=1*error(EIO)" },
		{ "delete", "db.commit.before=1*error(ENOSPC)" },
	};
	struct skiff_error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		bool is_put = !strcmp(steps[i][0], "put");
		struct store store;

		store_open_at(&store, scratch_make());
		if (!is_put)
			CHECK(put(&store, "a", TEXT, NULL, NULL, &err) == 0);
		db_close(STEAL_PTR(store.db));
		CHECK(second_life(steps[i][0], store.root, steps[i][1]) == 1);
		/* Before any sweep. */
		CHECK(n_files(&store) == !is_put);
		CHECK(nothing_lies_about(&store));
		reopen(&store);
		check_consistent(&store, steps[i][1]);
		CHECK(n_records(&store, NULL) == !is_put);
		store_done(&store);
	}
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
	struct digest digest;

	digest_of_text(TEXT, &digest);
	for (int i = 0; i < 60; i++) {
		struct skiff_error err = ERROR_INIT;

		if (content_adopt(racer->store->content, racer->ns, &digest,
				  NULL, NULL, &err) == 0 &&
		    put(racer->store, racer->ns, TEXT, &digest, NULL, &err) < 0)
			racer->n_bad++;
		/* Nobody else deletes this namespace's record. */
		if (!can_read(racer->store, racer->ns, TEXT))
			racer->n_bad++;
		if (i % 3 != 0)
			continue;
		if (content_delete(racer->store->content, racer->ns, &digest, 0,
				   &err) < 0)
			racer->n_bad++;
		if (can_read(racer->store, racer->ns, TEXT))
			racer->n_bad++;
	}
	return NULL;
}

static void
commits_and_deletions_that_race_lose_nothing(void)
{
	struct racer racers[4] = {
		{ .ns = "a" }, { .ns = "b" }, { .ns = "c" }, { .ns = "d" }
	};
	struct skiff_error err = ERROR_INIT;
	struct digest digest;
	struct store store;

	store_open_at(&store, scratch_make());
	digest_of_text(TEXT, &digest);
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
		racers[i].store = &store;
		CHECK(pthread_create(&racers[i].thread, NULL, race,
				     &racers[i]) == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
		CHECK(pthread_join(racers[i].thread, NULL) == 0);
		CHECK(racers[i].n_bad == 0);
	}
	CHECK(n_files(&store) == 1 && nothing_lies_about(&store));
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++)
		CHECK(content_delete(store.content, racers[i].ns, &digest, 0,
				     &err) == 0);
	CHECK(n_files(&store) == 0 && nothing_lies_about(&store));
	store_done(&store);
}

static const struct tap_test tests[] = {
	TEST(two_namespaces_share_the_bytes_of_a_blob),
	TEST(a_blob_is_private_and_read_only),
	TEST(the_document_says_digest_size_and_media_type),
	TEST(a_wrong_digest_or_size_keeps_nothing),
	TEST(the_expected_digest_chooses_the_algorithm),
	TEST(bytes_that_rotted_are_told_and_mended_by_fetching_again),
	TEST(a_record_without_its_bytes_goes_at_the_start),
	TEST(what_no_record_names_goes_at_the_start),
	TEST(a_crash_at_any_step_leaves_all_or_nothing),
	TEST(a_failure_at_any_step_leaves_all_or_nothing),
	TEST(commits_and_deletions_that_race_lose_nothing),
};

int
main(int argc, char **argv)
{
	if (argc == 3)
		return play(argv[1], argv[2]);
	return tap_run(tests, ARRAY_SIZE(tests));
}
