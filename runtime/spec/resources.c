/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources (OCI runtime-spec, config-linux.md, "Control groups"),
 * written in the terms of cgroup v1, which the runtime translates for v2.
 */
#include "config.h"

#include <string.h>

#include "base/cleanup.h"
#include "runtime/spec/host.h"
#include "runtime/spec/spec_internal.h"
#include "runtime/spec/wishes.h"

#define CPU_PERIOD_US 100000
#define PIDS_DEFAULT 4096

static json_t *
cpu_limits(const struct wish_resources *limits)
{
	json_t *cpu = json_object();

	if (limits->cpus > 0) {
		json_set_int(cpu, "quota",
			     (int64_t)(limits->cpus * CPU_PERIOD_US + 0.5));
		json_set_int(cpu, "period", CPU_PERIOD_US);
	}
	if (limits->cpu_shares)
		json_set_int(cpu, "shares", limits->cpu_shares);
	json_set_text(cpu, "cpus", limits->cpuset_cpus);
	json_set_text(cpu, "mems", limits->cpuset_mems);
	return cpu;
}

static json_t *
memory_limits(const struct host *host, const struct wish_resources *limits)
{
	json_t *memory = json_object();

	if (limits->memory)
		json_set_int(memory, "limit", limits->memory);
	/* The same figure, unless wished: no swap on top of it. */
	if (limits->memory && host->has_swap_accounting)
		json_set_int(memory, "swap",
			     limits->memory_swap ? limits->memory_swap
						 : limits->memory);
	if (limits->memory_reservation)
		json_set_int(memory, "reservation", limits->memory_reservation);
	if (limits->has_swappiness)
		json_set_int(memory, "swappiness", limits->memory_swappiness);
	if (limits->oom_kill_disable)
		json_set_bool(memory, "disableOOMKiller", true);
	return memory;
}

static json_t *
huge_pages(const struct wish_resources *limits)
{
	json_t *list = json_array();
	const char *size;
	json_t *bytes;

	json_object_foreach (limits->hugetlb, size, bytes)
		(void)json_array_append_new(list,
					    json_pack("{s:s, s:O}", "pageSize",
						      size, "limit", bytes));
	return list;
}

json_t *
spec_resources(const struct host *host, const struct wishes *wishes)
{
	const struct wish_resources *limits = &wishes->limits;
	json_t *resources =
	    json_pack("{s:o}", "devices", spec_device_rules(wishes));
	json_t *memory = memory_limits(host, limits);
	json_t *cpu = cpu_limits(limits);

	(void)json_object_set_new(resources, "pids",
				  json_pack("{s:I}", "limit",
					    (json_int_t)(limits->pids
							     ? limits->pids
							     : PIDS_DEFAULT)));
	if (json_object_size(memory) > 0)
		(void)json_object_set(resources, "memory", memory);
	if (json_object_size(cpu) > 0)
		(void)json_object_set(resources, "cpu", cpu);
	json_decref(memory);
	json_decref(cpu);
	if (limits->blkio_weight)
		(void)json_object_set_new(
		    resources, "blockIO",
		    json_pack("{s:I}", "weight",
			      (json_int_t)limits->blkio_weight));
	if (json_object_size(limits->hugetlb) > 0)
		(void)json_object_set_new(resources, "hugepageLimits",
					  huge_pages(limits));
	return resources;
}
