/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the handlers share: objects of a namespace by path, lists, label
 * updates. Every function answers like a handler: 0 with *ret, or -1.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "handlers/services.h"
#include "http/request.h"
#include "http/response.h"
#include "store/record.h"

/* The {ns} of the path, checked. */
int take_namespace(struct request *request, const char **ret_ns,
		   struct skiff_error *err);

/* The task that {ns} and {id} of the path name. */
int take_task(struct request *request, struct record_ref *ret_ref,
	      struct skiff_error *err);

/* The exec that {ns}, {id} and {eid} of the path name. */
struct exec_place {
	const char *ns;
	const char *task;
	const char *exec;
};
int take_exec(struct request *request, struct exec_place *ret_place,
	      struct skiff_error *err);

/* An action that knows no field takes no body, or {}. */
int take_no_fields(struct request *request, struct skiff_error *err);

/* 200 with the stored document and its ETag. */
int answer_record(struct services *services, const struct record_ref *ref,
		  struct response **ret, struct skiff_error *err);
/* The same for a document in hand (taken); status 200 or 201. */
struct response *document_response(int status, char *doc, int64_t revision);
/* 201 with Location: the collection's path plus the escaped key. */
struct response *created_response(struct request *request, char *doc,
				  int64_t revision, const char *key);

struct wanted {
	enum record_kind kind;
	const char *ns;
	const char *prefix;		   /* of keys, or NULL */
	const struct filter_field *fields; /* that ?filter may name */
	/* Whether who asks may know of it; NULL: he may of all. */
	bool (*may_see)(const void *arg, const char *key);
	const void *arg;
};

/* One page by ?limit, ?cursor and ?filter. */
int answer_list(struct request *request, struct services *services,
		const struct wanted *wanted, struct response **ret,
		struct skiff_error *err);

/*
 * PATCH of an object whose labels alone may change: the body is
 * {"labels": {…}}, merged (RFC 7396). If-Match is honoured.
 */
int answer_label_patch(struct request *request, struct services *services,
		       const struct record_ref *ref, struct response **ret,
		       struct skiff_error *err);

/* ?filter, which may be repeated; *filters is NULL before, or the caller's. */
struct filters;
struct filter_field;
int take_filters(struct request *request, const struct filter_field *fields,
		 struct filters **filters, struct skiff_error *err);

/* If-Match as a revision, 0 when absent. */
int take_if_match(struct request *request, int64_t *ret_revision,
		  struct skiff_error *err);

/* Turns the request's faults into err: 0 when there are none. */
int check_faults(struct request *request, struct skiff_error *err);
