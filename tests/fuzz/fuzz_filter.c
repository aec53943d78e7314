/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of lists: a text is one, or an error of the client; what one
 * matches it matches beside others, too.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "store/filter.h"
#include "tests/fuzz/fuzz.h"

static const struct filter_field fields[] = {
	{ .name = "id" },
	{ .name = "version", .object = "exports" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	CLEANUP(filters_freep) struct filters *filters = NULL;
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *object =
	    json_pack("{s:s, s:{s:s}, s:{s:s}}", "id", "a", "exports",
		      "version", "1", "labels", "b", "c");

	if (filters_add(&filters, fields, text, &err) < 0) {
		assert(err.code == SKIFF_INVALID_ARGUMENT && !filters);
		return 0;
	}
	/* Any may match: one more makes it no less. */
	if (filters_match(filters, object)) {
		assert(filters_add(&filters, fields, "id==z", &err) == 0);
		assert(filters_match(filters, object));
	}
	return 0;
}
