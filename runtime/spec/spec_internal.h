/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The parts of a generated spec, each made by one file of this room.
 */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

struct host;
struct user;
struct wishes;

/* A JSON array of n strings. */
json_t *spec_strings(const char *const *texts, size_t n);

/* spec.c */
/* A later entry takes the place of an earlier one of the same name. */
void spec_set_env(json_t *env, const char *entry);
/* process.capabilities */
json_t *spec_capabilities(uint64_t caps);
/* process.user */
json_t *spec_user(const struct user *user);

/* defaults.c */
json_t *spec_namespaces(const struct wishes *wishes);
json_t *spec_masked_paths(const struct host *host);
json_t *spec_readonly_paths(const struct host *host,
			    const struct wishes *wishes);
json_t *spec_rlimits(const struct host *host, const struct wishes *wishes);
/* NULL when there is none to set. */
json_t *spec_sysctl(const struct wishes *wishes);

/* mounts.c: the defaults, the generated files, then the wishes. */
json_t *spec_mounts(const struct wishes *wishes);

/* resources.c: linux.resources. */
json_t *spec_resources(const struct host *host, const struct wishes *wishes);

/* devices.c: linux.devices, or NULL; linux.resources.devices. */
json_t *spec_devices(const struct wishes *wishes);
json_t *spec_device_rules(const struct wishes *wishes);

/*
 * seccomp.c: linux.seccomp for the capabilities that the process has, for
 * an image's architecture ("amd64"); NULL for one that is not known.
 */
json_t *spec_seccomp(uint64_t caps, const char *architecture);
