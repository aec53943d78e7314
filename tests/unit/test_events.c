/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event log and the bus: no gaps, no lost wake-ups, nobody called
 * after leaving.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/lock.h"
#include "store/events/log.h"
#include "tests/unit/store_help.h"
#include "tests/unit/tap.h"

static struct store store;
static char ns_n[] = "n";

static int
append_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct event event = {
		.ns = arg, .topic = "/t/create", .type = "TCreate", .key = "k"
	};
	int64_t id;

	return event_append(tx, &event, &id, err);
}

static int
append_and_fail_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	if (append_in(tx, arg, err) < 0)
		return -1;
	return err_set(err, SKIFF_ABORTED, "on purpose");
}

struct seen {
	int64_t last;
	int n;
	bool has_gap;
};

static void
see(void *arg, int64_t id, const char *topic, const char *doc)
{
	struct seen *seen = arg;
	cleanup_json json_t *event = NULL;
	struct skiff_error err = ERROR_INIT;

	(void)topic;
	CHECK(json_parse(doc, strlen(doc), &event, &err) == 0);
	CHECK(json_get_int(event, "id", 0) == id);
	seen->has_gap |= seen->last != 0 && id != seen->last + 1;
	seen->last = id;
	seen->n++;
}

#define N_THREADS 8
#define N_EACH 100

static void *
append_many(void *arg)
{
	struct skiff_error err = ERROR_INIT;

	for (int i = 0; i < N_EACH; i++) {
		if (i % 3 == 0)
			CHECK(db_write(store.db, append_and_fail_in, arg,
				       &err) < 0);
		CHECK(db_write(store.db, append_in, arg, &err) >= 0);
	}
	return NULL;
}

static void
ids_have_no_gaps_when_neighbours_are_rolled_back(void)
{
	static char ns[N_THREADS][2] = {
		"a", "b", "a", "b", "a", "b", "a", "b"
	};
	struct skiff_error err = ERROR_INIT;
	struct seen all = { 0 };
	struct seen one = { 0 };
	pthread_t threads[N_THREADS];
	int64_t oldest;
	int64_t newest;

	store_init(&store);
	for (int i = 0; i < N_THREADS; i++)
		PTOK(pthread_create(&threads[i], NULL, append_many, ns[i]));
	for (int i = 0; i < N_THREADS; i++)
		PTOK(pthread_join(threads[i], NULL));
	CHECK(event_read(store.db, NULL, 0, 10000, see, &all, &err) ==
	      N_THREADS * N_EACH);
	CHECK(!all.has_gap && all.last == N_THREADS * N_EACH);
	CHECK(event_read(store.db, "a", 0, 10000, see, &one, &err) ==
	      N_THREADS * N_EACH / 2);
	CHECK(event_bounds(store.db, &oldest, &newest, &err) == 0);
	CHECK(oldest == 1 && newest == N_THREADS * N_EACH);
	store_done(&store);
}

static void
reading_goes_on_after_an_id_up_to_a_limit(void)
{
	struct skiff_error err = ERROR_INIT;
	struct seen seen = { 0 };

	store_init(&store);
	for (int i = 0; i < 10; i++)
		CHECK(db_write(store.db, append_in, ns_n, &err) >= 0);
	CHECK(event_read(store.db, NULL, 3, 4, see, &seen, &err) == 4);
	CHECK(seen.last == 7);
	CHECK(event_read(store.db, "n", 7, 4, see, &seen, &err) == 3);
	CHECK(event_read(store.db, NULL, 10, 4, see, &seen, &err) == 0);
	CHECK(event_read(store.db, "other", 0, 4, see, &seen, &err) == 0);
	CHECK(!seen.has_gap);
	store_done(&store);
}

static void
an_id_is_not_given_again_after_a_trim(void)
{
	struct skiff_error err = ERROR_INIT;
	int64_t oldest;
	int64_t newest;

	store_init(&store);
	CHECK(event_bounds(store.db, &oldest, &newest, &err) == 0);
	CHECK(oldest == 0 && newest == 0);
	for (int i = 0; i < 10; i++)
		CHECK(db_write(store.db, append_in, ns_n, &err) >= 0);
	CHECK(event_trim(store.db, 3, &err) == 0);
	CHECK(event_bounds(store.db, &oldest, &newest, &err) == 0);
	CHECK(oldest == 8 && newest == 10);
	CHECK(event_trim(store.db, 100, &err) == 0);
	CHECK(event_trim(store.db, 0, &err) == 0);
	CHECK(store_reopen(&store, &err));
	CHECK(db_write(store.db, append_in, ns_n, &err) >= 0);
	CHECK(event_bounds(store.db, &oldest, &newest, &err) == 0);
	CHECK(oldest == 11 && newest == 11);
	store_done(&store);
}

/* --- the bus -------------------------------------------------------- */

static void
count(void *arg)
{
	(void)atomic_fetch_add((atomic_int *)arg, 1);
}

static void
a_subscriber_hears_its_namespace_and_key(void)
{
	struct bus *bus = bus_new();
	atomic_int exact = 0;
	atomic_int in_ns = 0;
	atomic_int all = 0;
	atomic_int key = 0;
	struct subscription *subscriptions[] = {
		bus_subscribe(bus, "n", "k", count, &exact),
		bus_subscribe(bus, "n", NULL, count, &in_ns),
		bus_subscribe(bus, NULL, NULL, count, &all),
		bus_subscribe(bus, NULL, "k", count, &key),
	};

	bus_announce(bus, "n", "k");
	bus_announce(bus, "n", "other");
	bus_announce(bus, "other", "k");
	CHECK(exact == 1 && in_ns == 2 && all == 3 && key == 2);
	for (size_t i = 0; i < ARRAY_SIZE(subscriptions); i++)
		bus_unsubscribe(subscriptions[i]);
	bus_announce(bus, "n", "k");
	CHECK(exact == 1 && in_ns == 2 && all == 3 && key == 2);
	bus_free(bus);
}

