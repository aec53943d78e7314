/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content digests and the running hash, on OpenSSL's EVP (which uses the
 * processor's SHA instructions).
 */
#include "config.h"

#include "base/digest.h"

#include <assert.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/alloc.h"
#include "base/encode.h"

struct algorithm_row {
	const char *name;
	size_t hex_len;
	const EVP_MD *(*evp)(void);
};

static const struct algorithm_row algorithms[] = {
	[DIGEST_SHA256] = { "sha256", 64, EVP_sha256 },
	[DIGEST_SHA384] = { "sha384", 96, EVP_sha384 },
	[DIGEST_SHA512] = { "sha512", 128, EVP_sha512 },
};

struct hash {
	enum digest_algorithm algorithm;
	EVP_MD_CTX *context;
};

int
digest_parse(const char *text, struct digest *ret_digest,
	     struct skiff_error *err)
{
	const char *colon = strchr(text, ':');
	size_t name_len = colon ? (size_t)(colon - text) : 0;

	for (size_t i = 0; colon && i < ARRAY_SIZE(algorithms); i++) {
		const struct algorithm_row *row = &algorithms[i];

		if (strlen(row->name) != name_len ||
		    memcmp(row->name, text, name_len) != 0)
			continue;
		if (strlen(colon + 1) != row->hex_len ||
		    strspn(colon + 1, "0123456789abcdef") != row->hex_len)
			break;
		ret_digest->algorithm = (enum digest_algorithm)i;
		memcpy(ret_digest->text, text, name_len + row->hex_len + 2);
		return 0;
	}
	return err_set(err, SKIFF_INVALID_ARGUMENT,
		       "\"%.160s\" is not a digest such as sha256:<64 "
		       "lower-case hex digits>",
		       text);
}

bool
digest_is_equal(const struct digest *a, const struct digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

const char *
digest_algorithm_name(const struct digest *digest)
{
	return algorithms[digest->algorithm].name;
}

const char *
digest_hex(const struct digest *digest)
{
	return strchr(digest->text, ':') + 1;
}

struct hash *
hash_new(enum digest_algorithm algorithm)
{
	struct hash *hash = xcalloc(1, sizeof(*hash));
	int ok;

	hash->algorithm = algorithm;
	hash->context = EVP_MD_CTX_new();
	assert(hash->context);
	ok =
	    EVP_DigestInit_ex(hash->context, algorithms[algorithm].evp(), NULL);
	assert(ok == 1);
	return hash;
}

void
hash_update(struct hash *hash, const void *data, size_t len)
{
	int ok = EVP_DigestUpdate(hash->context, data, len);

	assert(ok == 1);
}

static void
fill(enum digest_algorithm algorithm, const unsigned char *bytes, size_t len,
     struct digest *ret_digest)
{
	const struct algorithm_row *row = &algorithms[algorithm];
	size_t name_len = strlen(row->name);

	assert(2 * len == row->hex_len);
	ret_digest->algorithm = algorithm;
	memcpy(ret_digest->text, row->name, name_len);
	ret_digest->text[name_len] = ':';
	hex_encode(bytes, len, ret_digest->text + name_len + 1);
}

void
hash_final(struct hash *hash, struct digest *ret_digest)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int ok = EVP_DigestFinal_ex(hash->context, bytes, &len);

	assert(ok == 1);
	fill(hash->algorithm, bytes, len, ret_digest);
}

void
hash_free(struct hash *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->context);
	free(hash);
}

void
digest_of(const void *data, size_t len, struct digest *ret_digest)
{
	CLEANUP(hash_freep) struct hash *hash = hash_new(DIGEST_SHA256);

	hash_update(hash, data, len);
	hash_final(hash, ret_digest);
}

void
digest_hmac(const void *key, size_t key_len, const void *data, size_t len,
	    struct digest *ret_digest)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	const unsigned char *done =
	    HMAC(EVP_sha256(), key, (int)key_len, data, len, bytes, &n);

	assert(done);
	(void)done;
	fill(DIGEST_SHA256, bytes, n, ret_digest);
}

bool
digest_is_same(const struct digest *a, const struct digest *b)
{
	size_t len = strlen(a->text);

	return strlen(b->text) == len &&
	       CRYPTO_memcmp(a->text, b->text, len) == 0;
}
