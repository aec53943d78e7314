/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulls without a daemon, for tests of the pull itself:
 *
 *	drive_pull [--no-wait|--cancel] ROOT NS BODY [NS BODY …]
 *
 * starts all pulls at once, waits for their ends and prints the operation
 * of each on a line. With no pair it only waits for what an earlier life
 * left running. Exit status: how many did not succeed.
 */
#include "config.h"

#include <fcntl.h>
#include <semaphore.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/json.h"
#include "store/content/content.h"
#include "store/events/bus.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"
#include "store/transfer/operation.h"
#include "store/transfer/pull.h"

struct world {
	struct bus *bus;
	struct db *db;
	struct content *content;
	struct snapshots *snapshots;
	struct transfers *transfers;
	sem_t wakeup;
};

static void
fail(const char *what, const struct skiff_error *err)
{
	(void)fprintf(stderr, "%s: %s\n", what, err->text);
	exit(99);
}

static void
wake(void *arg)
{
	(void)sem_post(arg);
}

static void
world_open(struct world *world, const char *root)
{
	struct transfer_options options = { .ca_file =
						getenv("DRIVE_PULL_CA") };
	struct skiff_error err = ERROR_INIT;
	int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)sem_init(&world->wakeup, 0, 0);
	world->bus = bus_new();
	if (fault_setup(&err) < 0 ||
	    db_open(root, world->bus, &world->db, &err) < 0 ||
	    content_open(world->db, root_fd, &world->content, &err) < 0 ||
	    snapshots_open(world->db, root, &world->snapshots, &err) < 0)
		fail("open", &err);
	options.db = world->db;
	options.bus = world->bus;
	options.content = world->content;
	options.snapshots = world->snapshots;
	if (transfers_open(&options, &world->transfers, &err) < 0)
		fail("transfers", &err);
	(void)close(root_fd);
}

static void
world_close(struct world *world)
{
	transfers_close(world->transfers);
	snapshots_close(world->snapshots);
	content_close(world->content);
	db_close(world->db);
	bus_free(world->bus);
}

/* Waits for the end; true when it was a good one. */
static bool
await(struct world *world, const char *ns, const char *id)
{
	CLEANUP(bus_unsubscribep)
	struct subscription *subscription =
	    bus_subscribe(world->bus, ns, id, wake, &world->wakeup);
	struct skiff_error err = ERROR_INIT;
	struct operation_view view = { 0 };
	bool is_good;

	for (;;) {
		if (operation_get(world->transfers, ns, id, &view, &err) < 0)
			fail("get", &err);
		if (view.is_ended)
			break;
		operation_view_done(&view);
		(void)sem_wait(&world->wakeup);
	}
	is_good = operation_result(&view, &err) == 0;
	(void)printf("%s\n", view.doc);
	operation_view_done(&view);
	return is_good;
}

struct running {
	struct world *world;
	struct strv ids; /* ns, id, ns, id, … */
};

static int
collect(void *arg, const char *ns, const char *key, json_t *object,
	struct skiff_error *err)
{
	struct running *running = arg;
	const char *state = json_get_text(object, "state");

	(void)err;
	if (strcmp(state, "pending") == 0 || strcmp(state, "running") == 0) {
		strv_add(&running->ids, ns);
		strv_add(&running->ids, key);
	}
	return 0;
}

static void
collect_running(struct running *running)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(running->world->db);
	struct skiff_error err = ERROR_INIT;

	if (record_each(conn, RECORD_OPERATION, NULL, collect, running, &err) <
	    0)
		fail("list", &err);
}

static void
start(struct running *running, const char *ns, const char *text)
{
	struct json_faults faults = JSON_FAULTS_INIT;
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *body = NULL;
	cleanup_free char *doc = NULL;
	int64_t revision;
	char *id = NULL;

	if (json_parse(text, strlen(text), &body, &err) < 0 ||
	    pull_start(running->world->transfers, ns, body, &faults, &id, &doc,
		       &revision, &err) < 0)
		fail("start", &err);
	strv_add(&running->ids, ns);
	strv_add_owned(&running->ids, id);
	json_faults_done(&faults);
}

int
main(int argc, char **argv)
{
	bool no_wait = argc > 1 && strcmp(argv[1], "--no-wait") == 0;
	bool cancel = argc > 1 && strcmp(argv[1], "--cancel") == 0;
	int i = no_wait || cancel ? 2 : 1;
	struct world world;
	struct running running = { .world = &world };
	struct skiff_error err = ERROR_INIT;
	int n_failed = 0;

	world_open(&world, argv[i++]);
	collect_running(&running);
	for (; i + 1 < argc; i += 2)
		start(&running, argv[i], argv[i + 1]);
	if (cancel) {
		(void)sleep(1);
		for (size_t k = 0; k < running.ids.n; k += 2)
			(void)operation_cancel(world.transfers,
					       running.ids.items[k],
					       running.ids.items[k + 1], &err);
	}
	if (no_wait)
		(void)sleep(1);
	for (size_t k = 0; !no_wait && k < running.ids.n; k += 2)
		n_failed += !await(&world, running.ids.items[k],
				   running.ids.items[k + 1]);
	strv_done(&running.ids);
	world_close(&world);
	return n_failed;
}
