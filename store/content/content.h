/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The content store: immutable blobs named by their digest.
 *
 * Bytes lie once, in content/blobs/<algorithm>/<hex> (0400), whatever the
 * number of namespaces that have a record of them. A blob that no record
 * names is removed. Writing goes to content/ingests first:
 * bytes → fsync → rename → fsync of the directory → record and event.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "store/db.h"

struct content;
struct ingest;

/*
 * Makes the directories below root_fd, removes what an earlier life left
 * behind (ingests, blobs without a record) and what deletion left in
 * content/trash.
 */
int content_open(struct db *db, int root_fd, struct content **ret_content,
		 struct skiff_error *err);
void content_close(struct content *content);
DEFINE_CLEANUP(struct content *, content_close)

/* --- reading --------------------------------------------------------- */

/*
 * Opens the blob for a namespace that has a record of it; the caller owns
 * the descriptor. SKIFF_NOT_FOUND.
 */
int content_open_blob(struct content *content, const char *ns,
		      const struct digest *digest, int *ret_fd,
		      int64_t *ret_size, struct skiff_error *err);
/* The whole of a small blob (manifest, config), at most max bytes. */
int content_read_blob(struct content *content, const char *ns,
		      const struct digest *digest, size_t max, char **ret_text,
		      size_t *ret_len, struct skiff_error *err);

/*
 * Reads the whole blob to see whether its bytes are what its digest says:
 * SKIFF_DATA_LOSS when they are not.
 */
int content_check_blob(struct content *content, const char *ns,
		       const struct digest *digest, struct skiff_error *err);

/* --- writing --------------------------------------------------------- */

/*
 * Begins a new blob. expected (or NULL) and size (or -1) are checked at
 * the commit, size as bytes arrive too. An ingest belongs to one thread at
 * a time.
 */
int ingest_begin(struct content *content, const struct digest *expected,
		 int64_t size, struct ingest **ret_ingest,
		 struct skiff_error *err);
int ingest_write(struct ingest *ingest, const void *data, size_t len,
		 struct skiff_error *err);
/* Bytes so far: where a broken download resumes. */
int64_t ingest_offset(const struct ingest *ingest);
/*
 * Verifies, makes durable and records the blob in the namespace, with
 * labels (object of strings, or NULL) and media_type (or NULL). 0 a new
 * record, 1 the namespace had it (labels are merged in then).
 * SKIFF_FAILED_PRECONDITION, reason "digest_mismatch" or "size_mismatch":
 * nothing is kept. The ingest is to be freed afterwards in every case.
 */
int ingest_commit(struct ingest *ingest, const char *ns, const json_t *labels,
		  const char *media_type, struct digest *ret_digest,
		  struct skiff_error *err);
/* Abandons what was not committed. */
void ingest_free(struct ingest *ingest);
DEFINE_CLEANUP(struct ingest *, ingest_free)

/*
 * Records a blob whose bytes are here for some namespace already: 1 it is
 * recorded now (or was), 0 the bytes are not here. Labels are merged.
 */
int content_adopt(struct content *content, const char *ns,
		  const struct digest *digest, const json_t *labels,
		  const char *media_type, struct skiff_error *err);

/* Removes the namespace's record, and the bytes if it was the last one. */
int content_delete(struct content *content, const char *ns,
		   const struct digest *digest, int64_t if_match,
		   struct skiff_error *err);
/*
 * For a deleting transaction: moves the bytes out of the way when no
 * record names them any more; content_empty_trash() removes them later.
 */
int content_drop_bytes(struct content *content, struct tx *tx,
		       const char *digest, struct skiff_error *err);
void content_empty_trash(struct content *content);