static void
a_commit_wakes_and_a_rollback_does_not(void)
{
	struct skiff_error err = ERROR_INIT;
	atomic_int n = 0;
	CLEANUP(bus_unsubscribep) struct subscription *s = NULL;

	store_init(&store);
	s = bus_subscribe(store.bus, "n", "k", count, &n);
	CHECK(db_write(store.db, append_and_fail_in, ns_n, &err) < 0);
	CHECK(n == 0);
	CHECK(db_write(store.db, append_in, ns_n, &err) >= 0);
	CHECK(n == 1);
	bus_unsubscribe(STEAL_PTR(s));
	store_done(&store);
}

/* A waiter as the HTTP loops have it: a flag that notify sets. */
struct waiter {
	struct lock lock;
	pthread_cond_t is_woken;
	bool woken; /* guarded by lock */
	struct seen seen;
};

static void
wake(void *arg)
{
	struct waiter *waiter = arg;
	LOCK_SCOPE(&waiter->lock);

	waiter->woken = true;
	PTOK(pthread_cond_signal(&waiter->is_woken));
}

#define N_EVENTS (N_THREADS * N_EACH)

static void *
read_all(void *arg)
{
	struct waiter *waiter = arg;
	struct deadline deadline = deadline_in_ms(60000);
	struct skiff_error err = ERROR_INIT;
	struct subscription *s =
	    bus_subscribe(store.bus, NULL, NULL, wake, waiter);

	while (waiter->seen.last < N_EVENTS) {
		bool in_time = true;

		if (event_read(store.db, NULL, waiter->seen.last, 10, see,
			       &waiter->seen, &err) != 0)
			continue;
		lock_take(&waiter->lock);
		while (!waiter->woken && in_time)
			in_time = cond_wait(&waiter->is_woken, &waiter->lock,
					    deadline);
		waiter->woken = false;
		lock_release(&waiter->lock);
		if (!in_time)
			break;
	}
	bus_unsubscribe(s);
	return NULL;
}

static void
no_wakeup_is_lost_between_reading_and_waiting(void)
{
	struct waiter waiters[3] = { 0 };
	pthread_t readers[3];
	pthread_t writers[N_THREADS];

	store_init(&store);
	for (int i = 0; i < 3; i++) {
		lock_init(&waiters[i].lock, LOCK_RANK_LEAF);
		cond_init(&waiters[i].is_woken);
		PTOK(pthread_create(&readers[i], NULL, read_all, &waiters[i]));
	}
	for (int i = 0; i < N_THREADS; i++)
		PTOK(pthread_create(&writers[i], NULL, append_many, ns_n));
	for (int i = 0; i < N_THREADS; i++)
		PTOK(pthread_join(writers[i], NULL));
	for (int i = 0; i < 3; i++) {
		PTOK(pthread_join(readers[i], NULL));
		CHECK(waiters[i].seen.last == N_EVENTS);
		CHECK(waiters[i].seen.n == N_EVENTS);
		CHECK(!waiters[i].seen.has_gap);
		lock_done(&waiters[i].lock);
		PTOK(pthread_cond_destroy(&waiters[i].is_woken));
	}
	store_done(&store);
}

struct guest {
	struct bus *bus;
	atomic_bool has_left;
	atomic_int n_late; /* calls after leaving */
};

static void
notice(void *arg)
{
	struct guest *guest = arg;

	if (atomic_load(&guest->has_left))
		(void)atomic_fetch_add(&guest->n_late, 1);
}

static void *
come_and_go(void *arg)
{
	struct guest *guest = arg;

	for (int i = 0; i < 2000; i++) {
		struct subscription *s;

		atomic_store(&guest->has_left, false);
		s = bus_subscribe(guest->bus, "n", i % 2 ? "k" : NULL, notice,
				  guest);
		bus_unsubscribe(s);
		atomic_store(&guest->has_left, true);
	}
	return NULL;
}

static void *
announce_much(void *arg)
{
	for (int i = 0; i < 4000; i++)
		bus_announce(arg, "n", "k");
	return NULL;
}

static void
nobody_is_called_after_unsubscribing(void)
{
	struct bus *bus = bus_new();
	struct guest guests[3] = { { .bus = bus },
				   { .bus = bus },
				   { .bus = bus } };
	pthread_t threads[4];

	PTOK(pthread_create(&threads[3], NULL, announce_much, bus));
	for (int i = 0; i < 3; i++)
		PTOK(
		    pthread_create(&threads[i], NULL, come_and_go, &guests[i]));
	for (int i = 0; i < 4; i++)
		PTOK(pthread_join(threads[i], NULL));
	for (int i = 0; i < 3; i++)
		CHECK(guests[i].n_late == 0);
	bus_free(bus);
}

TESTS(TEST(ids_have_no_gaps_when_neighbours_are_rolled_back),
      TEST(reading_goes_on_after_an_id_up_to_a_limit),
      TEST(an_id_is_not_given_again_after_a_trim),
      TEST(a_subscriber_hears_its_namespace_and_key),
      TEST(a_commit_wakes_and_a_rollback_does_not),
      TEST(no_wakeup_is_lost_between_reading_and_waiting),
      TEST(nobody_is_called_after_unsubscribing))
