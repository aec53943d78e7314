/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of a task that runs. The daemon writes them into the cgroups
 * itself, so that they can also be lifted, whatever the runtime, and reads
 * them back. The record keeps them: a run that the restart policy makes of
 * the container's document gets them before it is started, so that no task
 * shakes them off by ending.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "runtime/cgroup/limits.h"
#include "runtime/spec/wishes.h"
#include "runtime/task_internal.h"

#define CPU_PERIOD_US 100000
#define CPUS_MIN 0.01
#define CPUS_MAX 8192

struct limit_field {
	const char *name;
	size_t offset; /* of the member of struct cgroup_limits */
	bool is_text;
	int64_t min;
	int64_t max;
};

#define NUMBER(field, lowest, highest)                                         \
	{                                                                      \
		.name = #field,                                                \
		.offset = offsetof(struct cgroup_limits, field),               \
		.min = (lowest), .max = (highest)                              \
	}
#define LIST(field)                                                            \
	{                                                                      \
		.name = #field,                                                \
		.offset = offsetof(struct cgroup_limits, field),               \
		.is_text = true                                                \
	}

/* "cpus", a number of two limits, is not among them. */
static const struct limit_field fields[] = {
	NUMBER(memory, MEMORY_MIN, INT64_C(1) << 60),
	NUMBER(memory_swap, MEMORY_MIN, INT64_C(1) << 60),
	NUMBER(memory_reservation, MEMORY_MIN, INT64_C(1) << 60),
	NUMBER(cpu_shares, 2, 262144),
	NUMBER(pids, 1, INT64_C(1) << 22),
	NUMBER(blkio_weight, 10, 1000),
	LIST(cpuset_cpus),
	LIST(cpuset_mems),
};

/* --- what is asked for ---------------------------------------------------- */

static bool
is_lifted(const json_t *value)
{
	return json_is_null(value) ||
	       (json_is_number(value) && json_number_value(value) == -1.0);
}

static const char *
fault_of_number(const struct limit_field *field, const json_t *value)
{
	if (!json_is_integer(value))
		return "must be an integer, or null";
	if (json_integer_value(value) < field->min ||
	    json_integer_value(value) > field->max)
		return "is out of range";
	return NULL;
}

static const char *
fault_of_list(const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || !*text || strlen(text) >= CPUSET_MAX ||
	    strspn(text, "0123456789,-") != strlen(text))
		return "must be a list such as 0-2,4, or null";
	return NULL;
}

static const char *
fault_of(const char *key, const json_t *value)
{
	if (is_lifted(value))
		value = NULL;
	if (strcmp(key, "cpus") == 0)
		return !value || (json_number_value(value) >= CPUS_MIN &&
				  json_number_value(value) <= CPUS_MAX)
			   ? NULL
			   : "must be between 0.01 and 8192, or null";
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(key, fields[i].name) == 0) {
			if (!value)
				return NULL;
			return fields[i].is_text
				   ? fault_of_list(value)
				   : fault_of_number(&fields[i], value);
		}
	return "cannot be changed while it runs";
}

void
task_limits_check(const json_t *resources, struct json_faults *faults)
{
	int64_t memory = json_get_int(resources, "memory", -1);
	int64_t swap = json_get_int(resources, "memory_swap", -1);
	int64_t reserved = json_get_int(resources, "memory_reservation", -1);
	const char *key;
	json_t *value;

	if (!json_is_object(resources)) {
		json_fault(faults, "/resources", "must be an object");
		return;
	}
	json_object_foreach ((json_t *)resources, key, value) {
		CLEANUP(strbuf_done) struct strbuf pointer = STRBUF_INIT;
		const char *fault = fault_of(key, value);

		strbuf_adds(&pointer, "/resources");
		json_pointer_add(&pointer, key);
		if (fault)
			json_fault(faults, pointer.buf, "%s", fault);
	}
	if (json_object_get(resources, "memory_swap") &&
	    !json_object_get(resources, "memory"))
		json_fault(faults, "/resources/memory_swap",
			   "needs a limit of memory, too");
	else if (swap >= 0 && (memory < 0 || swap < memory))
		json_fault(faults, "/resources/memory_swap",
			   "is memory and swap together, and must not be "
			   "less than memory");
	if (memory >= 0 && reserved > memory)
		json_fault(faults, "/resources/memory_reservation",
			   "must not be more than memory");
}

static void
take_field(const struct limit_field *field, const json_t *value,
	   struct cgroup_limits *limits)
{
	char *place = (char *)limits + field->offset;
	int64_t number = CGROUP_UNLIMITED;

