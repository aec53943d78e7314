/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of a shim: spawn, reconnect, calls, the news of the
 * end. Cleaning up after a dead one: shim_cleanup.c.
 */
#include "config.h"

#include "runtime/shim_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "base/strv.h"
#include "runtime/cgroup/enter.h"
#include "runtime/shim_client_internal.h"
#include "runtime/spec/user_namespace.h"

#define FRAME_SIZE 4096 /* of all answers; only stdin is larger */
#define CLEANUP_TIMEOUT_MS 10000
#define LEAVE_TIMEOUT_MS 5000
#define DYING_MS 100 /* from a closed socket to the end of its process */
#define SMALL_FILE_MAX 4096

struct shim_client {
	atomic_int refs;
	char *socket;
	struct shim_identity who;
	int shim_fd; /* pidfd */
	int event_fd;
	bool is_child; /* ours to reap */
	atomic_bool is_reaped;
	bool is_gone; /* of the thread that reads events */
};

static int
gone(struct skiff_error *err, enum skiff_code code, const char *what)
{
	(void)err_set(err, code, "%s", what);
	return err_reason(err, "shim_gone");
}

static int
wait_ready(int fd, short events, struct deadline deadline,
	   struct skiff_error *err)
{
	struct pollfd ready = { .fd = fd, .events = events };
	int n;

	do {
		n = poll(&ready, 1, deadline_poll_ms(deadline));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, errno, "wait for the shim");
	if (n == 0)
		return err_set(err, SKIFF_DEADLINE_EXCEEDED, SHIM_SILENT);
	return 0;
}

/* A stranger on the path is none of ours, whatever it answers. */
static int
check_peer(int fd, uint32_t shim_pid, struct skiff_error *err)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_errno(err, errno, "peer of the shim's socket");
	if (peer.uid != geteuid() || (uint32_t)peer.pid != shim_pid)
		return err_set(err, SKIFF_PERMISSION_DENIED,
			       "the shim's socket belongs to process %d of "
			       "user %u",
			       (int)peer.pid, (unsigned int)peer.uid);
	return 0;
}

static int
open_connection(const char *path, uint32_t shim_pid, struct deadline deadline,
		int *ret_fd, struct skiff_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "socket path %s is too long", path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket");
	/* EAGAIN: its backlog is full. */
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == ECONNREFUSED || errno == ENOENT)
			return gone(err, SKIFF_UNAVAILABLE, "the shim is gone");
		if (errno != EAGAIN && errno != EINTR)
			return err_errno(err, errno, "connect to the shim");
		if (deadline_passed(deadline))
			return err_set(err, SKIFF_DEADLINE_EXCEEDED,
				       SHIM_SILENT);
		(void)poll(NULL, 0, 1);
	}
	if (check_peer(fd, shim_pid, err) < 0)
		return -1;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int
send_message(int fd, const struct shim_message *m, struct skiff_error *err)
{
	unsigned char buf[SHIM_HEADER_SIZE + SHIM_STDIN_MAX + 16];
	size_t len = shim_encode(m, buf, sizeof(buf));

	if (len == 0)
		return err_set(err, SKIFF_TOO_LARGE,
			       "message does not fit a frame");
	if (send(fd, buf, len, MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET)
		return gone(err, SKIFF_UNAVAILABLE, "the shim is gone");
	return err_errno(err, errno, "send to the shim");
}

/* One packet, and the descriptor that came with it, or -1. */
static ssize_t
receive_packet(int fd, unsigned char buf[FRAME_SIZE], int *ret_passed)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { .iov_base = buf, .iov_len = FRAME_SIZE };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = n >= 0 ? CMSG_FIRSTHDR(&message) : NULL;

	*ret_passed = -1;
	if (header && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_passed, CMSG_DATA(header), sizeof(int));
	return n;
}

/* Strings of the answer point into buf. */
static int
receive_reply(int fd, unsigned char buf[FRAME_SIZE], struct deadline deadline,
	      struct shim_message *ret_reply, int *ret_passed,
	      struct skiff_error *err)
{
	ssize_t n;

	if (wait_ready(fd, POLLIN, deadline, err) < 0)
		return -1;
	n = receive_packet(fd, buf, ret_passed);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return gone(err, SKIFF_UNAVAILABLE,
			    "the shim died before it answered");
	if (n < 0)
		return err_errno(err, errno, "receive from the shim");
	return shim_decode(buf, (size_t)n, ret_reply, err);
}

