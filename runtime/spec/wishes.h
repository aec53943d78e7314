/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Wishes: what a client asks of a container, in plain fields (the body of
 * POST N/containers). Decoded strictly; every fault of a body is told, by
 * JSON pointer. The document keeps them as they were given.
 *
 *	CLEANUP(wishes_done) struct wishes wishes = { 0 };
 *	wishes_decode(body, &wishes, &faults);
 *	if (json_faults_to_error(&faults, err) < 0) …
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/strv.h"

#define MOUNTS_MAX 256
#define HOSTNAME_MAX 64
#define MEMORY_MIN (INT64_C(6) << 20) /* less, and runc cannot start it */

struct wish_mount {
	char *type;   /* "bind", "tmpfs" */
	char *source; /* absolute; NULL for tmpfs */
	char *target; /* absolute, normal, in the container */
	struct strv options;
};

/* 0: not asked for. */
struct wish_resources {
	int64_t memory; /* bytes */
	double cpus;	/* 1.5: one and a half processors' time */
	int64_t cpu_shares;
	int64_t pids; /* -1: no limit */
	char *cpuset_cpus;
	char *cpuset_mems;
};

struct wishes {
	char *id;
	char *image;
	json_t *labels;
	struct strv args;
	struct strv entrypoint;
	bool has_entrypoint; /* given, perhaps as [] */
	struct strv env;
	char *cwd;
	char *user;
	char *hostname;
	bool terminal;
	json_t *mounts; /* as given; see mount_list */
	struct wish_mount *mount_list;
	size_t n_mounts;
	json_t *resources; /* as given; see limits */
	struct wish_resources limits;
	char *network; /* "none", "host", or NULL */
	bool read_only;
	json_t *capabilities; /* as given */
	struct strv cap_add, cap_drop;
	char *stop_signal;
	json_t *restart_policy; /* as given; runtime/spec/restart_policy.h */
	char *snapshotter;
	json_t *runtime; /* as given; see runtime_name */
	char *runtime_name;
	json_t *runtime_options;
	json_t *spec; /* a whole OCI config.json, instead of the above */
	json_t *extensions;
};

/* *ret_wishes is zeroed by the caller, and filled as far as it goes. */
void wishes_decode(const json_t *body, struct wishes *ret_wishes,
		   struct json_faults *faults);
void wishes_done(struct wishes *wishes);

/* What is wrong with an absolute path in a container, or NULL. */
const char *path_fault(const char *path);
/* Whether a path is dir or lies below it; both normal. */
bool path_is_below(const char *path, const char *dir);

/* SIGTERM, TERM, 15 → 15; -1 for what is no signal. */
int signal_number(const char *name);
