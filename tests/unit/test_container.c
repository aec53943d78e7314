/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as records: one of two that race, what a loser leaves, what a
 * task forbids. The image is made up here; its one layer is a snapshot.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/json.h"
#include "runtime/container.h"
#include "runtime/spec/host.h"
#include "store/image_content.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"
#include "tests/unit/tap.h"

#define LAYER                                                                  \
	"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b" \
	"855"
#define N_RACERS 8

static char top[64];
static struct host host = { .cgroup_prefix = "/skiff-01234567",
			    .capabilities = UINT64_MAX,
			    .rlimit_hard = { [RLIMIT_NOFILE] = 1024 } };
static struct container_context context;

/* Stands in for the content store: every name is this image. */
int
image_content_load(struct db *db, struct content *content, const char *ns,
		   const char *name, const char *platform,
		   struct image_content **ret_image, struct skiff_error *err)
{
	struct image_content *image;

	(void)db;
	(void)content;
	(void)ns;
	(void)platform;
	if (strcmp(name, "absent") == 0)
		return err_not_found(err, "image", name);
	image = xcalloc(1, sizeof(*image));
	image->config = xcalloc(1, sizeof(*image->config));
	image->config->architecture = xstrdup("amd64");
	strv_add(&image->config->cmd, "sh");
	image->config->stop_signal = xstrdup("SIGQUIT");
	image->config->n_diff_ids = 1;
	image->config->diff_ids = xcalloc(1, sizeof(struct digest));
	CHECK(digest_parse(LAYER, &image->config->diff_ids[0], err) == 0);
	CHECK(digest_parse(LAYER, &image->target, err) == 0);
	*ret_image = image;
	return 0;
}

void
image_content_free(struct image_content *image)
{
	if (!image)
		return;
	free(image->config->architecture);
	free(image->config->stop_signal);
	free(image->config->diff_ids);
	strv_done(&image->config->cmd);
	free(image->config);
	free(image);
}

static void
open_all(void)
{
	struct skiff_error err = ERROR_INIT;

	(void)snprintf(top, sizeof(top), "/tmp/skiff-container.XXXXXX");
	CHECK(mkdtemp(top) != NULL);
	context = (struct container_context){ .host = &host };
	CHECK(db_open(top, NULL, &context.db, &err) == 0);
	CHECK(snapshots_open(context.db, top, &context.snapshots, &err) == 0);
}

static void
close_all(void)
{
	struct skiff_error err = ERROR_INIT;

	snapshots_close(context.snapshots);
	db_close(context.db);
	CHECK(fs_remove_tree(AT_FDCWD, top, &err) == 0);
}

static void
unpack(void)
{
	CLEANUP(snapshot_dir_freep) struct snapshot_dir *dir = NULL;
	struct skiff_error err = ERROR_INIT;

	CHECK(snapshot_dir_make(context.snapshots, &dir, &err) == 0);
	CHECK(layer_commit(dir,
			   &(struct layer_request){ .ns = "ns",
						    .chain_id = LAYER },
			   &err) == 0);
}

/* The document, or NULL with *err. */
static json_t *
create(const char *text, struct skiff_error *err)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	cleanup_json json_t *body = NULL;
	cleanup_free char *doc = NULL;
	json_t *made = NULL;
	int64_t revision = 0;

	*err = (struct skiff_error)ERROR_INIT;
	CHECK(json_parse(text, strlen(text), &body, err) == 0);
	if (container_create(&context, "ns", body, &faults, &doc, &revision,
			     err) < 0)
		return NULL;
	CHECK(json_parse(doc, strlen(doc), &made, err) == 0);
	CHECK(revision > 0 && json_get_int(made, "revision", 0) == revision);
	return made;
}

static int
count_snapshot_dirs(void)
{
	cleanup_free char *path = xasprintf("%s/snapshots/overlay", top);
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir)) != NULL)
		n += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	if (dir)
		(void)closedir(dir);
	return n;
}

static void
a_container_has_its_image_snapshot_and_spec(void)
{
	struct skiff_error err;

	open_all();
	CHECK(!create("{\"id\":\"a\",\"image\":\"i\"}", &err));
	CHECK_STR(err.reason, "image_not_unpacked");
	CHECK(!create("{\"id\":\"a\",\"image\":\"absent\"}", &err));
	CHECK(err.code == SKIFF_NOT_FOUND);
	unpack();
	cleanup_json json_t *made =
	    create("{\"id\":\"a\",\"image\":\"i\",\"args\":[\"x\"],"
		   "\"labels\":{\"k\":\"v\"}}",
		   &err);

	CHECK_STR(json_get_text(made, "id"), "a");
	CHECK_STR(json_get_text(made, "namespace"), "ns");
	CHECK_STR(json_get_text(made, "image"), "i");
	CHECK_STR(json_get_text(made, "image_digest"), LAYER);
	CHECK_STR(json_get_text(made, "snapshotter"), "overlay");
	CHECK_STR(json_get_text(made, "snapshot_key"), "a");
	CHECK_STR(json_get_text(made, "stop_signal"), "SIGQUIT");
	CHECK_STR(json_get_text(json_object_get(made, "runtime"), "name"),
		  "runc");
	CHECK(json_is_object(json_object_get(made, "spec")));
	CHECK(json_array_size(json_object_get(made, "args")) == 1);
	close_all();
}

