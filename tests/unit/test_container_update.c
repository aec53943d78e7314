/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that change: by merge patch, mask and replacement, by another
 * id; what cannot change; snapshots that several have.
 */
#include "config.h"

#include "tests/unit/container_help.h"

static void
a_merge_patch_changes_what_can_change(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	unpack();
	cleanup_json json_t *made =
	    create("{'id':'a','image':'i','args':['x'],'labels':{'k':'v'},"
		   "'extensions':{'e':{'f':1}}}",
		   &err);
	cleanup_json json_t *labels =
	    update("{'labels':{'k':null,'l':'m'},'extensions':{'e':{'g':2}}}",
		   NULL, &err);

	CHECK(made && labels);
	CHECK_AT(labels, "labels", "{\"l\":\"m\"}");
	CHECK_AT(labels, "extensions/e", "{\"f\":1,\"g\":2}");
	CHECK(json_equal(json_object_get(made, "spec"),
			 json_object_get(labels, "spec")));
	cleanup_json json_t *wishes =
	    update("{'args':['y'],'resources':{'pids':7},'stop_signal':'INT'}",
		   NULL, &err);
	CHECK_AT(wishes, "spec/process/args", "[\"y\"]");
	CHECK_AT(wishes, "spec/linux/resources/pids/limit", "7");
	CHECK_AT(wishes, "stop_signal", "\"INT\"");
	CHECK_AT(wishes, "spec_origin", "\"wishes\"");
	close_all();
}

static void
what_a_container_is_cannot_change(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	unpack();
	cleanup_json json_t *made = create("{'id':'a','image':'i'}", &err);

	CHECK_REFUSED("{'id':'b'}", NULL, "/id");
	CHECK_REFUSED("{'image':'j'}", NULL, "/image");
	CHECK_REFUSED("{'image':null}", NULL, "/image");
	CHECK_REFUSED("{'snapshotter':'x'}", NULL, "/snapshotter");
	CHECK_REFUSED("{'snapshot_key':'x'}", NULL, "/snapshot_key");
	CHECK_REFUSED("{'runtime':{'name':'crun'}}", NULL, "/runtime/name");
	CHECK_REFUSED("{'created_at':'x'}", NULL, "/created_at");
	CHECK_REFUSED("{'spec_origin':'client'}", NULL, "/spec_origin");
	CHECK_REFUSED("{'color':1}", NULL, "/color");
	CHECK_REFUSED("{}", NULL, "");
	CHECK_REFUSED("{'env':['x']}", NULL, "/env/0");
	CHECK_REFUSED("{'labels':{'skiff.x':'y'}}", NULL, "/labels/skiff.x");
	CHECK_REFUSED("{'image':'j','args':['x']}", "*", "/image");
	CHECK_REFUSED("{'args':['x']}", "*", "/image");
	/* Sent back as it is, it is no change. */
	cleanup_json json_t *same = update(
	    "{'id':'a','image':'i','snapshot_key':'a','labels':{'a':'b'}}",
	    NULL, &err);
	CHECK(same != NULL);
	close_all();
}

static void
a_mask_names_what_changes(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	unpack();
	cleanup_json json_t *made =
	    create("{'id':'a','image':'i','labels':{'a.b/c':'1','d':'2'},"
		   "'extensions':{'x.y':1,'z':2},'cwd':'/tmp'}",
		   &err);
	cleanup_json json_t *keyed =
	    update("{'labels':{'a.b/c':'3','d':'9'},'extensions':{'z':5}}",
		   "labels.a.b/c,extensions.x.y", &err);

	CHECK_AT(keyed, "labels/d", "\"2\"");
	CHECK_STR(json_get_text(json_object_get(keyed, "labels"), "a.b/c"),
		  "3");
	CHECK_AT(keyed, "extensions", "{\"z\":2}");
	cleanup_json json_t *whole = update("{'labels':{'n':'1'},'cwd':'/x'}",
					    "labels,extensions", &err);
	CHECK_AT(whole, "labels", "{\"n\":\"1\"}");
	CHECK_AT(whole, "extensions", "null");
	CHECK_AT(whole, "cwd", "\"/tmp\"");
	cleanup_json json_t *cleared = update("{}", "cwd,labels.n", &err);
	CHECK_AT(cleared, "spec/process/cwd", "\"/\"");
	CHECK_AT(cleared, "labels", "{}");
	CHECK_REFUSED("{}", "image", "/image");
	CHECK_REFUSED("{}", "runtime.name", "/runtime/name");
	CHECK_REFUSED("{}", "snapshot_key", "/snapshot_key");
	CHECK_REFUSED("{}", "color", "/color");
	CHECK_REFUSED("{}", "labels.", "/labels/");
	CHECK_REFUSED("{}", "spec.process", "/spec/process");
	CHECK_REFUSED("{'runtime':{'options':{'x':1}}}", "runtime.options",
		      "/runtime/options/x");
	cleanup_json json_t *options =
	    update("{'runtime':{'options':{'args':['--debug']}}}",
		   "runtime.options", &err);
	CHECK_AT(options, "runtime",
		 "{\"name\":\"runc\",\"options\":{\"args\":[\"--debug\"]}}");
	close_all();
}

