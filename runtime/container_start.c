/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that are made and started in one.
 */
#include "config.h"

#include "runtime/container_start.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/strv.h"
#include "runtime/container.h"
#include "runtime/task.h"
#include "store/half_made.h"

/* Nothing that was made for the request stays. */
static int
undo(const struct container_context *context, struct tasks *tasks,
     const char *ns, const char *id, struct skiff_error *err)
{
	static const struct task_removal by_force = { .want_force = true };
	cleanup_json json_t *exit = NULL;

	if (task_delete(tasks, ns, id, &by_force, &exit, err) < 0 &&
	    err->code != SKIFF_NOT_FOUND)
		return -1;
	*err = (struct skiff_error)ERROR_INIT;
	if (container_delete(context, ns, id, /* if_match= */ 0, err) < 0 &&
	    err->code != SKIFF_NOT_FOUND)
		return -1;
	return 0;
}

static int
create_and_start(struct tasks *tasks, const struct task_wishes *wishes,
		 struct skiff_error *err)
{
	cleanup_free char *created = NULL;
	cleanup_free char *started = NULL;
	int64_t revision;

	if (task_create(tasks, wishes, &created, &revision, err) < 0)
		return -1;
	/* From a checkpoint it runs. */
	return wishes->checkpoint ? 0
				  : task_start(tasks, wishes->ns, wishes->id,
					       &started, &revision, err);
}

int
container_start(const struct container_context *context, struct tasks *tasks,
		const struct task_wishes *wishes, struct skiff_error *err)
{
	struct skiff_error left = ERROR_INIT;

	if (create_and_start(tasks, wishes, err) == 0)
		return 0;
	if (undo(context, tasks, wishes->ns, wishes->id, &left) < 0)
		log_failure(LOG_ERROR, &left,
			    "undo container %s/%s, left for the next start",
			    wishes->ns, wishes->id);
	return -1;
}

/* --- after a restart ----------------------------------------------------- */

static bool
is_half_made(const struct container_context *context, const char *ns,
	     const char *id)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(context->db);

	return half_made_has(conn, ns, id);
}

static void
finish(const struct container_context *context, struct tasks *tasks,
       const char *ns, const char *id)
{
	struct skiff_error err = ERROR_INIT;

	/* Where the shim says that it runs, this records the start. */
	task_settle(tasks, ns, id);
	if (!is_half_made(context, ns, id))
		return;
	if (undo(context, tasks, ns, id, &err) < 0)
		log_failure(LOG_ERROR, &err, "container %s/%s", ns, id);
	else
		log_info("container %s/%s was never started: removed", ns, id);
}

int
containers_finish_starts(const struct container_context *context,
			 struct tasks *tasks, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv names = STRV_INIT;
	struct conn *conn = db_reader_get(context->db);
	int r = half_made_list(conn, &names, err);

	db_reader_put(conn);
	if (r < 0)
		return err_wrap(err, "half made containers");
	for (size_t i = 0; i < names.n; i += 2)
		finish(context, tasks, names.items[i], names.items[i + 1]);
	return 0;
}
