/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources and rlimits of the wishes.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/host.h"
#include "runtime/spec/rules.h"
#include "runtime/spec/wishes_internal.h"

#define CPUS_MIN 0.01 /* the kernel's least quota, 1 ms of 100 */
#define CPUS_MAX 8192.0
#define PIDS_MAX 4194304
#define RLIMITS_MAX 16 /* as many as there are kinds */

static const struct json_field resource_fields[] = {
	JSON_INT(struct wish_resources, memory, "memory", MEMORY_MIN,
		 INT64_C(1) << 60, 0),
	JSON_INT(struct wish_resources, memory_swap, "memory_swap", -1,
		 INT64_C(1) << 60, 0),
	JSON_INT(struct wish_resources, memory_reservation,
		 "memory_reservation", MEMORY_MIN, INT64_C(1) << 60, 0),
	JSON_INT(struct wish_resources, memory_swappiness, "memory_swappiness",
		 0, 100, 0),
	JSON_BOOL(struct wish_resources, oom_kill_disable, "oom_kill_disable",
		  0),
	JSON_NUMBER(struct wish_resources, cpus, "cpus", 0),
	JSON_INT(struct wish_resources, cpu_shares, "cpu_shares", 2, 262144, 0),
	JSON_INT(struct wish_resources, pids, "pids", -1, PIDS_MAX, 0),
	JSON_TEXT(struct wish_resources, cpuset_cpus, "cpuset_cpus",
		  JSON_NOT_EMPTY),
	JSON_TEXT(struct wish_resources, cpuset_mems, "cpuset_mems",
		  JSON_NOT_EMPTY),
	JSON_INT(struct wish_resources, blkio_weight, "blkio_weight", 10, 1000,
		 0),
	JSON_OBJECT(struct wish_resources, hugetlb, "hugetlb", 0),
};

static const struct json_field rlimit_fields[] = {
	JSON_TEXT(struct wish_rlimit, type, "type", JSON_REQUIRED),
	JSON_INT(struct wish_rlimit, soft, "soft", -1, INT64_MAX,
		 JSON_REQUIRED),
	JSON_INT(struct wish_rlimit, hard, "hard", -1, INT64_MAX, 0),
};

static void
check_cpuset(struct json_faults *faults, const char *pointer, const char *text)
{
	if (text && strspn(text, "0123456789,-") != strlen(text))
		json_fault(faults, pointer, "must be a list such as 0-2,4");
}

/* With swap: the sum of both, so never less than the memory alone. */
static void
check_swap(const struct wishes *wishes, struct json_faults *faults)
{
	const struct wish_resources *limits = &wishes->limits;
	const char *pointer = "/resources/memory_swap";

	if (!json_object_get(wishes->resources, "memory_swap"))
		return;
	if (!limits->memory)
		json_fault(faults, pointer, "needs a limit of memory, too");
	else if (limits->memory_swap >= 0 &&
		 limits->memory_swap < limits->memory)
		json_fault(faults, pointer,
			   "is memory and swap together, and must not be "
			   "less than memory");
}

static void
check_reservation(const struct wish_resources *limits,
		  struct json_faults *faults)
{
	if (limits->memory && limits->memory_reservation > limits->memory)
		json_fault(faults, "/resources/memory_reservation",
			   "must not be more than memory");
}

static void
check_hugetlb(const json_t *sizes, struct json_faults *faults)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)sizes, key, value) {
		CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;

		strbuf_adds(&pointer, "/resources/hugetlb");
		json_pointer_add(&pointer, key);
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			json_fault(faults, pointer.buf,
				   "must be a number of bytes");
	}
}

void
wishes_decode_resources(struct wishes *wishes, struct json_faults *faults)
{
	struct wish_resources *limits = &wishes->limits;

	json_decode(wishes->resources, "/resources", resource_fields,
		    ARRAY_SIZE(resource_fields), limits, faults);
	if (json_is_number(json_object_get(wishes->resources, "cpus")) &&
	    !(limits->cpus >= CPUS_MIN && limits->cpus <= CPUS_MAX))
		json_fault(faults, "/resources/cpus",
			   "must be between 0.01 and 8192");
	if (json_is_integer(json_object_get(wishes->resources, "pids")) &&
	    limits->pids == 0)
		json_fault(faults, "/resources/pids",
			   "must be 1 or more, or -1 for no limit");
	check_cpuset(faults, "/resources/cpuset_cpus", limits->cpuset_cpus);
	check_cpuset(faults, "/resources/cpuset_mems", limits->cpuset_mems);
	limits->has_swappiness = json_is_integer(
	    json_object_get(wishes->resources, "memory_swappiness"));
	check_swap(wishes, faults);
	check_reservation(limits, faults);
	check_hugetlb(limits->hugetlb, faults);
}

