/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing the spec that a checkpoint was made under with the one it is
 * to be restored under (OCI runtime-spec, config.md).
 */
#include "config.h"

#include "runtime/checkpoint/rights.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"

static const char *const free_pointers[] = {
	"/ociVersion",
	"/hostname",
	"/domainname",
	"/annotations",
	"/hooks",
	"/process/args",
	"/process/env",
	"/process/cwd",
	"/process/terminal",
	"/process/commandLine",
	"/process/consoleSize",
	"/process/oomScoreAdj",
	"/linux/cgroupsPath",
	"/linux/resources",
};

static bool
is_free(const char *pointer)
{
	size_t len = strlen(pointer);

	for (size_t i = 0; i < ARRAY_SIZE(free_pointers); i++)
		if (strcmp(free_pointers[i], pointer) == 0)
			return true;
	return strncmp(pointer, "/mounts/", 8) == 0 && len > 7 &&
	       strcmp(pointer + len - 7, "/source") == 0;
}

static void
cut(struct strbuf *pointer, size_t len)
{
	pointer->len = len;
	pointer->buf[len] = '\0';
}

static bool differ(const json_t *a, const json_t *b, struct strbuf *pointer);

/* Leaves pointer at the difference. */
static bool
member_differs(const json_t *a, const json_t *b, const char *key,
	       struct strbuf *pointer)
{
	size_t len = pointer->len;

	json_pointer_add(pointer, key);
	if (!is_free(pointer->buf) &&
	    differ(json_object_get(a, key), json_object_get(b, key), pointer))
		return true;
	cut(pointer, len);
	return false;
}

static bool
objects_differ(const json_t *a, const json_t *b, struct strbuf *pointer)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)a, key, value)
		if (member_differs(a, b, key, pointer))
			return true;
	json_object_foreach ((json_t *)b, key, value)
		if (!json_object_get(a, key) &&
		    member_differs(a, b, key, pointer))
			return true;
	return false;
}

static bool
arrays_differ(const json_t *a, const json_t *b, struct strbuf *pointer)
{
	size_t len = pointer->len;

	if (json_array_size(a) != json_array_size(b))
		return true;
	for (size_t i = 0; i < json_array_size(a); i++) {
		strbuf_addf(pointer, "/%zu", i);
		if (differ(json_array_get(a, i), json_array_get(b, i), pointer))
			return true;
		cut(pointer, len);
	}
	return false;
}

/* Documents were parsed with a bound on their depth. */
static bool
differ(const json_t *a, const json_t *b, struct strbuf *pointer)
{
	if (!a || !b || json_typeof(a) != json_typeof(b))
		return a != b;
	if (json_is_object(a))
		return objects_differ(a, b, pointer);
	if (json_is_array(a))
		return arrays_differ(a, b, pointer);
	return !json_equal(a, b);
}

int
checkpoint_compare_specs(const json_t *was, const json_t *is,
			 struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;

	if (!differ(was, is, &pointer))
		return 0;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "the container's spec is another one than that of the "
		      "checkpointed: %.200s",
		      pointer.len > 0 ? pointer.buf : "/");
	return err_reason(err, "checkpoint_mismatch");
}
