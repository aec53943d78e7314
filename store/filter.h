/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Filters of lists: which of the objects, as JSON, are wanted.
 *
 *	filters    := filter, any of which may match; none: everything does
 *	filter     := condition { "," condition }, all of which must hold
 *	condition  := field [ ( "==" | "!=" ) value ]	alone: it is there
 *	field      := name | name "." key	labels.app, labels."app.kind"
 *	value      := text without a comma | '"' text '"'
 *
 * It is a part of containerd's language and means the same. Which fields
 * there are each list says; any other is a fault, so that a mistyped one
 * does not return nothing, or everything.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

struct filters;

struct filter_field {
	const char *name;   /* "id", or "labels." for what is below */
	const char *object; /* that it is a member of; NULL: the whole */
	const char *key;    /* its own name there; NULL: the same */
};

/*
 * Adds one filter to those there are (*filters is NULL at first);
 * SKIFF_INVALID_ARGUMENT. fields end with one without a name, and stay.
 */
int filters_add(struct filters **filters, const struct filter_field *fields,
		const char *text, struct skiff_error *err);
/* A field with several values equals each of them; absent is "". */
bool filters_match(const struct filters *filters, const json_t *object);
/* Accepts NULL. */
void filters_free(struct filters *filters);
DEFINE_CLEANUP(struct filters *, filters_free)
