/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cannot be checkpointed, told before anything is begun.
 */
#include "config.h"

#include "runtime/checkpoint/checkpoint.h"

#include <string.h>

#include "runtime/spec/user_namespace.h"
#include "runtime/task_internal.h"

int
checkpoint_need_runtime(const struct task *task, struct skiff_error *err)
{
	const char *runtime = task_place(task).runtime;
	const char *slash = runtime ? strrchr(runtime, '/') : NULL;
	const char *name = slash ? slash + 1 : "none";

	if (strcmp(name, "runc") == 0)
		return 0;
	(void)err_set(err, SKIFF_UNIMPLEMENTED,
		      "checkpoints are made and restored through runc, and the "
		      "container's runtime is %s",
		      name);
	return err_reason(err, "runtime_cannot_checkpoint");
}

int
checkpoint_need_snapshot(const json_t *container, struct skiff_error *err)
{
	if (*json_get_text(container, "snapshot_key"))
		return 0;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "the container has no snapshot: what it wrote cannot be "
		      "told from what it found");
	return err_reason(err, "no_snapshot");
}

/* criu knows nothing of the mount that maps their files' ids. */
static int
refuse_user_namespace(const struct task *task, const json_t *spec,
		      struct skiff_error *err)
{
	if (!spec_has_user_namespace(spec))
		return 0;
	(void)err_set(err, SKIFF_UNIMPLEMENTED,
		      "task %s has a user namespace, and those cannot be "
		      "checkpointed yet",
		      task->id);
	return err_reason(err, "user_namespace");
}

/*
 * Namespaces of the host are left as they are. One of somebody else's criu
 * would dump as if it were the task's alone, and make another when it
 * restores; but for the network, which the runtime leaves out.
 */
static int
refuse_joined_namespace(const struct task *task, const json_t *spec,
			struct skiff_error *err)
{
	const json_t *list =
	    json_object_get(json_object_get(spec, "linux"), "namespaces");
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *type = json_get_text(item, "type");

		if (!*json_get_text(item, "path") ||
		    strcmp(type, "network") == 0)
			continue;
		(void)err_set(err, SKIFF_UNIMPLEMENTED,
			      "task %s is in a %s namespace that is not its "
			      "own, and those cannot be checkpointed",
			      task->id, type);
		return err_reason(err, "joined_namespace");
	}
	return 0;
}

int
checkpoint_need_spec(const struct task *task, struct skiff_error *err)
{
	cleanup_json json_t *spec = NULL;

	if (task_load_spec(task, &spec, err) < 0 ||
	    refuse_user_namespace(task, spec, err) < 0)
		return -1;
	return refuse_joined_namespace(task, spec, err);
}
