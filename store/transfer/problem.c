/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Problems of operations. Errors hold reason and kind as static texts, so
 * on the way back those are looked up in a list that only grows; the
 * program itself has made each of them once, which bounds it.
 */
#include "config.h"

#include "store/transfer/problem.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/strv.h"

#define TEXTS_MAX 256

static struct lock texts_lock = LOCK_INIT(LOCK_RANK_LEAF);
static struct strv texts = STRV_INIT; /* guarded by texts_lock */

json_t *
problem_from_error(const struct skiff_error *err)
{
	json_t *problem = json_object();

	json_set_text(problem, "type", "about:blank");
	json_set_text(problem, "title", err_code_title(err->code));
	json_set_int(problem, "status", err_code_status(err->code));
	json_set_text(problem, "code", err_code_name(err->code));
	json_set_text(problem, "reason", err->reason);
	json_set_text(problem, "detail", err->text);
	if (err->kind) {
		json_t *object = json_object();

		json_set_text(object, "kind", err->kind);
		json_set_text(object, "id", err->id);
		(void)json_object_set_new(problem, "object", object);
	}
	if (*err->field)
		json_set_text(problem, "field", err->field);
	if (err->upstream_status)
		json_set_int(problem, "upstream_status", err->upstream_status);
	return problem;
}

/* A text that lives as long as the program; NULL for "". */
static const char *
static_text(const char *text)
{
	LOCK_SCOPE(&texts_lock);

	if (!*text)
		return NULL;
	for (size_t i = 0; i < texts.n; i++)
		if (strcmp(texts.items[i], text) == 0)
			return texts.items[i];
	if (texts.n >= TEXTS_MAX)
		return NULL;
	/* The vector may move; the text itself stays. */
	strv_add(&texts, text);
	return texts.items[texts.n - 1];
}

int
problem_to_error(const json_t *problem, struct skiff_error *err)
{
	const json_t *object = json_object_get(problem, "object");
	enum skiff_code code =
	    err_code_from_name(json_get_text(problem, "code"));

	(void)err_set(err, code, "%s", json_get_text(problem, "detail"));
	err->reason = static_text(json_get_text(problem, "reason"));
	err->upstream_status = (int)json_get_int(problem, "upstream_status", 0);
	(void)err_field(err, json_get_text(problem, "field"));
	if (object) {
		err->kind = static_text(json_get_text(object, "kind"));
		(void)snprintf(err->id, sizeof(err->id), "%s",
			       json_get_text(object, "id"));
	}
	return -1;
}
