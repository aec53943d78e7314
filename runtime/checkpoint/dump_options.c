/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a dump: from JSON to the shim's bits, and back.
 */
#include "config.h"

#include "runtime/checkpoint/dump_options.h"

#include <string.h>

#include "base/alloc.h"
#include "runtime/shim_proto.h"

struct document {
	struct dump_options dump;
};

static const struct json_field fields[] = {
	DUMP_OPTION_FIELDS(struct document, dump),
};

static const char *const cgroups_modes[] = {
	[SHIM_CGROUPS_SOFT] = "soft",
	[SHIM_CGROUPS_FULL] = "full",
	[SHIM_CGROUPS_STRICT] = "strict",
	[SHIM_CGROUPS_IGNORE] = "ignore",
};

/* 0: none of that name. */
static uint32_t
cgroups_mode(const char *name)
{
	for (uint32_t i = 1; i < ARRAY_SIZE(cgroups_modes); i++)
		if (strcmp(cgroups_modes[i], name) == 0)
			return i;
	return 0;
}

void
dump_options_check(const struct dump_options *options, const char *prefix,
		   struct json_faults *faults)
{
	cleanup_free char *pointer = xasprintf("%s/empty_namespaces", prefix);
	cleanup_free char *mode = xasprintf("%s/cgroups_mode", prefix);

	for (size_t i = 0; i < options->empty_namespaces.n; i++)
		if (strcmp(options->empty_namespaces.items[i], "network") != 0)
			json_fault(faults, pointer,
				   "only \"network\" can be left out");
	if (options->cgroups_mode && !cgroups_mode(options->cgroups_mode))
		json_fault(faults, mode,
			   "must be soft, full, strict or ignore");
}

uint32_t
dump_options_flags(const struct dump_options *options)
{
	uint32_t flags = 0;

	if (options->tcp_established)
		flags |= SHIM_DUMP_TCP_ESTABLISHED;
	if (options->external_unix_sockets)
		flags |= SHIM_DUMP_EXTERNAL_UNIX;
	if (options->shell_job)
		flags |= SHIM_DUMP_SHELL_JOB;
	if (options->file_locks)
		flags |= SHIM_DUMP_FILE_LOCKS;
	if (options->empty_namespaces.n > 0)
		flags |= SHIM_DUMP_EMPTY_NETWORK;
	if (options->cgroups_mode)
		flags |= cgroups_mode(options->cgroups_mode)
			 << SHIM_DUMP_CGROUPS_SHIFT;
	return flags;
}

uint32_t
dump_options_decode(const json_t *json, const char *prefix,
		    struct json_faults *faults)
{
	struct document document = { 0 };
	uint32_t flags = 0;

	json_decode(json, prefix, fields, ARRAY_SIZE(fields), &document,
		    faults);
	dump_options_check(&document.dump, prefix, faults);
	if (!faults->list)
		flags = dump_options_flags(&document.dump);
	json_release(fields, ARRAY_SIZE(fields), &document);
	return flags;
}

json_t *
dump_options_json(uint32_t flags)
{
	uint32_t mode = flags >> SHIM_DUMP_CGROUPS_SHIFT;
	json_t *json = json_object();

	json_set_bool(json, "tcp_established",
		      flags & SHIM_DUMP_TCP_ESTABLISHED);
	json_set_bool(json, "external_unix_sockets",
		      flags & SHIM_DUMP_EXTERNAL_UNIX);
	json_set_bool(json, "shell_job", flags & SHIM_DUMP_SHELL_JOB);
	json_set_bool(json, "file_locks", flags & SHIM_DUMP_FILE_LOCKS);
	if (flags & SHIM_DUMP_EMPTY_NETWORK)
		(void)json_object_set_new(json, "empty_namespaces",
					  json_pack("[s]", "network"));
	if (mode > 0 && mode < ARRAY_SIZE(cgroups_modes))
		json_set_text(json, "cgroups_mode", cgroups_modes[mode]);
	return json;
}
