/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON trees over jansson: strict parsing, field tables, small setters.
 */
#include "config.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/strbuf.h"

/* Nesting is checked on the text, before jansson recurses into it. */
static int
check_depth(const char *text, size_t len, struct skiff_error *err)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return err_set(err, SKIFF_INVALID_ARGUMENT,
					       "JSON is nested deeper than %d",
					       JSON_DEPTH_MAX);
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return 0;
}

int
json_parse(const char *text, size_t len, json_t **ret_json,
	   struct skiff_error *err)
{
	json_error_t fault;
	json_t *json;

	if (check_depth(text, len, err) < 0)
		return -1;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
			  &fault);
	if (!json)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "malformed JSON at line %d, column %d: %s",
			       fault.line, fault.column, fault.text);
	*ret_json = json;
	return 0;
}

char *
json_text(const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	return text ? text : xstrdup("null");
}

void
json_fault(struct json_faults *faults, const char *pointer, const char *format,
	   ...)
{
	char detail[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(detail, sizeof(detail), format, ap);
	va_end(ap);
	utf8_repair(detail);
	if (!faults->list)
		faults->list = json_array();
	if (json_array_size(faults->list) == JSON_FAULTS_MAX)
		return;
	(void)json_array_append_new(faults->list,
				    json_pack("{s:s, s:s}", "field", pointer,
					      "detail", detail));
}

void
json_faults_done(struct json_faults *faults)
{
	json_decref(faults->list);
	faults->list = NULL;
}

int
json_faults_to_error(const struct json_faults *faults, struct skiff_error *err)
{
	const json_t *first = json_array_get(faults->list, 0);
	const char *field;

	if (!first)
		return 0;
	field = json_get_text(first, "field");
	(void)err_set(err, SKIFF_INVALID_ARGUMENT, "%s%s%s",
		      *field ? field : "", *field ? ": " : "",
		      json_get_text(first, "detail"));
	return err_field(err, field);
}

void
json_pointer_add(struct strbuf *out, const char *key)
{
	strbuf_addch(out, '/');
	for (; *key; key++) {
		if (*key == '~')
			strbuf_adds(out, "~0");
		else if (*key == '/')
			strbuf_adds(out, "~1");
		else
			strbuf_addch(out, *key);
	}
}

struct place {
	const char *pointer;
	struct json_faults *faults;
};

static void
decode_text(const struct place *at, const struct json_field *field,
	    const json_t *value, char **out)
{
	if (!json_is_string(value))
		json_fault(at->faults, at->pointer, "must be a string");
	else if ((field->flags & JSON_NOT_EMPTY) && !json_string_length(value))
		json_fault(at->faults, at->pointer, "must not be empty");
	else
		*out = xstrdup(json_string_value(value));
}

static void
decode_int(const struct place *at, const struct json_field *field,
	   const json_t *value, int64_t *out)
{
	if (!json_is_integer(value)) {
		json_fault(at->faults, at->pointer, "must be an integer");
		return;
	}
	*out = json_integer_value(value);
	if (*out < field->min || *out > field->max)
		json_fault(at->faults, at->pointer,
			   "must be between %" PRId64 " and %" PRId64,
			   field->min, field->max);
}

static void
decode_strv(const struct place *at, const struct json_field *field,
	    const json_t *value, struct strv *out)
{
	size_t i;
	json_t *item;

	if (!json_is_array(value)) {
		json_fault(at->faults, at->pointer,
			   "must be an array of strings");
		return;
	}
	if ((field->flags & JSON_NOT_EMPTY) && json_array_size(value) == 0)
		json_fault(at->faults, at->pointer, "must not be empty");
	json_array_foreach (value, i, item) {
		if (json_is_string(item)) {
			strv_add(out, json_string_value(item));
		} else {
			cleanup_free char *pointer =
			    xasprintf("%s/%zu", at->pointer, i);

			json_fault(at->faults, pointer, "must be a string");
		}
	}
}

static void
decode_map(const struct place *at, json_t *value, json_t **out)
{
	const char *key;
	json_t *item;

	if (!json_is_object(value)) {
		json_fault(at->faults, at->pointer,
			   "must be an object of strings");
		return;
	}
	json_object_foreach (value, key, item) {
		CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;

		if (json_is_string(item))
			continue;
		strbuf_adds(&pointer, at->pointer);
		json_pointer_add(&pointer, key);
		json_fault(at->faults, pointer.buf, "must be a string");
	}
	*out = json_incref(value);
}

static void
decode_tree(const struct place *at, const struct json_field *field,
	    json_t *value, json_t **out)
{
	bool want_object = field->kind == JSON_KIND_OBJECT;

	if (want_object ? json_is_object(value) : json_is_array(value))
		*out = json_incref(value);
	else
		json_fault(at->faults, at->pointer, "must be an %s",
			   want_object ? "object" : "array");
}

static void
decode_field(const struct place *at, const struct json_field *field,
	     json_t *value, void *object)
{
	void *member = (char *)object + field->offset;

	switch (field->kind) {
	case JSON_KIND_TEXT:
		decode_text(at, field, value, member);
		break;
	case JSON_KIND_BOOL:
		if (json_is_boolean(value))
			*(bool *)member = json_is_true(value);
		else
			json_fault(at->faults, at->pointer,
				   "must be true or false");
		break;
	case JSON_KIND_INT:
		decode_int(at, field, value, member);
		break;
	case JSON_KIND_NUMBER:
		if (json_is_number(value))
			*(double *)member = json_number_value(value);
		else
			json_fault(at->faults, at->pointer, "must be a number");
		break;
	case JSON_KIND_STRV:
		decode_strv(at, field, value, member);
		break;
	case JSON_KIND_MAP:
		decode_map(at, value, member);
		break;
	case JSON_KIND_OBJECT:
	case JSON_KIND_ARRAY:
		decode_tree(at, field, value, member);
		break;
	case JSON_KIND_ANY:
		if (json_is_null(value))
			json_fault(at->faults, at->pointer, "must not be null");
		else
			*(json_t **)member = json_incref(value);
		break;
	}
}

static const struct json_field *
find_field(const struct json_field *fields, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

void
json_decode(const json_t *json, const char *prefix,
	    const struct json_field *fields, size_t n, void *object,
	    struct json_faults *faults)
{
	const char *key;
	json_t *value;

	if (!json_is_object(json)) {
		json_fault(faults, prefix, "must be an object");
		return;
	}
	json_object_foreach ((json_t *)json, key, value) {
		CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;
		const struct json_field *field = find_field(fields, n, key);

		strbuf_adds(&pointer, prefix);
		json_pointer_add(&pointer, key);
		if (!field)
			json_fault(faults, pointer.buf, "unknown field");
		else
			decode_field(&(struct place){ pointer.buf, faults },
				     field, value, object);
	}
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *pointer = NULL;

		if (!(fields[i].flags & JSON_REQUIRED) ||
		    json_object_get(json, fields[i].name))
			continue;
		pointer = xasprintf("%s/%s", prefix, fields[i].name);
		json_fault(faults, pointer, "is required");
	}
}

void
json_release(const struct json_field *fields, size_t n, void *object)
{
	for (size_t i = 0; i < n; i++) {
		void *member = (char *)object + fields[i].offset;

		switch (fields[i].kind) {
		case JSON_KIND_TEXT:
			free(*(char **)member);
			*(char **)member = NULL;
			break;
		case JSON_KIND_STRV:
			strv_done(member);
			break;
		case JSON_KIND_MAP:
		case JSON_KIND_OBJECT:
		case JSON_KIND_ARRAY:
		case JSON_KIND_ANY:
			json_decref(*(json_t **)member);
			*(json_t **)member = NULL;
			break;
		case JSON_KIND_BOOL:
		case JSON_KIND_INT:
		case JSON_KIND_NUMBER:
			break;
		}
	}
}

void
json_merge_patch(json_t *object, const json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)patch, key, value) {
		json_t *inner = json_object_get(object, key);

		if (json_is_null(value)) {
			(void)json_object_del(object, key);
			continue;
		}
		if (!json_is_object(value)) {
			(void)json_object_set_new(object, key,
						  json_deep_copy(value));
			continue;
		}
		/* Even what is new is merged: a null within it goes. */
		if (!json_is_object(inner)) {
			inner = json_object();
			(void)json_object_set_new(object, key, inner);
		}
		json_merge_patch(inner, value);
	}
}

void
json_set_text(json_t *json, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(json, key, json_string(text));
}

void
json_set_int(json_t *json, const char *key, int64_t value)
{
	(void)json_object_set_new(json, key, json_integer(value));
}

void
json_set_bool(json_t *json, const char *key, bool value)
{
	(void)json_object_set_new(json, key, json_boolean(value));
}

void
json_set_time(json_t *json, const char *key, int64_t realtime_ns)
{
	char text[RFC3339_SIZE];

	json_set_text(json, key, rfc3339_format(realtime_ns, text));
}

const char *
json_get_text(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

int64_t
json_get_int(const json_t *json, const char *key, int64_t fallback)
{
	const json_t *value = json_object_get(json, key);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool
json_get_bool(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}
