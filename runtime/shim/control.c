/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: requests of docs/SHIM_PROTOCOL.md, one packet each,
 * answered at once. Only root may speak; several connections at a time,
 * since the daemon opens one a call. A peer that does not read its answers
 * is hung up on: nothing here waits for anyone.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"

#define REPLY_SIZE 4096
#define DELETE_TIMEOUT_MS 10000

int
shim_control_listen(struct shim *shim, struct skiff_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;

	if (strlen(shim->socket) >= sizeof(address.sun_path))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "socket path %s is too long", shim->socket);
	memcpy(address.sun_path, shim->socket, strlen(shim->socket));
	(void)unlink(shim->socket);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || fchmod(fd, 0600) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(shim->socket, 0600) < 0 ||
	    listen(fd, SHIM_MAX_CONNECTIONS) < 0)
		return err_errno(err, errno, "listen on %s", shim->socket);
	shim->listen_fd = STEAL_FD(fd);
	return 0;
}

void
shim_control_accept(struct shim *shim)
{
	cleanup_close int fd =
	    accept4(shim->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid()))
		return;
	for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++) {
		if (shim->connections[i].fd >= 0)
			continue;
		shim->connections[i] =
		    (struct shim_connection){ .fd = STEAL_FD(fd) };
		return;
	}
}

void
shim_control_close(struct shim_connection *connection)
{
	closep(&connection->fd);
	connection->fd = -1;
}

/* False when the socket is full. */
static bool
send_message(struct shim_connection *connection, const struct shim_message *m)
{
	unsigned char buf[REPLY_SIZE];
	size_t len = shim_encode(m, buf, sizeof(buf));

	if (send(connection->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno == EAGAIN)
		return false;
	shim_control_close(connection);
	return true;
}

void
shim_control_tell_exit(struct shim *shim, struct shim_connection *connection)
{
	struct shim_message m = { .type = SHIM_EXITED, .u.exit = shim->exit };
	struct skiff_error err = ERROR_INIT;

	if (!connection->is_subscribed || connection->is_told ||
	    shim->phase != SHIM_STOPPED)
		return;
	if (fault_hit(FAULT_SHIM_NOTIFY, &err) < 0) {
		shim_control_close(connection);
		return;
	}
	connection->is_told = send_message(connection, &m);
	connection->owes_exit = !connection->is_told;
}

static int
wrong_state(struct shim *shim, const char *verb, struct skiff_error *err)
{
	static const char *const names[] = {
		[SHIM_CREATED] = "created",
		[SHIM_RUNNING] = "running",
		[SHIM_STOPPED] = "stopped",
	};
	enum shim_phase phase = shim->has_ended ? SHIM_STOPPED : shim->phase;

	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "cannot %s a task that is %s", verb, names[phase]);
	return err_state(err, names[phase]);
}

static int
serve_start(struct shim *shim, struct skiff_error *err)
{
	if (shim->phase != SHIM_CREATED || shim->has_ended)
		return wrong_state(shim, "start", err);
	if (shim_runtime_start(shim, err) < 0)
		return -1;
	shim->phase = SHIM_RUNNING;
	return fault_hit(FAULT_SHIM_START_AFTER, err);
}

static int
serve_kill(struct shim *shim, const struct shim_message *m,
	   struct skiff_error *err)
{
	int signal = (int)m->u.kill.signal;
	size_t n = 0;

	if (m->u.kill.signal == 0 || m->u.kill.signal >= NSIG)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "signal %u does not exist", m->u.kill.signal);
	if (shim->has_ended)
		return wrong_state(shim, "kill", err);
	if (m->u.kill.all) {
		if (cgroup_signal(&shim->cgroups, signal, &n, err) < 0)
			return -1;
		if (n > 0)
			return 0;
	}
	if (syscall(SYS_pidfd_send_signal, shim->init_fd, signal, NULL, 0) < 0)
		return err_errno(err, errno, "signal %d", signal);
	return 0;
}

/* Runs the loop without callers until the end is settled. */
static int
wait_for_end(struct shim *shim, struct skiff_error *err)
{
	struct deadline deadline = deadline_in_ms(DELETE_TIMEOUT_MS);

	while (shim->phase != SHIM_STOPPED) {
		if (deadline_passed(deadline))
			return err_set(err, SKIFF_DEADLINE_EXCEEDED,
				       "init does not end on SIGKILL");
		shim_turn(shim, /* with_control= */ false);
	}
	return 0;
}

static int
serve_delete(struct shim *shim, bool is_forced, struct skiff_error *err)
{
	if (!shim->has_ended && !is_forced && shim->phase == SHIM_RUNNING)
		return wrong_state(shim, "delete", err);
	if (!shim->has_ended)
		(void)syscall(SYS_pidfd_send_signal, shim->init_fd, SIGKILL,
			      NULL, 0);
	if (wait_for_end(shim, err) < 0 ||
	    fault_hit(FAULT_SHIM_DELETE_BEFORE, err) < 0 ||
	    shim_runtime_delete(shim, err) < 0 ||
	    fault_hit(FAULT_SHIM_DELETE_RUNTIME, err) < 0)
		return -1;
	shim_rootfs_unmount(shim);
	if (cgroup_remove(&shim->cgroups, deadline_in_ms(DELETE_TIMEOUT_MS),
			  err) < 0 ||
	    fault_hit(FAULT_SHIM_DELETE_AFTER, err) < 0)
		return -1;
	(void)unlink(shim->socket);
	shim->is_deleted = true;
	return 0;
}

