/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What skiffd is told: flags and configuration file, one table for both.
 *
 * The file is INI without sections, its keys are the long flags' names:
 * "listen = unix:/run/skiff/skiff.sock". A key that may be given several
 * times collects.
 */
#include "config.h"

#include "options.h"

#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fault.h"

struct option_row {
	const char *name;
	const char *value_name;
	size_t offset;
	bool is_list;
	const char *fallback; /* NULL: none, or made at start */
	const char *help;
};

#define TEXT_ROW(member, flag, value, standard, text)                          \
	{                                                                      \
		.name = (flag), .value_name = (value),                         \
		.offset = offsetof(struct options, member),                    \
		.fallback = (standard), .help = (text)                         \
	}
#define LIST_ROW(member, flag, value, text)                                    \
	{                                                                      \
		.name = (flag), .value_name = (value),                         \
		.offset = offsetof(struct options, member), .is_list = true,   \
		.help = (text)                                                 \
	}

static const struct option_row rows[] = {
	TEXT_ROW(root, "root", "DIR", "/var/lib/skiff",
		 "metadata, content, snapshots and logs"),
	TEXT_ROW(state, "state", "DIR", "/run/skiff",
		 "sockets and what need not outlive a reboot"),
	LIST_ROW(listen, "listen", "ADDRESS",
		 "unix:PATH or tcp:127.0.0.1:PORT; may be given several times\n"
		 "                       (default unix:STATE/skiff.sock)"),
	TEXT_ROW(log_level, "log-level", "LEVEL", "info",
		 "error, warn, info or debug"),
	TEXT_ROW(shim, "shim", "PATH", NULL,
		 "skiff-shim (default: beside skiffd, else " SKIFF_LIBEXECDIR
		 ")"),
	TEXT_ROW(registry_ca, "registry-ca", "FILE", NULL,
		 "PEM certificates that registries are checked with, besides\n"
		 "                       the system's"),
	TEXT_ROW(criu, "criu", "PATH", NULL,
		 "the criu that checkpoints are made with (default: the\n"
		 "                       one in PATH)"),
	TEXT_ROW(checkpoints, "checkpoints", "own|any", "own",
		 "whose checkpoints are restored: this daemon's own, or any"),
	TEXT_ROW(events_kept, "events-kept", "NUMBER", "100000",
		 "events that stay in the log"),
	TEXT_ROW(output_size, "output-size", "BYTES", "67108864",
		 "of one file of a process's output; then another begins"),
	TEXT_ROW(output_files, "output-files", "NUMBER", "4",
		 "of a process's output that stay, the newest among them"),
	LIST_ROW(hosts, "host-name", "NAME",
		 "a name that the Host header may have on TCP, besides\n"
		 "                       localhost, 127.0.0.1 and [::1]"),
	LIST_ROW(
	    admins, "admin", "WHO",
	    "user or @group that may do everything, as root may (default:\n"
	    "                       whoever may open the socket, without "
	    "a --grant)"),
	LIST_ROW(grants, "grant", "WHO=NS",
		 "user or @group that may use a namespace, or those that a\n"
		 "                       pattern fits, but for what reaches "
		 "the host"),
	LIST_ROW(bind_roots, "bind-root", "DIR",
		 "a directory from which they may bind mount all the same"),
	TEXT_ROW(user_ids, "user-ids", "FIRST-LAST", NULL,
		 "ids of the host for user namespaces (default\n"
		 "                       524288-1879048191)"),
};

static void
print_help(void)
{
	(void)printf("Usage: skiffd [OPTION VALUE]…\n"
		     "\n"
		     "Runs OCI containers behind a plain HTTP API, in the "
		     "foreground.\n"
		     "Ready when GET /readyz says 200; ends on SIGTERM and "
		     "leaves tasks running.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char flag[64];

		(void)snprintf(flag, sizeof(flag), "--%s %s", rows[i].name,
			       rows[i].value_name);
		(void)printf("  %-20s %s", flag, rows[i].help);
		if (rows[i].fallback)
			(void)printf(" (default %s)", rows[i].fallback);
		(void)printf("\n");
	}
	(void)printf("  --config FILE        the same keys as \"key = value\" "
		     "lines; flags win\n"
		     "  --list-failpoints    the names that SKIFF_FAILPOINTS "
		     "takes\n"
		     "  --version\n"
		     "  --help\n");
}

static const struct option_row *
find_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static void
set_value(struct options *options, const struct option_row *row,
	  const char *value)
{
	void *member = (char *)options + row->offset;

	if (row->is_list) {
		strv_add(member, value);
	} else {
		free(*(char **)member);
		*(char **)member = xstrdup(value);
	}
}

