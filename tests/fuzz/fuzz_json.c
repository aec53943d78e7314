/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request bodies: what json_parse() accepts it must render as text that it
 * accepts again and renders the same.
 */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *first = NULL;
	cleanup_json json_t *second = NULL;
	cleanup_free char *text = NULL;
	cleanup_free char *again = NULL;

	if (json_parse((const char *)data, size, &first, &err) < 0) {
		assert(err.code != 0 && err.text[0] != '\0');
		return 0;
	}
	text = json_text(first);
	assert(json_parse(text, strlen(text), &second, &err) == 0);
	again = json_text(second);
	assert(strcmp(text, again) == 0);
	return 0;
}