#define OWN_SPEC                                                               \
	"{'ociVersion':'1.0.2','process':{'args':['o'],'cwd':'/'},'linux':{"   \
	"'namespaces':[{'type':'mount'}]}}"

static void
a_spec_that_is_changed_is_the_clients(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	unpack();
	cleanup_json json_t *made =
	    create("{'id':'a','image':'i','args':['x'],'cwd':'/tmp'}", &err);

	CHECK_REFUSED("{'spec':{'hooks':{}}}", NULL, "/spec/hooks");
	CHECK_REFUSED("{'spec':{'root':{'path':'/srv'}}}", NULL,
		      "/spec/root/path");
	CHECK_REFUSED("{'spec':{'hostname':'h'},'args':['y']}", NULL, "/args");
	cleanup_json json_t *own =
	    update("{'spec':{'hostname':'h'}}", NULL, &err);
	CHECK_AT(own, "spec/hostname", "\"h\"");
	CHECK_AT(own, "spec/process/args", "[\"x\"]");
	CHECK_AT(own, "spec_origin", "\"client\"");
	CHECK_AT(own, "args", "null");
	CHECK_AT(own, "cwd", "null");
	CHECK_REFUSED("{'args':['z']}", NULL, "/args");
	cleanup_json json_t *masked =
	    update("{'spec':" OWN_SPEC "}", "spec", &err);
	CHECK_AT(masked, "spec/process/args", "[\"o\"]");
	CHECK_AT(masked, "spec/linux/cgroupsPath", "\"/skiff-01234567/ns/a\"");
	/* Without it, wishes make it again. */
	cleanup_json json_t *again =
	    update("{'image':'i','args':['w']}", "*", &err);
	CHECK_AT(again, "spec/process/args", "[\"w\"]");
	CHECK_AT(again, "spec_origin", "\"wishes\"");
	close_all();
}

static void
a_replacement_keeps_what_cannot_change(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	unpack();
	cleanup_json json_t *made =
	    create("{'id':'a','image':'i','args':['x'],'env':['A=b'],'labels':"
		   "{'k':'v'},'extensions':{'x':1}}",
		   &err);
	cleanup_json json_t *put =
	    update("{'image':'i','args':['y']}", "*", &err);

	CHECK_AT(put, "spec/process/args", "[\"y\"]");
	CHECK_AT(put, "env", "null");
	CHECK_AT(put, "labels", "{}");
	CHECK_AT(put, "extensions", "null");
	CHECK_AT(put, "snapshot_key", "\"a\"");
	CHECK_AT(put, "runtime/name", "\"runc\"");
	CHECK_STR(json_get_text(put, "created_at"),
		  json_get_text(made, "created_at"));
	/* What was got may be put back, with a change. */
	cleanup_json json_t *copy = json_deep_copy(put);
	(void)json_object_set_new(copy, "args", json_pack("[s]", "z"));
	cleanup_free char *text = json_text(copy);
	cleanup_json json_t *back = update(text, "*", &err);
	CHECK_AT(back, "spec/process/args", "[\"z\"]");
	close_all();
}

static void
a_wrong_revision_changes_nothing(void)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	struct skiff_error err = ERROR_INIT;
	struct container_made changed;

	open_all();
	unpack();
	cleanup_json json_t *made = create("{'id':'a','image':'i'}", &err);
	cleanup_json json_t *body = parse("{'labels':{'a':'b'}}");
	struct container_update request = {
		.ns = "ns",
		.id = "a",
		.body = body,
		.is_by_admin = true,
		.if_match = json_get_int(made, "revision", 0) + 1,
	};

	CHECK(container_update(&context, &request, &faults, &changed, &err) <
	      0);
	CHECK(err.code == SKIFF_ABORTED);
	request.if_match--;
	CHECK(container_update(&context, &request, &faults, &changed, &err) ==
	      0);
	json_decref(take_made(&changed));
	request.id = "b";
	request.if_match = 0;
	CHECK(container_update(&context, &request, &faults, &changed, &err) <
	      0);
	CHECK(err.code == SKIFF_NOT_FOUND);
	close_all();
}