/* "--name=value" or "--name value"; *ret_value NULL when there is none. */
static char *
split_flag(char **argv, int *i, const char **ret_value)
{
	const char *equals = strchr(argv[*i], '=');

	if (equals) {
		*ret_value = equals + 1;
		return xstrndup(argv[*i] + 2, (size_t)(equals - argv[*i] - 2));
	}
	*ret_value = argv[*i + 1];
	if (*ret_value)
		++*i;
	return xstrdup(argv[*i - (*ret_value ? 1 : 0)] + 2);
}

static int
parse_flags(int argc, char **argv, struct options *options, char **ret_config,
	    struct skiff_error *err)
{
	for (int i = 1; i < argc; i++) {
		cleanup_free char *name = NULL;
		const struct option_row *row;
		const char *value;

		if (strncmp(argv[i], "--", 2) != 0)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "unexpected argument \"%s\"; see "
				       "skiffd --help",
				       argv[i]);
		name = split_flag(argv, &i, &value);
		row = find_row(name);
		if (!row && strcmp(name, "config") != 0)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "unknown option --%s; see skiffd "
				       "--help",
				       name);
		if (!value || !*value)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "--%s needs a value", name);
		if (row) {
			set_value(options, row, value);
		} else {
			free(*ret_config);
			*ret_config = xstrdup(value);
		}
	}
	return 0;
}

static int
take_file_entry(void *arg, const char *section, const char *name,
		const char *value)
{
	const struct option_row *row = find_row(name);

	if (*section || !row || !*value)
		return 0;
	set_value(arg, row, value);
	return 1;
}

static int
parse_file(const char *path, struct options *options, struct skiff_error *err)
{
	int line = ini_parse(path, take_file_entry, options);

	if (line < 0)
		return err_errno(err, errno ? errno : ENOENT, "open %s", path);
	if (line > 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "%s:%d: expected \"key = value\" with a key of "
			       "skiffd --help",
			       path, line);
	return 0;
}

/* What from leaves unset is taken over from the file, then the default. */
static void
fill_in(struct options *options, struct options *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *mine = (char *)options + rows[i].offset;
		void *theirs = (char *)file + rows[i].offset;

		if (rows[i].is_list) {
			if (((struct strv *)mine)->n == 0) {
				*(struct strv *)mine = *(struct strv *)theirs;
				*(struct strv *)theirs = (struct strv)STRV_INIT;
			}
			continue;
		}
		if (!*(char **)mine)
			*(char **)mine = STEAL_PTR(*(char **)theirs);
		if (!*(char **)mine && rows[i].fallback)
			*(char **)mine = xstrdup(rows[i].fallback);
	}
}

/* The shim beside our own binary, as in a build tree, or the installed. */
static char *
find_shim(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash) {
			cleanup_free char *path =
			    xasprintf("%.*s/skiff-shim", (int)(slash - self),
				      self);

			if (access(path, X_OK) == 0)
				return STEAL_PTR(path);
		}
	}
	return xstrdup(SKIFF_LIBEXECDIR "/skiff-shim");
}

static int
make_absolute(char **path, struct skiff_error *err)
{
	cleanup_free char *cwd = NULL;
	char *joined;

	if (**path == '/')
		return 0;
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return err_errno(err, errno, "working directory");
	joined = xasprintf("%s/%s", cwd, *path);
	free(*path);
	*path = joined;
	return 0;
}

int
options_parse(int argc, char **argv, struct options *ret_options,
	      enum options_verdict *ret_verdict, struct skiff_error *err)
{
	CLEANUP(options_done) struct options options = { 0 };
	CLEANUP(options_done) struct options file = { 0 };
	cleanup_free char *config = NULL;

	*ret_verdict = OPTIONS_DONE;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			print_help();
			return 0;
		}
		if (strcmp(argv[i], "--version") == 0) {
			(void)printf("skiffd %s\n", PACKAGE_VERSION);
			return 0;
		}
		if (strcmp(argv[i], "--list-failpoints") == 0) {
			fault_list();
			return 0;
		}
	}
	if (parse_flags(argc, argv, &options, &config, err) < 0 ||
	    (config && parse_file(config, &file, err) < 0))
		return -1;
	fill_in(&options, &file);
	if (make_absolute(&options.root, err) < 0 ||
	    make_absolute(&options.state, err) < 0)
		return -1;
	if (!options.shim)
		options.shim = find_shim();
	if (options.listen.n == 0)
		strv_addf(&options.listen, "unix:%s/skiff.sock", options.state);
	*ret_options = options;
	options = (struct options){ 0 };
	*ret_verdict = OPTIONS_RUN;
	return 0;
}

void
options_done(struct options *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *member = (char *)options + rows[i].offset;

		if (rows[i].is_list)
			strv_done(member);
		else
			free(*(char **)member);
	}
	*options = (struct options){ 0 };
}
