/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the route of a method and a path.
 *
 * A node of the trie stands for a prefix of the path. Its children are
 * literal segments (sorted, binary search), at most one {x}, and tails:
 * {x*} with the literal segments that follow it, longest first. A search
 * tries literals, then {x}, then tails, and comes back when a choice leads
 * nowhere; its depth is that of the patterns.
 */
#include "config.h"

#include "http/router.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

struct node {
	struct segment text; /* of a literal; of a tail: unused */
	struct node **literals;
	size_t n_literals;
	struct node *param;
	struct tail *tails;
	/* methods and rows that end here */
	int allow;
	const struct compiled_route *by_method[8];
};

struct tail {
	struct tail *next;
	size_t n_suffix;
	struct segment suffix[4];
	struct node *node;
};

struct router {
	struct node root;
	size_t n_routes;
	struct compiled_route routes[];
};

static const struct {
	enum http_method method;
	const char *name;
} methods[] = {
	{ HTTP_GET, "GET" },	     { HTTP_HEAD, "HEAD" },
	{ HTTP_POST, "POST" },	     { HTTP_PUT, "PUT" },
	{ HTTP_PATCH, "PATCH" },     { HTTP_DELETE, "DELETE" },
	{ HTTP_OPTIONS, "OPTIONS" },
};

const char *
http_method_name(enum http_method method)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (methods[i].method == method)
			return methods[i].name;
	return "?";
}

const char *
http_allow_text(int allow, char buf[64])
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (allow & (int)methods[i].method)
			len += (size_t)snprintf(buf + len, 64 - len, "%s%s",
						len > 0 ? ", " : "",
						methods[i].name);
	return buf;
}

static size_t
method_index(enum http_method method)
{
	return (size_t)__builtin_ctz((unsigned int)method);
}

static int
compare_segments(const struct segment *a, const struct segment *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int r = memcmp(a->text, b->text, n);

	if (r != 0)
		return r;
	return a->len < b->len ? -1 : a->len > b->len;
}

