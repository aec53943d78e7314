/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key of checkpoints, and what it signs (HMAC-SHA256, RFC 2104).
 */
#include "config.h"

#include "runtime/checkpoint/seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/lock.h"

#define KEY_FILE "checkpoint.key"
#define KEY_SIZE 32

/* Two first checkpoints at once must not make two keys. */
static struct lock key_lock = LOCK_INIT(LOCK_RANK_LEAF);

static int
read_key(int dirfd, unsigned char key[KEY_SIZE], struct skiff_error *err)
{
	cleanup_free char *text = NULL;
	size_t len;

	if (fs_read_file(dirfd, KEY_FILE, KEY_SIZE, &text, &len, err) < 0)
		return -1;
	if (len != KEY_SIZE)
		return err_set(err, SKIFF_DATA_LOSS,
			       KEY_FILE " holds %zu bytes, not %d", len,
			       KEY_SIZE);
	memcpy(key, text, KEY_SIZE);
	explicit_bzero(text, len);
	return 0;
}

static int
make_key(int dirfd, unsigned char key[KEY_SIZE], struct skiff_error *err)
{
	if (getrandom(key, KEY_SIZE, 0) != KEY_SIZE)
		return err_errno(err, errno, "random numbers");
	return fs_replace_file(dirfd, KEY_FILE, key, KEY_SIZE, 0600,
			       /* durable= */ true, err);
}

static int
get_key(const char *root, bool may_make, unsigned char key[KEY_SIZE],
	struct skiff_error *err)
{
	cleanup_close int dirfd = -1;

	if (fs_open_dir(AT_FDCWD, root, false, 0, &dirfd, err) < 0)
		return -1;
	LOCK_SCOPE(&key_lock);
	if (read_key(dirfd, key, err) == 0)
		return 0;
	if (!may_make || err->code != SKIFF_NOT_FOUND)
		return -1;
	*err = (struct skiff_error)ERROR_INIT;
	return make_key(dirfd, key, err);
}

int
checkpoint_seal(const char *root, const char *text, struct digest *ret_seal,
		struct skiff_error *err)
{
	unsigned char key[KEY_SIZE];

	if (get_key(root, /* may_make= */ true, key, err) < 0)
		return err_wrap(err, "seal");
	digest_hmac(key, KEY_SIZE, text, strlen(text), ret_seal);
	explicit_bzero(key, sizeof(key));
	return 0;
}

bool
checkpoint_is_sealed(const char *root, const char *text, const char *seal)
{
	struct skiff_error ignored = ERROR_INIT;
	unsigned char key[KEY_SIZE];
	struct digest expected;
	struct digest given;

	if (digest_parse(seal, &given, &ignored) < 0 ||
	    given.algorithm != DIGEST_SHA256 ||
	    get_key(root, /* may_make= */ false, key, &ignored) < 0)
		return false;
	digest_hmac(key, KEY_SIZE, text, strlen(text), &expected);
	explicit_bzero(key, sizeof(key));
	return digest_is_same(&expected, &given);
}
