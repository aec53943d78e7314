/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User namespaces in a spec: who has one, and whose its ids are.
 */
#include "config.h"

#include "base/alloc.h"
#include "runtime/spec/user_namespace.h"
#include "tests/unit/spec_help.h"

static void
check_faults(const char *body, const char *expected)
{
	cleanup_json json_t *json = parse(body);
	cleanup_free char *found = faults_in(json);

	CHECK_STR(found, expected);
}

#define LINUX(rest)                                                            \
	"{\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"user\"}" \
	"]" rest "}}"
#define MAPS                                                                   \
	"[{\"containerID\":0,\"hostID\":1000,\"size\":1},"                     \
	"{\"containerID\":1,\"hostID\":5000,\"size\":9}]"

static void
the_wish_gives_one_without_ids(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *body =
	    parse("{\"image\":\"a\",\"args\":[\"b\"],\"userns\":\"auto\"}");
	cleanup_json json_t *spec = spec_from(body, &err);
	struct spec_owner owner;

	CHECK(spec_has_user_namespace(spec));
	CHECK(!spec_has_id_maps(spec));
	CHECK(!spec_owner(spec, &owner));
	/* Groups that it does not have the kernel would refuse. */
	CHECK_STR(json_get_text(json_object_get(json_object_get(spec, "linux"),
						"sysctl"),
				"net.ipv4.ping_group_range"),
		  "0 65535");
	spec_set_id_maps(spec, 524288, 65536);
	CHECK(spec_has_id_maps(spec));
	CHECK(spec_owner(spec, &owner));
	CHECK(owner.uid == 524288 && owner.gid == 524288);
}

static void
host_is_none(void)
{
	static const char *const bodies[] = {
		"{\"image\":\"a\",\"args\":[\"b\"]}",
		"{\"image\":\"a\",\"args\":[\"b\"],\"userns\":\"host\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		CLEANUP(strv_done) struct strv options = STRV_INIT;
		struct skiff_error err = ERROR_INIT;
		cleanup_json json_t *body = parse(bodies[i]);
		cleanup_json json_t *spec = spec_from(body, &err);
		struct spec_owner owner;

		CHECK(!spec_has_user_namespace(spec));
		CHECK(!spec_owner(spec, &owner));
		spec_id_map_options(spec, &options);
		CHECK(options.n == 0);
	}
}

static void
what_does_not_go_with_it_is_a_fault(void)
{
#define WITH(rest) "{\"image\":\"a\",\"userns\":\"auto\"," rest "}"
	check_faults(WITH("\"pid\":\"private\",\"ipc\":\"shareable\","
			  "\"network\":\"none\",\"privileged\":false"),
		     "");
	check_faults(WITH("\"pid\":\"host\""), "/userns");
	check_faults(WITH("\"pid\":\"container:b\",\"ipc\":\"container:b\""),
		     "/userns /userns");
	check_faults(WITH("\"uts\":\"host\",\"network\":\"host\","
			  "\"privileged\":true"),
		     "/userns /userns /userns");
	check_faults("{\"image\":\"a\",\"userns\":\"\"}", "/userns");
	check_faults("{\"image\":\"a\",\"userns\":\"keep-id\"}", "/userns");
	check_faults("{\"image\":\"a\",\"userns\":\"host\",\"pid\":\"host\"}",
		     "");
	/* The host's node is bound: it has its place and its owner. */
	check_faults(WITH("\"devices\":[{\"path\":\"/dev/null\","
			  "\"container_path\":\"/dev/x\"}]"),
		     "/devices/0/container_path");
}

static void
one_that_is_joined_is_not_its_own(void)
{
	cleanup_json json_t *spec =
	    parse("{\"linux\":{\"namespaces\":[{\"type\":\"user\",\"path\":"
		  "\"/proc/1/ns/user\"}]}}");

	CHECK(!spec_has_user_namespace(spec));
}

static void
maps_become_options_of_a_mount(void)
{
	CLEANUP(strv_done) struct strv options = STRV_INIT;
	cleanup_json json_t *spec =
	    parse(LINUX(",\"uidMappings\":" MAPS
			",\"gidMappings\":[{\"containerID\":0,\"hostID\":7,"
			"\"size\":2}]"));
	struct spec_owner owner;

	spec_id_map_options(spec, &options);
	CHECK(options.n == 2);
	CHECK_STR(options.items[0], "uidmap=0:1000:1,1:5000:9");
	CHECK_STR(options.items[1], "gidmap=0:7:2");
	CHECK(spec_owner(spec, &owner));
	CHECK(owner.uid == 1000 && owner.gid == 7);
}

static void
a_user_is_one_of_its_ids(void)
{
	cleanup_json json_t *spec =
	    parse(LINUX(",\"uidMappings\":" MAPS ",\"gidMappings\":" MAPS));
	static const struct {
		const char *user;
		bool is_mapped;
	} rows[] = {
		{ "{}", true },
		{ "{\"uid\":9,\"gid\":9,\"additionalGids\":[0,9]}", true },
		{ "{\"uid\":10,\"gid\":0}", false },
		{ "{\"uid\":0,\"gid\":10}", false },
		{ "{\"uid\":0,\"gid\":0,\"additionalGids\":[0,10]}", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct skiff_error err = ERROR_INIT;
		cleanup_json json_t *user = parse(rows[i].user);

		CHECK((spec_check_user_is_mapped(spec, user, &err) == 0) ==
		      rows[i].is_mapped);
		if (!rows[i].is_mapped)
			CHECK_STR(err.field, "/user");
	}
}

TESTS(TEST(the_wish_gives_one_without_ids), TEST(host_is_none),
      TEST(what_does_not_go_with_it_is_a_fault),
      TEST(one_that_is_joined_is_not_its_own),
      TEST(maps_become_options_of_a_mount), TEST(a_user_is_one_of_its_ids))
