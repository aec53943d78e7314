/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ingests: a blob on its way in.
 *
 * The bytes lie in content/ingests/<random id> and keep that name until
 * the record is durable. The blob's own name is a second link, made under
 * a scratch name and renamed into place: whatever lay there is replaced
 * whole, so two ingests of one digest both succeed, and bytes that rotted
 * on the disk are mended by fetching them again.
 *
 * The first failure of fsync(2) is final: the kernel forgets the pages it
 * could not write, so a second one would report success for nothing.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "store/content/content.h"
#include "store/content/content_internal.h"

/* Each try needs a deletion at the very moment before it. */
#define MAX_TRIES 100

struct ingest {
	struct content *content;
	struct digest expected;
	bool has_expected;
	bool is_broken; /* a write failed: what lies there is unknown */
	int fd;
	int64_t size; /* -1 unknown */
	int64_t offset;
	struct hash *hash;
	char name[RANDOM_ID_SIZE];
	char link_name[RANDOM_ID_SIZE + 5];
};

static struct hash *
new_hash(const struct ingest *ingest)
{
	return hash_new(ingest->has_expected ? ingest->expected.algorithm
					     : DIGEST_SHA256);
}

int
ingest_begin(struct content *content, const struct digest *expected,
	     int64_t size, struct ingest **ret_ingest, struct skiff_error *err)
{
	CLEANUP(ingest_freep)
	struct ingest *ingest = xcalloc(1, sizeof(*ingest));

	ingest->content = content;
	ingest->size = size;
	if (expected) {
		ingest->expected = *expected;
		ingest->has_expected = true;
	}
	(void)random_id(ingest->name);
	(void)snprintf(ingest->link_name, sizeof(ingest->link_name), "%s.link",
		       ingest->name);
	ingest->hash = new_hash(ingest);
	ingest->fd = openat(content->ingests_fd, ingest->name,
			    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (ingest->fd < 0)
		return err_errno(err, errno, "create ingest");
	*ret_ingest = STEAL_PTR(ingest);
	return 0;
}

static int
size_mismatch(const struct ingest *ingest, int64_t actual,
	      struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "unexpected commit size %" PRId64 ", expected %" PRId64,
		      actual, ingest->size);
	return err_reason(err, "size_mismatch");
}

int
ingest_write(struct ingest *ingest, const void *data, size_t len,
	     struct skiff_error *err)
{
	assert(ingest->hash);
	if (ingest->is_broken)
		return err_set(err, SKIFF_DATA_LOSS, "an earlier write failed");
	if (ingest->size >= 0 &&
	    len > (uint64_t)(ingest->size - ingest->offset))
		return size_mismatch(ingest, ingest->offset + (int64_t)len,
				     err);
	if (fault_hit(FAULT_BLOB_WRITE, err) < 0 ||
	    fs_write_all(ingest->fd, data, len, err) < 0) {
		ingest->is_broken = true;
		return err_wrap(err, "write blob");
	}
	hash_update(ingest->hash, data, len);
	ingest->offset += (int64_t)len;
	return 0;
}

int64_t
ingest_offset(const struct ingest *ingest)
{
	return ingest->offset;
}

static int
verify(struct ingest *ingest, struct digest *ret_digest,
       struct skiff_error *err)
{
	assert(ingest->hash);
	if (ingest->is_broken)
		return err_set(err, SKIFF_DATA_LOSS, "an earlier write failed");
	if (ingest->size >= 0 && ingest->offset != ingest->size)
		return size_mismatch(ingest, ingest->offset, err);
	hash_final(ingest->hash, ret_digest);
	hash_free(STEAL_PTR(ingest->hash));
	if (ingest->has_expected &&
	    !digest_is_equal(ret_digest, &ingest->expected)) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "unexpected commit digest %s, expected %s",
			      ret_digest->text, ingest->expected.text);
		return err_reason(err, "digest_mismatch");
	}
	return 0;
}