static struct node *
find_literal(const struct node *node, const struct segment *text)
{
	size_t low = 0;
	size_t high = node->n_literals;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int r = compare_segments(text, &node->literals[middle]->text);

		if (r == 0)
			return node->literals[middle];
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static struct node *
add_literal(struct node *node, const struct segment *text)
{
	struct node *child = find_literal(node, text);
	size_t i = node->n_literals;

	if (child)
		return child;
	child = xcalloc(1, sizeof(*child));
	child->text = *text;
	node->literals = xrealloc(node->literals, i + 1, sizeof(struct node *));
	for (;
	     i > 0 && compare_segments(text, &node->literals[i - 1]->text) < 0;
	     i--)
		node->literals[i] = node->literals[i - 1];
	node->literals[i] = child;
	node->n_literals++;
	return child;
}

static bool
is_param(const struct segment *text)
{
	return text->text[0] == '{';
}

/* "{name}" and "{name*}" */
static bool
note_param(struct compiled_route *route, const struct segment *text)
{
	bool is_tail = text->text[text->len - 2] == '*';

	assert(text->len > 2 && text->text[text->len - 1] == '}');
	assert(route->n_params < PARAMS_MAX);
	route->params[route->n_params++] =
	    (struct route_key){ .name = text->text + 1,
				.len = text->len - 2 - is_tail };
	return is_tail;
}

static struct node *
add_tail(struct node *node, const struct segment *suffix, size_t n)
{
	struct tail **at = &node->tails;
	struct tail *tail;

	for (; *at && (*at)->n_suffix >= n; at = &(*at)->next) {
		bool is_same = (*at)->n_suffix == n;

		for (size_t i = 0; is_same && i < n; i++)
			is_same = compare_segments(&(*at)->suffix[i],
						   &suffix[i]) == 0;
		if (is_same)
			return (*at)->node;
	}
	tail = xcalloc(1, sizeof(*tail));
	assert(n <= ARRAY_SIZE(tail->suffix));
	for (size_t i = 0; i < n; i++) {
		assert(!is_param(&suffix[i]));
		tail->suffix[i] = suffix[i];
	}
	tail->n_suffix = n;
	tail->node = xcalloc(1, sizeof(*tail->node));
	tail->next = *at;
	*at = tail;
	return tail->node;
}

/* Pieces point into the pattern, which outlives the router. */
static size_t
split_pattern(const char *pattern, struct segment *segments)
{
	size_t n = 0;

	assert(pattern[0] == '/');
	while (pattern[0] && pattern[1]) {
		size_t len = strcspn(++pattern, "/");

		assert(len > 0 && n < SEGMENTS_MAX);
		segments[n++] =
		    (struct segment){ .text = (char *)pattern, .len = len };
		pattern += len;
	}
	return n;
}

static void
compile_keys(struct compiled_route *route)
{
	const char *text = route->row->query ? route->row->query : "";

	while (*text) {
		size_t len = strcspn(text, " ");
		bool may_repeat = len > 0 && text[len - 1] == '*';

		assert(len > 0 && route->n_keys < QUERY_KEYS_MAX);
		route->keys[route->n_keys++] =
		    (struct route_key){ .name = text,
					.len = len - may_repeat,
					.may_repeat = may_repeat };
		text += len;
		text += *text == ' ';
	}
}

static void
add_route(struct router *router, struct compiled_route *route)
{
	struct segment segments[SEGMENTS_MAX];
	struct node *node = &router->root;
	size_t n = split_pattern(route->row->pattern, segments);
	size_t index = method_index(route->row->method);

	for (size_t i = 0; i < n; i++) {
		if (!is_param(&segments[i])) {
			node = add_literal(node, &segments[i]);
		} else if (note_param(route, &segments[i])) {
			node = add_tail(node, &segments[i + 1], n - i - 1);
			break;
		} else {
			if (!node->param)
				node->param = xcalloc(1, sizeof(*node));
			node = node->param;
		}
	}
	compile_keys(route);
	assert(route->row->operation_id);
	assert(!route->row->handler == !!route->row->upload);
	assert(!node->by_method[index]);
	node->by_method[index] = route;
	node->allow |= (int)route->row->method | (int)HTTP_OPTIONS;
	if (route->row->method == HTTP_GET) {
		node->by_method[method_index(HTTP_HEAD)] = route;
		node->allow |= (int)HTTP_HEAD;
	}
}

struct router *
router_new(const struct route *routes, size_t n)
{
	struct router *router =
	    xcalloc(1, sizeof(*router) + n * sizeof(struct compiled_route));

	router->n_routes = n;
	for (size_t i = 0; i < n; i++) {
		router->routes[i].row = &routes[i];
		add_route(router, &router->routes[i]);
	}
	return router;
}

static void
node_done(struct node *node)
{
	for (size_t i = 0; i < node->n_literals; i++) {
		node_done(node->literals[i]);
		free(node->literals[i]);
	}
	free(node->literals);
	if (node->param) {
		node_done(node->param);
		free(node->param);
	}
	while (node->tails) {
		struct tail *tail = node->tails;

		node->tails = tail->next;
		free(tail->node);
		free(tail);
	}
}

void
router_free(struct router *router)
{
	if (!router)
		return;
	node_done(&router->root);
	free(router);
}

static bool
is_suffix(const struct tail *tail, const struct target *target)
{
	size_t first = target->n_segments - tail->n_suffix;

	for (size_t i = 0; i < tail->n_suffix; i++)
		if (compare_segments(&tail->suffix[i],
				     &target->segments[first + i]) != 0)
			return false;
	return true;
}

static const struct node *
match_tail(const struct node *node, struct target *target, size_t at,
	   size_t n_values, struct route_match *match)
{
	size_t left = target->n_segments - at;

	for (const struct tail *tail = node->tails; tail; tail = tail->next) {
		if (left <= tail->n_suffix || !is_suffix(tail, target))
			continue;
		/* The segments lie behind each other: NULs become slashes. */
		for (size_t i = at + 1; i < target->n_segments - tail->n_suffix;
		     i++)
			target->segments[i].text[-1] = '/';
		match->values[n_values] = target->segments[at].text;
		return tail->node;
	}
	return NULL;
}

static const struct node *
match_node(const struct node *node, struct target *target, size_t at,
	   size_t n_values, struct route_match *match)
{
	const struct node *found;
	const struct node *child;

	if (at == target->n_segments)
		return node->allow ? node : NULL;
	child = find_literal(node, &target->segments[at]);
	if (child) {
		found = match_node(child, target, at + 1, n_values, match);
		if (found)
			return found;
	}
	if (node->param) {
		match->values[n_values] = target->segments[at].text;
		found = match_node(node->param, target, at + 1, n_values + 1,
				   match);
		if (found)
			return found;
	}
	return match_tail(node, target, at, n_values, match);
}

void
router_find(const struct router *router, enum http_method method,
	    struct target *target, struct route_match *match)
{
	const struct node *node =
	    match_node(&router->root, target, 0, 0, match);

	match->allow = node ? node->allow : 0;
	match->route = node ? node->by_method[method_index(method)] : NULL;
}

int
router_explain(const struct router *router, const struct target *target,
	       struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf path = STRBUF_INIT;
	CLEANUP(strbuf_done) struct strbuf below = STRBUF_INIT;
	const struct node *node = &router->root;

	for (size_t i = 0; i < target->n_segments; i++) {
		const struct node *child =
		    find_literal(node, &target->segments[i]);

		if (!child)
			child = node->param;
		if (!child)
			break;
		node = child;
		strbuf_addch(&path, '/');
		strbuf_adds(&path, target->segments[i].text);
	}
	for (size_t i = 0; i < node->n_literals; i++)
		strbuf_addf(&below, "%s%.*s", i > 0 ? ", " : "",
			    (int)node->literals[i]->text.len,
			    node->literals[i]->text.text);
	if (node->param || node->tails)
		strbuf_addf(&below, "%sa name", below.len > 0 ? ", " : "");
	(void)err_set(err, SKIFF_NOT_FOUND,
		      "no such path: %s; below %s/ there is: %s; GET / lists "
		      "all",
		      target->path, path.buf, below.len > 0 ? below.buf : "-");
	return err_reason(err, "no_such_path");
}

static const struct route_key *
find_key(const struct compiled_route *route, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < route->n_keys; i++)
		if (route->keys[i].len == len &&
		    memcmp(route->keys[i].name, name, len) == 0)
			return &route->keys[i];
	return NULL;
}

static bool
is_repeated(const struct target *target, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(target->query[i].key, target->query[at].key) == 0)
			return true;
	return false;
}

int
router_check_query(const struct compiled_route *route,
		   const struct target *target, struct skiff_error *err)
{
	for (size_t i = 0; i < target->n_query; i++) {
		const char *name = target->query[i].key;
		const struct route_key *key = find_key(route, name);

		if (!key) {
			(void)err_set(err, SKIFF_INVALID_ARGUMENT,
				      "unknown query parameter \"%s\"; known "
				      "here: %s",
				      name,
				      route->row->query ? route->row->query
							: "none");
			return err_reason(err, "unknown_parameter");
		}
		if (!key->may_repeat && is_repeated(target, i)) {
			(void)err_set(err, SKIFF_INVALID_ARGUMENT,
				      "query parameter \"%s\" is given more "
				      "than once",
				      name);
			return err_reason(err, "duplicate_parameter");
		}
	}
	return 0;
}
