/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WWW-Authenticate: what is read has a scheme, and a Bearer has a realm.
 */
#include "config.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "store/registry/challenge.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *line = xstrndup((const char *)data, size);
	CLEANUP(challenge_done) struct challenge challenge = { 0 };

	if (challenge_parse(line, &challenge))
		assert(
		    challenge.scheme == CHALLENGE_BASIC ||
		    (challenge.scheme == CHALLENGE_BEARER && challenge.realm));
	return 0;
}
