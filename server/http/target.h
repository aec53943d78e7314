/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The request target: path segments and query, split first and decoded
 * after (RFC 3986 §2.2), so that a%2Fb stays one segment.
 */
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

#define TARGET_MAX 8192
#define SEGMENTS_MAX 64
#define QUERY_MAX 64

struct segment {
	char *text; /* decoded, NUL behind it, inside target.decoded */
	size_t len;
};

struct query_value {
	const char *key;
	const char *value;
};

struct target {
	/* One block: raw path, then all that was decoded. */
	struct strbuf decoded;
	const char *path;
	size_t n_segments;
	size_t n_query;
	struct segment segments[SEGMENTS_MAX];
	struct query_value query[QUERY_MAX];
};

/* Readies target for target_parse() and target_done(). */
void target_init(struct target *target);
/*
 * SKIFF_INVALID_ARGUMENT: not absolute, longer than TARGET_MAX, anything
 * but visible ASCII, broken escapes, %00, empty, "." and ".." segments,
 * control characters or bad UTF-8 after decoding, too many parts.
 */
int target_parse(struct target *target, const char *raw, size_t len,
		 struct skiff_error *err);
void target_done(struct target *target);
