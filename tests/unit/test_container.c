/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as records: one of two that race, what a loser leaves, what a
 * task forbids.
 */
#include "config.h"

#include <pthread.h>

#include "base/fault.h"
#include "tests/unit/container_help.h"

#define N_RACERS 8

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
	cleanup_json json_t *body =
	    json_pack("{s:s, s:s}", "id", "a", "image", "i");
	const struct container_request request = { .ns = "ns",
						   .body = body,
						   .is_by_admin = true };
	struct container_made made;
	enum skiff_code *code = arg;

	(void)container_create(&context, &request, &faults, &made, &err);
	free(made.doc);
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
