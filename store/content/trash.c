/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content store's trash, and the sweep at start.
 *
 * A file in content/trash is called <algorithm>:<hex>.<random id>: no name
 * is used twice, so what was found dead stays dead whatever else happens.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strv.h"
#include "store/content/content.h"
#include "store/content/content_internal.h"
#include "store/record.h"

int
content_drop_bytes(struct content *content, struct tx *tx, const char *digest,
		   struct skiff_error *err)
{
	cleanup_free char *name = NULL;
	char id[RANDOM_ID_SIZE];
	struct digest parsed;

	if (digest_parse(digest, &parsed, err) < 0)
		return -1;
	if (record_key_exists(tx_conn(tx), RECORD_CONTENT, digest))
		return 0;
	if (fault_hit(FAULT_BLOB_TRASH, err) < 0)
		return -1;
	name = xasprintf("%s.%s", digest, random_id(id));
	if (renameat(content->blobs_fd[parsed.algorithm], digest_hex(&parsed),
		     content->trash_fd, name) < 0 &&
	    errno != ENOENT)
		return err_errno(err, errno, "move %s to the trash", digest);
	return 0;
}

struct sorting {
	struct content *content;
	const struct strv *names;
	struct strv dead;
};

/* Whether the file may be deleted once the transaction stands. */
static bool
is_dead(struct content *content, struct tx *tx, const char *name)
{
	cleanup_free char *text = xstrdup(name);
	struct skiff_error ignored = ERROR_INIT;
	struct digest digest;
	char *dot = strchr(text, '.');

	if (dot)
		*dot = '\0';
	if (digest_parse(text, &digest, &ignored) < 0 ||
	    !record_key_exists(tx_conn(tx), RECORD_CONTENT, digest.text))
		return true;
	/* The deletion did not come to pass: back to its place. */
	return renameat2(content->trash_fd, name,
			 content->blobs_fd[digest.algorithm],
			 digest_hex(&digest), RENAME_NOREPLACE) < 0 &&
	       errno == EEXIST;
}

static int
sort_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct sorting *sorting = arg;

	(void)err;
	for (size_t i = 0; i < sorting->names->n; i++) {
		const char *name = sorting->names->items[i];

		if (is_dead(sorting->content, tx, name))
			strv_add(&sorting->dead, name);
	}
	return 0;
}

static int
empty_trash(struct content *content, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv names = STRV_INIT;
	struct sorting sorting = { .content = content, .names = &names };
	int r;

	if (fs_list(content->trash_fd, ".", &names, err) < 0)
		return -1;
	if (names.n == 0)
		return 0;
	r = db_write(content->db, sort_in, &sorting, err);
	for (size_t i = 0; r == 0 && i < sorting.dead.n; i++) {
		r = fault_hit(FAULT_BLOB_UNLINK, err);
		if (r == 0)
			(void)unlinkat(content->trash_fd, sorting.dead.items[i],
				       0);
	}
	strv_done(&sorting.dead);
	return r;
}

void
content_empty_trash(struct content *content)
{
	struct skiff_error err = ERROR_INIT;

	if (empty_trash(content, &err) < 0)
		log_failure(LOG_WARN, &err,
			    "empty the content trash, ignoring");
}

/* Records whose bytes are not what they claim. */
struct lost {
	struct content *content;
	struct strv ns;
	struct strv digests;
};

static int
find_lost(void *arg, const char *ns, const char *key, json_t *object,
	  struct skiff_error *err)
{
	struct lost *lost = arg;
	int64_t size = json_get_int(object, "size", -1);
	struct digest digest;
	int64_t actual;

	if (digest_parse(key, &digest, err) < 0)
		return -1;
	actual = blob_size(lost->content, &digest);
	if (actual >= 0 && actual == size)
		return 0;
	log_error("content %s of namespace %s: %" PRId64 " bytes of %" PRId64
		  " are there, removing the record",
		  key, ns, actual < 0 ? 0 : actual, size);
	strv_add(&lost->ns, ns);
	strv_add(&lost->digests, key);
	return 0;
}

static int
remove_lost_in(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct lost *lost = arg;
	const struct change change = { 0 };

	for (size_t i = 0; i < lost->ns.n; i++) {
		const struct record_ref ref = { RECORD_CONTENT,
						lost->ns.items[i],
						lost->digests.items[i] };

		if (record_delete(tx, &ref, &change, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * A record must not claim what is not there: while it does, no pull would
 * fetch the bytes again.
 */
static int
remove_lost_records(struct content *content, struct skiff_error *err)
{
	struct lost lost = { .content = content };
	struct conn *conn = db_reader_get(content->db);
	int r = record_each(conn, RECORD_CONTENT, NULL, find_lost, &lost, err);

	db_reader_put(conn);
	if (r == 0 && lost.ns.n > 0)
		r = db_write(content->db, remove_lost_in, &lost, err);
	strv_done(&lost.ns);
	strv_done(&lost.digests);
	return r;
}

static int
remove_unnamed_blobs(struct content *content, enum digest_algorithm algorithm,
		     struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(content->db);
	CLEANUP(strv_done) struct strv names = STRV_INIT;
	const struct digest kind = { .algorithm = algorithm };
	int fd = content->blobs_fd[algorithm];
	size_t n_removed = 0;

	if (fs_list(fd, ".", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *key =
		    xasprintf("%s:%s", digest_algorithm_name(&kind),
			      names.items[i]);

		if (record_key_exists(conn, RECORD_CONTENT, key))
			continue;
		if (unlinkat(fd, names.items[i], 0) == 0)
			n_removed++;
		else
			log_warn("content store: unlink %s: %m, ignoring", key);
	}
	if (n_removed > 0)
		log_info("content store: removed %zu blobs without a record",
			 n_removed);
	return 0;
}

int
content_sweep(struct content *content, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv ingests = STRV_INIT;

	if (fs_list(content->ingests_fd, ".", &ingests, err) < 0)
		return -1;
	for (size_t i = 0; i < ingests.n; i++)
		if (unlinkat(content->ingests_fd, ingests.items[i], 0) < 0)
			log_warn("content store: unlink %s: %m, ignoring",
				 ingests.items[i]);
	/* First what was moved by mistake goes back, then records count. */
	if (empty_trash(content, err) < 0 ||
	    remove_lost_records(content, err) < 0)
		return -1;
	for (int i = 0; i < N_ALGORITHMS; i++)
		if (remove_unnamed_blobs(content, (enum digest_algorithm)i,
					 err) < 0)
			return -1;
	return 0;
}
