/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's own spec: kept as it is, once it is known to be one, to be of
 * a sane size, to start nothing on the host, and to hold nothing by which
 * runtimes were led astray before.
 */
#include "config.h"

#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/bind_root.h"
#include "runtime/spec/caps.h"
#include "runtime/spec/host.h"
#include "runtime/spec/rules.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/spec_check.h"
#include "runtime/spec/wishes.h"

#define UID_MAX INT64_C(4294967294)

void
checked_fault(const struct checked *check, const char *pointer,
	      const char *format, ...)
{
	cleanup_free char *whole = xasprintf("%s%s", check->prefix, pointer);
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_fault(check->faults, whole, "%s", text);
}

const json_t *
checked_object(const struct checked *check, const json_t *parent,
	       const char *in, const char *key)
{
	const json_t *value = json_object_get(parent, key);
	cleanup_free char *pointer = NULL;

	if (!value || json_is_object(value))
		return value;
	pointer = xasprintf("%s/%s", in, key);
	checked_fault(check, pointer, "must be an object");
	return NULL;
}

const json_t *
checked_array(const struct checked *check, const json_t *parent, const char *in,
	      const char *key)
{
	const json_t *value = json_object_get(parent, key);
	cleanup_free char *pointer = NULL;

	if (!value || json_is_array(value))
		return value;
	pointer = xasprintf("%s/%s", in, key);
	checked_fault(check, pointer, "must be an array");
	return NULL;
}

/* --- process ----------------------------------------------------------- */

static void
check_id(const struct checked *check, const json_t *value, const char *pointer)
{
	if (value &&
	    (!json_is_integer(value) || json_integer_value(value) < 0 ||
	     json_integer_value(value) > UID_MAX))
		checked_fault(check, pointer,
			      "must be an integer from 0 to 4294967294");
}

static void
check_user(const struct checked *check, const json_t *process)
{
	const json_t *user = checked_object(check, process, "/process", "user");
	const json_t *groups =
	    checked_array(check, user, "/process/user", "additionalGids");
	json_t *group;
	size_t i;

	check_id(check, json_object_get(user, "uid"), "/process/user/uid");
	check_id(check, json_object_get(user, "gid"), "/process/user/gid");
	json_array_foreach (groups, i, group) {
		cleanup_free char *pointer =
		    xasprintf("/process/user/additionalGids/%zu", i);

		check_id(check, group, pointer);
	}
}

static void
check_words(const struct checked *check, const json_t *process, const char *key)
{
	const json_t *words = checked_array(check, process, "/process", key);
	json_t *word;
	size_t i;

	json_array_foreach (words, i, word) {
		cleanup_free char *pointer =
		    xasprintf("/process/%s/%zu", key, i);

		if (!json_is_string(word))
			checked_fault(check, pointer, "must be a string");
		else if (json_string_length(word) > ARG_BYTES_MAX)
			checked_fault(check, pointer, "is longer than %d bytes",
				      ARG_BYTES_MAX);
		else if (strcmp(key, "env") == 0 &&
			 !strchr(json_string_value(word), '='))
			checked_fault(check, pointer, "must be NAME=VALUE");
	}
}

static void
check_rlimit(const struct checked *check, const json_t *limit,
	     const char *pointer, uint32_t *seen)
{
	const json_t *soft = json_object_get(limit, "soft");
	const json_t *hard = json_object_get(limit, "hard");
	int number = rlimit_number(json_get_text(limit, "type"));

	if (number < 0) {
		checked_fault(check, pointer, "no such limit");
		return;
	}
	if (*seen & 1U << number)
		checked_fault(check, pointer, "is there twice");
	*seen |= 1U << number;
	if (!json_is_integer(soft) || !json_is_integer(hard) ||
	    json_integer_value(soft) < 0 ||
	    json_integer_value(soft) > json_integer_value(hard))
		checked_fault(check, pointer,
			      "soft and hard must be integers, and soft not "
			      "more than hard");
	else if (!rlimit_is_possible(check->host, number,
				     json_integer_value(hard)))
		checked_fault(check, pointer,
			      "hard exceeds the daemon's own limit, which it "
			      "may not raise");
}

static void
check_rlimits(const struct checked *check, const json_t *process)
{
	const json_t *limits =
	    checked_array(check, process, "/process", "rlimits");
	uint32_t seen = 0;
	json_t *limit;
	size_t i;

	json_array_foreach (limits, i, limit) {
		cleanup_free char *pointer =
		    xasprintf("/process/rlimits/%zu", i);

		check_rlimit(check, limit, pointer, &seen);
	}
}

static void
check_oom_score(const struct checked *check, const json_t *process)
{
	const json_t *score = json_object_get(process, "oomScoreAdj");
	int lowest = host_oom_score_min(check->host);

	if (score &&
	    (!json_is_integer(score) || json_integer_value(score) < lowest ||
	     json_integer_value(score) > OOM_SCORE_MAX))
		checked_fault(check, "/process/oomScoreAdj",
			      "must be an integer from %d to %d on this host",
			      lowest, OOM_SCORE_MAX);
}

