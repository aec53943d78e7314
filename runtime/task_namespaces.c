/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces of other containers.
 *
 * A container's document says "container:ID"; the runtime wants a path. A
 * path by the number of that container's process would be another
 * process's as soon as it ends, even the host's own. So the namespace is
 * opened here, its owner is seen to be still the same afterwards, and the
 * runtime is given the path of our descriptor.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/proc.h"
#include "runtime/shim_proto.h"
#include "runtime/spec/wishes.h"
#include "runtime/task_internal.h"
#include "store/record.h"

static int
unavailable(const char *other, const char *why, struct skiff_error *err)
{
	*err = (struct skiff_error)ERROR_INIT;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "the namespaces of container %s cannot be joined: %s",
		      other, why);
	(void)err_object(err, "container", other);
	return err_reason(err, "namespace_unavailable");
}

static int
need_running(const struct task *task, const char *other,
	     struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct record_ref ref = { RECORD_TASK, task->ns, other };
	cleanup_json json_t *record = NULL;

	if (record_load(conn, &ref, &record, err) < 0)
		return err->code == SKIFF_NOT_FOUND
			   ? unavailable(other, "it has no task", err)
			   : -1;
	if (strcmp(json_get_text(record, "state"),
		   task_state_name(TASK_RUNNING)) != 0)
		return unavailable(other, json_get_text(record, "state"), err);
	return 0;
}

/* Who its first process is: what its shim has noted. */
static int
read_identity(const struct task *task, const char *other,
	      struct shim_identity *ret_who, struct skiff_error *err)
{
	cleanup_free char *path = xasprintf("%s/%s/%s/" SHIM_FILE_STATE,
					    task->tasks->root, task->ns, other);
	cleanup_free char *text = NULL;

	if (fs_read_file(AT_FDCWD, path, SHIM_TEXT_MAX, &text, NULL, err) < 0)
		return -1;
	return shim_identity_parse(text, ret_who, err);
}

static bool
has_ended(int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	return poll(&ended, 1, 0) != 0;
}

static int
open_namespace(const struct task *task, const char *other, const char *type,
	       int *ret_fd, struct skiff_error *err)
{
	cleanup_close int pidfd = -1;
	cleanup_close int fd = -1;
	struct shim_identity who;
	uint64_t start;
	char path[64];

	if (need_running(task, other, err) < 0)
		return -1;
	if (read_identity(task, other, &who, err) < 0 ||
	    proc_open((pid_t)who.init_pid, &pidfd, err) < 0 ||
	    proc_start_time((pid_t)who.init_pid, &start, err) < 0 ||
	    start != who.init_start)
		return unavailable(other, "it has just ended", err);
	(void)snprintf(path, sizeof(path), "/proc/%u/ns/%s", who.init_pid,
		       type);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Only of one that lives yet is it known to be what was opened. */
	if (fd < 0 || has_ended(pidfd))
		return unavailable(other, "it has just ended", err);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int
task_plan_join(const struct task *task, struct task_plan *plan,
	       struct skiff_error *err)
{
	const json_t *list = json_object_get(
	    json_object_get(json_object_get(plan->container, "spec"), "linux"),
	    "namespaces");
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *type = json_get_text(item, "type");
		const char *other =
		    namespace_container(json_get_text(item, "path"));
		char path[64];
		int fd = -1;

		if (!other || plan->n_namespace_fds == TASK_NAMESPACES)
			continue;
		if (open_namespace(task, other, type, &fd, err) < 0)
			return -1;
		plan->namespace_fds[plan->n_namespace_fds++] = fd;
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(),
			       fd);
		json_set_text(item, "path", path);
	}
	return 0;
}
