/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON documents that come from registries and archives: read by event
 * under limits first, so that no document can take more memory than it is
 * worth; then as a tree, field by field with the type that each must have.
 *
 * Every fault is SKIFF_INVALID_ARGUMENT with the document's reason, its
 * JSON pointer, and words.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/strv.h"

struct document_kind {
	const char *name;   /* "manifest" */
	const char *reason; /* "image_invalid_manifest" */
	size_t bytes_max;
	size_t values_max; /* keys, strings, numbers, … */
	int depth_max;
	bool null_is_absent; /* as Go programs write empty fields */
};

/* An object; duplicate keys and NUL are refused. The caller owns it. */
int document_parse(const struct document_kind *kind, const char *text,
		   size_t len, json_t **ret_json, struct skiff_error *err);

/* An object inside a document, and how one points at it. */
struct node {
	const struct document_kind *kind;
	const json_t *json;
	char pointer[96];
};

struct node node_root(const struct document_kind *kind, const json_t *json);

int node_fault(const struct node *node, const char *key,
	       struct skiff_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Each: 1 the field is there and of the type, 0 it is absent and may be,
 * -1 a fault. *ret_… is borrowed and written on 1 only.
 */
int node_text(const struct node *node, const char *key, bool is_required,
	      const char **ret_text, struct skiff_error *err);
int node_int(const struct node *node, const char *key, int64_t max,
	     int64_t *ret_value, struct skiff_error *err); /* required, >= 0 */
int node_digest(const struct node *node, const char *key,
		struct digest *ret_digest, struct skiff_error *err);
int node_object(const struct node *node, const char *key, bool is_required,
		struct node *ret_node, struct skiff_error *err);
/* At most max items. */
int node_array(const struct node *node, const char *key, bool is_required,
	       size_t max, struct node *ret_node, struct skiff_error *err);
/* Item i of an array, which must be an object. */
int node_item(const struct node *array, size_t i, struct node *ret_node,
	      struct skiff_error *err);
/* Array of strings, copied. */
int node_strv(const struct node *node, const char *key, size_t max,
	      struct strv *ret_strv, struct skiff_error *err);
/* Object of strings, borrowed. */
int node_map(const struct node *node, const char *key, const json_t **ret_map,
	     struct skiff_error *err);
