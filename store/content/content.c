/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content store: reading, sharing and deleting blobs.
 *
 * Design note: bytes against records. A record claims bytes; bytes without
 * a record are garbage. Both meet only in closures of the one writer, so
 * nothing else needs a lock:
 *
 * - ingest_commit() puts the durable file in place first, and its closure
 *   looks whether it still lies there before it records it. If a deletion
 *   took it away in between, it is put there again (see: ingest.c).
 * - content_adopt()'s closure records a blob only when some namespace has a
 *   record and the file is there.
 * - a deleting closure renames the file to the trash when no record names
 *   it any more, in the view of the writer.
 *
 * The rename comes before the COMMIT and may outlive its failure, or a
 * crash. So nothing in the trash is deleted before another closure has
 * seen that no record names it, and that closure's COMMIT stood; what a
 * record still names goes back to its place (see: trash.c).
 */
#include "config.h"

#include "store/content/content.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "store/content/content_internal.h"
#include "store/record.h"

#define CHECK_PIECE ((size_t)128 * 1024)

static const struct change plain_change;

int64_t
blob_size(const struct content *content, const struct digest *digest)
{
	struct stat st;

	if (fstatat(content->blobs_fd[digest->algorithm], digest_hex(digest),
		    &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return -1;
	return st.st_size;
}

/* Whether the label was changed; nothing removes it. */
static bool
merge_label(json_t *labels, const char *key, json_t *value)
{
	const char *text = json_string_value(value);
	json_t *old = json_object_get(labels, key);

	if (!text || !*text)
		return old && json_object_del(labels, key) == 0;
	if (old && json_equal(old, value))
		return false;
	(void)json_object_set_new(labels, key, json_string(text));
	return true;
}

/* Whether anything in the object was changed. */
static bool
merge_facts(json_t *object, const struct blob_facts *facts)
{
	json_t *labels = json_object_get(object, "labels");
	bool is_changed = false;
	const char *key;
	json_t *value;

	if (facts->media_type && !json_object_get(object, "media_type")) {
		json_set_text(object, "media_type", facts->media_type);
		is_changed = true;
	}
	if (!facts->labels)
		return is_changed;
	if (!labels) {
		labels = json_object();
		(void)json_object_set_new(object, "labels", labels);
	}
	json_object_foreach ((json_t *)facts->labels, key, value) {
		if (merge_label(labels, key, value))
			is_changed = true;
	}
	return is_changed;
}

int
blob_record_in(struct tx *tx, const struct blob_facts *facts,
	       struct skiff_error *err)
{
	const struct record_ref ref = { RECORD_CONTENT, facts->ns,
					facts->digest->text };
	cleanup_json json_t *object = NULL;

	if (record_exists(tx_conn(tx), &ref)) {
		if (record_load(tx_conn(tx), &ref, &object, err) < 0)
			return -1;
		if (merge_facts(object, facts) &&
		    record_update(tx, &ref, object, &plain_change, err) < 0)
			return -1;
		return 1;
	}
	object = json_object();
	json_set_text(object, "digest", facts->digest->text);
	json_set_int(object, "size", facts->size);
	(void)merge_facts(object, facts);
	return record_insert(tx, &ref, object, &plain_change, err);
}

static bool
has_record(struct content *content, const char *ns, const char *digest)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(content->db);

	return record_exists(conn, &(struct record_ref){ RECORD_CONTENT, ns,
							 digest });
}

int
content_open_blob(struct content *content, const char *ns,
		  const struct digest *digest, int *ret_fd, int64_t *ret_size,
		  struct skiff_error *err)
{
	cleanup_close int fd = -1;
	struct stat st;

	for (int i = 0; i < 2 && fd < 0; i++) {
		/* A failed deletion may have left the bytes in the trash. */
		if (i > 0)
			content_empty_trash(content);
		if (!has_record(content, ns, digest->text))
			return err_not_found(err, "content", digest->text);
		fd = openat(content->blobs_fd[digest->algorithm],
			    digest_hex(digest),
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && errno != ENOENT)
			return err_errno(err, errno, "open blob %s",
					 digest->text);
	}
	if (fd < 0) {
		(void)err_set(err, SKIFF_DATA_LOSS, "the bytes of %s are gone",
			      digest->text);
		return err_object(err, "content", digest->text);
	}
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "stat blob %s", digest->text);
	*ret_size = st.st_size;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* What was hashed is the whole blob. */
static int
check_hash(const struct digest *digest, struct hash *hash,
	   struct skiff_error *err)
{
	struct digest actual;

	hash_final(hash, &actual);
	if (digest_is_equal(&actual, digest))
		return 0;
	(void)err_set(err, SKIFF_DATA_LOSS, "the bytes of %s have digest %s",
		      digest->text, actual.text);
	return err_object(err, "content", digest->text);
}

int
content_check_blob(struct content *content, const char *ns,
		   const struct digest *digest, struct skiff_error *err)
{
	CLEANUP(hash_freep) struct hash *hash = hash_new(digest->algorithm);
	cleanup_free char *piece = xmalloc(CHECK_PIECE);
	cleanup_close int fd = -1;
	int64_t size;
	ssize_t n;

	if (content_open_blob(content, ns, digest, &fd, &size, err) < 0)
		return -1;
	while ((n = read(fd, piece, CHECK_PIECE)) > 0)
		hash_update(hash, piece, (size_t)n);
	if (n < 0)
		return err_errno(err, errno, "read %s", digest->text);
	return check_hash(digest, hash, err);
}

int
content_read_blob(struct content *content, const char *ns,
		  const struct digest *digest, size_t max, char **ret_text,
		  size_t *ret_len, struct skiff_error *err)
{
	CLEANUP(hash_freep) struct hash *hash = hash_new(digest->algorithm);
	cleanup_close int fd = -1;
	cleanup_free char *text = NULL;
	int64_t size;
	size_t len;

	if (content_open_blob(content, ns, digest, &fd, &size, err) < 0)
		return -1;
	if (fs_read_fd(fd, max, &text, &len, err) < 0)
		return err_wrap(err, "read %s", digest->text);
	hash_update(hash, text, len);
	if (check_hash(digest, hash, err) < 0)
		return -1;
	*ret_text = STEAL_PTR(text);
	*ret_len = len;
	return 0;
}

struct adoption {
	struct content *content;
	struct blob_facts facts;
	int result;
};

static int
adopt_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct adoption *adoption = arg;
	struct blob_facts *facts = &adoption->facts;

	adoption->result = 0;
	if (!record_key_exists(tx_conn(tx), RECORD_CONTENT,
			       facts->digest->text))
		return 0;
	facts->size = blob_size(adoption->content, facts->digest);
	if (facts->size < 0)
		return 0;
	adoption->result = 1;
	return blob_record_in(tx, facts, err) < 0 ? -1 : 0;
}

