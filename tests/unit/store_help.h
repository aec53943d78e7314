/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A private database for a test of the store.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "store/db.h"
#include "store/events/bus.h"
#include "store/record.h"

struct store {
	char root[64];
	struct bus *bus;
	struct db *db;
};

static inline bool
store_reopen(struct store *store, struct skiff_error *err)
{
	db_close(store->db);
	store->db = NULL;
	return db_open(store->root, store->bus, &store->db, err) == 0;
}

/* Aborts the test program when it cannot be had. */
static inline void
store_init(struct store *store)
{
	struct skiff_error err = ERROR_INIT;

	*store = (struct store){ .root = "/tmp/skiff-store-XXXXXX" };
	if (!mkdtemp(store->root))
		abort();
	store->bus = bus_new();
	if (!store_reopen(store, &err)) {
		(void)printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

static inline void
store_done(struct store *store)
{
	struct skiff_error err = ERROR_INIT;

	db_close(store->db);
	bus_free(store->bus);
	(void)fs_remove_tree(AT_FDCWD, store->root, &err);
}

/* One record made in a transaction of its own. */
struct store_insert {
	struct record_ref ref;
	const char *json;
	const struct change *change;
};

static inline int
store_insert_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct store_insert *insert = arg;
	cleanup_json json_t *object = NULL;

	if (json_parse(insert->json, strlen(insert->json), &object, err) < 0)
		return -1;
	return record_insert(tx, &insert->ref, object, insert->change, err);
}

static inline int
store_insert(struct store *store, enum record_kind kind, const char *ns,
	     const char *key, const char *json, struct skiff_error *err)
{
	struct store_insert insert = { { kind, ns, key }, json, NULL };

	return db_write(store->db, store_insert_in, &insert, err);
}

static inline int
store_delete_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	return record_delete(tx, arg, NULL, err);
}

/* The record parsed, or NULL. */
static inline json_t *
store_load(struct store *store, enum record_kind kind, const char *ns,
	   const char *key)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(store->db);
	struct skiff_error err = ERROR_INIT;
	json_t *object = NULL;

	(void)record_load(conn, &(struct record_ref){ kind, ns, key }, &object,
			  &err);
	return object;
}
