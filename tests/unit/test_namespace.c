/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces and images: made, refused, deleted with what is left.
 */
#include "config.h"

#include "base/alloc.h"
#include "store/content/content.h"
#include "store/image.h"
#include "store/namespace.h"
#include "store/snapshot/snapshots.h"
#include "tests/unit/store_help.h"
#include "tests/unit/tap.h"

static struct store store;
static struct content *content;
static struct snapshots *snapshots;

static void
set_up(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_close int root_fd = -1;

	store_init(&store);
	if (fs_open_dir(AT_FDCWD, store.root, false, 0, &root_fd, &err) < 0 ||
	    content_open(store.db, root_fd, &content, &err) < 0 ||
	    snapshots_open(store.db, store.root, &snapshots, &err) < 0) {
		(void)printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

static void
tear_down(void)
{
	snapshots_close(snapshots);
	content_close(content);
	store_done(&store);
}

static int
make_namespace(const char *name, struct skiff_error *err)
{
	cleanup_free char *doc = NULL;
	int64_t revision;

	return namespace_create(store.db, name, NULL, &doc, &revision, err);
}

static int
delete_namespace(const char *name, struct skiff_error *err)
{
	return namespace_delete(store.db, content, snapshots, name, 0, err);
}

static int
make_image(const char *ns, const char *name, bool may_replace,
	   struct skiff_error *err)
{
	cleanup_json json_t *image =
	    json_pack("{s:s, s:{s:s}}", "name", name, "target", "digest", "d");
	cleanup_free char *doc = NULL;
	int64_t revision;

	if (may_replace)
		return image_put(store.db, ns, image, &doc, &revision, err);
	return image_create(store.db, ns, image, &doc, &revision, err);
}

static void
put_blob(const char *ns, const char *text, const json_t *labels,
	 struct digest *digest)
{
	CLEANUP(ingest_freep) struct ingest *ingest = NULL;
	struct skiff_error err = ERROR_INIT;

	CHECK(ingest_begin(content, NULL, -1, &ingest, &err) == 0);
	CHECK(ingest_write(ingest, text, strlen(text), &err) == 0);
	CHECK(ingest_commit(ingest, ns, labels, NULL, digest, &err) == 0);
}

static void
put_layer(const char *ns, const char *chain_id, const char *parent)
{
	CLEANUP(snapshot_dir_freep) struct snapshot_dir *dir = NULL;
	struct layer_request request = { .ns = ns,
					 .chain_id = chain_id,
					 .parent = parent };
	struct skiff_error err = ERROR_INIT;

	CHECK(snapshot_dir_make(snapshots, &dir, &err) == 0);
	CHECK(layer_commit(dir, &request, &err) == 0);
}

static void
a_namespace_is_made_once(void)
{
	struct skiff_error err = ERROR_INIT;

	set_up();
	CHECK(make_namespace("n", &err) == 0);
	CHECK(make_namespace("n", &err) < 0);
	CHECK(err.code == SKIFF_ALREADY_EXISTS);
	CHECK(make_namespace("a/b", &err) < 0);
	CHECK(err.code == SKIFF_INVALID_ARGUMENT);
	CHECK(delete_namespace("n", &err) == 0);
	CHECK(delete_namespace("n", &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	tear_down();
}

static void
a_namespace_in_use_says_what_holds_it(void)
{
	struct skiff_error err = ERROR_INIT;
	json_t *object = NULL;
	struct snapshot_request request = { .ns = "default",
					    .key = "k",
					    .kind = SNAPSHOT_ACTIVE };

	set_up();
	CHECK(make_image("default", "a", false, &err) == 0);
	CHECK(make_image("default", "b", false, &err) == 0);
	CHECK(store_insert(&store, RECORD_CONTAINER, "default", "c", "{}",
			   &err) == 0);
	CHECK(store_insert(&store, RECORD_OPERATION, "default", "o",
			   "{\"state\":\"running\"}", &err) == 0);
	CHECK(snapshot_prepare(snapshots, &request, &object, &err) == 0);
	json_decref(object);
	CHECK(delete_namespace("default", &err) < 0);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.reason, "namespace_not_empty");
	CHECK_STR(err.text,
		  "namespace default must be empty: 2 images, 1 container, "
		  "1 running operation, 1 active snapshot");
	CHECK_STR(err.kind, "namespace");
	CHECK_STR(err.id, "default");
	tear_down();
}

static void
what_nothing_roots_goes_with_the_namespace(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *other = NULL;
	struct digest shared;
	struct digest own;
	int64_t size;
	int fd = -1;

	set_up();
	put_blob("one", "shared", NULL, &shared);
	put_blob("two", "shared", NULL, &shared);
	put_blob("one", "own", NULL, &own);
	/* The keys' order is not that of parents and children. */
	put_layer("one", "sha256:b", NULL);
	put_layer("one", "sha256:a", "sha256:b");
	put_layer("one", "sha256:c", "sha256:a");
	CHECK(store_insert(&store, RECORD_OPERATION, "one", "o",
			   "{\"state\":\"succeeded\"}", &err) == 0);
	CHECK(make_image("one", "a", false, &err) == 0);
	CHECK(delete_namespace("one", &err) < 0);
	CHECK_STR(err.text, "namespace one must be empty: 1 image");
	CHECK(image_delete(store.db, "one", "a", 0, &err) == 0);
	CHECK(delete_namespace("one", &err) == 0);
	CHECK(content_open_blob(content, "two", &shared, &fd, &size, &err) ==
	      0);
	(void)close(fd);
	CHECK(content_open_blob(content, "one", &own, &fd, &size, &err) < 0);
	other = store_load(&store, RECORD_NAMESPACE, "", "two");
	CHECK(other != NULL);
	{
		CLEANUP(db_reader_putp)
		struct conn *conn = db_reader_get(store.db);

		CHECK(record_count(conn, RECORD_CONTENT, "one") == 0);
		CHECK(record_count(conn, RECORD_SNAPSHOT, NULL) == 0);
		CHECK(record_count(conn, RECORD_OPERATION, NULL) == 0);
	}
	tear_down();
}

static void
a_labelled_root_keeps_the_namespace(void)
{
	cleanup_json json_t *labels =
	    json_pack("{s:s}", "containerd.io/gc.root", "2017");
	struct skiff_error err = ERROR_INIT;
	struct digest digest;

	set_up();
	put_blob("n", "kept", labels, &digest);
	CHECK(delete_namespace("n", &err) < 0);
	CHECK_STR(err.text, "namespace n must be empty: 1 object labelled "
			    "containerd.io/gc.root");
	tear_down();
}

static void
putting_an_image_replaces_it_and_keeps_its_birth(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *first = NULL;
	cleanup_json json_t *second = NULL;
	cleanup_json json_t *target = NULL;

	set_up();
	CHECK(make_image("n", "a", true, &err) == 0);
	first = store_load(&store, RECORD_IMAGE, "n", "a");
	CHECK(make_image("n", "a", true, &err) == 0);
	second = store_load(&store, RECORD_IMAGE, "n", "a");
	CHECK_STR(json_get_text(first, "created_at"),
		  json_get_text(second, "created_at"));
	CHECK(json_get_int(second, "revision", 0) ==
	      json_get_int(first, "revision", 0) + 1);
	CHECK(make_image("n", "a", false, &err) < 0);
	CHECK(err.code == SKIFF_ALREADY_EXISTS);
	CHECK(image_target(store.db, "n", "a", &target, &err) == 0);
	CHECK_STR(json_get_text(target, "digest"), "d");
	CHECK(image_delete(store.db, "n", "a", 1, &err) < 0);
	CHECK(err.code == SKIFF_ABORTED);
	tear_down();
}

static void
all_faults_of_an_image_are_told_at_once(void)
{
	static const char body[] =
	    "{\"name\":\"pull\",\"extra\":1,\"labels\":{\"a\":1},"
	    "\"target\":{\"media_type\":\"\",\"digest\":\"md5:0\",\"size\":-1}"
	    "}";
	CLEANUP(json_faults_done)
	struct json_faults faults = JSON_FAULTS_INIT;
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *image = NULL;
	CLEANUP(strbuf_done) struct strbuf fields = STRBUF_INIT;
	json_t *fault;
	size_t i;

	CHECK(json_parse(body, strlen(body), &image, &err) == 0);
	image_check(image, &faults);
	json_array_foreach (faults.list, i, fault)
		strbuf_addf(&fields, "%s ", json_get_text(fault, "field"));
	CHECK_STR(fields.buf, "/extra /name /target/media_type /target/size "
			      "/target/digest /labels/a ");
}

TESTS(TEST(a_namespace_is_made_once),
      TEST(a_namespace_in_use_says_what_holds_it),
      TEST(what_nothing_roots_goes_with_the_namespace),
      TEST(a_labelled_root_keeps_the_namespace),
      TEST(putting_an_image_replaces_it_and_keeps_its_birth),
      TEST(all_faults_of_an_image_are_told_at_once))
