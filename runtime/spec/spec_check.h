/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Shared by the files that check a client's own spec.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct host;

struct checked {
	const json_t *spec;
	const char *prefix;
	const struct host *host;
	struct json_faults *faults;
};

void checked_fault(const struct checked *check, const char *pointer,
		   const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * The object or array at key of parent, itself at the pointer in; NULL when
 * it is absent. Another type is a fault.
 */
const json_t *checked_object(const struct checked *check, const json_t *parent,
			     const char *in, const char *key);
const json_t *checked_array(const struct checked *check, const json_t *parent,
			    const char *in, const char *key);

/* spec_check_linux.c: mounts and everything below /linux. */
void spec_check_mounts(const struct checked *check);
void spec_check_linux(const struct checked *check);