	if (!value)
		return;
	if (field->is_text) {
		const char *list =
		    is_lifted(value) ? "*" : json_string_value(value);

		(void)snprintf(place, CPUSET_MAX, "%s", list);
		return;
	}
	if (!is_lifted(value))
		number = json_integer_value(value);
	memcpy(place, &number, sizeof(number));
}

static void
take_limits(const json_t *resources, struct cgroup_limits *ret_limits)
{
	struct cgroup_limits limits = CGROUP_LIMITS_INIT;
	const json_t *cpus = json_object_get(resources, "cpus");

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		take_field(&fields[i],
			   json_object_get(resources, fields[i].name), &limits);
	if (cpus) {
		limits.cpu_quota_us =
		    is_lifted(cpus)
			? CGROUP_UNLIMITED
			: (int64_t)(json_number_value(cpus) * CPU_PERIOD_US +
				    0.5);
		limits.cpu_period_us = CPU_PERIOD_US;
	}
	*ret_limits = limits;
}

/* --- update -----------------------------------------------------------------
 */

/* What is set already, and this; null is kept as -1. */
static json_t *
merge(const json_t *old, const json_t *resources)
{
	json_t *merged = old ? json_copy((json_t *)old) : json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)resources, key, value) {
		if (is_lifted(value))
			json_set_int(merged, key, -1);
		else
			(void)json_object_set(merged, key, value);
	}
	return merged;
}

static int
update_step(struct task *task, const struct task_changes *changes,
	    char **ret_doc, int64_t *ret_revision, struct skiff_error *err)
{
	cleanup_json json_t *merged =
	    merge(task->resources, changes->resources);
	struct skiff_error undo = ERROR_INIT;
	struct cgroup_limits before;
	struct cgroup_limits limits;
	struct cgroup_dirs dirs;

	take_limits(changes->resources, &limits);
	if (task_cgroups(task, &dirs, err) < 0)
		return -1;
	cgroup_limits_read(&dirs, &before);
	if (cgroup_limits_set(&dirs, &limits, err) < 0)
		return -1;
	if (fault_hit(FAULT_TASK_UPDATE_BEFORE, err) < 0 ||
	    task_record_changes(task, changes, merged, ret_doc, ret_revision,
				err) < 0) {
		(void)cgroup_limits_set(&dirs, &before, &undo);
		return -1;
	}
	json_decref(task->resources);
	task->resources = json_incref(merged);
	return 0;
}

int
task_update(struct tasks *tasks, const char *ns, const char *id,
	    const struct task_changes *changes, char **ret_doc,
	    int64_t *ret_revision, struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, id, err);
	struct skiff_error unsaid = ERROR_INIT;

	if (!task)
		return -1;
	if (!task_is_live(task))
		return task_refuse(task, "update", err);
	if (update_step(task, changes, ret_doc, ret_revision, err) < 0)
		return err_wrap(err, "update task %s", id);
	(void)fault_hit(FAULT_TASK_UPDATE_AFTER, &unsaid);
	return 0;
}

/* --- a new run --------------------------------------------------------------
 */

static int64_t
positive(const json_t *json, const char *key)
{
	int64_t value = json_get_int(json, key, 0);

	return value > 0 ? value : CGROUP_UNKNOWN;
}

int
task_limits_begin(struct task *task, const json_t *spec,
		  struct skiff_error *err)
{
	const json_t *resources =
	    json_object_get(json_object_get(spec, "linux"), "resources");
	/* Who restarts it wants the container as it is now. */
	bool has_own = task->resources && !task->is_restart_asked;
	const json_t *cpu = json_object_get(resources, "cpu");
	struct cgroup_limits limits = CGROUP_LIMITS_INIT;
	struct cgroup_dirs dirs;

	limits.memory = positive(json_object_get(resources, "memory"), "limit");
	limits.pids = positive(json_object_get(resources, "pids"), "limit");
	limits.cpu_quota_us = positive(cpu, "quota");
	/* A runtime may be asked for no cgroup at all. */
	if (!has_own && limits.memory < 0 && limits.pids < 0 &&
	    limits.cpu_quota_us < 0)
		return 0;
	if (task_cgroups(task, &dirs, err) < 0 ||
	    cgroup_limits_check(&dirs, &limits, err) < 0)
		return -1;
	if (!has_own)
		return 0;
	take_limits(task->resources, &limits);
	return cgroup_limits_set(&dirs, &limits, err);
}
