/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: what is accepted has a normalised form that is
 * accepted again and stays as it is.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "store/registry/reference.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	CLEANUP(reference_done) struct reference first = { 0 };
	CLEANUP(reference_done) struct reference second = { 0 };
	struct skiff_error err = ERROR_INIT;

	if (reference_parse(text, &first, &err) < 0) {
		assert(err.code == SKIFF_INVALID_ARGUMENT && err.text[0]);
		return 0;
	}
	assert(first.tag || first.has_digest);
	assert(!strstr(first.path, "..") && first.path[0] != '/');
	(void)host_is_loopback(first.host);
	assert(reference_parse(first.text, &second, &err) == 0);
	assert(strcmp(first.text, second.text) == 0);
	return 0;
}