static void
a_container_without_id_gets_one(void)
{
	struct skiff_error err;

	open_all();
	unpack();
	cleanup_json json_t *one = create("{\"image\":\"i\"}", &err);
	cleanup_json json_t *two = create("{\"image\":\"i\"}", &err);

	CHECK(strlen(json_get_text(one, "id")) >= 13);
	CHECK(strcmp(json_get_text(one, "id"), json_get_text(two, "id")) != 0);
	close_all();
}

static void *
race(void *arg)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *doc = NULL;
	cleanup_json json_t *body =
	    json_pack("{s:s, s:s}", "id", "a", "image", "i");
	int64_t revision;
	enum skiff_code *code = arg;

	(void)container_create(&context, "ns", body, &faults, &doc, &revision,
			       &err);
	*code = err.code;
	return NULL;
}

static void
of_those_that_race_one_wins_and_nothing_is_left(void)
{
	enum skiff_code codes[N_RACERS];
	pthread_t threads[N_RACERS];
	int n_won = 0;

	open_all();
	unpack();
	for (size_t i = 0; i < N_RACERS; i++)
		CHECK(pthread_create(&threads[i], NULL, race, &codes[i]) == 0);
	for (size_t i = 0; i < N_RACERS; i++) {
		(void)pthread_join(threads[i], NULL);
		n_won += codes[i] == SKIFF_OK;
		CHECK(codes[i] == SKIFF_OK || codes[i] == SKIFF_ALREADY_EXISTS);
	}
	CHECK(n_won == 1);
	/* The layer's, and the winner's. */
	CHECK(count_snapshot_dirs() == 2);
	close_all();
}

static int
insert_task(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct record_ref ref = { RECORD_TASK, "ns", "a" };
	cleanup_json json_t *task =
	    json_pack("{s:s, s:s, s:s}", "id", "a", "container", "a", "state",
		      "running");

	(void)arg;
	return record_insert(tx, &ref, task, &(struct change){ 0 }, err);
}

static void
a_container_with_a_task_is_kept(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	unpack();
	cleanup_json json_t *made =
	    create("{\"id\":\"a\",\"image\":\"i\"}", &err);

	CHECK(made != NULL);
	CHECK(db_write(context.db, insert_task, NULL, &err) == 0);
	CHECK(container_delete(&context, "ns", "a", 0, &err) < 0);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.reason, "task_exists");
	CHECK_STR(err.state, "running");
	CHECK(count_snapshot_dirs() == 2);
	close_all();
}

static void
deleting_takes_the_snapshot_along(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	unpack();
	cleanup_json json_t *made =
	    create("{\"id\":\"a\",\"image\":\"i\"}", &err);

	CHECK(made != NULL);
	CHECK(container_delete(&context, "ns", "a", 999, &err) < 0);
	CHECK(err.code == SKIFF_ABORTED);
	err = (struct skiff_error)ERROR_INIT;
	CHECK(container_delete(&context, "ns", "a", 0, &err) == 0);
	CHECK(count_snapshot_dirs() == 1);
	CHECK(container_delete(&context, "ns", "a", 0, &err) < 0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	close_all();
}

static void
a_failed_deletion_leaves_the_snapshot_in_its_place(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	unpack();
	cleanup_json json_t *made =
	    create("{\"id\":\"a\",\"image\":\"i\"}", &err);

	CHECK(made != NULL);
	CHECK(setenv("SKIFF_FAILPOINTS", "db.commit.before=1*error(ENOSPC)",
		     1) == 0);
	CHECK(fault_setup(&err) == 0);
	CHECK(container_delete(&context, "ns", "a", 0, &err) < 0);
	CHECK(err.code == SKIFF_INSUFFICIENT_STORAGE);
	fault_is_armed = false;
	err = (struct skiff_error)ERROR_INIT;
	CHECK(count_snapshot_dirs() == 2);
	CHECK(container_delete(&context, "ns", "a", 0, &err) == 0);
	CHECK(count_snapshot_dirs() == 1);
	close_all();
}

static void
a_spec_of_the_client_needs_no_image(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	cleanup_json json_t *made = create(
	    "{\"id\":\"a\",\"spec\":{\"ociVersion\":\"1.0.2\",\"process\":"
	    "{\"args\":[\"x\"],\"cwd\":\"/\"},\"own\":1,\"linux\":{"
	    "\"namespaces\":[{\"type\":\"mount\"}]}}}",
	    &err);
	const json_t *spec = json_object_get(made, "spec");

	CHECK(json_get_int(spec, "own", 0) == 1);
	CHECK(!json_object_get(made, "snapshot_key"));
	CHECK(container_delete(&context, "ns", "a", 0, &err) == 0);
	CHECK(!create("{\"id\":\"a\",\"image\":\"i\",\"snapshotter\":\"zfs\","
		      "\"runtime\":{\"name\":\"no-such-runtime\"}}",
		      &err));
	CHECK(err.code == SKIFF_INVALID_ARGUMENT);
	CHECK_STR(err.field, "/snapshotter");
	close_all();
}

TESTS(TEST(a_container_has_its_image_snapshot_and_spec),
      TEST(a_container_without_id_gets_one),
      TEST(of_those_that_race_one_wins_and_nothing_is_left),
      TEST(a_container_with_a_task_is_kept),
      TEST(deleting_takes_the_snapshot_along),
      TEST(a_failed_deletion_leaves_the_snapshot_in_its_place),
      TEST(a_spec_of_the_client_needs_no_image))
