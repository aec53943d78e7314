/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the wishes that are plain texts and lists of them.
 */
#include "config.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/parse.h"
#include "runtime/spec/wishes_internal.h"
#include "store/registry/manifest.h"

#define PATH_BYTES_MAX 4095
#define DURATION_MAX_S INT64_C(86400)

void
wish_fault_at(struct json_faults *faults, const char *field, size_t i,
	      const char *format, ...)
{
	cleanup_free char *pointer = xasprintf("/%s/%zu", field, i);
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_fault(faults, pointer, "%s", text);
}

bool
wish_is_one_of(const char *text, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

bool
path_is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (!path[len] || path[len] == '/');
}

void
path_normalise(char *path)
{
	char *out = path;

	/* What is none has no room for the "/". */
	if (*path != '/')
		return;
	for (const char *c = path; *c;) {
		size_t len;

		c += strspn(c, "/");
		len = strcspn(c, "/");
		if (len > 0 && !(len == 1 && *c == '.')) {
			*out++ = '/';
			memmove(out, c, len);
			out += len;
		}
		c += len;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

const char *
path_fault(const char *path)
{
	if (*path != '/')
		return "must be an absolute path";
	if (strlen(path) > PATH_BYTES_MAX)
		return "is longer than 4095 bytes";
	for (const char *c = path; *c; c++) {
		size_t len;

		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return "must not hold control characters";
		if (*c != '/')
			continue;
		len = strcspn(c + 1, "/");
		if (len == 2 && c[1] == '.' && c[2] == '.')
			return "must not hold \"..\"";
	}
	return NULL;
}

const char *
cwd_fault(const char *path)
{
	cleanup_free char *normal = xstrdup(path);
	const char *fault = path_fault(path);

	path_normalise(normal);
	if (!fault &&
	    (path_is_below(normal, "/proc") || path_is_below(normal, "/sys")))
		fault = "must not be in /proc or /sys";
	return fault;
}

void
wish_check_path(struct json_faults *faults, const char *pointer,
		const char *path)
{
	const char *fault = path ? path_fault(path) : NULL;

	if (fault)
		json_fault(faults, pointer, "%s", fault);
}

/* Whatever the limits of a process are, execve(2) takes no longer one. */
static void
check_lengths(const struct strv *texts, const char *field,
	      struct json_faults *faults)
{
	for (size_t i = 0; i < texts->n; i++)
		if (strlen(texts->items[i]) > ARG_BYTES_MAX)
			wish_fault_at(faults, field, i,
				      "is longer than %d bytes", ARG_BYTES_MAX);
}

static void
check_args(const struct wishes *wishes, struct json_faults *faults)
{
	if (wishes->entrypoint.n && !*wishes->entrypoint.items[0])
		json_fault(faults, "/entrypoint/0", "must not be empty");
	if (wishes->args.n && !wishes->entrypoint.n && !*wishes->args.items[0])
		json_fault(faults, "/args/0", "must not be empty");
	check_lengths(&wishes->entrypoint, "entrypoint", faults);
	check_lengths(&wishes->args, "args", faults);
	check_lengths(&wishes->env, "env", faults);
}

static void
check_env(const struct wishes *wishes, struct json_faults *faults)
{
	for (size_t i = 0; i < wishes->env.n; i++) {
		const char *entry = wishes->env.items[i];
		const char *equals = strchr(entry, '=');

		if (!equals)
			wish_fault_at(faults, "env", i, "must be NAME=VALUE");
		else if (equals == entry)
			wish_fault_at(faults, "env", i,
				      "name must not be empty");
	}
}

bool
hostname_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > HOSTNAME_MAX)
		return false;
	for (const char *part = name;; part++) {
		size_t n = strcspn(part, ".");

		if (n == 0 || !isalnum((unsigned char)part[0]) ||
		    !isalnum((unsigned char)part[n - 1]))
			return false;
		for (size_t i = 0; i < n; i++)
			if (!isalnum((unsigned char)part[i]) &&
			    part[i] != '-' && part[i] != '_')
				return false;
		part += n;
		if (!*part)
			return true;
	}
}

static void
check_plain_network(const struct wishes *wishes, struct json_faults *faults)
{
	if (wishes->network && strcmp(wishes->network, "none") != 0 &&
	    strcmp(wishes->network, "host") != 0)
		json_fault(faults, "/network", "must be \"none\" or \"host\"");
	if (json_array_size(wishes->ports) > 0)
		json_fault(faults, "/ports",
			   "a port needs a network of the container's own, "
			   "which there is not yet; \"network\": \"host\" "
			   "has the host's ports");
}

