/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Wishes as a daemon on this host takes them, for tests: what is wrong with
 * a body, and the spec that it becomes.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "runtime/spec/host.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/wishes.h"
#include "store/image_config.h"
#include "tests/unit/tap.h"

static struct host host = {
	.has_swap_accounting = true,
	.capabilities = UINT64_C(0x1fffeffffff), /* not SYS_RESOURCE */
	.rlimit_hard = { [RLIMIT_NOFILE] = 20000, [RLIMIT_CORE] = UINT64_MAX },
	.cgroup_prefix = "/skiff-01234567",
};

static struct image_config image = { .architecture = (char *)"amd64" };

static inline json_t *
parse(const char *text)
{
	struct skiff_error err = ERROR_INIT;
	json_t *json = NULL;

	CHECK(json_parse(text, strlen(text), &json, &err) == 0);
	return json;
}

/* Fields of the faults of a body, in order: "/a /b/0". */
static inline char *
faults_in(const json_t *body)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	CLEANUP(wishes_done) struct wishes wishes = { 0 };
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	json_t *fault;
	size_t i;

	wishes_decode(body, &wishes, &faults);
	wishes_check_host(&wishes, &host, &faults);
	if (wishes.spec)
		spec_check(wishes.spec, "/spec", &host, &faults);
	json_array_foreach (faults.list, i, fault)
		strbuf_addf(&out, "%s%s", i ? " " : "",
			    json_get_text(fault, "field"));
	return strbuf_steal(&out);
}

/* The spec of a good body for the image above, or NULL with *err. */
static inline json_t *
spec_from(const json_t *body, struct skiff_error *err)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	CLEANUP(wishes_done) struct wishes wishes = { 0 };
	json_t *spec = NULL;

	wishes_decode(body, &wishes, &faults);
	wishes_check_host(&wishes, &host, &faults);
	CHECK(!faults.list);
	(void)spec_build(&(struct spec_request){ .host = &host,
						 .ns = "default",
						 .id = "web",
						 .wishes = &wishes,
						 .image = &image,
						 .has_seccomp = true },
			 &spec, err);
	return spec;
}