static int
make_durable(struct ingest *ingest, struct skiff_error *err)
{
	if (fchmod(ingest->fd, 0400) < 0)
		return err_errno(err, errno, "chmod blob");
	if (fault_hit(FAULT_BLOB_FSYNC, err) < 0)
		return -1;
	if (fsync(ingest->fd) < 0)
		return err_errno(err, errno, "fsync blob");
	return 0;
}

static int
put_in_place(struct ingest *ingest, const struct digest *digest,
	     struct skiff_error *err)
{
	int ingests_fd = ingest->content->ingests_fd;
	int blobs_fd = ingest->content->blobs_fd[digest->algorithm];

	if (fault_hit(FAULT_BLOB_RENAME, err) < 0)
		return -1;
	(void)unlinkat(ingests_fd, ingest->link_name, 0);
	if (linkat(ingests_fd, ingest->name, ingests_fd, ingest->link_name, 0) <
	    0)
		return err_errno(err, errno, "link blob");
	if (renameat(ingests_fd, ingest->link_name, blobs_fd,
		     digest_hex(digest)) < 0)
		return err_errno(err, errno, "rename blob");
	if (fault_hit(FAULT_BLOB_DIRSYNC, err) < 0)
		return -1;
	return fs_sync_dir(blobs_fd, err);
}

struct commit {
	struct content *content;
	struct blob_facts facts;
	bool is_gone;
	int result;
};

static int
commit_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct commit *commit = arg;

	commit->is_gone = blob_size(commit->content, commit->facts.digest) < 0;
	if (commit->is_gone)
		return 0;
	commit->result = blob_record_in(tx, &commit->facts, err);
	return commit->result < 0 ? -1 : 0;
}

static int
drop_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct commit *commit = arg;

	return content_drop_bytes(commit->content, tx,
				  commit->facts.digest->text, err);
}

static int
try_record(struct ingest *ingest, struct commit *commit,
	   struct skiff_error *err)
{
	if (put_in_place(ingest, commit->facts.digest, err) < 0 ||
	    fault_hit(FAULT_BLOB_COMMIT, err) < 0)
		return -1;
	return db_write(ingest->content->db, commit_in, commit, err);
}

/* Puts the bytes in place and records them; undoes the first if need be. */
static int
record_blob(struct ingest *ingest, struct commit *commit,
	    struct skiff_error *err)
{
	struct skiff_error ignored = ERROR_INIT;

	for (int i = 0; i < MAX_TRIES; i++) {
		if (try_record(ingest, commit, err) < 0) {
			(void)db_write(ingest->content->db, drop_in, commit,
				       &ignored);
			content_empty_trash(ingest->content);
			return -1;
		}
		if (!commit->is_gone)
			return 0;
	}
	return err_set(err, SKIFF_UNAVAILABLE,
		       "%s is being deleted over and over",
		       commit->facts.digest->text);
}

int
ingest_commit(struct ingest *ingest, const char *ns, const json_t *labels,
	      const char *media_type, struct digest *ret_digest,
	      struct skiff_error *err)
{
	struct digest digest;
	struct commit commit = {
		.content = ingest->content,
		.facts = { .ns = ns,
			   .digest = &digest,
			   .size = ingest->offset,
			   .labels = labels,
			   .media_type = media_type },
	};

	if (verify(ingest, &digest, err) < 0)
		return -1;
	if (make_durable(ingest, err) < 0 ||
	    record_blob(ingest, &commit, err) < 0 ||
	    fault_hit(FAULT_BLOB_RECORDED, err) < 0)
		return err_wrap(err, "%s", digest.text);
	if (ret_digest)
		*ret_digest = digest;
	return commit.result;
}

void
ingest_free(struct ingest *ingest)
{
	if (!ingest)
		return;
	if (ingest->fd >= 0) {
		(void)unlinkat(ingest->content->ingests_fd, ingest->name, 0);
		(void)unlinkat(ingest->content->ingests_fd, ingest->link_name,
			       0);
		(void)close(ingest->fd);
	}
	hash_free(ingest->hash);
	free(ingest);
}
