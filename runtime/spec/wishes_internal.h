/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Shared by the files that decode wishes: wishes.c has the table of all
 * fields, the others one subject each.
 */
#include "runtime/spec/wishes.h"

/* A fault at /field/i. */
void wish_fault_at(struct json_faults *faults, const char *field, size_t i,
		   const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool wish_is_one_of(const char *text, const char *const *list, size_t n);
/* path may be NULL: then there is nothing wrong with it. */
void wish_check_path(struct json_faults *faults, const char *pointer,
		     const char *path);

/* wish_plain.c: all that needs no table of its own. */
void wishes_check_plain(const struct wishes *wishes,
			struct json_faults *faults);
/* wish_namespaces.c */
void wishes_check_namespaces(const struct wishes *wishes,
			     struct json_faults *faults);

/* wish_dns.c */
void wishes_decode_dns(struct wishes *wishes, struct json_faults *faults);
void wishes_dns_done(struct wishes *wishes);

/* wish_mounts.c */
void wishes_decode_mounts(struct wishes *wishes, struct json_faults *faults);
void wishes_mounts_done(struct wishes *wishes);
void wishes_check_sources(const struct wishes *wishes, const struct host *host,
			  struct json_faults *faults);

/* wish_limits.c */
void wishes_decode_resources(struct wishes *wishes, struct json_faults *faults);
void wishes_decode_rlimits(struct wishes *wishes, struct json_faults *faults);
void wishes_check_limits(const struct wishes *wishes, const struct host *host,
			 struct json_faults *faults);
void wishes_limits_done(struct wishes *wishes);

/* wish_devices.c */
void wishes_decode_devices(struct wishes *wishes, struct json_faults *faults);
/* Looks at the host's nodes, and keeps what they are. */
void wishes_find_devices(struct wishes *wishes, struct json_faults *faults);
void wishes_devices_done(struct wishes *wishes);
