/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cursors: where the next page of a list begins, as an opaque text.
 *
 * It holds the last key of the page before and a check over the list that
 * it belongs to, so that a mistyped cursor, or one of another collection,
 * is refused instead of beginning the list somewhere.
 */
#include <stdbool.h>

#include "base/strbuf.h"

/* A list is told apart by a number and its namespace. */
void cursor_encode(int list, const char *ns, const char *key,
		   struct strbuf *out);
/* False unless it is a cursor of this list; key gets the last key. */
bool cursor_decode(const char *cursor, int list, const char *ns,
		   struct strbuf *key);
