/* SPDX-License-Identifier: Apache-2.0 */
/*
 * …/output: what a process has written, byte for byte, from any offset
 * that is left, once or followed until it has ended. Each client reads the
 * log's own files, by sendfile(2), so any number may.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "handlers/follow.h"

static void
output_free(void *arg)
{
	struct follow *follow = arg;

	follow_done(follow);
	free(follow);
}
DEFINE_CLEANUP(struct follow *, output_free)

static const struct relay_ops output_ops = {
	.output = follow_output,
	.is_lost = follow_is_lost,
	.free = output_free,
};

static int
answer_output(struct request *request, struct services *services, bool is_exec,
	      struct response **ret, struct skiff_error *err)
{
	CLEANUP(output_freep) struct follow *follow = NULL;
	struct follow_wishes wishes = {
		.is_framed = request_accepts(request, STREAM_TYPE_FRAMED),
	};
	uint64_t length = RELAY_TO_THE_END;
	cleanup_close int fd = -1;
	struct process_facts facts;
	struct task_process who;
	uint64_t end;

	if (take_process(request, is_exec, &who, err) < 0 ||
	    check_offset(request, err) < 0 ||
	    take_streams(request, &wishes.streams, err) < 0 ||
	    request_query_bool(request, "follow", false, &wishes.does_follow,
			       err) < 0 ||
	    read_process_facts(services, &who, &facts, err) < 0 ||
	    need_log(&facts, err) < 0 ||
	    open_process_dir(services, &who, &fd, err) < 0 ||
	    take_offset(request, fd, /* from_end= */ false, &wishes.offset,
			&end, err) < 0)
		return -1;
	follow = xcalloc(1, sizeof(*follow));
	if (follow_init(follow, services, request, STEAL_FD(fd), &wishes, err) <
	    0)
		return -1;
	if (!wishes.does_follow && !wishes.is_framed && wishes.streams == 0)
		length = follow->left = end - wishes.offset;
	*ret = response_relay(200,
			      wishes.is_framed ? STREAM_TYPE_FRAMED
					       : "application/octet-stream",
			      &output_ops, STEAL_PTR(follow), length);
	response_header(*ret, "Cache-Control", "no-store");
	response_headerf(*ret, "Skiff-Offset", "%" PRIu64, wishes.offset);
	return 0;
}

int
tasks_output(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	return answer_output(request, context, /* is_exec= */ false, ret, err);
}

int
execs_output(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	return answer_output(request, context, /* is_exec= */ true, ret, err);
}
