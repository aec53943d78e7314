/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rules that hold for what a container may be given, whoever made its
 * spec: each gives what is wrong, or NULL.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

struct host;

/* The namespaces which a container has of its own. */
struct own_namespaces {
	bool network;
	bool ipc;
};

/*
 * Only what is a namespace's own: net.*, System V IPC, fs.mqueue.*. The
 * value goes into a file of the kernel as it is (CVE-2022-0811).
 */
const char *sysctl_fault(const char *name, const char *value,
			 const struct own_namespaces *own);

/* Some annotations are orders to a runtime (CVE-2024-3154). */
const char *annotation_fault(const char *name);
/* Of the wishes: only what is meant for people and tools. */
const char *annotation_wish_fault(const char *name);

/*
 * What would hand over the host as it is: its root, accounts and processes,
 * the daemon's own files, the socket of another daemon of containers. source
 * is absolute; links in it are followed as they are now, since one that
 * changes later is its owner's doing.
 */
const char *mount_source_fault(const char *source, const struct host *host);

/* "nofile", "RLIMIT_NOFILE" → RLIMIT_NOFILE; -1: there is none such. */
int rlimit_number(const char *name);
const char *rlimit_name(int number);
/* Whether a process on this host may have it; limits are unsigned, -1 none. */
bool rlimit_is_possible(const struct host *host, int number, int64_t hard);

/* An OCI linux.seccomp object; faults at pointer and below. */
void seccomp_profile_check(const json_t *profile, const char *pointer,
			   struct json_faults *faults);
