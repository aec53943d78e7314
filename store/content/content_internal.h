/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of the content store share.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "store/content/content.h"
#include "store/db.h"

#define N_ALGORITHMS (DIGEST_SHA512 + 1)

struct content {
	struct db *db; /* borrowed */
	int ingests_fd;
	int trash_fd;
	int blobs_fd[N_ALGORITHMS];
};

/* What a namespace is to know of a blob. */
struct blob_facts {
	const char *ns;
	const struct digest *digest;
	int64_t size;
	const json_t *labels;	/* or NULL */
	const char *media_type; /* or NULL */
};

/*
 * Inserts the record, or merges labels and a missing media type into the
 * one that is there. 0 new, 1 it was there.
 */
int blob_record_in(struct tx *tx, const struct blob_facts *facts,
		   struct skiff_error *err);

/* Size of a blob's file; -1 when there is none. */
int64_t blob_size(const struct content *content, const struct digest *digest);

/* What content_open() does after a crash. */
int content_sweep(struct content *content, struct skiff_error *err);
