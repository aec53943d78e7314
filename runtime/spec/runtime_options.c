/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "runtime/spec/runtime_options.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define RUNTIME_ARGS_MAX 32

struct runtime_options {
	struct strv args;
};

static const struct json_field option_fields[] = {
	JSON_STRV(struct runtime_options, args, "args", 0),
};

static const char *
fault_of(const char *arg)
{
	static const char *const own[] = { "-root", "-log", "-log-format" };
	size_t dashes = strspn(arg, "-");

	if (dashes == 0 || !arg[dashes])
		return "must be an option, such as --debug";
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		size_t len = strlen(own[i]);

		if (strncmp(arg + dashes - 1, own[i], len) == 0 &&
		    (arg[dashes - 1 + len] == '=' || !arg[dashes - 1 + len]))
			return "is the daemon's own to give";
	}
	return NULL;
}

void
runtime_options_decode(const json_t *json, const char *pointer,
		       struct strv *ret_args, struct json_faults *faults)
{
	cleanup_free char *args = xasprintf("%s/args", pointer);
	struct runtime_options options = { 0 };

	if (json)
		json_decode(json, pointer, option_fields,
			    ARRAY_SIZE(option_fields), &options, faults);
	if (options.args.n > RUNTIME_ARGS_MAX)
		json_fault(faults, args, "more than %d arguments",
			   RUNTIME_ARGS_MAX);
	for (size_t i = 0; i < options.args.n; i++) {
		const char *fault = fault_of(options.args.items[i]);
		cleanup_free char *place = xasprintf("%s/%zu", args, i);

		if (fault)
			json_fault(faults, place, "%s", fault);
	}
	*ret_args = options.args;
}