static void
check_capability_set(const struct checked *check, const char *set,
		     const json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		cleanup_free char *pointer =
		    xasprintf("/process/capabilities/%s/%zu", set, i);
		int number = json_is_string(name)
				 ? cap_number(json_string_value(name))
				 : -1;

		if (number < 0)
			checked_fault(check, pointer, "no such capability");
		else if (!caps_have(check->host->capabilities,
				    (unsigned int)number))
			checked_fault(check, pointer,
				      "the daemon itself does not have it");
	}
}

static void
check_capabilities(const struct checked *check, const json_t *process)
{
	static const char *const sets[] = { "bounding", "effective",
					    "permitted", "inheritable",
					    "ambient" };
	const json_t *caps =
	    checked_object(check, process, "/process", "capabilities");

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		check_capability_set(check, sets[i],
				     checked_array(check, caps,
						   "/process/capabilities",
						   sets[i]));
}

static void
check_process(const struct checked *check)
{
	const json_t *process =
	    checked_object(check, check->spec, "", "process");
	const json_t *cwd = json_object_get(process, "cwd");

	if (!json_object_get(check->spec, "process"))
		checked_fault(check, "/process", "is required");
	if (!process)
		return;
	if (json_array_size(json_object_get(process, "args")) == 0)
		checked_fault(check, "/process/args", "must hold a command");
	if (!json_is_string(cwd) || path_fault(json_string_value(cwd)))
		checked_fault(check, "/process/cwd",
			      "must be an absolute path");
	else if (cwd_fault(json_string_value(cwd)))
		checked_fault(check, "/process/cwd", "%s",
			      cwd_fault(json_string_value(cwd)));
	check_words(check, process, "args");
	check_words(check, process, "env");
	check_user(check, process);
	check_rlimits(check, process);
	check_oom_score(check, process);
	check_capabilities(check, process);
}

/* --- the whole ---------------------------------------------------------- */

static void
check_annotations(const struct checked *check)
{
	const json_t *annotations =
	    checked_object(check, check->spec, "", "annotations");
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)annotations, key, value) {
		CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;
		const char *fault = annotation_fault(key);

		strbuf_adds(&pointer, "/annotations");
		json_pointer_add(&pointer, key);
		if (!json_is_string(value))
			fault = "must be a string";
		if (fault)
			checked_fault(check, pointer.buf, "%s", fault);
	}
}

static void
check_names(const struct checked *check)
{
	static const char *const keys[] = { "hostname", "domainname" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *name = json_object_get(check->spec, keys[i]);
		cleanup_free char *pointer = xasprintf("/%s", keys[i]);

		if (name && (!json_is_string(name) ||
			     (json_string_length(name) &&
			      !hostname_is_valid(json_string_value(name)))))
			checked_fault(check, pointer, "is not a host's name");
	}
}

/* Of a spec's root only the path of its own files may differ. */
static void
check_root(const struct checked *check)
{
	const json_t *root = checked_object(check, check->spec, "", "root");
	const json_t *path = json_object_get(root, "path");
	const char *text = json_string_value(path);
	const char *fault;

	if (!path || (text && strcmp(text, SPEC_ROOT) == 0))
		return;
	if (!text || path_fault(text)) {
		checked_fault(check, "/root/path", "must be an absolute path");
		return;
	}
	fault = mount_source_fault(text, check->host);
	if (!fault && (bind_root_has(check->host, text) ||
		       bind_root_is_led_to(check->host, text)))
		fault = "lies below a --bind-root, where others say what it is";
	if (fault)
		checked_fault(check, "/root/path", "%s", fault);
}

void
spec_check(const json_t *spec, const char *prefix, const struct host *host,
	   struct json_faults *faults)
{
	const struct checked check = { spec, prefix, host, faults };
	cleanup_free char *text = NULL;

	if (!json_is_object(spec)) {
		checked_fault(&check, "", "must be an object");
		return;
	}
	text = json_text(spec);
	if (strlen(text) > SPEC_MAX_BYTES)
		checked_fault(&check, "", "is larger than %d bytes",
			      SPEC_MAX_BYTES);
	if (!*json_get_text(spec, "ociVersion"))
		checked_fault(&check, "/ociVersion", "is required");
	else if (strncmp(json_get_text(spec, "ociVersion"), "1.", 2) != 0)
		checked_fault(&check, "/ociVersion", "must be 1.x");
	/* They run on the host, as root. */
	if (json_object_get(spec, "hooks"))
		checked_fault(&check, "/hooks", "hooks are not accepted");
	check_root(&check);
	check_names(&check);
	check_process(&check);
	check_annotations(&check);
	spec_check_mounts(&check);
	spec_check_linux(&check);
}
