/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Finds the route of a method and a path. The table becomes a trie once;
 * a search allocates nothing.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "http/route.h"
#include "http/target.h"

#define PARAMS_MAX 8
#define QUERY_KEYS_MAX 24

struct route_key {
	const char *name;
	size_t len;
	bool may_repeat;
};

/* A row of the table, taken apart. */
struct compiled_route {
	const struct route *row;
	size_t n_params;
	size_t n_keys;
	struct route_key params[PARAMS_MAX]; /* names, in order */
	struct route_key keys[QUERY_KEYS_MAX];
};

struct route_match {
	const struct compiled_route *route; /* NULL: wrong method or path */
	int allow; /* methods that the path has; 0: no such path */
	const char *values[PARAMS_MAX];
};

struct router;

/* Aborts on a bad or ambiguous row: the table is part of the program. */
struct router *router_new(const struct route *routes, size_t n);
void router_free(struct router *router);
DEFINE_CLEANUP(struct router *, router_free)

/*
 * Joins the segments of a {x*} parameter in place, so a target is matched
 * once only.
 */
void router_find(const struct router *router, enum http_method method,
		 struct target *target, struct route_match *match);
/* SKIFF_NOT_FOUND; the text names what there is below the nearest path. */
int router_explain(const struct router *router, const struct target *target,
		   struct skiff_error *err);
/* Unknown and repeated keys are SKIFF_INVALID_ARGUMENT. */
int router_check_query(const struct compiled_route *route,
		       const struct target *target, struct skiff_error *err);

const char *http_method_name(enum http_method method);
/* "GET, HEAD, OPTIONS" */
const char *http_allow_text(int methods, char buf[64]);
