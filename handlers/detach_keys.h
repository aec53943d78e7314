/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The keys by which a person leaves a terminal without ending it:
 * "ctrl-p,ctrl-q". What begins like them is held back until it is clear
 * what it is.
 */
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define DETACH_KEYS_MAX 16

struct detach_keys {
	char keys[DETACH_KEYS_MAX];
	size_t n;	/* 0: there are none */
	size_t matched; /* held back: the first of keys */
	size_t n_loose; /* were held back, and are to be written now */
	size_t loose_at;
};

/*
 * Single characters and ctrl-<a-z, @, [, \, ], ^, _>, separated by commas;
 * NULL or "" for none. SKIFF_INVALID_ARGUMENT.
 */
int detach_keys_parse(const char *text, struct detach_keys *ret_keys,
		      struct skiff_error *err);

/* Bytes taken; 0 when there is no room now. */
typedef size_t (*detach_write_fn)(void *arg, const char *data, size_t len);
/* Bytes of data that are dealt with, perhaps fewer than len; -1: detach. */
ssize_t detach_keys_filter(struct detach_keys *keys, const char *data,
			   size_t len, detach_write_fn write, void *arg);
