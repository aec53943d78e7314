/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Content digests, "sha256:<64 hex>" (OCI image-spec, descriptor.md,
 * "Digests"), and the running hash that makes them.
 *
 *	CLEANUP(hash_freep) struct hash *hash = hash_new(DIGEST_SHA256);
 *	hash_update(hash, data, len);
 *	hash_final(hash, &digest);
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

enum digest_algorithm { DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

#define DIGEST_TEXT_SIZE (7 + 128 + 1)

struct digest {
	enum digest_algorithm algorithm;
	char text[DIGEST_TEXT_SIZE]; /* the canonical form, for people */
};

/* Strict: known algorithm, lower-case hex of its exact length. */
int digest_parse(const char *text, struct digest *ret_digest,
		 struct skiff_error *err);
bool digest_is_equal(const struct digest *a, const struct digest *b);
/* "sha256", a directory's name in the content store. */
const char *digest_algorithm_name(const struct digest *digest);
/* The part behind the colon, a file's name in the content store. */
const char *digest_hex(const struct digest *digest);

struct hash;

struct hash *hash_new(enum digest_algorithm algorithm);
void hash_update(struct hash *hash, const void *data, size_t len);
/* Ends the hash; only hash_free() may follow. */
void hash_final(struct hash *hash, struct digest *ret_digest);
void hash_free(struct hash *hash);
DEFINE_CLEANUP(struct hash *, hash_free)

/* The sha256 digest of one buffer. */
void digest_of(const void *data, size_t len, struct digest *ret_digest);

/* HMAC-SHA256 (RFC 2104), in a digest's form. */
void digest_hmac(const void *key, size_t key_len, const void *data, size_t len,
		 struct digest *ret_digest);
/* digest_is_equal() in a time that tells nothing. */
bool digest_is_same(const struct digest *a, const struct digest *b);
