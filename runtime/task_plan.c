/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a task is made from: its container's document, the mounts of its
 * root filesystem, its runtime. Read anew for every run, so a container
 * that was changed shows it in the next one and never in this.
 *
 * A root filesystem that can be written belongs to one task at a time:
 * overlayfs does not say what two mounts of one upper directory do. So a
 * task claims it, by name, in the table, for as long as it is there.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/proc.h"
#include "runtime/health.h"
#include "runtime/spec/host.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/user_namespace.h"
#include "runtime/task_internal.h"
#include "runtime/task_stdio.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"

void
task_plan_done(struct task_plan *plan)
{
	json_decref(plan->container);
	mounts_free(plan->mounts, plan->n_mounts);
	for (size_t i = 0; i < plan->n_namespace_fds; i++)
		closep(&plan->namespace_fds[i]);
	free(plan->shm_namespace);
	*plan = (struct task_plan){ 0 };
}

static int
load_container(const struct task *task, json_t **ret_container,
	       struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct record_ref ref = { RECORD_CONTAINER, task->ns, task->id };

	return record_load(conn, &ref, ret_container, err);
}

static void
replace(char **text, const char *by)
{
	free(*text);
	*text = by ? xstrdup(by) : NULL;
}

/* --- the root filesystem ----------------------------------------------- */

/* A directory of the client's own: all of it, links in it unfollowed. */
static void
plan_own_root(struct task_plan *plan, const char *path, bool is_read_only)
{
	struct mount *mount = xcalloc(1, sizeof(*mount));

	mount->type = xstrdup("bind");
	mount->source = xstrdup(path);
	strv_add(&mount->options, "rbind");
	if (is_read_only)
		strv_add(&mount->options, "ro");
	plan->mounts = mount;
	plan->n_mounts = 1;
}

static int
plan_mounts(const struct task *task, struct task_plan *plan,
	    struct skiff_error *err)
{
	const json_t *spec = json_object_get(plan->container, "spec");
	const char *key = json_get_text(plan->container, "snapshot_key");
	const char *own = spec_own_root(spec);

	if (*key) {
		if (snapshot_mounts(task->tasks->snapshots, task->ns, key,
				    &plan->mounts, &plan->n_mounts, err) < 0)
			return err_wrap(err, "snapshot of container %s",
					task->id);
		return 0;
	}
	if (own) {
		plan_own_root(plan, own,
			      json_get_bool(json_object_get(spec, "root"),
					    "readonly"));
		return 0;
	}
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "container %s has no snapshot to run on", task->id);
	return err_reason(err, "no_rootfs");
}

void
task_plan_map_ids(struct task_plan *plan)
{
	const json_t *spec = json_object_get(plan->container, "spec");

	if (!*json_get_text(plan->container, "snapshot_key"))
		return;
	for (size_t i = 0; i < plan->n_mounts; i++)
		spec_id_map_options(spec, &plan->mounts[i].options);
}

static bool
is_writable(const struct mount *mounts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct strv *options = &mounts[i].options;

		if (strcmp(mounts[i].type, "bind") == 0 &&
		    !strv_has(options, "ro"))
			return true;
		for (size_t k = 0; k < options->n; k++)
			if (strncmp(options->items[k],
				    "upperdir=", strlen("upperdir=")) == 0)
				return true;
	}
	return false;
}

/* The name of what nobody else may run on; NULL when all may. */
static char *
rootfs_claim(const struct task_plan *plan)
{
	const char *key = json_get_text(plan->container, "snapshot_key");

	if (!is_writable(plan->mounts, plan->n_mounts))
		return NULL;
	return *key ? xasprintf("snapshot %s", key)
		    : xasprintf("directory %s", plan->mounts[0].source);
}

/* --- the whole ---------------------------------------------------------- */

/* As the task was asked to have them, or its container. */
static void
take_runtime_args(struct task *task, const json_t *runtime)
{
	const json_t *args = json_object_get(task->options, "args");
	json_t *arg;
	size_t i;

	if (!args)
		args = json_object_get(json_object_get(runtime, "options"),
				       "args");
	strv_done(&task->runtime_args);
	json_array_foreach (args, i, arg)
		strv_add(&task->runtime_args, json_string_value(arg));
}

/* Where it was at the start, or where it has come to meanwhile. */
static int
find_runtime(struct task *task, const json_t *container,
	     struct skiff_error *err)
{
	const json_t *runtime = json_object_get(container, "runtime");
	const char *name = json_get_text(runtime, "name");
	const struct oci_runtime *known = host_runtime(task->tasks->host, name);
	struct skiff_error missing = ERROR_INIT;
	cleanup_free char *path = NULL;

	take_runtime_args(task, runtime);
	if (known && known->path) {
		replace(&task->runtime, known->path);
		return 0;
	}
	if (proc_find(name, &path, &missing) < 0) {
		(void)err_set(err, SKIFF_UNAVAILABLE,
			      "there is no OCI runtime %s: install it", name);
		return err_reason(err, "runtime_not_found");
	}
	replace(&task->runtime, path);
	return 0;
}

/* Where its streams lead: as the task was asked to, or its container. */
static int
plan_stdio(struct task *task, const json_t *container, struct skiff_error *err)
{
	struct json_faults faults = JSON_FAULTS_INIT;
	struct task_stdio stdio;
	int r;

	task_stdio_decode(task->stdio ? task->stdio
				      : json_object_get(container, "stdio"),
			  "/stdio", &stdio, &faults);
	json_decref(task->stdio);
	task->stdio = task_stdio_json(&stdio);
	if (task->has_terminal)
		task_stdio_check_terminal(&stdio, "/stdio", &faults);
	task_stdio_done(&stdio);
	r = json_faults_to_error(&faults, err);
	json_faults_done(&faults);
	return r;
}

static void
plan_terminal(struct task *task, const json_t *spec)
{
	json_t *process = json_object_get(spec, "process");

	if (task->has_terminal_wish)
		json_set_bool(process, "terminal", task->has_terminal);
	task->has_terminal = json_get_bool(process, "terminal");
}

int
task_plan_make(struct task *task, struct task_plan *ret_plan,
	       struct skiff_error *err)
{
	CLEANUP(task_plan_done) struct task_plan plan = { 0 };
	const json_t *spec;

	if (load_container(task, &plan.container, err) < 0 ||
	    find_runtime(task, plan.container, err) < 0 ||
	    plan_mounts(task, &plan, err) < 0 ||
	    task_table_claim(task, rootfs_claim(&plan), err) < 0 ||
	    task_plan_join(task, &plan, err) < 0)
		return -1;
	spec = json_object_get(plan.container, "spec");
	plan_terminal(task, spec);
	if (plan_stdio(task, plan.container, err) < 0)
		return -1;
	replace(&task->cgroups_path, spec_cgroups_path(spec));
	health_configure(task, plan.container);
	*ret_plan = plan;
	plan = (struct task_plan){ 0 };
	return 0;
}

void
task_plan_recall(struct task *task)
{
	CLEANUP(task_plan_done) struct task_plan plan = { 0 };
	struct skiff_error unknown = ERROR_INIT;

	if (load_container(task, &plan.container, &unknown) < 0)
		return;
	replace(&task->cgroups_path,
		spec_cgroups_path(json_object_get(plan.container, "spec")));
	(void)find_runtime(task, plan.container, &unknown);
	health_configure(task, plan.container);
	if (plan_mounts(task, &plan, &unknown) == 0)
		(void)task_table_claim(task, rootfs_claim(&plan), &unknown);
}
