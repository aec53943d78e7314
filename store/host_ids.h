/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ids of users and groups that are somebody's by what the host's own files
 * say: passwd(5), group(5), subuid(5) and subgid(5). Who is in a directory
 * service is not among them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct host_id_range {
	int64_t first;
	int64_t last;
};

struct host_ids {
	struct host_id_range *ranges;
	size_t n;
	size_t cap;
};

/*
 * Into what is zeroed. A file that is not there names nobody; another that
 * cannot be read is an error, since it may name anybody.
 */
int host_ids_load(struct host_ids *ret_ids, struct skiff_error *err);
/*
 * Whether ids of first to last are somebody's; then *ret_last is the last one
 * of his.
 */
bool host_ids_are_taken(const struct host_ids *ids, int64_t first, int64_t last,
			int64_t *ret_last);
void host_ids_done(struct host_ids *ids);
