/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of a shim: execs, and what it says by itself.
 */
#include "config.h"

#include <string.h>

#include "runtime/shim_client_internal.h"
#include "runtime/task_stdio.h"

static struct shim_message
about_exec(enum shim_type type, const char *id)
{
	struct shim_message m = { .type = (uint16_t)type };

	m.u.exec.id = id;
	m.u.exec.id_len = (uint16_t)strlen(id);
	return m;
}

/* What every shim understands is said in the words of the first ones. */
static void
tell_stdio(const struct task_stdio *stdio, struct shim_message *m)
{
	const char *const paths[] = { stdio->stdin_path, stdio->stdout_path,
				      stdio->stderr_path };

	m->u.exec_start.has_stdin = stdio->has_stdin;
	m->u.exec_start.no_log = !stdio_mode_has_log(stdio->mode);
	m->u.exec_start.log_size = (uint64_t)stdio->log_max_size;
	m->u.exec_start.log_files = (uint32_t)stdio->log_max_files;
	if (stdio->log_max_size > 0 || stdio->log_max_files > 0)
		m->type = SHIM_EXEC_START_STDIO;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!paths[i])
			continue;
		m->type = SHIM_EXEC_START_STDIO;
		m->u.exec_start.paths[i] = paths[i];
		m->u.exec_start.path_lens[i] = (uint16_t)strlen(paths[i]);
	}
}

int
shim_exec_start(struct shim_client *client,
		const struct shim_exec_options *options,
		struct deadline deadline, pid_t *ret_pid,
		struct skiff_error *err)
{
	struct shim_message m = { .type = SHIM_EXEC_START };
	struct shim_message reply;

	m.u.exec_start.id = options->id;
	m.u.exec_start.id_len = (uint16_t)strlen(options->id);
	m.u.exec_start.terminal = options->has_terminal;
	m.u.exec_start.rows = options->rows;
	m.u.exec_start.columns = options->columns;
	if (options->stdio)
		tell_stdio(options->stdio, &m);
	if (shim_client_call(client, &m, deadline, &reply, err) < 0)
		return -1;
	*ret_pid = (pid_t)reply.u.exec_state.pid;
	return 0;
}

int
shim_exec_kill(struct shim_client *client, const char *id, int signal,
	       struct deadline deadline, struct skiff_error *err)
{
	struct shim_message m = about_exec(SHIM_EXEC_KILL, id);

	m.u.exec.signal = (uint32_t)signal;
	return shim_client_call(client, &m, deadline, NULL, err);
}

int
shim_exec_delete(struct shim_client *client, const char *id, bool force,
		 struct deadline deadline, struct shim_exit *ret_exit,
		 struct skiff_error *err)
{
	struct shim_message m = about_exec(SHIM_EXEC_DELETE, id);
	struct shim_message reply;

	m.u.exec.force = force;
	if (shim_client_call(client, &m, deadline, &reply, err) < 0)
		return -1;
	*ret_exit = reply.u.exit;
	return 0;
}

int
shim_exec_state(struct shim_client *client, const char *id,
		struct deadline deadline, struct shim_status *ret_status,
		struct skiff_error *err)
{
	struct shim_message m = about_exec(SHIM_EXEC_STATE, id);
	struct shim_message reply;

	if (shim_client_call(client, &m, deadline, &reply, err) < 0)
		return -1;
	*ret_status = (struct shim_status){
		.phase = (enum shim_phase)reply.u.exec_state.phase,
		.pid = (pid_t)reply.u.exec_state.pid,
		.exit = reply.u.exec_state.exit,
		.lost_bytes = reply.u.exec_state.exit.lost_bytes,
	};
	return 0;
}

bool
shim_event_take(const struct shim_message *m, struct shim_event *ret_event)
{
	if (m->type == SHIM_EXITED) {
		ret_event->type = SHIM_EVENT_EXITED;
		ret_event->exit = m->u.exit;
		return true;
	}
	if (m->type == SHIM_EXEC_EXITED &&
	    m->u.exec_exited.id_len <= SHIM_EXEC_ID_MAX) {
		ret_event->type = SHIM_EVENT_EXEC_EXITED;
		ret_event->exit = m->u.exec_exited.exit;
		memcpy(ret_event->exec_id, m->u.exec_exited.id,
		       m->u.exec_exited.id_len);
		ret_event->exec_id[m->u.exec_exited.id_len] = '\0';
		return true;
	}
	return false;
}
