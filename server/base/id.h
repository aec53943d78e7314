/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Identifiers: one validator for namespaces, containers, execs, leases;
 * one for free-text names (images, snapshot keys); labels; random ids.
 */
#include <stddef.h>

#include "base/error.h"

#define ID_MAX 76
#define NAME_MAX_BYTES 4096
#define LABEL_MAX_BYTES 4096

/*
 * ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$, 1 to 76 bytes, as containerd.
 * SKIFF_INVALID_ARGUMENT, with static_kind in the text ("namespace").
 */
int id_check(const char *static_kind, const char *id, struct skiff_error *err);

/* UTF-8 of 1 to 4096 bytes without control characters. */
int name_check(const char *static_kind, const char *name,
	       struct skiff_error *err);

/* Key not empty, key + value at most 4096 bytes, not "skiff.…". */
int label_check(const char *key, const char *value, struct skiff_error *err);

#define RANDOM_ID_SIZE 33
/* 128 random bits in hex; returns buf. */
const char *random_id(char buf[RANDOM_ID_SIZE]);
