/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of a shim: what concerns the streams of a process.
 */
#include "config.h"

#include <string.h>

#include "base/strv.h"
#include "runtime/shim_client.h"
#include "runtime/shim_client_internal.h"
#include "runtime/task_stdio.h"

static void
add_path(struct strv *argv, const char *option, const char *path)
{
	if (path)
		strv_addf(argv, "--%s=%s", option, path);
}

void
shim_stdio_arguments(struct strv *argv, const struct shim_options *options)
{
	const struct task_stdio *stdio = options->stdio;
	int64_t max_size =
	    stdio->log_max_size ? stdio->log_max_size : options->log_max_size;
	int64_t max_files = stdio->log_max_files ? stdio->log_max_files
						 : options->log_max_files;

	if (stdio->has_stdin)
		strv_add(argv, "--stdin");
	if (!stdio_mode_has_log(stdio->mode))
		strv_add(argv, "--no-log");
	add_path(argv, "in", stdio->stdin_path);
	add_path(argv, "out", stdio->stdout_path);
	add_path(argv, "err", stdio->stderr_path);
	if (max_size)
		strv_addf(argv, "--log-size=%lld", (long long)max_size);
	if (max_files)
		strv_addf(argv, "--log-files=%lld", (long long)max_files);
}

int
shim_resize(struct shim_client *client, uint32_t rows, uint32_t columns,
	    struct deadline deadline, struct skiff_error *err)
{
	struct shim_message m = { .type = SHIM_RESIZE };

	m.u.resize.rows = rows;
	m.u.resize.columns = columns;
	return shim_client_call(client, &m, deadline, NULL, err);
}

int
shim_stdin(struct shim_client *client, const void *data, size_t len,
	   struct deadline deadline, size_t *ret_accepted,
	   struct skiff_error *err)
{
	struct shim_message m = { .type = SHIM_STDIN };
	struct shim_message reply = { 0 };

	m.u.stdin_data.data = data;
	m.u.stdin_data.len =
	    (uint32_t)(len > SHIM_STDIN_MAX ? SHIM_STDIN_MAX : len);
	if (shim_client_call(client, &m, deadline, &reply, err) < 0)
		return -1;
	*ret_accepted = reply.u.accepted;
	return 0;
}

int
shim_close_stdin(struct shim_client *client, struct deadline deadline,
		 struct skiff_error *err)
{
	struct shim_message m = { .type = SHIM_CLOSE_STDIN };

	return shim_client_call(client, &m, deadline, NULL, err);
}

static struct shim_message
about_process(enum shim_type type, const char *id)
{
	struct shim_message m = { .type = (uint16_t)type };

	m.u.io.id = id;
	m.u.io.id_len = (uint16_t)strlen(id);
	return m;
}

int
shim_input(struct shim_client *client, const char *exec_id,
	   struct deadline deadline, int *ret_fd, struct skiff_error *err)
{
	struct shim_message m = about_process(SHIM_INPUT, exec_id);
	int fd = -1;

	if (shim_client_call_for_fd(client, &m, deadline, NULL, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return err_set(err, SKIFF_INTERNAL,
			       "the shim handed over no descriptor");
	*ret_fd = fd;
	return 0;
}

int
shim_input_close(struct shim_client *client, const char *exec_id,
		 struct deadline deadline, struct skiff_error *err)
{
	struct shim_message m = about_process(SHIM_INPUT_CLOSE, exec_id);

	return shim_client_call(client, &m, deadline, NULL, err);
}

int
shim_window(struct shim_client *client, const char *exec_id,
	    const struct shim_window *window, struct deadline deadline,
	    struct skiff_error *err)
{
	struct shim_message m = about_process(SHIM_WINDOW, exec_id);

	m.u.io.rows = window->rows;
	m.u.io.columns = window->columns;
	return shim_client_call(client, &m, deadline, NULL, err);
}
