/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of the host for user namespaces: whose they are, and for how long.
 */
#include "config.h"

#include "base/alloc.h"
#include "store/content/content.h"
#include "store/namespace.h"
#include "store/snapshot/snapshots.h"
#include "store/user_range.h"
#include "tests/unit/store_help.h"
#include "tests/unit/tap.h"

static const struct user_pool pool = USER_POOL_INIT;
static struct store store;

struct wish {
	const char *ns;
	int64_t first;
	int64_t last;
};

static int
take_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct wish *wish = arg;

	return user_range_take(tx, &pool, wish->ns, &wish->first, err);
}

static int
claim_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct wish *wish = arg;

	return user_range_claim(tx, &pool, wish->ns, wish->first, wish->last,
				err);
}

static int
drop_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	return user_range_drop(tx, arg, err);
}

/* The first id of ns's range, or -1 with err. */
static int64_t
take(const char *ns, struct skiff_error *err)
{
	struct wish wish = { .ns = ns };

	return db_write(store.db, take_in, &wish, err) == 0 ? wish.first : -1;
}

static int
claim(const char *ns, int64_t first, int64_t last, struct skiff_error *err)
{
	struct wish wish = { ns, first, last };

	return db_write(store.db, claim_in, &wish, err);
}

static void
drop(const char *ns)
{
	struct skiff_error err = ERROR_INIT;

	CHECK(db_write(store.db, drop_in, (char *)ns, &err) == 0);
}

static int64_t
foresee(const char *ns)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(store.db);
	struct skiff_error err = ERROR_INIT;
	int64_t first = -1;

	CHECK(user_range_foresee(conn, &pool, ns, &first, &err) == 0);
	return first;
}

static void
every_namespace_has_a_range_of_its_own_and_keeps_it(void)
{
	struct skiff_error err = ERROR_INIT;

	store_init(&store);
	CHECK(foresee("a") == 524288);
	CHECK(take("a", &err) == 524288);
	CHECK(foresee("b") == 524288 + 65536);
	CHECK(take("b", &err) == 524288 + 65536);
	CHECK(store_reopen(&store, &err));
	CHECK(take("a", &err) == 524288);
	CHECK(take("c", &err) == 524288 + 2 * 65536);
	store_done(&store);
}

static void
a_range_that_was_given_is_not_the_next_ones(void)
{
	struct skiff_error err = ERROR_INIT;
	CLEANUP(content_closep) struct content *content = NULL;
	CLEANUP(snapshots_closep) struct snapshots *snapshots = NULL;
	cleanup_free char *doc = NULL;
	cleanup_close int root_fd = -1;
	int64_t revision;

	store_init(&store);
	CHECK(fs_open_dir(AT_FDCWD, store.root, false, 0, &root_fd, &err) == 0);
	CHECK(content_open(store.db, root_fd, &content, &err) == 0);
	CHECK(snapshots_open(store.db, store.root, &snapshots, &err) == 0);
	CHECK(namespace_create(store.db, "a", NULL, &doc, &revision, &err) ==
	      0);
	CHECK(take("a", &err) == 524288);
	CHECK(namespace_delete(store.db, content, snapshots, "a", 0, &err) ==
	      0);
	CHECK(take("b", &err) == 524288 + 65536);
	/* Another namespace by the name is another namespace. */
	CHECK(take("a", &err) == 524288 + 2 * 65536);
	snapshots_close(STEAL_PTR(snapshots));
	content_close(STEAL_PTR(content));
	store_done(&store);
}

static void
ids_that_a_spec_names_belong_to_one_namespace(void)
{
	struct skiff_error err = ERROR_INIT;
	struct skiff_error refused = ERROR_INIT;

	store_init(&store);
	CHECK(take("a", &err) == 524288);
	CHECK(claim("b", 524288 + 65535, 524288 + 65535, &refused) < 0);
	CHECK(refused.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(refused.reason, "user_ids_in_use");
	CHECK(strstr(refused.text, "namespace a") != NULL);
	CHECK(claim("a", 524288, 524288 + 9, &err) == 0);
	/* The next range begins behind what is claimed. */
	CHECK(claim("b", 600000, 700000, &err) == 0);
	CHECK(claim("b", 600000, 700000, &err) == 0);
	CHECK(take("c", &err) == 720896);
	CHECK(claim("c", 700000, 700000, &err) < 0);
	/* Below the pool ids are nobody's but the host's. */
	CHECK(claim("a", 100000, 165535, &err) == 0);
	CHECK(claim("b", 100000, 165535, &err) == 0);
	drop("b");
	CHECK(claim("c", 700000, 700000, &err) == 0);
	store_done(&store);
}

static void
given_again_are_ranges_only_when_all_were_given(void)
{
	struct skiff_error err = ERROR_INIT;
	struct skiff_error refused = ERROR_INIT;

	store_init(&store);
	CHECK(take("a", &err) == 524288);
	CHECK(take("b", &err) == 524288 + 65536);
	/* Another has all the rest but the last. */
	CHECK(claim("x", 524288 + 2 * 65536, pool.last - USER_RANGE_SIZE,
		    &err) == 0);
	CHECK(take("c", &err) == pool.last + 1 - USER_RANGE_SIZE);
	CHECK(take("d", &refused) < 0);
	CHECK(refused.code == SKIFF_RESOURCE_EXHAUSTED);
	CHECK_STR(refused.reason, "user_ids_exhausted");
	drop("b");
	CHECK(take("d", &err) == 524288 + 65536);
	CHECK(take("e", &refused) < 0);
	store_done(&store);
}

static int
take_of(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct user_pool *own = arg;
	int64_t first;

	CHECK(user_range_take(tx, own, "a", &first, err) == 0);
	CHECK(first == 1000 * 65536);
	CHECK(user_range_take(tx, own, "b", &first, err) == 0);
	CHECK(first == 1001 * 65536);
	CHECK(user_range_take(tx, own, "c", &first, err) < 0);
	return 0;
}

static void
a_pool_gives_the_whole_ranges_in_it(void)
{
	struct user_pool own = { 999 * 65536 + 1, 1002 * 65536 + 65534 };
	struct skiff_error err = ERROR_INIT;

	store_init(&store);
	CHECK(db_write(store.db, take_of, &own, &err) == 0);
	store_done(&store);
}

static int
take_low(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct user_pool low = { 65536, 6 * 65536 - 1 };
	int64_t *first = arg;

	return user_range_take(tx, &low, "a", first, err);
}

static void
a_pool_below_an_earlier_one_gives_each_range_once_as_well(void)
{
	struct skiff_error err = ERROR_INIT;
	int64_t first;

	store_init(&store);
	CHECK(take("x", &err) == 524288);
	for (int64_t i = 1; i <= 5; i++) {
		CHECK(db_write(store.db, take_low, &first, &err) == 0);
		CHECK(first == i * 65536);
		drop("a");
	}
	CHECK(db_write(store.db, take_low, &first, &err) == 0);
	CHECK(first == 65536);
	store_done(&store);
}

TESTS(TEST(a_pool_below_an_earlier_one_gives_each_range_once_as_well),
      TEST(a_pool_gives_the_whole_ranges_in_it),
      TEST(every_namespace_has_a_range_of_its_own_and_keeps_it),
      TEST(a_range_that_was_given_is_not_the_next_ones),
      TEST(ids_that_a_spec_names_belong_to_one_namespace),
      TEST(given_again_are_ranges_only_when_all_were_given))