static void
decode_rlimit(struct wishes *wishes, size_t i, struct json_faults *faults)
{
	const json_t *given = json_array_get(wishes->rlimits, i);
	cleanup_free char *pointer = xasprintf("/rlimits/%zu", i);
	struct wish_rlimit *limit = &wishes->rlimit_list[i];

	limit->number = -1;
	json_decode(given, pointer, rlimit_fields, ARRAY_SIZE(rlimit_fields),
		    limit, faults);
	if (!limit->type)
		return;
	if (!json_object_get(given, "hard"))
		limit->hard = limit->soft;
	limit->number = rlimit_number(limit->type);
	if (limit->number < 0)
		wish_fault_at(faults, "rlimits", i, "no such limit: %s",
			      limit->type);
	/* Unsigned, -1 is more than any. */
	else if ((uint64_t)limit->soft > (uint64_t)limit->hard)
		wish_fault_at(faults, "rlimits", i,
			      "soft must not exceed hard");
	for (size_t k = 0; k < i && limit->number >= 0; k++)
		if (wishes->rlimit_list[k].number == limit->number)
			wish_fault_at(faults, "rlimits", i,
				      "is the same as /rlimits/%zu", k);
}

void
wishes_decode_rlimits(struct wishes *wishes, struct json_faults *faults)
{
	size_t n = json_array_size(wishes->rlimits);

	if (n > RLIMITS_MAX) {
		json_fault(faults, "/rlimits", "more than %d limits",
			   RLIMITS_MAX);
		return;
	}
	wishes->rlimit_list = xcalloc(n + 1, sizeof(*wishes->rlimit_list));
	wishes->n_rlimits = n;
	for (size_t i = 0; i < n; i++)
		decode_rlimit(wishes, i, faults);
}

/* What there is in cgroup v1 alone. */
static void
check_cgroup_mode(const struct wish_resources *limits, const struct host *host,
		  struct json_faults *faults)
{
	static const char fault[] = "this host has cgroup v2, which has no "
				    "such limit";

	if (host->cgroup_mode != CGROUP_V2)
		return;
	if (limits->has_swappiness)
		json_fault(faults, "/resources/memory_swappiness", "%s", fault);
	if (limits->oom_kill_disable)
		json_fault(faults, "/resources/oom_kill_disable", "%s", fault);
}

void
wishes_check_limits(const struct wishes *wishes, const struct host *host,
		    struct json_faults *faults)
{
	const struct wish_resources *limits = &wishes->limits;
	const char *key;
	json_t *value;

	for (size_t i = 0; i < wishes->n_rlimits; i++) {
		const struct wish_rlimit *limit = &wishes->rlimit_list[i];

		if (limit->number < 0 ||
		    rlimit_is_possible(host, limit->number, limit->hard))
			continue;
		wish_fault_at(faults, "rlimits", i,
			      "hard exceeds the daemon's own limit of %" PRIu64
			      ", which it may not raise",
			      host->rlimit_hard[limit->number]);
	}
	if (wishes->has_oom_score_adj &&
	    wishes->oom_score_adj < host_oom_score_min(host))
		json_fault(faults, "/oom_score_adj",
			   "must be %d or more on this host",
			   host_oom_score_min(host));
	check_cgroup_mode(limits, host, faults);
	if (limits->memory_swap && !host->has_swap_accounting)
		json_fault(faults, "/resources/memory_swap",
			   "this host does not count swap");
	json_object_foreach (limits->hugetlb, key, value)
		if (!host_has_huge_pages(key))
			json_fault(faults, "/resources/hugetlb",
				   "this host has no huge pages of %s", key);
}

void
wishes_limits_done(struct wishes *wishes)
{
	for (size_t i = 0; i < wishes->n_rlimits; i++)
		json_release(rlimit_fields, ARRAY_SIZE(rlimit_fields),
			     &wishes->rlimit_list[i]);
	free(wishes->rlimit_list);
	json_release(resource_fields, ARRAY_SIZE(resource_fields),
		     &wishes->limits);
}
