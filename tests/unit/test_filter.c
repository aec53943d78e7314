/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which objects a filter names, and what is no filter.
 */
#include "config.h"

#include "store/filter.h"

#include <string.h>

#include "base/json.h"
#include "tests/unit/tap.h"

static const struct filter_field fields[] = {
	{ .name = "id" },
	{ .name = "tags" },
	{ .name = "version", .object = "exports" },
	{ .name = "kind" },
	{ .name = "target.kind", .object = "target", .key = "kind" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

static const char text[] =
    "{\"id\": \"a,b\", \"tags\": [\"x\", \"y\"], \"secret\": \"s\","
    " \"exports\": {\"version\": \"1.2\"}, \"target\": {\"kind\": \"k\"},"
    " \"labels\": {\"app\": \"web\", \"app.kind\": \"q=r\", \"e\": \"\"}}";

/* 1, 0, or -1 for a fault. */
static int
match(const char *first, const char *second)
{
	CLEANUP(filters_freep) struct filters *filters = NULL;
	cleanup_json json_t *object = NULL;
	struct skiff_error err = ERROR_INIT;

	CHECK(json_parse(text, strlen(text), &object, &err) == 0);
	if (filters_add(&filters, fields, first, &err) < 0 ||
	    (second && filters_add(&filters, fields, second, &err) < 0)) {
		CHECK(err.code == SKIFF_INVALID_ARGUMENT);
		return -1;
	}
	return filters_match(filters, object);
}

static void
conditions_compare_a_field_with_a_value(void)
{
	CHECK(match("id==\"a,b\"", NULL) == 1);
	CHECK(match("id!=\"a,b\"", NULL) == 0);
	CHECK(match("id==a", NULL) == 0);
	CHECK(match("version==1.2", NULL) == 1);
	CHECK(match("tags==y", NULL) == 1);
	CHECK(match("tags==z", NULL) == 0);
	CHECK(match("tags!=x", NULL) == 0);
}

static void
a_field_alone_asks_whether_it_is_there(void)
{
	CHECK(match("id", NULL) == 1);
	CHECK(match("tags", NULL) == 1);
	CHECK(match("labels.app,version", NULL) == 1);
	CHECK(match("labels.none", NULL) == 0);
	CHECK(match("labels.e", NULL) == 0);
	CHECK(match("kind", NULL) == 0);
	CHECK(match("kind", "id") == 1);
	CHECK(match("", NULL) == -1);
	CHECK(match("id,", NULL) == -1);
}

static void
a_field_may_have_another_name_in_the_object(void)
{
	CHECK(match("target.kind==k", NULL) == 1);
	CHECK(match("target.kind!=k", NULL) == 0);
	CHECK(match("kind==k", NULL) == 0);
}

static void
labels_are_named_with_or_without_quotes(void)
{
	CHECK(match("labels.app==web", NULL) == 1);
	CHECK(match("labels.app.kind==q=r", NULL) == 1);
	CHECK(match("labels.\"app.kind\"==\"q=r\"", NULL) == 1);
	CHECK(match("labels.\"a==b\"!=c", NULL) == 1);
	CHECK(match("labels.none==", NULL) == 1);
	CHECK(match("labels.none!=x", NULL) == 1);
}

static void
all_conditions_of_any_filter_must_hold(void)
{
	CHECK(match("version==1.2,labels.app==web", NULL) == 1);
	CHECK(match("version==1.2,labels.app==db", NULL) == 0);
	CHECK(match("version==9,labels.app==web", "tags==x") == 1);
	CHECK(match("version==9", "tags==z") == 0);
	CHECK(filters_match(NULL, NULL));
}

static void
what_is_no_filter_is_a_fault(void)
{
	static const char *const bad[] = {
		"",	     "secret", "==a",	 "id=a",      "id!",
		"id=",	     "id==a,", ",id==a", "secret==s", "labels.==x",
		"exports==", "ids==a", "i==a",	 "!id",	      "id~=a",
		"\"id\"==a", "\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(match(bad[i], NULL) == -1);
	CHECK(match("id==\"a,b\"", "nothing") == -1);
}

TESTS(TEST(conditions_compare_a_field_with_a_value),
      TEST(a_field_alone_asks_whether_it_is_there),
      TEST(a_field_may_have_another_name_in_the_object),
      TEST(labels_are_named_with_or_without_quotes),
      TEST(all_conditions_of_any_filter_must_hold),
      TEST(what_is_no_filter_is_a_fault))
