/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes a task has, by what the kernel says of them. The names
 * are the kernel's short ones: reading a command line goes into the memory
 * of the process, which can make the reader wait for it.
 */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/parse.h"
#include "runtime/task_internal.h"

#define STATUS_MAX 65536

/* The rest of the line of /proc/PID/status that begins so, or NULL. */
static char *
status_line(const char *status, const char *key)
{
	size_t len = strlen(key);

	while (status) {
		if (strncmp(status, key, len) == 0 && status[len] == ':') {
			const char *value = status + len + 1;

			value += strspn(value, " \t");
			return xstrndup(value, strcspn(value, "\n"));
		}
		status = strchr(status, '\n');
		status = status ? status + 1 : NULL;
	}
	return NULL;
}

static void
set_number(json_t *process, const char *key, const char *status,
	   const char *name)
{
	cleanup_free char *text = status_line(status, name);

	if (text)
		json_set_int(process, key, strtoll(text, NULL, 10));
}

/* Nothing for one that is gone by now. */
static void
add_process(json_t *processes, pid_t pid)
{
	struct skiff_error gone = ERROR_INIT;
	cleanup_json json_t *process = json_object();
	cleanup_free char *status = NULL;
	cleanup_free char *name = NULL;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (fs_read_file(AT_FDCWD, path, STATUS_MAX, &status, NULL, &gone) < 0)
		return;
	json_set_int(process, "pid", pid);
	set_number(process, "ppid", status, "PPid");
	/* The real one of four. */
	set_number(process, "uid", status, "Uid");
	name = status_line(status, "Name");
	/* It may hold any byte: not all of them make a text. */
	if (name && json_object_set_new(process, "name", json_string(name)) < 0)
		json_set_text(process, "name", "?");
	(void)json_array_append(processes, process);
}

static void
note_pid(pid_t pid, void *arg)
{
	add_process(arg, pid);
}

int
task_pids(struct tasks *tasks, const char *ns, const char *id,
	  json_t **ret_pids, struct skiff_error *err)
{
	CLEANUP(task_end_stepp)
	struct task *task = task_begin_step(tasks, ns, id, err);
	struct cgroup_dirs dirs;

	if (!task)
		return -1;
	if (!task_is_live(task))
		return task_refuse(task, "list processes of", err);
	if (task_cgroups(task, &dirs, err) < 0)
		return -1;
	*ret_pids = json_array();
	cgroup_each_pid(&dirs, note_pid, *ret_pids);
	return 0;
}
