/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks/{id}/processes and /pids: the processes of a task as it started
 * them, and as the kernel sees them.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "handlers/common.h"
#include "handlers/settling.h"
#include "runtime/task.h"

/* Calls each for the execs of the task that the place names. */
static int
each_exec(struct conn *conn, const struct record_ref *task, record_fn each,
	  void *arg, struct skiff_error *err)
{
	cleanup_free char *prefix = xasprintf("%s/", task->key);

	return record_each_below(conn, RECORD_EXEC, task->ns, prefix, each, arg,
				 err);
}

/* --- processes ------------------------------------------------------------ */

static json_t *
process_of(const json_t *object, const json_t *args)
{
	static const char *const fields[] = { "state",	     "pid",
					      "terminal",    "started_at",
					      "exit_status", "exited_at",
					      "reason" };
	json_t *process = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		json_t *value = json_object_get(object, fields[i]);

		if (value)
			(void)json_object_set(process, fields[i], value);
	}
	(void)json_object_set_new(process, "args",
				  args ? json_incref((json_t *)args)
				       : json_array());
	return process;
}

static int
add_exec(void *arg, const char *ns, const char *key, json_t *exec,
	 struct skiff_error *err)
{
	json_t *process = process_of(exec, json_object_get(exec, "args"));
	json_t *processes = arg;

	(void)ns;
	(void)key;
	(void)err;
	json_set_text(process, "exec_id", json_get_text(exec, "id"));
	(void)json_array_append_new(processes, process);
	return 0;
}

static int
add_all(struct conn *conn, const struct record_ref *ref, json_t *processes,
	struct skiff_error *err)
{
	struct record_ref container_ref = { RECORD_CONTAINER, ref->ns,
					    ref->key };
	cleanup_json json_t *container = NULL;
	cleanup_json json_t *task = NULL;
	const json_t *spec;

	if (record_load(conn, ref, &task, err) < 0 ||
	    record_load(conn, &container_ref, &container, err) < 0)
		return -1;
	spec = json_object_get(container, "spec");
	(void)json_array_append_new(
	    processes,
	    process_of(task, json_object_get(json_object_get(spec, "process"),
					     "args")));
	return each_exec(conn, ref, add_exec, processes, err);
}

static int
list(struct request *request, void *context, struct response **ret,
     struct skiff_error *err)
{
	struct services *services = context;
	json_t *processes = json_array();
	cleanup_json json_t *answer =
	    json_pack("{s:o}", "processes", processes);
	struct record_ref ref;
	struct conn *conn;
	int r;

	if (take_task(request, &ref, err) < 0)
		return -1;
	conn = db_reader_get(services->db);
	r = add_all(conn, &ref, processes, err);
	db_reader_put(conn);
	if (r < 0)
		return -1;
	*ret = response_json(200, answer);
	return 0;
}

int
tasks_processes(struct request *request, void *context, struct response **ret,
		struct skiff_error *err)
{
	struct record_ref ref;

	if (take_task(request, &ref, err) < 0)
		return -1;
	return answer_settled(request, context, ref.ns, ref.key, list, ret,
			      err);
}

/* --- pids ----------------------------------------------------------------- */

static int
name_exec(void *arg, const char *ns, const char *key, json_t *exec,
	  struct skiff_error *err)
{
	int64_t pid = json_get_int(exec, "pid", 0);
	json_t *pids = arg;
	json_t *process;
	size_t i;

	(void)ns;
	(void)key;
	(void)err;
	if (strcmp(json_get_text(exec, "state"), "running") != 0)
		return 0;
	json_array_foreach (pids, i, process)
		if (json_get_int(process, "pid", -1) == pid)
			json_set_text(process, "exec_id",
				      json_get_text(exec, "id"));
	return 0;
}

int
tasks_pids(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	struct services *services = context;
	cleanup_json json_t *answer = NULL;
	struct record_ref ref;
	struct conn *conn;
	json_t *pids;
	int r;

	if (take_task(request, &ref, err) < 0 ||
	    task_pids(services->tasks, ref.ns, ref.key, &pids, err) < 0)
		return -1;
	answer = json_pack("{s:o}", "processes", pids);
	conn = db_reader_get(services->db);
	r = each_exec(conn, &ref, name_exec, pids, err);
	db_reader_put(conn);
	if (r < 0)
		return -1;
	*ret = response_json(200, answer);
	return 0;
}
