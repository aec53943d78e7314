/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a namespace's tasks share outside the store: the runtime's state
 * directory, and the cgroup above theirs. The runtime makes both and never
 * removes them.
 *
 * Only rmdir(2) is used, which leaves alone whatever is still in use.
 */
#include "config.h"

#include "runtime/task_internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/strv.h"
#include "runtime/cgroup/path.h"
#include "store/record.h"

static void
remove_empty(const char *parent, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", parent, name);

	(void)rmdir(path);
}

static void
remove_all_empty(const char *parent)
{
	struct skiff_error absent = ERROR_INIT;
	CLEANUP(strv_done) struct strv names = STRV_INIT;

	if (fs_list(AT_FDCWD, parent, &names, &absent) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		remove_empty(parent, names.items[i]);
}

/* The cgroup above all of this daemon's, in every hierarchy. */
static size_t
find_cgroups(const struct tasks *tasks, struct cgroup_dirs *dirs)
{
	struct skiff_error unknown = ERROR_INIT;

	dirs->n = 0;
	if (cgroup_dirs_from_path(tasks->cgroup_prefix, dirs, &unknown) < 0)
		return 0;
	return dirs->n;
}

static bool
namespace_exists(struct tasks *tasks, const char *ns)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(tasks->db);
	struct record_ref ref = { RECORD_NAMESPACE, "", ns };

	return record_exists(conn, &ref);
}

static bool
has_tasks_locked(const struct tasks *tasks, const char *ns)
{
	assert(lock_is_held(&tasks->lock));
	for (const struct task *task = tasks->first; task; task = task->next)
		if (strcmp(task->ns, ns) == 0)
			return true;
	return false;
}

void
tasks_forget_namespace(struct tasks *tasks, const char *ns)
{
	struct cgroup_dirs dirs;
	size_t n;

	if (namespace_exists(tasks, ns))
		return;
	n = find_cgroups(tasks, &dirs);
	/* The lock keeps out the next task, whose runtime makes them again. */
	LOCK_SCOPE(&tasks->lock);
	if (has_tasks_locked(tasks, ns))
		return;
	for (size_t i = 0; i < n; i++)
		remove_empty(cgroup_dir(&dirs, i), ns);
	remove_empty(tasks->runtime_root, ns);
}

void
task_places_sweep(struct tasks *tasks)
{
	struct cgroup_dirs dirs;
	size_t n;

	/* No request is served: nobody is creating one. */
	if (tasks->first)
		return;
	n = find_cgroups(tasks, &dirs);
	remove_all_empty(tasks->runtime_root);
	for (size_t i = 0; i < n; i++) {
		/* Its files cannot be removed, and need not. */
		remove_all_empty(cgroup_dir(&dirs, i));
		(void)rmdir(cgroup_dir(&dirs, i));
	}
}
