/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What every handler works on: the long-lived objects of the daemon, made
 * and owned by server/daemon.c. The context of every route.
 */
struct access;
struct bus;
struct content;
struct db;
struct host;
struct http_server;
struct transfers;
struct snapshots;
struct tasks;

struct services {
	struct access *access;
	struct bus *bus;
	struct db *db;
	struct content *content;
	struct snapshots *snapshots;
	struct transfers *transfers;
	const struct host *host;
	struct tasks *tasks;
	struct http_server *server;
};
