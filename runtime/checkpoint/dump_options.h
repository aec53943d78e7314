/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What criu is allowed when it dumps, and then must be when it restores:
 *
 *	{"tcp_established": false, "external_unix_sockets": false,
 *	 "shell_job": false, "file_locks": false,
 *	 "empty_namespaces": ["network"],
 *	 "cgroups_mode": "soft|full|strict|ignore"}
 *
 * All optional. To the shim they go as the bits of runtime/shim_proto.h.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/json.h"

/* Members of a request's body, for the table of its fields. */
struct dump_options {
	bool tcp_established;
	bool external_unix_sockets;
	bool shell_job;
	bool file_locks;
	struct strv empty_namespaces;
	char *cgroups_mode;
};

#define DUMP_OPTION_FIELDS(type, member)                                       \
	JSON_BOOL(type, member.tcp_established, "tcp_established", 0),         \
	    JSON_BOOL(type, member.external_unix_sockets,                      \
		      "external_unix_sockets", 0),                             \
	    JSON_BOOL(type, member.shell_job, "shell_job", 0),                 \
	    JSON_BOOL(type, member.file_locks, "file_locks", 0),               \
	    JSON_STRV(type, member.empty_namespaces, "empty_namespaces", 0),   \
	    JSON_TEXT(type, member.cgroups_mode, "cgroups_mode", 0)

/* What no table can say; prefix is the pointer of the object. */
void dump_options_check(const struct dump_options *options, const char *prefix,
			struct json_faults *faults);
/* SHIM_DUMP_… of checked options. */
uint32_t dump_options_flags(const struct dump_options *options);

/* The same of a document; flags of a faulty one are 0. */
uint32_t dump_options_decode(const json_t *json, const char *prefix,
			     struct json_faults *faults);
json_t *dump_options_json(uint32_t flags);
