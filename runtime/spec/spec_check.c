/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's own spec: kept as it is, once it is known to be one, to be of
 * a sane size, and to start nothing on the host.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/wishes.h"

struct checked {
	const json_t *spec;
	const char *prefix;
	struct json_faults *faults;
};

static void __attribute__((format(printf, 3, 4)))
fault(const struct checked *check, const char *pointer, const char *format, ...)
{
	cleanup_free char *whole = xasprintf("%s%s", check->prefix, pointer);
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_fault(check->faults, whole, "%s", text);
}

/* The object at key, or NULL; another type is a fault. */
static const json_t *
object_at(const struct checked *check, const char *key)
{
	const json_t *value = json_object_get(check->spec, key);
	char pointer[64];

	if (!value || json_is_object(value))
		return value;
	(void)snprintf(pointer, sizeof(pointer), "/%s", key);
	fault(check, pointer, "must be an object");
	return NULL;
}

static void
check_process(const struct checked *check)
{
	const json_t *process = object_at(check, "process");
	const json_t *args = json_object_get(process, "args");
	const json_t *cwd = json_object_get(process, "cwd");
	json_t *item;
	size_t i;

	if (!json_object_get(check->spec, "process"))
		fault(check, "/process", "is required");
	if (!process)
		return;
	if (json_array_size(args) == 0)
		fault(check, "/process/args", "must hold a command");
	json_array_foreach (args, i, item)
		if (!json_is_string(item))
			fault(check, "/process/args",
			      "must be an array of strings");
	if (!json_is_string(cwd) || path_fault(json_string_value(cwd)))
		fault(check, "/process/cwd", "must be an absolute path");
	else if (path_is_below(json_string_value(cwd), "/proc"))
		fault(check, "/process/cwd", "must not be in /proc");
}

static void
check_mounts(const struct checked *check)
{
	const json_t *mounts = json_object_get(check->spec, "mounts");
	json_t *mount;
	size_t i;

	if (mounts && !json_is_array(mounts)) {
		fault(check, "/mounts", "must be an array");
		return;
	}
	if (json_array_size(mounts) > MOUNTS_MAX) {
		fault(check, "/mounts", "more than %d mounts", MOUNTS_MAX);
		return;
	}
	json_array_foreach (mounts, i, mount) {
		const char *target = json_get_text(mount, "destination");
		const char *wrong = path_fault(target);
		char pointer[64];

		if (!wrong)
			continue;
		(void)snprintf(pointer, sizeof(pointer),
			       "/mounts/%zu/destination", i);
		fault(check, pointer, "%s", wrong);
	}
}

static void
check_linux(const struct checked *check)
{
	const json_t *linux_part = object_at(check, "linux");
	const json_t *path = json_object_get(linux_part, "cgroupsPath");

	if (path &&
	    (!json_is_string(path) || path_fault(json_string_value(path))))
		fault(check, "/linux/cgroupsPath", "must be an absolute path");
}

void
spec_check(const json_t *spec, const char *prefix, struct json_faults *faults)
{
	const struct checked check = { spec, prefix, faults };
	cleanup_free char *text = NULL;

	if (!json_is_object(spec)) {
		fault(&check, "", "must be an object");
		return;
	}
	text = json_text(spec);
	if (strlen(text) > SPEC_MAX_BYTES)
		fault(&check, "", "is larger than %d bytes", SPEC_MAX_BYTES);
	if (!*json_get_text(spec, "ociVersion"))
		fault(&check, "/ociVersion", "is required");
	/* They run on the host, as root. */
	if (json_object_get(spec, "hooks"))
		fault(&check, "/hooks", "hooks are not accepted");
	(void)object_at(&check, "root");
	check_process(&check);
	check_mounts(&check);
	check_linux(&check);
}
