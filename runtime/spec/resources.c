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

/* null zero full random urandom tty console ptmx, and every pts. */
static const struct device {
	int major;
	int minor; /* -1: all */
} devices[] = {
	{ 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 },	   { 1, 9 },
	{ 5, 0 }, { 5, 1 }, { 5, 2 }, { 136, -1 },
};

/* A missing first deny would turn the list into its opposite. */
static json_t *
device_rules(void)
{
	json_t *rules = json_array();

	(void)json_array_append_new(rules, json_pack("{s:b, s:s}", "allow", 0,
						     "access", "rwm"));
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		json_t *rule =
		    json_pack("{s:b, s:s, s:i, s:s}", "allow", 1, "type", "c",
			      "major", devices[i].major, "access", "rwm");

		if (devices[i].minor >= 0)
			json_set_int(rule, "minor", devices[i].minor);
		(void)json_array_append_new(rules, rule);
	}
	return rules;
}

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

json_t *
spec_resources(const struct host *host, const struct wishes *wishes)
{
	const struct wish_resources *limits = &wishes->limits;
	json_t *resources = json_pack("{s:o}", "devices", device_rules());
	json_t *cpu = cpu_limits(limits);

	(void)json_object_set_new(resources, "pids",
				  json_pack("{s:I}", "limit",
					    (json_int_t)(limits->pids
							     ? limits->pids
							     : PIDS_DEFAULT)));
	if (limits->memory) {
		json_t *memory = json_object();

		json_set_int(memory, "limit", limits->memory);
		/* The same figure: no swap on top of it. */
		if (host->has_swap_accounting)
			json_set_int(memory, "swap", limits->memory);
		(void)json_object_set_new(resources, "memory", memory);
	}
	if (json_object_size(cpu) > 0)
		(void)json_object_set(resources, "cpu", cpu);
	json_decref(cpu);
	return resources;
}
