/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of a shim as a command, for tests: each run is a
 * daemon that starts, does one thing with a task, and is gone.
 *
 *	shim_driver spawn|cleanup|start|kill|… [options] TASK_DIR [argument …]
 *
 * Prints what it learnt as "name value" words on one line and exits 0, or
 * "error CODE REASON STATE TEXT" and exits 1.
 */
#include "config.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fs.h"
#include "runtime/logs/reader.h"
#include "runtime/shim_client.h"
#include "runtime/task_stdio.h"

#define TIMEOUT_MS 30000

struct command {
	struct shim_options options;
	struct task_stdio stdio;
	struct log_options log;
	bool want_records;
	char *const *arguments;
	int n_arguments;
};

static const struct option long_options[] = {
	{ "shim", required_argument, NULL, 'S' },
	{ "runtime", required_argument, NULL, 'r' },
	{ "runtime-root", required_argument, NULL, 'R' },
	{ "id", required_argument, NULL, 'i' },
	{ "socket", required_argument, NULL, 's' },
	{ "cgroups-path", required_argument, NULL, 'c' },
	{ "terminal", no_argument, NULL, 't' },
	{ "stdin", no_argument, NULL, 'n' },
	{ "no-log", no_argument, NULL, 'l' },
	{ "tail", required_argument, NULL, 'T' },
	{ "offset", required_argument, NULL, 'o' },
	{ "stream", required_argument, NULL, 'x' },
	{ "timestamps", no_argument, NULL, 'z' },
	{ "records", no_argument, NULL, 'y' },
	{ NULL, 0, NULL, 0 },
};

static struct deadline
soon(void)
{
	return deadline_in_ms(TIMEOUT_MS);
}

static void
print_exit(const struct shim_exit *e)
{
	(void)printf("pid %u status %u exited_ns %" PRId64
		     " started %d oom %d lost %" PRIu64 "\n",
		     e->pid, e->status, e->exited_ns, e->was_started,
		     e->was_oom, e->lost_bytes);
}

/* Of the task, or of an exec. */
static int
wait_for_exit(struct shim_client *client, bool of_exec, struct skiff_error *err)
{
	struct deadline deadline = soon();
	struct shim_event event = { .type = SHIM_EVENT_NONE };
	struct pollfd ready = { .fd = shim_client_event_fd(client),
				.events = POLLIN };

	while (event.type == SHIM_EVENT_NONE ||
	       (event.type == SHIM_EVENT_EXEC_EXITED && !of_exec)) {
		if (poll(&ready, 1, deadline_poll_ms(deadline)) == 0)
			return err_set(err, SKIFF_DEADLINE_EXCEEDED,
				       "no event");
		shim_client_read_event(client, &event);
	}
	if (event.type == SHIM_EVENT_EXEC_EXITED)
		(void)printf("exec %s ", event.exec_id);
	if (event.type == SHIM_EVENT_GONE)
		(void)printf("gone\n");
	else
		print_exit(&event.exit);
	return 0;
}

static int
do_state(struct shim_client *client, struct skiff_error *err)
{
	static const char *const phases[] = { "?", "created", "running",
					      "stopped" };
	struct shim_status status;

	if (shim_state(client, soon(), &status, err) < 0)
		return -1;
	(void)printf("phase %s init %d shim %d lost %" PRIu64 "\n",
		     phases[status.phase], (int)status.pid,
		     (int)shim_client_shim_pid(client), status.lost_bytes);
	return 0;
}

static int
do_stdin(struct shim_client *client, const char *text, struct skiff_error *err)
{
	size_t n;

	if (shim_stdin(client, text, strlen(text), soon(), &n, err) < 0)
		return -1;
	(void)printf("accepted %zu\n", n);
	return 0;
}

static const char *
argument(const struct command *command, int i)
{
	return i < command->n_arguments ? command->arguments[i] : "";
}

/*
 * exec-start ID, exec-run ID (and waits), exec-kill ID SIGNAL,
 * exec-state ID, exec-delete ID [force]
 */
static int
call_exec(const char *verb, const struct command *command,
	  struct shim_client *client, struct skiff_error *err)
{
	struct shim_exec_options options = {
		.id = argument(command, 0),
		.has_terminal = command->options.has_terminal,
		.stdio = &command->stdio,
	};
	struct shim_status status = { .phase = SHIM_RUNNING };
	struct shim_exit e;

	if (strcmp(verb, "exec-kill") == 0)
		return shim_exec_kill(client, options.id,
				      (int)strtol(argument(command, 1), NULL,
						  10),
				      soon(), err);
	if (strcmp(verb, "exec-delete") == 0) {
		if (shim_exec_delete(client, options.id,
				     command->n_arguments > 1, soon(), &e,
				     err) < 0)
			return -1;
		print_exit(&e);
		return 0;
	}
	if (strcmp(verb, "exec-run") == 0)
		return shim_exec_start(client, &options, soon(), &status.pid,
				       err) < 0
			   ? -1
			   : wait_for_exit(client, /* of_exec= */ true, err);
	if (strcmp(verb, "exec-start") == 0
		? shim_exec_start(client, &options, soon(), &status.pid, err) <
		      0
		: shim_exec_state(client, options.id, soon(), &status, err) < 0)
		return -1;
	(void)printf("phase %d pid %d\n", (int)status.phase, (int)status.pid);
	return 0;
}

static int
number(const struct command *command, int i)
{
	return i < command->n_arguments
		   ? (int)strtol(command->arguments[i], NULL, 10)
		   : 0;
}