int
content_adopt(struct content *content, const char *ns,
	      const struct digest *digest, const json_t *labels,
	      const char *media_type, struct skiff_error *err)
{
	struct adoption adoption = {
		.content = content,
		.facts = { .ns = ns,
			   .digest = digest,
			   .labels = labels,
			   .media_type = media_type },
	};

	if (db_write(content->db, adopt_in, &adoption, err) < 0)
		return -1;
	return adoption.result;
}

struct deletion {
	struct content *content;
	const struct record_ref *ref;
	const struct change *change;
};

static int
delete_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct deletion *deletion = arg;

	if (record_delete(tx, deletion->ref, deletion->change, err) < 0)
		return -1;
	return content_drop_bytes(deletion->content, tx, deletion->ref->key,
				  err);
}

int
content_delete(struct content *content, const char *ns,
	       const struct digest *digest, int64_t if_match,
	       struct skiff_error *err)
{
	struct deletion deletion = {
		.content = content,
		.ref = &(struct record_ref){ RECORD_CONTENT, ns, digest->text },
		.change = &(struct change){ .if_match = if_match },
	};
	int r = db_write(content->db, delete_in, &deletion, err);

	/* After a failure it brings back what the closure moved away. */
	content_empty_trash(content);
	return r;
}

static int
open_directories(struct content *content, int root_fd, struct skiff_error *err)
{
	cleanup_close int top = -1;
	cleanup_close int blobs = -1;

	if (fs_open_dir(root_fd, "content", true, 0700, &top, err) < 0 ||
	    fs_open_dir(top, "blobs", true, 0700, &blobs, err) < 0 ||
	    fs_open_dir(top, "ingests", true, 0700, &content->ingests_fd, err) <
		0 ||
	    fs_open_dir(top, "trash", true, 0700, &content->trash_fd, err) < 0)
		return -1;
	for (int i = 0; i < N_ALGORITHMS; i++) {
		struct digest kind = { .algorithm = (enum digest_algorithm)i };

		if (fs_open_dir(blobs, digest_algorithm_name(&kind), true, 0700,
				&content->blobs_fd[i], err) < 0)
			return -1;
	}
	if (fs_sync_dir(blobs, err) < 0 || fs_sync_dir(top, err) < 0)
		return -1;
	return fs_sync_dir(root_fd, err);
}

int
content_open(struct db *db, int root_fd, struct content **ret_content,
	     struct skiff_error *err)
{
	CLEANUP(content_closep)
	struct content *content = xcalloc(1, sizeof(*content));

	content->db = db;
	content->ingests_fd = -1;
	content->trash_fd = -1;
	for (int i = 0; i < N_ALGORITHMS; i++)
		content->blobs_fd[i] = -1;
	if (open_directories(content, root_fd, err) < 0)
		return err_wrap(err, "content store");
	if (content_sweep(content, err) < 0)
		return err_wrap(err, "content store: clean up");
	*ret_content = STEAL_PTR(content);
	return 0;
}

void
content_close(struct content *content)
{
	if (!content)
		return;
	closep(&content->ingests_fd);
	closep(&content->trash_fd);
	for (int i = 0; i < N_ALGORITHMS; i++)
		closep(&content->blobs_fd[i]);
	free(content);
}
