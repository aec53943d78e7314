/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Shared by the files of the daemon's side of a shim.
 */
#include "runtime/shim_client.h"

/* The text of SKIFF_DEADLINE_EXCEEDED when no answer came in time. */
#define SHIM_SILENT "the shim does not answer"

/*
 * A connection for several requests, one after the other; the caller owns
 * it. Each is sent, and then its answer awaited (ret_reply may be NULL;
 * its strings are not valid any more): SKIFF_DEADLINE_EXCEEDED may be
 * waited for again.
 */
int shim_client_open(const struct shim_client *client, struct deadline deadline,
		     int *ret_fd, struct skiff_error *err);
int shim_fd_send(int fd, struct shim_message *request, struct skiff_error *err);
int shim_fd_answer(int fd, const struct shim_message *request,
		   struct deadline deadline, struct shim_message *ret_reply,
		   struct skiff_error *err);
/*
 * One request on a connection of its own, and its answer (ret_reply may be
 * NULL), whose strings are not valid any more.
 */
int shim_client_call(const struct shim_client *client,
		     struct shim_message *request, struct deadline deadline,
		     struct shim_message *ret_reply, struct skiff_error *err);
/* False for what is none of the events. */
bool shim_event_take(const struct shim_message *m,
		     struct shim_event *ret_event);

/*
 * The same with the descriptor that came with the answer; ret_passed may
 * be NULL, too.
 */
int shim_client_call_for_fd(const struct shim_client *client,
			    struct shim_message *request,
			    struct deadline deadline,
			    struct shim_message *ret_reply, int *ret_passed,
			    struct skiff_error *err);

/* shim_io.c: the words of a shim's command line for its streams. */
struct strv;
void shim_stdio_arguments(struct strv *argv,
			  const struct shim_options *options);
