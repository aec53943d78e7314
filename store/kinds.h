/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What tells the kinds of record apart: their names, and what the events
 * of their changes say.
 */
#include <jansson.h>

#include "store/record.h"

/* One verb a change, unless the caller has a better one. */
enum change_type { CHANGE_CREATE, CHANGE_UPDATE, CHANGE_DELETE, N_CHANGES };

/* The last part of a change's topic. */
const char *kind_verb(enum record_kind kind, enum change_type type);

/* The part of a record's key that people know. */
const char *kind_label_of_key(enum record_kind kind, const char *key);

/*
 * The event of a change of a record, from the kind's table: "topic" and
 * "type" are owned by the caller, as is the payload.
 */
json_t *kind_payload(const struct record_ref *ref, enum change_type type,
		     const json_t *object);
char *kind_topic(enum record_kind kind, const char *verb);
/* "exec-added" of a task is "TaskExecAdded". */
char *kind_type(enum record_kind kind, const char *verb);
