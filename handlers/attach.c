/* SPDX-License-Identifier: Apache-2.0 */
/*
 * …/attach: output and input of a process on one upgraded connection; raw
 * where it has a terminal, else in docker's frames.
 *
 * Output comes from the log's files as in /output, input goes into the
 * process's own pipe or terminal: nothing is kept for a client, and none
 * holds up another.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "handlers/detach_keys.h"
#include "handlers/follow.h"

#define PROTOCOL_SIZE 32

struct attached {
	struct follow follow; /* the first: arg of its functions */
	struct tasks *tasks;
	struct task_input *input; /* NULL: what comes is forgotten */
	struct detach_keys keys;
	bool wants_input;
	bool ends_input; /* the process's, with the client's */
	unsigned int streams;
	char protocol[PROTOCOL_SIZE];
	char *ns;
	char *id;
	char *exec_id;
};

static void
attached_free(void *arg)
{
	struct attached *attached = arg;

	task_input_free(attached->input);
	follow_done(&attached->follow);
	free(attached->ns);
	free(attached->id);
	free(attached->exec_id);
	free(attached);
}
DEFINE_CLEANUP(struct attached *, attached_free)

static size_t
feed(void *arg, const char *data, size_t len)
{
	struct attached *attached = arg;
	ssize_t n;

	if (!attached->input)
		return len;
	n = task_input_write(attached->input, data, len);
	if (n >= 0)
		return (size_t)n;
	/* Closed: a client that types on is no reason to let go of it. */
	task_input_free(attached->input);
	attached->input = NULL;
	return len;
}

static ssize_t
take_input(void *arg, const char *data, size_t len)
{
	struct attached *attached = arg;
	struct task_process who = { attached->ns, attached->id,
				    attached->exec_id };

	if (len > 0)
		return detach_keys_filter(&attached->keys, data, len, feed,
					  attached);
	if (attached->input && attached->ends_input)
		task_input_end_later(attached->tasks, &who);
	task_input_free(attached->input);
	attached->input = NULL;
	return 0;
}

static const struct relay_ops attach_ops = {
	.output = follow_output,
	.input = take_input,
	.is_lost = follow_is_lost,
	.free = attached_free,
};

static int
take_wishes(struct attached *attached, struct request *request,
	    struct skiff_error *err)
{
	if (check_offset(request, err) < 0 ||
	    take_streams(request, &attached->streams, err) < 0 ||
	    request_query_bool(request, "stdin", true, &attached->wants_input,
			       err) < 0 ||
	    request_query_bool(request, "eof", false, &attached->ends_input,
			       err) < 0)
		return -1;
	return detach_keys_parse(request_query(request, "detach_keys"),
				 &attached->keys, err);
}

/* A process that cannot be fed can be listened to all the same. */
static int
open_input(struct attached *attached, const struct task_process *who,
	   struct skiff_error *err)
{
	if (!attached->wants_input ||
	    task_input_open(attached->tasks, who, wake_waker,
			    attached->follow.waker, &attached->input,
			    err) == 0 ||
	    err->code == SKIFF_FAILED_PRECONDITION)
		return 0;
	return -1;
}

static int
need_upgrade(const struct request *request, char protocol[PROTOCOL_SIZE],
	     struct skiff_error *err)
{
	if (request_upgrade(request, protocol, PROTOCOL_SIZE))
		return 0;
	return err_set(err, SKIFF_UPGRADE_REQUIRED,
		       "attach needs Connection: Upgrade and an Upgrade "
		       "header; GET …/output and POST …/stdin do without");
}

static int
begin(struct attached *attached, struct request *request,
      struct services *services, const struct task_process *who,
      struct skiff_error *err)
{
	struct follow_wishes wishes = { .does_follow = true,
					.streams = attached->streams };
	struct process_facts facts;
	uint64_t end;
	int fd;

	if (read_process_facts(services, who, &facts, err) < 0 ||
	    need_upgrade(request, attached->protocol, err) < 0 ||
	    need_log(&facts, err) < 0 ||
	    open_process_dir(services, who, &fd, err) < 0)
		return -1;
	attached->follow.dir_fd = fd;
	if (take_offset(request, fd, /* from_end= */ true, &wishes.offset, &end,
			err) < 0)
		return -1;
	wishes.is_framed = !facts.has_terminal;
	return follow_init(&attached->follow, services, request, fd, &wishes,
			   err);
}

static int
answer_attach(struct request *request, struct services *services, bool is_exec,
	      struct response **ret, struct skiff_error *err)
{
	CLEANUP(attached_freep) struct attached *attached = NULL;
	struct task_process who;
	const char *protocol;
	bool is_framed;
	uint64_t offset;

	if (take_process(request, is_exec, &who, err) < 0)
		return -1;
	attached = xcalloc(1, sizeof(*attached));
	attached->follow.dir_fd = -1;
	attached->tasks = services->tasks;
	attached->ns = xstrdup(who.ns);
	attached->id = xstrdup(who.id);
	attached->exec_id = who.exec_id ? xstrdup(who.exec_id) : NULL;
	if (take_wishes(attached, request, err) < 0 ||
	    begin(attached, request, services, &who, err) < 0 ||
	    open_input(attached, &who, err) < 0)
		return -1;
	is_framed = attached->follow.is_framed;
	protocol = attached->protocol;
	offset = log_reader_offset(attached->follow.reader);
	*ret =
	    response_upgrade(protocol,
			     is_framed ? STREAM_TYPE_FRAMED : STREAM_TYPE_RAW,
			     &attach_ops, STEAL_PTR(attached));
	response_headerf(*ret, "Skiff-Offset", "%" PRIu64, offset);
	return 0;
}

int
tasks_attach(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	return answer_attach(request, context, /* is_exec= */ false, ret, err);
}

int
execs_attach(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	return answer_attach(request, context, /* is_exec= */ true, ret, err);
}
