/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Foreign JSON: a pass of yajl that counts, then a jansson tree (which
 * needs up to 75 times the text, hence the count).
 */
#include "config.h"

#include "store/registry/document.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/cleanup.h"
#include "base/json.h"

struct count {
	const struct document_kind *kind;
	size_t n_values;
	int depth;
	bool is_deep;
};

static int
count_value(void *arg)
{
	struct count *count = arg;

	return ++count->n_values <= count->kind->values_max;
}

static int
count_bool(void *arg, int value)
{
	(void)value;
	return count_value(arg);
}

static int
count_number(void *arg, const char *text, size_t len)
{
	(void)text;
	(void)len;
	return count_value(arg);
}

static int
count_text(void *arg, const unsigned char *text, size_t len)
{
	(void)text;
	(void)len;
	return count_value(arg);
}

static int
count_start(void *arg)
{
	struct count *count = arg;

	count->is_deep = ++count->depth > count->kind->depth_max;
	return !count->is_deep && count_value(arg);
}

static int
count_end(void *arg)
{
	((struct count *)arg)->depth--;
	return 1;
}

static const yajl_callbacks count_callbacks = {
	.yajl_null = count_value,
	.yajl_boolean = count_bool,
	.yajl_number = count_number,
	.yajl_string = count_text,
	.yajl_start_map = count_start,
	.yajl_map_key = count_text,
	.yajl_end_map = count_end,
	.yajl_start_array = count_start,
	.yajl_end_array = count_end,
};

static int
fault(const struct document_kind *kind, struct skiff_error *err,
      const char *text)
{
	(void)err_set(err, SKIFF_INVALID_ARGUMENT, "%s: %s", kind->name, text);
	return err_reason(err, kind->reason);
}

static int
check_limits(const struct document_kind *kind, const char *text, size_t len,
	     struct skiff_error *err)
{
	struct count count = { .kind = kind };
	yajl_handle yajl;
	yajl_status status;

	if (len > kind->bytes_max)
		return fault(kind, err, "it is too large");
	yajl = yajl_alloc(&count_callbacks, NULL, &count);
	status = yajl_parse(yajl, (const unsigned char *)text, len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(yajl);
	yajl_free(yajl);
	if (status == yajl_status_ok)
		return 0;
	if (status == yajl_status_error)
		return fault(kind, err, "malformed JSON");
	return fault(kind, err,
		     count.is_deep ? "it is nested too deeply"
				   : "it has too many values");
}

int
document_parse(const struct document_kind *kind, const char *text, size_t len,
	       json_t **ret_json, struct skiff_error *err)
{
	cleanup_json json_t *json = NULL;

	if (check_limits(kind, text, len, err) < 0)
		return -1;
	if (json_parse(text, len, &json, err) < 0) {
		(void)err_wrap(err, "%s", kind->name);
		return err_reason(err, kind->reason);
	}
	if (!json_is_object(json))
		return fault(kind, err, "it is not a JSON object");
	*ret_json = STEAL_PTR(json);
	return 0;
}

struct node
node_root(const struct document_kind *kind, const json_t *json)
{
	return (struct node){ .kind = kind, .json = json };
}

int
node_fault(const struct node *node, const char *key, struct skiff_error *err,
	   const char *format, ...)
{
	char pointer[160];
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)snprintf(pointer, sizeof(pointer), "%s%s%s", node->pointer,
		       key ? "/" : "", key ? key : "");
	(void)err_set(err, SKIFF_INVALID_ARGUMENT, "%s: %s %s",
		      node->kind->name, pointer, text);
	(void)err_reason(err, node->kind->reason);
	return err_field(err, pointer);
}

/* The value of the type wanted; 0 and -1 as the header has it. */
static int
get(const struct node *node, const char *key, json_type type, bool is_required,
    const json_t **ret, struct skiff_error *err)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",
		[JSON_INTEGER] = "an integer",
	};
	const json_t *value = json_object_get(node->json, key);

	if (json_is_null(value) && node->kind->null_is_absent)
		value = NULL;
	if (!value && is_required)
		return node_fault(node, key, err, "is missing");
	if (!value)
		return 0;
	if (json_typeof(value) != type)
		return node_fault(node, key, err, "must be %s", names[type]);
	*ret = value;
	return 1;
}

