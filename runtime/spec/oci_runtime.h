/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OCI runtimes: the programs that make containers. Those known by name are
 * asked once, at start, what they are; any other may be named by its path.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

struct oci_runtime {
	const char *name; /* "runc" */
	char *path;	  /* NULL: there is none, and fault says why */
	char version[64]; /* "1.1.5+ds1" */
	bool has_seccomp; /* it was built with it */
	/* Known holes of that version, for people; or NULL. */
	const char *warning;
	char fault[256];
	struct oci_runtime_words *words; /* while it is asked */
};

/* The names, best first; NULL ends them. */
extern const char *const oci_runtime_names[];

/*
 * static_name: of oci_runtime_names. A missing one is no error. Its program
 * has begun to say what it is when begin returns; end waits for it.
 */
void oci_runtime_probe_begin(const char *static_name, struct oci_runtime *ret);
void oci_runtime_probe_end(struct oci_runtime *runtime);
void oci_runtime_done(struct oci_runtime *runtime);

/*
 * What "features" says (OCI runtime-spec, features.md); the caller owns it.
 * SKIFF_UNAVAILABLE for a runtime that does not know the command.
 */
int oci_runtime_features(const char *path, json_t **ret_features,
			 struct skiff_error *err);

/* What is known against a version, or NULL. */
const char *oci_runtime_warning(const char *name, const char *version);
