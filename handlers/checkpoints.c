/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/tasks/{id}/checkpoint. What comes of it is restored by N/tasks.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "handlers/access.h"
#include "handlers/common.h"
#include "handlers/operations.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/spec/admin_wishes.h"

int
tasks_checkpoint(struct request *request, void *context, struct response **ret,
		 struct skiff_error *err)
{
	struct services *services = context;
	CLEANUP(begun_done) struct begun begun = { 0 };
	struct record_ref ref;
	json_t *body = NULL;

	if (take_task(request, &ref, err) < 0 ||
	    request_query_bool(request, "wait", false, &begun.want_wait, err) <
		0 ||
	    (request_has_body(request) &&
	     request_json(request, &body, err) < 0) ||
	    (!request_is_admins(request) &&
	     admin_wishes_refuse_checkpoint(body, request_faults(request),
					    err) < 0))
		return -1;
	begun.ns = ref.ns;
	if (task_checkpoint(services->tasks, services->transfers, ref.ns,
			    ref.key, body, request_faults(request), &begun.id,
			    &begun.doc, &begun.revision, err) < 0)
		return -1;
	*ret = operation_response(request, services, &begun);
	return 0;
}