static int
answer_with_fd(int fd, const struct shim_message *request,
	       struct deadline deadline, struct shim_message *ret_reply,
	       int *ret_passed, struct skiff_error *err)
{
	unsigned char buf[FRAME_SIZE];
	cleanup_close int passed = -1;
	struct shim_message reply;

	if (receive_reply(fd, buf, deadline, &reply, &passed, err) < 0)
		return -1;
	if (reply.type == SHIM_ERROR)
		return shim_error_from_message(&reply, err);
	if (reply.type != (request->type | SHIM_REPLY) ||
	    reply.tag != request->tag)
		return err_set(err, SKIFF_INTERNAL,
			       "the shim answered %u to request %u", reply.type,
			       request->type);
	if (ret_reply)
		*ret_reply = reply;
	if (ret_passed)
		*ret_passed = STEAL_FD(passed);
	return 0;
}

int
shim_client_open(const struct shim_client *client, struct deadline deadline,
		 int *ret_fd, struct skiff_error *err)
{
	return open_connection(client->socket, client->who.shim_pid, deadline,
			       ret_fd, err);
}

int
shim_fd_send(int fd, struct shim_message *request, struct skiff_error *err)
{
	return send_message(fd, request, err);
}

int
shim_fd_answer(int fd, const struct shim_message *request,
	       struct deadline deadline, struct shim_message *ret_reply,
	       struct skiff_error *err)
{
	return answer_with_fd(fd, request, deadline, ret_reply, NULL, err);
}

int
shim_client_call_for_fd(const struct shim_client *client,
			struct shim_message *request, struct deadline deadline,
			struct shim_message *ret_reply, int *ret_passed,
			struct skiff_error *err)
{
	cleanup_close int fd = -1;

	request->tag = 1;
	if (shim_client_open(client, deadline, &fd, err) < 0 ||
	    send_message(fd, request, err) < 0)
		return -1;
	return answer_with_fd(fd, request, deadline, ret_reply, ret_passed,
			      err);
}

int
shim_client_call(const struct shim_client *client, struct shim_message *request,
		 struct deadline deadline, struct shim_message *ret_reply,
		 struct skiff_error *err)
{
	return shim_client_call_for_fd(client, request, deadline, ret_reply,
				       NULL, err);
}

/* Told of the end; at once when it has happened. */
static int
subscribe(struct shim_client *client, struct deadline deadline,
	  struct skiff_error *err)
{
	struct shim_message m = { .type = SHIM_SUBSCRIBE };

	if (open_connection(client->socket, client->who.shim_pid, deadline,
			    &client->event_fd, err) < 0)
		return -1;
	return send_message(client->event_fd, &m, err);
}

/* Agrees on a version with a shim of whatever age, and subscribes. */
static int
open_events(struct shim_client *client, struct deadline deadline,
	    struct skiff_error *err)
{
	struct shim_message hello = {
		.type = SHIM_HELLO,
		.u.hello = { .min_version = SHIM_PROTO_VERSION,
			     .max_version = SHIM_PROTO_VERSION },
	};

	if (shim_client_call(client, &hello, deadline, NULL, err) < 0)
		return -1;
	return subscribe(client, deadline, err);
}

static struct shim_client *
client_new(const char *socket)
{
	struct shim_client *client = xcalloc(1, sizeof(*client));

	atomic_init(&client->refs, 1);
	client->socket = xstrdup(socket);
	client->shim_fd = -1;
	client->event_fd = -1;
	return client;
}

/* Waits for the shim's end, and reaps it when it is ours. */
static int
await_shim(struct shim_client *client, struct deadline deadline,
	   struct skiff_error *err)
{
	int status;

	if (atomic_load(&client->is_reaped))
		return 0;
	if (!client->is_child)
		return wait_ready(client->shim_fd, POLLIN, deadline, err);
	if (proc_wait(client->shim_fd, deadline, &status, err) < 0)
		return -1;
	atomic_store(&client->is_reaped, true);
	return 0;
}

struct shim_client *
shim_client_ref(struct shim_client *client)
{
	(void)atomic_fetch_add(&client->refs, 1);
	return client;
}

