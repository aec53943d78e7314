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
#include "runtime/spec/user_namespace.h"
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

/* The first process, held for as long as its namespaces are opened. */
struct owner {
	const char *id;
	pid_t pid;
	int pidfd;
};

static void
owner_done(struct owner *owner)
{
	closep(&owner->pidfd);
}

static int
find_owner(const struct task *task, const char *other, struct owner *ret,
	   struct skiff_error *err)
{
	struct shim_identity who;
	uint64_t start;

	ret->id = other;
	if (need_running(task, other, err) < 0)
		return -1;
	if (read_identity(task, other, &who, err) < 0 ||
	    proc_open((pid_t)who.init_pid, &ret->pidfd, err) < 0 ||
	    proc_start_time((pid_t)who.init_pid, &start, err) < 0 ||
	    start != who.init_start)
		return unavailable(other, "it has just ended", err);
	ret->pid = (pid_t)who.init_pid;
	return 0;
}

/* *ret_path is that of a descriptor of the plan; the caller frees. */
static int
open_namespace(const struct owner *owner, const char *type,
	       struct task_plan *plan, char **ret_path, struct skiff_error *err)
{
	cleanup_free char *path = xasprintf("/proc/%d/ns/%s", owner->pid, type);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	/* Only of one that lives yet is it known to be what was opened. */
	if (fd < 0 || has_ended(owner->pidfd))
		return unavailable(owner->id, "it has just ended", err);
	if (plan->n_namespace_fds == TASK_NAMESPACES)
		return err_set(err, SKIFF_INTERNAL, "too many namespaces");
	*ret_path = xasprintf("/proc/%d/fd/%d", getpid(), fd);
	plan->namespace_fds[plan->n_namespace_fds++] = STEAL_FD(fd);
	return 0;
}

/* What was made for it alone is not shared behind its back. */
static int
need_shareable(const struct task *task, const char *other,
	       struct skiff_error *err)
{
	CLEANUP(db_reader_putp)
	struct conn *conn = db_reader_get(task->tasks->db);
	struct record_ref ref = { RECORD_CONTAINER, task->ns, other };
	cleanup_json json_t *container = NULL;

	if (record_load(conn, &ref, &container, err) < 0)
		return -1;
	if (strcmp(json_get_text(container, "ipc"), NAMESPACE_SHAREABLE) != 0)
		return unavailable(other, "its ipc is not \"shareable\"", err);
	/* Nobody but its own ids could make a file in its /dev/shm. */
	if (spec_has_user_namespace(json_object_get(container, "spec")))
		return unavailable(other, "it has a user namespace", err);
	return 0;
}

static int
join(const struct task *task, json_t *item, const char *other,
     struct task_plan *plan, struct skiff_error *err)
{
	CLEANUP(owner_done) struct owner owner = { .pidfd = -1 };
	const char *type = json_get_text(item, "type");
	bool is_ipc = strcmp(type, "ipc") == 0;
	cleanup_free char *path = NULL;

	if (find_owner(task, other, &owner, err) < 0 ||
	    (is_ipc && need_shareable(task, other, err) < 0) ||
	    (is_ipc && open_namespace(&owner, "mnt", plan, &plan->shm_namespace,
				      err) < 0) ||
	    open_namespace(&owner, type, plan, &path, err) < 0)
		return -1;
	json_set_text(item, "path", path);
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
		cleanup_free char *wish = xstrdup(json_get_text(item, "path"));
		const char *other = namespace_container(wish);

		if (other && join(task, item, other, plan, err) < 0)
			return -1;
	}
	return 0;
}
