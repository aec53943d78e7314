/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON trees for documents with a bound (requests, manifests, specs):
 * strict parsing, and field tables that describe a struct once for both
 * directions.
 *
 *	static const struct json_field fields[] = {
 *		JSON_TEXT(struct pull, ref, "ref", JSON_REQUIRED),
 *		JSON_BOOL(struct pull, unpack, "unpack", 0),
 *	};
 *	json_decode(body, "", fields, ARRAY_SIZE(fields), &pull, &faults);
 *	if (json_faults_to_error(&faults, err) < 0) …
 *	json_release(fields, ARRAY_SIZE(fields), &pull);
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strv.h"

#define JSON_DEPTH_MAX 64

static inline __attribute__((unused)) void
json_unrefp(json_t **json)
{
	json_decref(*json);
}
#define cleanup_json CLEANUP(json_unrefp)

/*
 * A whole document: one value, no duplicate keys, no NUL in strings,
 * nesting at most JSON_DEPTH_MAX. SKIFF_INVALID_ARGUMENT with line and
 * column. The caller owns the result.
 */
int json_parse(const char *text, size_t len, json_t **ret_json,
	       struct skiff_error *err);

/* Compact text, keys in insertion order; the caller frees. */
char *json_text(const json_t *json);

enum json_kind {
	JSON_KIND_TEXT,	  /* char *, owned; NULL when absent */
	JSON_KIND_BOOL,	  /* bool */
	JSON_KIND_INT,	  /* int64_t, within [min, max] */
	JSON_KIND_NUMBER, /* double */
	JSON_KIND_STRV,	  /* struct strv of strings */
	JSON_KIND_MAP,	  /* json_t * object of strings, owned, or NULL */
	JSON_KIND_OBJECT, /* json_t * object, owned, or NULL */
	JSON_KIND_ARRAY,  /* json_t * array, owned, or NULL */
	JSON_KIND_ANY,	  /* json_t *, whatever it is but null, or NULL */
};

enum json_flags {
	JSON_REQUIRED = 1,
	JSON_NOT_EMPTY = 2, /* TEXT and STRV */
};

struct json_field {
	const char *name;
	enum json_kind kind;
	size_t offset;
	unsigned int flags;
	int64_t min;
	int64_t max;
};

#define JSON_FIELD_(type, member, wire, k, f)                                  \
	{                                                                      \
		.name = (wire), .kind = (k), .offset = offsetof(type, member), \
		.flags = (f)                                                   \
	}
#define JSON_TEXT(type, member, wire, f)                                       \
	JSON_FIELD_(type, member, wire, JSON_KIND_TEXT, f)
#define JSON_BOOL(type, member, wire, f)                                       \
	JSON_FIELD_(type, member, wire, JSON_KIND_BOOL, f)
#define JSON_STRV(type, member, wire, f)                                       \
	JSON_FIELD_(type, member, wire, JSON_KIND_STRV, f)
#define JSON_MAP(type, member, wire, f)                                        \
	JSON_FIELD_(type, member, wire, JSON_KIND_MAP, f)
#define JSON_OBJECT(type, member, wire, f)                                     \
	JSON_FIELD_(type, member, wire, JSON_KIND_OBJECT, f)
#define JSON_ARRAY(type, member, wire, f)                                      \
	JSON_FIELD_(type, member, wire, JSON_KIND_ARRAY, f)
#define JSON_ANY(type, member, wire, f)                                        \
	JSON_FIELD_(type, member, wire, JSON_KIND_ANY, f)
#define JSON_NUMBER(type, member, wire, f)                                     \
	JSON_FIELD_(type, member, wire, JSON_KIND_NUMBER, f)
#define JSON_INT(type, member, wire, lowest, highest, f)                       \
	{                                                                      \
		.name = (wire), .kind = JSON_KIND_INT,                         \
		.offset = offsetof(type, member), .flags = (f),                \
		.min = (lowest), .max = (highest)                              \
	}

/*
 * Faults of one body, all of them up to a number that nobody reads: list
 * is a JSON array of {"field": "/a/b", "detail": "…"}, or NULL while there
 * are none.
 */
#define JSON_FAULTS_MAX 100

struct json_faults {
	json_t *list;
};

#define JSON_FAULTS_INIT                                                       \
	{                                                                      \
		.list = NULL                                                   \
	}

void json_fault(struct json_faults *faults, const char *pointer,
		const char *format, ...) __attribute__((format(printf, 3, 4)));
void json_faults_done(struct json_faults *faults);
/* 0 without faults, else -1 and SKIFF_INVALID_ARGUMENT with the first. */
int json_faults_to_error(const struct json_faults *faults,
			 struct skiff_error *err);

/* Appends "/key" to a JSON pointer, escaped (RFC 6901, section 3). */
void json_pointer_add(struct strbuf *pointer, const char *key);

/*
 * Fills *object (zeroed by the caller) from json. Unknown fields, wrong
 * types, null, numbers out of range and missing required fields become
 * faults whose field is a JSON pointer below prefix (RFC 6901).
 */
void json_decode(const json_t *json, const char *prefix,
		 const struct json_field *fields, size_t n, void *object,
		 struct json_faults *faults);
/* Frees what json_decode() filled in. */
void json_release(const struct json_field *fields, size_t n, void *object);

/* RFC 7396, into an object: null removes, objects are merged. */
void json_merge_patch(json_t *object, const json_t *patch);

/* Sets key unless text is NULL. */
void json_set_text(json_t *json, const char *key, const char *text);
void json_set_int(json_t *json, const char *key, int64_t value);
void json_set_bool(json_t *json, const char *key, bool value);
/* RFC 3339. */
void json_set_time(json_t *json, const char *key, int64_t realtime_ns);
/* "" unless json is an object with a string at key; borrowed. */
const char *json_get_text(const json_t *json, const char *key);
/* fallback unless json is an object with an integer at key. */
int64_t json_get_int(const json_t *json, const char *key, int64_t fallback);
bool json_get_bool(const json_t *json, const char *key);