static int
rename_to(const char *old_id, const char *new_id, struct skiff_error *err)
{
	const struct container_rename rename = {
		.context = &context,
		.ref = { RECORD_CONTAINER, "ns", old_id },
		.new_id = new_id,
	};
	struct container_made made;

	*err = (struct skiff_error)ERROR_INIT;
	if (container_rename(&rename, &made, err) < 0)
		return -1;
	cleanup_json json_t *object = take_made(&made);
	CHECK_STR(json_get_text(object, "id"), new_id);
	return 0;
}

static void
a_renamed_container_keeps_its_snapshot(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	unpack();
	cleanup_json json_t *made = create("{'id':'a','image':'i'}", &err);

	CHECK(rename_to("a", "b", &err) == 0);
	CHECK(rename_to("a", "c", &err) < 0 && err.code == SKIFF_NOT_FOUND);
	/* Its id is free, and the new one gets another key. */
	cleanup_json json_t *second = create("{'id':'a','image':'i'}", &err);
	CHECK(second != NULL);
	CHECK(strncmp(json_get_text(second, "snapshot_key"), "a-", 2) == 0);
	CHECK(rename_to("a", "b", &err) < 0 &&
	      err.code == SKIFF_ALREADY_EXISTS);
	CHECK(count_snapshot_dirs() == 3);
	CHECK(snapshot_remove(context.snapshots, "ns", "a", 0, &err) < 0);
	CHECK_STR(err.reason, "snapshot_in_use");
	err = (struct skiff_error)ERROR_INIT;
	CHECK(container_delete(&context, "ns", "b", 0, &err) == 0);
	CHECK(count_snapshot_dirs() == 2);
	CHECK(container_delete(&context, "ns", "a", 0, &err) == 0);
	CHECK(count_snapshot_dirs() == 1);
	close_all();
}

static void
the_last_of_several_takes_the_snapshot_along(void)
{
	struct skiff_error err = ERROR_INIT;

	open_all();
	cleanup_json json_t *snapshot = NULL;
	CHECK(snapshot_prepare(
		  context.snapshots,
		  &(struct snapshot_request){
		      .ns = "ns", .key = "shared", .kind = SNAPSHOT_ACTIVE },
		  &snapshot, &err) == 0);
	CHECK(!create("{'id':'x','spec':" OWN_SPEC ",'snapshot_key':'none'}",
		      &err));
	CHECK(err.code == SKIFF_NOT_FOUND);
	cleanup_json json_t *a =
	    create("{'id':'a','spec':" OWN_SPEC ",'snapshot_key':'shared'}",
		   &err);
	cleanup_json json_t *b =
	    create("{'id':'b','args':['x'],'snapshot_key':'shared'}", &err);

	CHECK_AT(a, "snapshotter", "\"overlay\"");
	CHECK_AT(b, "spec/process/args", "[\"x\"]");
	CHECK(container_delete(&context, "ns", "a", 0, &err) == 0);
	CHECK(count_snapshot_dirs() == 1);
	CHECK(container_delete(&context, "ns", "b", 0, &err) == 0);
	CHECK(count_snapshot_dirs() == 0);
	close_all();
}

static void
a_dry_run_writes_nothing(void)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	struct skiff_error err = ERROR_INIT;
	struct container_made made;

	open_all();
	unpack();
	cleanup_json json_t *body = parse("{'id':'a','image':'i'}");
	const struct container_request request = {
		.ns = "ns", .body = body, .is_by_admin = true, .is_dry = true
	};

	CHECK(container_create(&context, &request, &faults, &made, &err) == 0);
	cleanup_json json_t *plan = take_made(&made);
	CHECK_AT(plan, "snapshot_key", "\"a\"");
	CHECK_AT(plan, "namespace", "\"ns\"");
	CHECK_AT(plan, "revision", "null");
	CHECK_AT(plan, "spec/process/args", "[\"sh\"]");
	CHECK(count_snapshot_dirs() == 1);
	cleanup_json json_t *real = create("{'id':'a','image':'i'}", &err);
	CHECK(real != NULL);
	CHECK(container_create(&context, &request, &faults, &made, &err) < 0);
	CHECK(err.code == SKIFF_ALREADY_EXISTS);
	close_all();
}

TESTS(TEST(a_merge_patch_changes_what_can_change),
      TEST(what_a_container_is_cannot_change), TEST(a_mask_names_what_changes),
      TEST(a_spec_that_is_changed_is_the_clients),
      TEST(a_replacement_keeps_what_cannot_change),
      TEST(a_wrong_revision_changes_nothing),
      TEST(a_renamed_container_keeps_its_snapshot),
      TEST(the_last_of_several_takes_the_snapshot_along),
      TEST(a_dry_run_writes_nothing))
