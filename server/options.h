/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What skiffd is told: flags and configuration file, one table for both.
 */
#include <stdbool.h>

#include "base/error.h"
#include "base/strv.h"

struct options {
	char *root;	    /* --root, /var/lib/skiff; absolute */
	char *state;	    /* --state, /run/skiff; absolute */
	struct strv listen; /* unix:PATH, tcp:ADDRESS:PORT */
	char *log_level;    /* error, warn, info, debug */
	char *shim;	    /* skiff-shim's path */
	char *registry_ca;  /* PEM file for registries, or NULL */
	char *criu;	    /* criu's path, or NULL: the one in PATH */
	char *checkpoints;  /* "own" or "any", checked at start */
	char *events_kept;  /* how many; a number, checked at start */
	char *output_size;  /* numbers, too: limits of a log, unless its */
	char *output_files; /* stdio says otherwise */
	struct strv hosts;  /* names that Host may have on TCP */
	struct strv admins; /* handlers/access.h */
	struct strv grants;
	struct strv bind_roots; /* runtime/spec/bind_root.h */
	char *user_ids;		/* "FIRST-LAST" or NULL, store/user_range.h */
};

enum options_verdict {
	OPTIONS_RUN,  /* go on */
	OPTIONS_DONE, /* --help and the like: printed, exit 0 */
};

/*
 * Flags win over the file of --config, which wins over the defaults.
 * SKIFF_INVALID_ARGUMENT with what was wrong and where.
 */
int options_parse(int argc, char **argv, struct options *ret_options,
		  enum options_verdict *ret_verdict, struct skiff_error *err);
void options_done(struct options *options);
