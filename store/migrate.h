/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The schema's history: numbered steps forward, each in one transaction
 * with its number in PRAGMA user_version. The steps are the files of
 * store/migrations/, embedded at build.
 */
#include <sqlite3.h>

#include "base/error.h"

struct migration {
	const char *name;
	const char *sql;
};

extern const struct migration migrations[];
extern const int n_migrations;

/* The schema's number; 0 is a database without one. */
int migrate_version(sqlite3 *handle, int *ret_version, struct skiff_error *err);

/*
 * Brings the schema up to the first n steps. SKIFF_FAILED_PRECONDITION
 * for one that is newer than that.
 */
int migrate_run(sqlite3 *handle, const struct migration *steps, int n,
		struct skiff_error *err);
