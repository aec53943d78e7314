/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames between daemon and shim: what shim_decode() takes, shim_encode()
 * gives back as a frame that decodes to the same; the record files' texts
 * go through their parsers as well.
 */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/shim_proto.h"
#include "tests/fuzz/fuzz.h"

static void
parse_texts(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	struct skiff_error err = ERROR_INIT;
	struct shim_identity who;
	struct shim_exit e;
	char again[SHIM_TEXT_MAX];

	if (shim_exit_parse(text, &e, &err) == 0) {
		struct shim_exit copy;

		assert(shim_exit_format(&e, again) < sizeof(again));
		assert(shim_exit_parse(again, &copy, &err) == 0);
		assert(copy.status == e.status && copy.pid == e.pid);
	}
	if (shim_identity_parse(text, &who, &err) == 0)
		assert(shim_identity_format(&who, again) < sizeof(again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char first[SHIM_FRAME_MAX];
	static unsigned char second[SHIM_FRAME_MAX];
	struct skiff_error err = ERROR_INIT;
	struct shim_message m;
	size_t n;

	parse_texts(data, size);
	if (size > SHIM_FRAME_MAX)
		return 0;
	if (shim_decode(data, size, &m, &err) < 0) {
		assert(err.code == SKIFF_INVALID_ARGUMENT);
		return 0;
	}
	if (m.type == SHIM_ERROR)
		assert(shim_error_from_message(&m, &err) == -1);
	n = shim_encode(&m, first, sizeof(first));
	assert(n >= SHIM_HEADER_SIZE && n <= size);
	assert(shim_decode(first, n, &m, &err) == 0);
	assert(shim_encode(&m, second, sizeof(second)) == n);
	assert(memcmp(first, second, n) == 0);
	return 0;
}
