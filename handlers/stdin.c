/* SPDX-License-Identifier: Apache-2.0 */
/*
 * …/stdin, …/close-stdin, …/resize: the way into a process without an
 * upgraded connection.
 *
 * What the process does not read yet stays in the client's socket: neither
 * memory nor a thread waits with it.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "handlers/process.h"

#define WINDOW_MAX 65535

struct feeding {
	struct task_input *input;
	struct waker *waker;
	bool ends_input;
};

static void
feeding_free(struct feeding *feeding)
{
	task_input_free(feeding->input);
	waker_unref(feeding->waker);
	free(feeding);
}
DEFINE_CLEANUP(struct feeding *, feeding_free)

static int
open_stdin(struct request *request, struct services *services, bool is_exec,
	   struct skiff_error *err)
{
	CLEANUP(feeding_freep) struct feeding *feeding = NULL;
	struct task_process who;

	feeding = xcalloc(1, sizeof(*feeding));
	feeding->waker = request_waker(request);
	if (take_process(request, is_exec, &who, err) < 0 ||
	    request_query_bool(request, "eof", false, &feeding->ends_input,
			       err) < 0 ||
	    task_input_open(services->tasks, &who, wake_waker, feeding->waker,
			    &feeding->input, err) < 0)
		return -1;
	request_set_state(request, STEAL_PTR(feeding));
	return 0;
}

static ssize_t
take_stdin(struct request *request, void *context, const char *data, size_t len,
	   struct skiff_error *err)
{
	struct feeding *feeding = request_state(request);
	ssize_t n = task_input_write(feeding->input, data, len);

	(void)context;
	if (n >= 0)
		return n;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION, "stdin is closed");
	return err_reason(err, "stdin_closed");
}

static int
finish_stdin(struct request *request, struct services *services, bool is_exec,
	     struct response **ret, struct skiff_error *err)
{
	CLEANUP(feeding_freep)
	struct feeding *feeding = request_state(request);
	struct task_process who;

	if (take_process(request, is_exec, &who, err) < 0 ||
	    (feeding->ends_input &&
	     task_input_end(services->tasks, &who, err) < 0))
		return -1;
	*ret = response_empty(204);
	return 0;
}

static void
abort_stdin(struct request *request, void *context)
{
	(void)context;
	feeding_free(request_state(request));
}

static int
open_task_stdin(struct request *request, void *context, struct skiff_error *err)
{
	return open_stdin(request, context, /* is_exec= */ false, err);
}

static int
finish_task_stdin(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	return finish_stdin(request, context, /* is_exec= */ false, ret, err);
}

const struct upload_ops tasks_stdin_upload = {
	.open = open_task_stdin,
	.take = take_stdin,
	.finish = finish_task_stdin,
	.abort = abort_stdin,
};

static int
open_exec_stdin(struct request *request, void *context, struct skiff_error *err)
{
	return open_stdin(request, context, /* is_exec= */ true, err);
}

static int
finish_exec_stdin(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	return finish_stdin(request, context, /* is_exec= */ true, ret, err);
}

const struct upload_ops execs_stdin_upload = {
	.open = open_exec_stdin,
	.take = take_stdin,
	.finish = finish_exec_stdin,
	.abort = abort_stdin,
};

/* --- its end ------------------------------------------------------------ */

static int
close_stdin(struct request *request, struct services *services, bool is_exec,
	    struct response **ret, struct skiff_error *err)
{
	struct task_process who;

	if (take_process(request, is_exec, &who, err) < 0 ||
	    take_no_fields(request, err) < 0 ||
	    task_input_end(services->tasks, &who, err) < 0)
		return -1;
	*ret = response_empty(204);
	return 0;
}

int
tasks_close_stdin(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	return close_stdin(request, context, /* is_exec= */ false, ret, err);
}

int
execs_close_stdin(struct request *request, void *context, struct response **ret,
		  struct skiff_error *err)
{
	return close_stdin(request, context, /* is_exec= */ true, ret, err);
}

/* --- the window --------------------------------------------------------- */

struct window {
	int64_t width;
	int64_t height;
};

static const struct json_field window_fields[] = {
	JSON_INT(struct window, width, "width", 1, WINDOW_MAX, JSON_REQUIRED),
	JSON_INT(struct window, height, "height", 1, WINDOW_MAX, JSON_REQUIRED),
};

static int
resize(struct request *request, struct services *services, bool is_exec,
       struct response **ret, struct skiff_error *err)
{
	struct window window = { 0 };
	struct task_process who;
	json_t *json;

	if (take_process(request, is_exec, &who, err) < 0 ||
	    request_json(request, &json, err) < 0)
		return -1;
	json_decode(json, "", window_fields, ARRAY_SIZE(window_fields), &window,
		    request_faults(request));
	if (check_faults(request, err) < 0 ||
	    task_resize(services->tasks, &who, (uint32_t)window.width,
			(uint32_t)window.height, err) < 0)
		return -1;
	*ret = response_empty(204);
	return 0;
}

int
tasks_resize(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	return resize(request, context, /* is_exec= */ false, ret, err);
}

int
execs_resize(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	return resize(request, context, /* is_exec= */ true, ret, err);
}