static int
call(const char *verb, const struct command *command,
     struct shim_client *client, struct skiff_error *err)
{
	struct shim_exit e;

	if (strcmp(verb, "state") == 0)
		return do_state(client, err);
	if (strcmp(verb, "start") == 0)
		return shim_start(client, soon(), err);
	if (strcmp(verb, "kill") == 0)
		return shim_kill(client, number(command, 0),
				 command->n_arguments > 1, soon(), err);
	if (strcmp(verb, "wait") == 0)
		return wait_for_exit(client, /* of_exec= */ false, err);
	if (strcmp(verb, "resize") == 0)
		return shim_resize(client, (uint32_t)number(command, 0),
				   (uint32_t)number(command, 1), soon(), err);
	if (strcmp(verb, "stdin") == 0)
		return do_stdin(client, command->arguments[0], err);
	if (strcmp(verb, "close-stdin") == 0)
		return shim_close_stdin(client, soon(), err);
	if (strncmp(verb, "exec-", 5) == 0)
		return call_exec(verb, command, client, err);
	if (strcmp(verb, "delete") != 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT, "verb %s", verb);
	if (shim_delete(client, command->n_arguments > 0, soon(), &e, err) < 0)
		return -1;
	print_exit(&e);
	return 0;
}

static int
print_log(int task_fd, const struct command *command, struct skiff_error *err)
{
	CLEANUP(log_reader_freep) struct log_reader *reader = NULL;
	char buf[65536];
	struct log_chunk chunk;
	ssize_t n;

	if (log_reader_open(task_fd, &command->log, &reader, err) < 0)
		return -1;
	do {
		if (!command->want_records) {
			n = log_reader_text(reader, buf, sizeof(buf), err);
			if (n > 0)
				(void)fwrite(buf, 1, (size_t)n, stdout);
			continue;
		}
		n = log_reader_next(reader, &chunk, buf, sizeof(buf), err);
		if (n > 0)
			(void)printf("%u %" PRIu64 " %zu %" PRIu64 "\n",
				     chunk.stream, chunk.offset, chunk.len,
				     chunk.lost_bytes);
	} while (n > 0 || (n == 0 && log_reader_is_behind(reader)));
	return (int)n;
}

static int
do_spawn(struct command *command, struct skiff_error *err)
{
	CLEANUP(shim_client_freep) struct shim_client *client = NULL;

	command->options.deadline = soon();
	if (shim_spawn(&command->options, &client, err) < 0)
		return -1;
	(void)printf("init %d shim %d\n", (int)shim_client_init_pid(client),
		     (int)shim_client_shim_pid(client));
	return 0;
}

static int
do_verb(const char *verb, struct command *command, struct skiff_error *err)
{
	CLEANUP(shim_client_freep) struct shim_client *client = NULL;
	const struct shim_place *place = &command->options.place;
	cleanup_close int task_fd = -1;
	struct shim_exit e;

	if (fault_setup(err) < 0)
		return -1;
	if (strcmp(verb, "spawn") == 0)
		return do_spawn(command, err);
	if (strcmp(verb, "cleanup") == 0)
		return shim_force_cleanup(place, soon(), err);
	if (fs_open_dir(AT_FDCWD, place->task_dir, /* create= */ false, 0,
			&task_fd, err) < 0)
		return -1;
	if (strcmp(verb, "log") == 0)
		return print_log(task_fd, command, err);
	if (strcmp(verb, "record") == 0) {
		if (shim_read_exit_record(task_fd, &e, err) < 0)
			return -1;
		print_exit(&e);
		return 0;
	}
	if (shim_connect(place->task_dir, place->socket, soon(), &client, err) <
	    0)
		return -1;
	return call(verb, command, client, err);
}

static void
take_option(struct command *command, int c)
{
	struct shim_options *o = &command->options;

	o->stdio = &command->stdio;
	switch (c) {
	case 'S':
		o->shim_path = optarg;
		break;
	case 'r':
		o->place.runtime = optarg;
		break;
	case 'R':
		o->place.runtime_root = optarg;
		break;
	case 'i':
		o->place.id = optarg;
		break;
	case 's':
		o->place.socket = optarg;
		break;
	case 'c':
		o->place.cgroups_path = optarg;
		break;
	case 't':
		o->has_terminal = true;
		break;
	case 'n':
		command->stdio.has_stdin = true;
		break;
	case 'l':
		command->stdio.mode = STDIO_NULL;
		break;
	case 'T':
		command->log.has_tail = true;
		command->log.tail_lines = strtoll(optarg, NULL, 10);
		break;
	case 'o':
		command->log.offset = strtoull(optarg, NULL, 10);
		break;
	case 'x':
		command->log.streams = (unsigned int)strtoul(optarg, NULL, 10);
		break;
	case 'z':
		command->log.has_timestamps = true;
		break;
	default:
		command->want_records = true;
		break;
	}
}

int
main(int argc, char **argv)
{
	struct skiff_error err = ERROR_INIT;
	struct command command = { .n_arguments = 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
		take_option(&command, c);
	if (argc - optind < 2)
		return 64;
	command.options.place.task_dir = argv[optind + 1];
	command.arguments = argv + optind + 2;
	command.n_arguments = argc - optind - 2;
	if (do_verb(argv[optind], &command, &err) < 0) {
		(void)printf("error %s %s %s %s\n", err_code_name(err.code),
			     err.reason ? err.reason : "-",
			     err.state[0] ? err.state : "-", err.text);
		return 1;
	}
	return 0;
}
