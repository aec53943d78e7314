/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ids of users and groups that are somebody's by what the host's own files
 * say: passwd(5), group(5), subuid(5) and subgid(5). Who is in a directory
 * service is not among them.
 */
#include <stdbool.h>
#include <stdint.h>

/*
 * Whether ids of first to last are somebody's; then *ret_last is the last one
 * of his. A file that is not there names nobody. Reads the files anew.
 */
bool host_ids_are_taken(int64_t first, int64_t last, int64_t *ret_last);
