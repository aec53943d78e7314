/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exec in one call: started by a worker, waited for without a thread,
 * its output read from its log, by a worker, when it has ended. The log is
 * opened before anyone hears of the start, since its files go with the exec's
 * end.
 */
#include "config.h"

#include "handlers/exec_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "handlers/common.h"
#include "handlers/exit_wait.h"
#include "runtime/logs/reader.h"
#include "runtime/spec/process.h"
#include "runtime/task_exec.h"
#include "runtime/task_stdio.h"

/* It, and the answer with it, are held at once: at most 7/3 of this. */
#define OUTPUT_MAX (UINT64_C(8) << 20)
#define CHUNK_MAX 65536

static const struct {
	unsigned int bit;
	const char *text;
	const char *binary;
} streams[] = {
	{ LOG_READ_STDOUT, "stdout", "stdout_base64" },
	{ LOG_READ_STDERR, "stderr", "stderr_base64" },
};
#define N_STREAMS ARRAY_SIZE(streams)

struct run {
	struct services *services;
	struct exit_wait *wait;
	const json_t *exit; /* the wait's, once it has ended */
	char *ns;
	char *task;
	char *exec;
	uint64_t max;	  /* bytes of output, both streams */
	size_t n_streams; /* that are logged */
	struct log_reader *readers[N_STREAMS];
};

static void
run_free(void *arg)
{
	struct run *run = arg;

	exit_wait_free(run->wait);
	for (size_t i = 0; i < N_STREAMS; i++)
		log_reader_free(run->readers[i]);
	free(run->exec);
	free(run->task);
	free(run->ns);
	free(run);
}
DEFINE_CLEANUP(struct run *, run_free)

/* --- the output --------------------------------------------------------- */

struct captured {
	uint64_t left; /* that may yet be taken */
	uint64_t lost; /* bytes that no disk took */
	bool is_truncated;
};

static int
read_stream(struct log_reader *reader, struct captured *captured,
	    struct strbuf *out, struct skiff_error *err)
{
	struct log_chunk chunk;
	int r;

	for (;;) {
		char *place = strbuf_grow(out, CHUNK_MAX);

		r = log_reader_next(reader, &chunk, place, CHUNK_MAX, err);
		if (r == 0 && log_reader_is_behind(reader))
			continue;
		if (r <= 0)
			return r;
		captured->lost += chunk.lost_bytes;
		if (chunk.len > captured->left) {
			captured->is_truncated = true;
			strbuf_advance(out, captured->left);
			captured->left = 0;
			return 0;
		}
		strbuf_advance(out, chunk.len);
		captured->left -= chunk.len;
	}
}

/*
 * Into the answer's text itself: it is the only other place where the output
 * is held. As text, unless base64 is shorter, as it is for NULs.
 */
static int
add_stream(struct run *run, size_t i, struct captured *captured,
	   struct strbuf *answer, struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

	if (read_stream(run->readers[i], captured, &out, err) < 0)
		return err_wrap(err, "output of exec %s", run->exec);
	if (is_utf8(out.buf, out.len) &&
	    json_quoted_len(out.buf, out.len) <= base64_len(out.len) + 2) {
		strbuf_addf(answer, ",\"%s\":", streams[i].text);
		json_quote(out.buf, out.len, answer);
	} else {
		strbuf_addf(answer, ",\"%s\":\"", streams[i].binary);
		base64_encode(out.buf, out.len, answer);
		strbuf_addch(answer, '"');
	}
	return 0;
}

static int
finish_run(void *arg, struct response **ret, struct skiff_error *err)
{
	struct run *run = arg;
	struct captured captured = { .left = run->max };
	cleanup_json json_t *head = json_pack("{s:s}", "id", run->exec);
	CLEANUP(strbuf_done) struct strbuf answer = STRBUF_INIT;
	cleanup_free char *head_text = NULL;
	size_t len;

	(void)json_object_update(head, (json_t *)run->exit);
	head_text = json_text(head);
	/* All but the brace that closes it. */
	strbuf_add(&answer, head_text, strlen(head_text) - 1);
	for (size_t i = 0; i < run->n_streams; i++)
		if (add_stream(run, i, &captured, &answer, err) < 0)
			return -1;
	if (captured.lost > 0)
		strbuf_addf(&answer, ",\"lost_bytes\":%" PRIu64, captured.lost);
	strbuf_addf(&answer, ",\"truncated\":%s}",
		    captured.is_truncated ? "true" : "false");
	len = answer.len;
	*ret = response_json_text(200, strbuf_steal(&answer), len);
	return 0;
}

/* --- the wait ------------------------------------------------------------- */

static int
poll_run(void *arg, bool timed_out, struct response **ret,
	 struct skiff_error *err)
{
	struct run *run = arg;

	(void)ret;
	if (exit_wait_poll(run->wait, &run->exit, err) < 0)
		return -1;
	if (run->exit)
		return WAIT_FINISH;
	if (!timed_out)
		return 0;
	if (exit_wait_late(run->wait, &run->exit, err) == 0)
		return WAIT_FINISH;
	/* Nobody would ever hear of it. */
	exec_kill_later(run->services->tasks, run->ns, run->task, run->exec);
	return -1;
}

static const struct wait_ops wait_for_run = {
	.poll = poll_run,
	.finish = finish_run,
	.free = run_free,
};

/*
 * While nobody can remove it. Only from now on an end under its name is its
 * own: another may have had that until a moment ago.
 */
static int
expect_end(void *arg, int dir_fd, struct skiff_error *err)
{
	struct run *run = arg;

	if (exit_wait_expect(run->wait, err) < 0)
		return -1;
	for (size_t i = 0; i < run->n_streams; i++) {
		struct log_options options = { .streams = streams[i].bit };

		if (log_reader_open(dir_fd, &options, &run->readers[i], err) <
		    0)
			return -1;
	}
	return 0;
}

static int
start(struct run *run, const struct exec_wishes *wishes, bool auto_remove,
      struct skiff_error *err)
{
	CLEANUP(exec_made_done) struct exec_made made = { 0 };
	struct exec_request request = {
		.wishes = wishes,
		.want_start = true,
		.auto_remove = auto_remove,
		.opened = expect_end,
		.arg = run,
	};

	return exec_create(run->services->tasks, run->ns, run->task, &request,
			   &made, err);
}

int
exec_run(struct request *request, struct services *services,
	 struct exec_wishes *wishes, struct response **ret,
	 struct skiff_error *err)
{
	CLEANUP(run_freep) struct run *run = xcalloc(1, sizeof(*run));
	char random[RANDOM_ID_SIZE];
	struct deadline deadline;
	struct record_ref task;
	bool auto_remove;

	if (take_task(request, &task, err) < 0 ||
	    request_query_bool(request, "remove", true, &auto_remove, err) <
		0 ||
	    request_query_u64(request, "max_output", OUTPUT_MAX, OUTPUT_MAX,
			      &run->max, err) < 0 ||
	    take_timeout_query(request, &deadline, err) < 0)
		return -1;
	if (!wishes->id)
		wishes->id = xstrdup(random_id(random));
	run->services = services;
	if (stdio_has_log(wishes->stdio))
		run->n_streams = wishes->terminal ? 1 : N_STREAMS;
	run->ns = xstrdup(task.ns);
	run->task = xstrdup(task.key);
	run->exec = xstrdup(wishes->id);
	run->wait =
	    exit_wait_new(services, request, run->ns, run->task, run->exec);
	if (start(run, wishes, auto_remove, err) < 0)
		return -1;
	*ret = response_wait(&wait_for_run, STEAL_PTR(run), deadline);
	return 0;
}
