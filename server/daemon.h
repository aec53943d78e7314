/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The daemon: every long-lived object, in the order in which they need
 * each other.
 */
#include "base/cleanup.h"
#include "base/error.h"

struct daemon;
struct options;

/*
 * Makes root and state directories, takes the root's lock, recovers, and
 * serves. options is borrowed until daemon_stop() has returned.
 */
int daemon_start(const struct options *options, struct daemon **ret_daemon,
		 struct skiff_error *err);
/* What is due now and then: trims the event log. */
void daemon_tend(struct daemon *daemon);
/* Ends what serves, in reverse; tasks go on running. */
void daemon_stop(struct daemon *daemon);
DEFINE_CLEANUP(struct daemon *, daemon_stop)
