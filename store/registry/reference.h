/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Image references: host[:port]/path[:tag][@digest], in the grammar of
 * the distribution project, normalised as Docker does:
 *
 *	busybox                 docker.io/library/busybox:latest
 *	user/app:1.0            docker.io/user/app:1.0
 *	localhost:5000/a/b      localhost:5000/a/b:latest
 *	quay.io/a/b@sha256:…    quay.io/a/b@sha256:…
 */
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"

#define REFERENCE_MAX 1024

struct reference {
	char *host; /* with its port, as written: "docker.io", "[::1]:5000" */
	char *path; /* "library/busybox" */
	char *tag;  /* NULL when there is a digest and no tag */
	bool has_digest;
	struct digest digest;
	char *text; /* the normalised form */
};

/*
 * SKIFF_INVALID_ARGUMENT, with words on what a reference looks like. The
 * result is released with reference_done().
 */
int reference_parse(const char *text, struct reference *ret_reference,
		    struct skiff_error *err);
void reference_done(struct reference *reference);

/* host[:port] that serves it: "registry-1.docker.io" for docker.io. */
const char *reference_server(const struct reference *reference);

/*
 * Whether a host, with or without a port, is literally localhost,
 * 127.0.0.0/8 or [::1]: such a registry is this machine, and may speak
 * plain HTTP.
 */
bool host_is_loopback(const char *host);