void
shim_client_free(struct shim_client *client)
{
	struct skiff_error ignored = ERROR_INIT;

	if (!client || atomic_fetch_sub(&client->refs, 1) > 1)
		return;
	/* One that is gone would stay a zombie of ours. */
	if (client->is_child)
		(void)await_shim(client,
				 deadline_in_ms(
				     client->is_gone ? LEAVE_TIMEOUT_MS : 0),
				 &ignored);
	closep(&client->shim_fd);
	closep(&client->event_fd);
	free(client->socket);
	free(client);
}

/* The one frame of the ready pipe; its end without one is a death. */
static int
read_ready(int fd, struct deadline deadline, struct shim_identity *ret_who,
	   struct skiff_error *err)
{
	unsigned char buf[FRAME_SIZE];
	struct shim_message m;
	size_t len = 0;
	ssize_t n;

	do {
		if (wait_ready(fd, POLLIN, deadline, err) < 0)
			return -1;
		n = read(fd, buf + len, sizeof(buf) - len);
		if (n < 0)
			return err_errno(err, errno, "read ready pipe");
		len += (size_t)n;
	} while (n > 0 && len < sizeof(buf));
	if (len == 0) {
		(void)err_set(err, SKIFF_INTERNAL,
			      "the shim died while it made the container");
		return err_reason(err, "shim_died");
	}
	if (shim_decode(buf, len, &m, err) < 0)
		return -1;
	if (m.type == SHIM_ERROR)
		return shim_error_from_message(&m, err);
	if (m.type != SHIM_READY)
		return err_set(err, SKIFF_INTERNAL,
			       "unexpected frame %u on the ready pipe", m.type);
	*ret_who = m.u.ready;
	return 0;
}

static void
keep_variable(struct strv *env, const char *name)
{
	const char *value = getenv(name);

	if (value)
		strv_addf(env, "%s=%s", name, value);
}

static int
start_process(const struct shim_options *options, int ready_fd, pid_t *ret_pid,
	      int *ret_pidfd, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv argv = STRV_INIT;
	CLEANUP(strv_done) struct strv env = STRV_INIT;
	const struct strv *args = options->place.runtime_args;
	struct proc_options process = { .path = options->shim_path,
					.pass_fds = &ready_fd,
					.n_pass_fds = 1,
					.cwd = "/",
					.new_session = 1 };

	strv_add(&argv, options->shim_path);
	strv_addf(&argv, "--runtime=%s", options->place.runtime);
	for (size_t i = 0; args && i < args->n; i++)
		strv_addf(&argv, "--runtime-arg=%s", args->items[i]);
	strv_addf(&argv, "--runtime-root=%s", options->place.runtime_root);
	strv_addf(&argv, "--id=%s", options->place.id);
	strv_addf(&argv, "--socket=%s", options->place.socket);
	if (options->has_terminal)
		strv_add(&argv, "--terminal");
	shim_stdio_arguments(&argv, options);
	if (options->is_restore) {
		strv_addf(&argv, "--restore=%u", options->restore_flags);
		strv_addf(&argv, "--criu-dir=%s", options->criu_dir);
	}
	if (options->owner)
		strv_addf(&argv, "--owner=%u:%u", options->owner->uid,
			  options->owner->gid);
	strv_add(&argv, options->place.task_dir);
	/* Not the daemon's environment: it may hold secrets. */
	strv_add(&env, "LC_ALL=C");
	keep_variable(&env, "SKIFF_FAILPOINTS");
	keep_variable(&env, "SKIFF_FAILPOINTS_TRACE");
	keep_variable(&env, "ASAN_OPTIONS");
	keep_variable(&env, "TSAN_OPTIONS");
	keep_variable(&env, "UBSAN_OPTIONS");
	process.argv = argv.items;
	process.env = env.items;
	if (proc_spawn(&process, ret_pid, ret_pidfd, err) == 0)
		return 0;
	/* It is the daemon that lacks a program, not who asked for a task. */
	if (err->code == SKIFF_NOT_FOUND ||
	    err->code == SKIFF_PERMISSION_DENIED) {
		err->code = SKIFF_UNAVAILABLE;
		(void)err_reason(err, "shim_not_found");
	}
	return -1;
}