static int
serve_resize(struct shim *shim, const struct shim_message *m,
	     struct skiff_error *err)
{
	struct winsize size = {
		.ws_row = (unsigned short)m->u.resize.rows,
		.ws_col = (unsigned short)m->u.resize.columns,
	};

	if (shim->console_fd < 0) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "the task has no terminal");
		return err_reason(err, "not_a_terminal");
	}
	if (m->u.resize.rows > USHRT_MAX || m->u.resize.columns > USHRT_MAX)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "window size out of range");
	if (ioctl(shim->console_fd, TIOCSWINSZ, &size) < 0)
		return err_errno(err, errno, "resize");
	return 0;
}

static int
serve_stdin(struct shim *shim, const struct shim_message *m,
	    uint32_t *ret_accepted, struct skiff_error *err)
{
	int fd = shim->has_terminal ? shim->console_fd : shim->stdin_fd;
	ssize_t n = -1;

	errno = EPIPE;
	if (fd >= 0)
		n = write(fd, m->u.stdin_data.data, m->u.stdin_data.len);
	if (n < 0 && errno != EAGAIN) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "stdin is closed");
		return err_reason(err, "stdin_closed");
	}
	*ret_accepted = n > 0 ? (uint32_t)n : 0;
	return 0;
}

static int
serve_close_stdin(struct shim *shim, struct skiff_error *err)
{
	/* A terminal has no end of its own: Ctrl-D is data. */
	if (shim->stdin_fd < 0) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "stdin is not open");
		return err_reason(err, "stdin_closed");
	}
	(void)close(shim->stdin_fd);
	shim->stdin_fd = -1;
	return 0;
}

static void
fill_state(struct shim *shim, struct shim_message *reply)
{
	reply->u.state.phase = shim->phase;
	reply->u.state.who = shim->who;
	reply->u.state.lost_bytes = shim->lost_bytes;
	if (shim->phase == SHIM_STOPPED)
		reply->u.state.exit = shim->exit;
}

static int
serve_hello(const struct shim_message *m, struct shim_message *reply,
	    struct skiff_error *err)
{
	if (m->u.hello.min_version > SHIM_PROTO_VERSION ||
	    m->u.hello.max_version < SHIM_PROTO_VERSION)
		return err_set(err, SKIFF_UNIMPLEMENTED,
			       "this shim speaks version %d",
			       SHIM_PROTO_VERSION);
	reply->u.hello.min_version = SHIM_PROTO_VERSION;
	reply->u.hello.max_version = SHIM_PROTO_VERSION;
	return 0;
}

static int
dispatch(struct shim *shim, struct shim_connection *connection,
	 const struct shim_message *m, struct shim_message *reply,
	 struct skiff_error *err)
{
	switch (m->type) {
	case SHIM_HELLO:
		return serve_hello(m, reply, err);
	case SHIM_STATE:
		fill_state(shim, reply);
		return 0;
	case SHIM_START:
		return serve_start(shim, err);
	case SHIM_KILL:
		return serve_kill(shim, m, err);
	case SHIM_DELETE:
		if (serve_delete(shim, m->u.delete.force, err) < 0)
			return -1;
		reply->u.exit = shim->exit;
		return 0;
	case SHIM_RESIZE:
		return serve_resize(shim, m, err);
	case SHIM_STDIN:
		return serve_stdin(shim, m, &reply->u.accepted, err);
	case SHIM_CLOSE_STDIN:
		return serve_close_stdin(shim, err);
	case SHIM_SUBSCRIBE:
		connection->is_subscribed = true;
		return 0;
	default:
		(void)err_set(err, SKIFF_UNIMPLEMENTED,
			      "this shim does not know request %u", m->type);
		return err_reason(err, "unknown_request");
	}
}

void
shim_control_serve(struct shim *shim, struct shim_connection *connection)
{
	struct skiff_error err = ERROR_INIT;
	struct shim_message m = { 0 };
	struct shim_message reply = { 0 };
	ssize_t n;

	n = recv(connection->fd, shim_scratch, SHIM_FRAME_MAX,
		 MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || n > SHIM_FRAME_MAX) {
		shim_control_close(connection);
		return;
	}
	if (shim_decode(shim_scratch, (size_t)n, &m, &err) < 0 ||
	    dispatch(shim, connection, &m, &reply, &err) < 0) {
		shim_error_to_message(&err, m.tag, &reply);
	} else {
		reply.type = m.type | SHIM_REPLY;
		reply.tag = m.tag;
	}
	if (!send_message(connection, &reply))
		shim_control_close(connection);
	if (connection->fd >= 0)
		shim_control_tell_exit(shim, connection);
}
