/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Operations: long work (a pull, a checkpoint) that outlives the request and
 *the client that asked for it.
 *
 * An operation is a record, {id, kind, state, ref, request, progress,
 * result?, error?}; each change of its state is committed with an event.
 * Progress is kept in memory: operation_get() puts it into the document of
 * a running one, and the bus wakes subscribers of (namespace, id) at most
 * ten times a second while it moves. So a handler that waits or streams
 *
 *	bus_subscribe(bus, ns, id, wake_me, …);
 *	operation_get(transfers, ns, id, &view, err);	(after each wake-up)
 *
 * and stops at view.is_ended. Lists are record_list() as for every kind;
 * they show the progress that was last stored.
 *
 * Credentials never reach the disk. After a restart an operation that ran
 * goes on, or, when its request carried credentials, ends as failed with
 * reason "credentials_required"; one that cannot go on (a checkpoint) ends
 * with reason "interrupted".
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct bus;
struct content;
struct db;
struct snapshots;
struct transfers; /* all operations and their threads */

struct transfer_options {
	struct db *db; /* all borrowed */
	struct bus *bus;
	struct content *content;
	struct snapshots *snapshots;
	const char *ca_file; /* more trusted certificates, or NULL */
};

/*
 * Starts the threads, takes up what an earlier life left running, and
 * trims ended operations to the newest 1000. After content_open() and
 * snapshots_open().
 */
int transfers_open(const struct transfer_options *options,
		   struct transfers **ret_transfers, struct skiff_error *err);
/*
 * Interrupts what runs and joins the threads, within about a second. The
 * records stay "running", so that the next start goes on with them.
 */
void transfers_close(struct transfers *transfers);
DEFINE_CLEANUP(struct transfers *, transfers_close)

enum operation_state {
	OPERATION_PENDING,
	OPERATION_RUNNING,
	OPERATION_SUCCEEDED,
	OPERATION_FAILED,
	OPERATION_CANCELLED,
};

struct operation_view {
	char *doc; /* the object, progress merged in */
	int64_t revision;
	enum operation_state state;
	bool is_ended; /* the document will not change any more */
};
void operation_view_done(struct operation_view *view);

/* A short database read at most. SKIFF_NOT_FOUND. */
int operation_get(struct transfers *transfers, const char *ns, const char *id,
		  struct operation_view *ret_view, struct skiff_error *err);

/*
 * For ?wait=true: 0 unless the operation ended badly; else -1, and *err is
 * the operation's own error with its code, reason, object and upstream
 * status (SKIFF_CANCELLED for a cancelled one).
 */
int operation_result(const struct operation_view *view,
		     struct skiff_error *err);
/* The log beside the error of a failed one, or NULL; the caller frees. */
char *operation_log(const struct operation_view *view);

/*
 * Asks a running operation to stop, and returns at once: it ends as
 * "cancelled" within about a second. The record of an ended one is
 * removed. SKIFF_NOT_FOUND.
 */
int operation_cancel(struct transfers *transfers, const char *ns,
		     const char *id, struct skiff_error *err);
