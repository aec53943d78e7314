/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the routes of one process have in common.
 */
#include "config.h"

#include "handlers/process.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/id.h"
#include "base/json.h"
#include "runtime/logs/reader.h"
#include "runtime/task.h"
#include "runtime/task_exec.h"
#include "runtime/task_stdio.h"

int
take_process(struct request *request, bool is_exec,
	     struct task_process *ret_process, struct skiff_error *err)
{
	struct record_ref ref;

	if (take_task(request, &ref, err) < 0)
		return -1;
	*ret_process = (struct task_process){ .ns = ref.ns, .id = ref.key };
	if (!is_exec)
		return 0;
	ret_process->exec_id = request_param(request, "eid");
	return id_check("exec", ret_process->exec_id, err);
}

int
open_process_dir(struct services *services, const struct task_process *process,
		 int *ret_fd, struct skiff_error *err)
{
	return process->exec_id
		   ? exec_open_dir(services->tasks, process->ns, process->id,
				   process->exec_id, ret_fd, err)
		   : task_open_dir(services->tasks, process->ns, process->id,
				   ret_fd, err);
}

int
read_process_facts(struct services *services,
		   const struct task_process *process,
		   struct process_facts *ret_facts, struct skiff_error *err)
{
	struct record_ref ref = { RECORD_TASK, process->ns, process->id };
	cleanup_json json_t *json = NULL;
	cleanup_free char *key = NULL;
	cleanup_free char *doc = NULL;
	int64_t revision;

	if (process->exec_id) {
		key = xasprintf("%s/%s", process->id, process->exec_id);
		ref.kind = RECORD_EXEC;
		ref.key = key;
	}
	if (record_get(services->db, &ref, &doc, &revision, err) < 0 ||
	    json_parse(doc, strlen(doc), &json, err) < 0)
		return -1;
	ret_facts->has_terminal = json_get_bool(json, "terminal");
	ret_facts->has_log = stdio_has_log(json_object_get(json, "stdio"));
	return 0;
}

int
need_log(const struct process_facts *facts, struct skiff_error *err)
{
	if (facts->has_log)
		return 0;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "its output goes elsewhere, and not to a log");
	return err_reason(err, "not_logged");
}

int
take_removal(struct request *request, struct task_removal *ret_removal,
	     struct skiff_error *err)
{
	*ret_removal = (struct task_removal){ 0 };
	if (request_query_bool(request, "force", false,
			       &ret_removal->want_force, err) < 0)
		return -1;
	return take_if_match(request, &ret_removal->if_match, err);
}

int
take_streams(struct request *request, unsigned int *ret_streams,
	     struct skiff_error *err)
{
	const char *text = request_query(request, "stream");

	if (!text || strcmp(text, "both") == 0)
		*ret_streams = 0;
	else if (strcmp(text, "stdout") == 0)
		*ret_streams = LOG_READ_STDOUT;
	else if (strcmp(text, "stderr") == 0)
		*ret_streams = LOG_READ_STDERR;
	else
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "stream must be stdout, stderr or both");
	return 0;
}

void
wake_waker(void *waker)
{
	waker_wake(waker);
}