static int
spawn(const struct shim_options *options, struct shim_client *client,
      struct skiff_error *err)
{
	cleanup_close int read_end = -1;
	cleanup_close int write_end = -1;
	pid_t pid;
	int ends[2];

	if (fault_hit(FAULT_TASK_SHIM_SPAWN_BEFORE, err) < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, errno, "ready pipe");
	read_end = ends[0];
	write_end = ends[1];
	if (start_process(options, write_end, &pid, &client->shim_fd, err) < 0)
		return -1;
	client->is_child = true;
	closep(&write_end);
	write_end = -1;
	/* While it starts, and the runtime after it: they need not wait. */
	if (options->cgroup)
		cgroup_enter(options->cgroup, pid);
	if (fault_hit(FAULT_TASK_SHIM_SPAWN_AFTER, err) < 0 ||
	    read_ready(read_end, options->deadline, &client->who, err) < 0 ||
	    fault_hit(FAULT_TASK_SHIM_READY, err) < 0)
		return -1;
	/* READY has said which version it speaks: mostly ours. */
	return client->who.version == SHIM_PROTO_VERSION
		   ? subscribe(client, options->deadline, err)
		   : open_events(client, options->deadline, err);
}

/* The shim undoes its own failures; this is for one that cannot. */
static void
undo_spawn(const struct shim_options *options, struct shim_client *client,
	   bool is_told)
{
	struct skiff_error ignored = ERROR_INIT;

	if (client->shim_fd >= 0) {
		struct deadline leave =
		    deadline_in_ms(is_told ? LEAVE_TIMEOUT_MS : 0);

		if (await_shim(client, leave, &ignored) < 0) {
			(void)proc_signal(client->shim_fd, SIGKILL, &ignored);
			(void)await_shim(client,
					 deadline_in_ms(LEAVE_TIMEOUT_MS),
					 &ignored);
		}
	}
	(void)shim_force_cleanup(&options->place,
				 deadline_in_ms(CLEANUP_TIMEOUT_MS), &ignored);
}

int
shim_spawn(const struct shim_options *options, struct shim_client **ret_client,
	   struct skiff_error *err)
{
	CLEANUP(shim_client_freep)
	struct shim_client *client = client_new(options->place.socket);

	if (spawn(options, client, err) < 0) {
		/* No identity: it never became ready, and leaves by itself. */
		undo_spawn(options, client,
			   client->who.shim_pid == 0 &&
			       err->code != SKIFF_DEADLINE_EXCEEDED);
		return err_wrap(err, "create task");
	}
	*ret_client = STEAL_PTR(client);
	return 0;
}

static int
read_identity(const char *task_dir, struct shim_identity *ret_who,
	      struct skiff_error *err)
{
	cleanup_close int task_fd = -1;
	cleanup_free char *text = NULL;

	if (fs_open_dir(AT_FDCWD, task_dir, /* create= */ false, 0, &task_fd,
			err) < 0 ||
	    fs_read_file(task_fd, SHIM_FILE_STATE, SMALL_FILE_MAX, &text, NULL,
			 err) < 0)
		return -1;
	return shim_identity_parse(text, ret_who, err);
}

/*
 * The pidfd first: then the start time speaks of its process. What is only
 * out of reach just now (descriptors, memory) says nothing about the shim.
 */
static int
open_process(struct shim_client *client, struct skiff_error *err)
{
	struct skiff_error why = ERROR_INIT;
	uint64_t start = 0;

	if (proc_open((pid_t)client->who.shim_pid, &client->shim_fd, &why) ==
		0 &&
	    proc_start_time((pid_t)client->who.shim_pid, &start, &why) == 0)
		return start == client->who.shim_start
			   ? 0
			   : gone(err, SKIFF_NOT_FOUND, "the shim is gone");
	/* EINVAL: the number belongs to a thread by now. */
	if (why.code == SKIFF_NOT_FOUND || why.sys_errno == EINVAL)
		return gone(err, SKIFF_NOT_FOUND, "the shim is gone");
	*err = why;
	return -1;
}

int
shim_connect(const char *task_dir, const char *socket, struct deadline deadline,
	     struct shim_client **ret_client, struct skiff_error *err)
{
	CLEANUP(shim_client_freep)
	struct shim_client *client = client_new(socket);
	struct skiff_error alive = ERROR_INIT;