int
node_text(const struct node *node, const char *key, bool is_required,
	  const char **ret_text, struct skiff_error *err)
{
	const json_t *value = NULL;
	int r = get(node, key, JSON_STRING, is_required, &value, err);

	if (r == 1)
		*ret_text = json_string_value(value);
	return r;
}

int
node_int(const struct node *node, const char *key, int64_t max,
	 int64_t *ret_value, struct skiff_error *err)
{
	const json_t *value = NULL;
	int64_t number;

	if (get(node, key, JSON_INTEGER, true, &value, err) != 1)
		return -1;
	number = json_integer_value(value);
	if (number < 0 || number > max)
		return node_fault(node, key, err,
				  "must be between 0 and %" PRId64, max);
	*ret_value = number;
	return 1;
}

int
node_digest(const struct node *node, const char *key, struct digest *ret_digest,
	    struct skiff_error *err)
{
	struct skiff_error digest_err = ERROR_INIT;
	const char *text;

	if (node_text(node, key, true, &text, err) != 1)
		return -1;
	if (digest_parse(text, ret_digest, &digest_err) < 0)
		return node_fault(node, key, err, "%s", digest_err.text);
	return 1;
}

static struct node
child(const struct node *node, const char *key, const json_t *json)
{
	struct node child = { .kind = node->kind, .json = json };

	(void)snprintf(child.pointer, sizeof(child.pointer), "%.60s/%.32s",
		       node->pointer, key);
	return child;
}

int
node_object(const struct node *node, const char *key, bool is_required,
	    struct node *ret_node, struct skiff_error *err)
{
	const json_t *value = NULL;
	int r = get(node, key, JSON_OBJECT, is_required, &value, err);

	if (r == 1)
		*ret_node = child(node, key, value);
	return r;
}

int
node_array(const struct node *node, const char *key, bool is_required,
	   size_t max, struct node *ret_node, struct skiff_error *err)
{
	const json_t *value = NULL;
	int r = get(node, key, JSON_ARRAY, is_required, &value, err);

	if (r != 1)
		return r;
	if (json_array_size(value) > max)
		return node_fault(node, key, err, "has more than %zu items",
				  max);
	*ret_node = child(node, key, value);
	return 1;
}

int
node_item(const struct node *array, size_t i, struct node *ret_node,
	  struct skiff_error *err)
{
	const json_t *item = json_array_get(array->json, i);
	char key[24];

	(void)snprintf(key, sizeof(key), "%zu", i);
	if (!json_is_object(item))
		return node_fault(array, key, err, "must be an object");
	*ret_node = child(array, key, item);
	return 1;
}

int
node_strv(const struct node *node, const char *key, size_t max,
	  struct strv *ret_strv, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv strv = STRV_INIT;
	struct node array = { 0 };
	const json_t *item;
	size_t i;
	int r = node_array(node, key, false, max, &array, err);

	if (r != 1)
		return r;
	json_array_foreach (array.json, i, item) {
		char index[24];

		(void)snprintf(index, sizeof(index), "%zu", i);
		if (!json_is_string(item))
			return node_fault(&array, index, err,
					  "must be a string");
		strv_add(&strv, json_string_value(item));
	}
	*ret_strv = strv;
	strv = (struct strv)STRV_INIT;
	return 1;
}

int
node_map(const struct node *node, const char *key, const json_t **ret_map,
	 struct skiff_error *err)
{
	struct node object;
	const char *name;
	json_t *value;
	int r = node_object(node, key, false, &object, err);

	if (r != 1)
		return r;
	json_object_foreach ((json_t *)(uintptr_t)object.json, name, value)
		if (!json_is_string(value))
			return node_fault(&object, name, err,
					  "must be a string");
	*ret_map = object.json;
	return 1;
}