static void
check_stop_timeout(const struct wishes *wishes, struct json_faults *faults)
{
	int64_t ns;

	if (wishes->stop_timeout && !wish_duration(wishes->stop_timeout, &ns))
		json_fault(faults, "/stop_timeout",
			   "must be seconds or a duration such as \"1m30s\", "
			   "at most a day");
}

static void
check_platform(const struct wishes *wishes, struct json_faults *faults)
{
	CLEANUP(platform_done) struct platform platform = { 0 };
	struct skiff_error err = ERROR_INIT;

	if (!wishes->platform || !*wishes->platform)
		return;
	if (!wishes->image)
		json_fault(faults, "/platform", "needs an image");
	else if (platform_parse(wishes->platform, &platform, &err) < 0)
		json_fault(faults, "/platform", "%s", err.text);
}

void
wishes_check_plain(const struct wishes *wishes, struct json_faults *faults)
{
	struct skiff_error err = ERROR_INIT;

	if (wishes->id && *wishes->id &&
	    id_check("container", wishes->id, &err) < 0)
		json_fault(faults, "/id", "%s", err.text);
	if (wishes->image && *wishes->image &&
	    name_check("image", wishes->image, &err) < 0)
		json_fault(faults, "/image", "%s", err.text);
	check_platform(wishes, faults);
	check_args(wishes, faults);
	check_env(wishes, faults);
	if (wishes->cwd && cwd_fault(wishes->cwd))
		json_fault(faults, "/cwd", "%s", cwd_fault(wishes->cwd));
	if (wishes->hostname && !hostname_is_valid(wishes->hostname))
		json_fault(faults, "/hostname",
			   "must be 1 to 64 letters, digits, \"-\", \"_\" or "
			   "\".\", each part with a letter or digit at its "
			   "ends");
	if (wishes->stop_signal && signal_number(wishes->stop_signal) < 0)
		json_fault(faults, "/stop_signal", "no such signal");
	check_plain_network(wishes, faults);
	check_stop_timeout(wishes, faults);
}

/* "RTMIN", "RTMIN+3", "RTMAX-3"; -1 for what is neither or beyond the other. */
static int
realtime_signal(const char *name)
{
	struct skiff_error ignored = ERROR_INIT;
	bool is_below = strncasecmp(name, "RTMAX", 5) == 0;
	int from = is_below ? SIGRTMAX : SIGRTMIN;
	uint64_t steps;

	if (!is_below && strncasecmp(name, "RTMIN", 5) != 0)
		return -1;
	if (!name[5])
		return from;
	if (name[5] != (is_below ? '-' : '+') ||
	    !isdigit((unsigned char)name[6]) ||
	    parse_u64(name + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &steps,
		      &ignored) < 0)
		return -1;
	return is_below ? from - (int)steps : from + (int)steps;
}

int
signal_number(const char *name)
{
	/* Names that sigabbrev_np(3) does not give. */
	static const struct {
		const char *name;
		int number;
	} others[] = { { "CLD", SIGCHLD }, { "IO", SIGIO }, { "IOT", SIGIOT } };
	struct skiff_error ignored = ERROR_INIT;
	uint64_t number;

	if (isdigit((unsigned char)*name))
		return parse_u64(name, (uint64_t)SIGRTMAX, &number, &ignored) <
				   0 ||
			       number == 0
			   ? -1
			   : (int)number;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcasecmp(known, name) == 0)
			return i;
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcasecmp(others[i].name, name) == 0)
			return others[i].number;
	return realtime_signal(name);
}

bool
wish_duration(const json_t *value, int64_t *ret_ns)
{
	struct skiff_error ignored = ERROR_INIT;

	if (json_is_string(value))
		return parse_duration(json_string_value(value), ret_ns,
				      &ignored) == 0 &&
		       *ret_ns <= DURATION_MAX_S * NS_PER_SECOND;
	if (!json_is_number(value) ||
	    !(json_number_value(value) >= 0 &&
	      json_number_value(value) <= (double)DURATION_MAX_S))
		return false;
	*ret_ns = (int64_t)(json_number_value(value) * (double)NS_PER_SECOND);
	return true;
}