	if (read_identity(task_dir, &client->who, err) < 0) {
		/* Unreadable text was never whole: it never became ready. */
		if (err->code == SKIFF_NOT_FOUND || err->sys_errno == 0)
			return gone(err, SKIFF_NOT_FOUND, "the shim is gone");
		return -1;
	}
	if (open_process(client, err) < 0)
		return -1;
	if (open_events(client, deadline, err) < 0) {
		/* Nobody listens, or somebody else does: it may be dead. */
		if ((err->code == SKIFF_UNAVAILABLE ||
		     err->code == SKIFF_PERMISSION_DENIED) &&
		    wait_ready(client->shim_fd, POLLIN,
			       deadline_in_ms(DYING_MS), &alive) == 0)
			return gone(err, SKIFF_NOT_FOUND, "the shim is gone");
		return -1;
	}
	*ret_client = STEAL_PTR(client);
	return 0;
}

pid_t
shim_client_init_pid(const struct shim_client *client)
{
	return (pid_t)client->who.init_pid;
}

pid_t
shim_client_shim_pid(const struct shim_client *client)
{
	return (pid_t)client->who.shim_pid;
}

int
shim_state(struct shim_client *client, struct deadline deadline,
	   struct shim_status *ret_status, struct skiff_error *err)
{
	struct shim_message m = { .type = SHIM_STATE };
	struct shim_message reply;

	if (shim_client_call(client, &m, deadline, &reply, err) < 0)
		return -1;
	*ret_status = (struct shim_status){
		.phase = (enum shim_phase)reply.u.state.phase,
		.pid = (pid_t)reply.u.state.who.init_pid,
		.exit = reply.u.state.exit,
		.lost_bytes = reply.u.state.lost_bytes,
	};
	return 0;
}

int
shim_start(struct shim_client *client, struct deadline deadline,
	   struct skiff_error *err)
{
	struct shim_message m = { .type = SHIM_START };

	return shim_client_call(client, &m, deadline, NULL, err);
}

int
shim_kill(struct shim_client *client, int signal, bool all,
	  struct deadline deadline, struct skiff_error *err)
{
	struct shim_message m = { .type = SHIM_KILL };

	m.u.kill.signal = (uint32_t)signal;
	m.u.kill.all = all;
	return shim_client_call(client, &m, deadline, NULL, err);
}

int
shim_delete(struct shim_client *client, bool force, struct deadline deadline,
	    struct shim_exit *ret_exit, struct skiff_error *err)
{
	struct shim_message m = { .type = SHIM_DELETE };
	struct shim_message reply;

	if (fault_hit(FAULT_TASK_SHIM_DELETE_BEFORE, err) < 0)
		return -1;
	m.u.delete.force = force;
	if (shim_client_call(client, &m, deadline, &reply, err) < 0 ||
	    await_shim(client, deadline, err) < 0)
		return -1;
	*ret_exit = reply.u.exit;
	return fault_hit(FAULT_TASK_SHIM_DELETE_AFTER, err);
}

int
shim_client_event_fd(const struct shim_client *client)
{
	return client->event_fd;
}

void
shim_client_read_event(struct shim_client *client, struct shim_event *ret_event)
{
	unsigned char buf[FRAME_SIZE];
	struct skiff_error ignored = ERROR_INIT;
	struct shim_message m;
	ssize_t n;

	*ret_event = (struct shim_event){ .type = SHIM_EVENT_NONE };
	while ((n = recv(client->event_fd, buf, sizeof(buf), MSG_DONTWAIT)) >
	       0) {
		/* The answer to SUBSCRIBE, and what newer shims may say. */
		if (shim_decode(buf, (size_t)n, &m, &ignored) < 0)
			continue;
		if (shim_event_take(&m, ret_event))
			return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	client->is_gone = true;
	ret_event->type = SHIM_EVENT_GONE;
}

int
shim_read_exit_record(int task_fd, struct shim_exit *ret_exit,
		      struct skiff_error *err)
{
	cleanup_free char *text = NULL;

	if (fs_read_file(task_fd, SHIM_FILE_EXIT, SMALL_FILE_MAX, &text, NULL,
			 err) < 0)
		return -1;
	return shim_exit_parse(text, ret_exit, err);
}
