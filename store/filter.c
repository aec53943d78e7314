/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of lists.
 */
#include "config.h"

#include "store/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/strbuf.h"

struct condition {
	const char *object; /* that the key is a member of, or NULL */
	char *key;
	char *value; /* NULL: whatever it is */
	bool is_negated;
};

/* One filter, and those that were there before it. */
struct filters {
	struct filters *next;
	struct condition *conditions;
	size_t n;
};

void
filters_free(struct filters *filters)
{
	while (filters) {
		struct filters *next = filters->next;

		for (size_t i = 0; i < filters->n; i++) {
			free(filters->conditions[i].key);
			free(filters->conditions[i].value);
		}
		free(filters->conditions);
		free(filters);
		filters = next;
	}
}

/* --- parsing -------------------------------------------------------------- */

/* Without the quotes around it, if any. */
static char *
unquoted(const char *text, size_t len)
{
	if (len >= 2 && text[0] == '"' && text[len - 1] == '"')
		return xstrndup(text + 1, len - 2);
	return xstrndup(text, len);
}

static int
unknown_field(const struct filter_field *fields, const char *name, size_t len,
	      struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf known = STRBUF_INIT;

	for (const struct filter_field *field = fields; field->name; field++) {
		bool is_group = field->name[strlen(field->name) - 1] == '.';

		strbuf_addf(&known, "%s%s%s", known.len ? ", " : "",
			    field->name, is_group ? "…" : "");
	}
	return err_set(err, SKIFF_INVALID_ARGUMENT,
		       "filter: \"%.*s\" is none of %s", (int)len, name,
		       known.buf);
}

static int
take_field(const struct filter_field *fields, const char *name, size_t len,
	   struct condition *condition, struct skiff_error *err)
{
	for (const struct filter_field *field = fields; field->name; field++) {
		size_t n = strlen(field->name);
		bool is_group = field->name[n - 1] == '.';

		if (len < n || strncmp(name, field->name, n) != 0 ||
		    (is_group ? len == n : len != n))
			continue;
		condition->object = field->object;
		condition->key =
		    is_group ? unquoted(name + n, len - n)
			     : xstrdup(field->key ? field->key : field->name);
		return 0;
	}
	return unknown_field(fields, name, len, err);
}

/* Up to the first of these outside of quotes. */
static size_t
length_before(const char *text, size_t len, const char *ends)
{
	bool is_quoted = false;
	size_t i;

	for (i = 0; i < len && (is_quoted || !strchr(ends, text[i])); i++)
		if (text[i] == '"')
			is_quoted = !is_quoted;
	return i;
}

static int
take_condition(const struct filter_field *fields, const char *text, size_t len,
	       struct condition *condition, struct skiff_error *err)
{
	size_t name_len = length_before(text, len, "=!");

	if (name_len == len && len > 0)
		return take_field(fields, text, len, condition, err);
	if (name_len == 0 || name_len + 2 > len || text[name_len + 1] != '=')
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "filter \"%.*s\" is not field==value, "
			       "field!=value or field",
			       (int)len, text);
	condition->is_negated = text[name_len] == '!';
	condition->value = unquoted(text + name_len + 2, len - name_len - 2);
	return take_field(fields, text, name_len, condition, err);
}

int
filters_add(struct filters **filters, const struct filter_field *fields,
	    const char *text, struct skiff_error *err)
{
	CLEANUP(filters_freep)
	struct filters *filter = xcalloc(1, sizeof(*filter));
	size_t n = 1;
	size_t len;

	for (const char *p = text; *p; p++)
		n += *p == ',';
	filter->conditions = xcalloc(n, sizeof(struct condition));
	for (;; text += len + 1) {
		len = length_before(text, strlen(text), ",");
		if (take_condition(fields, text, len,
				   &filter->conditions[filter->n++], err) < 0)
			return -1;
		if (!text[len])
			break;
	}
	filter->next = *filters;
	*filters = STEAL_PTR(filter);
	return 0;
}

/* --- matching ------------------------------------------------------------- */

static bool
equals(const json_t *value, const char *text)
{
	const char *own = json_string_value(value);
	json_t *item;
	size_t i;

	json_array_foreach (value, i, item)
		if (equals(item, text))
			return true;
	return !json_is_array(value) && strcmp(own ? own : "", text) == 0;
}

static bool
is_there(const json_t *value)
{
	return json_is_array(value) ? json_array_size(value) > 0
				    : !equals(value, "");
}

static bool
holds(const struct condition *condition, const json_t *object)
{
	const json_t *value;

	if (condition->object)
		object = json_object_get(object, condition->object);
	value = json_object_get(object, condition->key);
	if (!condition->value)
		return is_there(value);
	return equals(value, condition->value) != condition->is_negated;
}

bool
filters_match(const struct filters *filters, const json_t *object)
{
	if (!filters)
		return true;
	for (const struct filters *f = filters; f; f = f->next) {
		size_t i = 0;

		while (i < f->n && holds(&f->conditions[i], object))
			i++;
		if (i == f->n)
			return true;
	}
	return false;
}
