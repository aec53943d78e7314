/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: requests of docs/SHIM_PROTOCOL.md, one packet each,
 * answered at once or by a job. Only root may speak; several connections
 * at a time, since the daemon opens one a call. A peer that does not read
 * its answers is hung up on: nothing here waits for anyone.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"

#define REPLY_SIZE 4096

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
		shim->connections[i] = (struct shim_connection){
			.fd = STEAL_FD(fd),
			.serial = ++shim->n_serials,
		};
		return;
	}
}

static uint32_t
bit_of(const struct shim *shim, const struct shim_connection *connection)
{
	return 1U << (connection - shim->connections);
}

static void
close_connection(struct shim *shim, struct shim_connection *connection)
{
	closep(&connection->fd);
	connection->fd = -1;
	connection->is_subscribed = false;
	shim_checkpoint_abandoned(shim, connection->serial);
	for (size_t i = 0; i < shim->processes_end; i++)
		shim->processes[i].owed &= ~bit_of(shim, connection);
}

/* False when the socket is full. passed: a descriptor to go along, or -1. */
static bool
send_with_fd(struct shim *shim, struct shim_connection *connection,
	     const struct shim_message *m, int passed)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	unsigned char buf[REPLY_SIZE];
	struct iovec part = {
		.iov_base = buf,
		.iov_len = shim_encode(m, buf, sizeof(buf)),
	};
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *header = (struct cmsghdr *)control;

	if (passed >= 0) {
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &passed, sizeof(int));
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
	}
	if (sendmsg(connection->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno == EAGAIN)
		return false;
	close_connection(shim, connection);
	return true;
}

static bool
send_message(struct shim *shim, struct shim_connection *connection,
	     const struct shim_message *m)
{
	return send_with_fd(shim, connection, m, -1);
}

/* --- what is told without being asked ----------------------------------- */

bool
shim_control_owes(const struct shim *shim,
		  const struct shim_connection *connection)
{
	for (size_t i = 0; i < shim->processes_end; i++)
		if (shim->processes[i].owed & bit_of(shim, connection))
			return true;
	return false;
}

static void
fill_exited(struct shim *shim, const struct shim_process *process,
	    struct shim_message *m)
{
	if (process == shim_init(shim)) {
		*m = (struct shim_message){ .type = SHIM_EXITED };
		m->u.exit = process->exit;
		return;
	}
	*m = (struct shim_message){ .type = SHIM_EXEC_EXITED };
	/* dir is "execs/ID/". */
	m->u.exec_exited.id = process->dir + sizeof(SHIM_EXECS_DIR);
	m->u.exec_exited.id_len = (uint16_t)(strlen(m->u.exec_exited.id) - 1);
	m->u.exec_exited.exit = process->exit;
}

static void
tell(struct shim *shim, struct shim_process *process,
     struct shim_connection *connection)
{
	uint32_t bit = bit_of(shim, connection);
	struct skiff_error err = ERROR_INIT;
	struct shim_message m;

	if (!(process->owed & bit))
		return;
	if (fault_hit(FAULT_SHIM_NOTIFY, &err) < 0) {
		close_connection(shim, connection);
		return;
	}
	fill_exited(shim, process, &m);
	if (send_message(shim, connection, &m))
		process->owed &= ~bit;
}

void
shim_control_tell(struct shim *shim, struct shim_process *process)
{
	for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++)
		tell(shim, process, &shim->connections[i]);
}

void
shim_control_tell_all(struct shim *shim, struct shim_connection *connection)
{
	for (size_t i = shim->processes_end; i-- > 0;)
		tell(shim, &shim->processes[i], connection);
}

/* The ends that are there are told, too. */
static void
subscribe(struct shim *shim, struct shim_connection *connection)
{
	if (connection->is_subscribed)
		return;
	connection->is_subscribed = true;
	for (size_t i = 0; i < shim->processes_end; i++)
		if (shim->processes[i].phase == SHIM_STOPPED &&
		    !shim->processes[i].is_over)
			shim->processes[i].owed |= bit_of(shim, connection);
}

/* --- requests ----------------------------------------------------------- */

static int
serve_kill(struct shim *shim, const struct shim_message *m,
	   struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);
	int signal = (int)m->u.kill.signal;
	size_t n = 0;

	if (m->u.kill.signal == 0 || m->u.kill.signal >= NSIG)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "signal %u does not exist", m->u.kill.signal);
	if (init->has_ended)
		return shim_wrong_state(init, "kill", err);
	if (fault_hit(FAULT_SHIM_KILL_BEFORE, err) < 0)
		return -1;
	if (m->u.kill.all && cgroup_signal(&shim->cgroups, signal, &n, err) < 0)
		return -1;
	if (n == 0 && shim_process_signal(init, signal, err) < 0)
		return -1;
	return fault_hit(FAULT_SHIM_KILL_AFTER, err);
}

static void
fill_state(struct shim *shim, struct shim_message *reply)
{
	const struct shim_process *init = shim_init(shim);

	reply->u.state.phase = init->phase;
	reply->u.state.who = shim->who;
	reply->u.state.lost_bytes = init->log.lost_bytes;
	if (init->phase == SHIM_STOPPED)
		reply->u.state.exit = init->exit;
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

/* Whether a job answers, and not we. */
static bool
is_job(uint16_t type)
{
	return type == SHIM_START || type == SHIM_DELETE ||
	       type == SHIM_EXEC_START || type == SHIM_EXEC_START_STDIO ||
	       type == SHIM_EXEC_DELETE || type == SHIM_CHECKPOINT;
}

static int
begin_job(struct shim *shim, struct shim_connection *connection,
	  const struct shim_message *m, struct skiff_error *err)
{
	switch (m->type) {
	case SHIM_START:
		return shim_begin_start(shim, connection, m, err);
	case SHIM_DELETE:
		return shim_begin_delete(shim, connection, m, err);
	case SHIM_CHECKPOINT:
		return shim_begin_checkpoint(shim, connection, m, err);
	case SHIM_EXEC_START:
	case SHIM_EXEC_START_STDIO:
		return shim_begin_exec_start(shim, connection, m, err);
	default:
		return shim_begin_exec_delete(shim, connection, m, err);
	}
}

static int
answer_now(struct shim *shim, struct shim_connection *connection,
	   const struct shim_message *m, struct shim_message *reply,
	   struct skiff_error *err)
{
	struct shim_process *init = shim_init(shim);

	switch (m->type) {
	case SHIM_HELLO:
		return serve_hello(m, reply, err);
	case SHIM_STATE:
		fill_state(shim, reply);
		return 0;
	case SHIM_KILL:
		return serve_kill(shim, m, err);
	case SHIM_RESIZE:
		return shim_stdio_resize(init, m->u.resize.rows,
					 m->u.resize.columns, err);
	case SHIM_STDIN:
		return shim_stdio_write(init, m->u.stdin_data.data,
					m->u.stdin_data.len, &reply->u.accepted,
					err);
	case SHIM_CLOSE_STDIN:
		return shim_stdio_close(init, err);
	case SHIM_SUBSCRIBE:
		subscribe(shim, connection);
		return 0;
	case SHIM_CHECKPOINT_END:
		return shim_checkpoint_end(shim, connection, m, err);
	case SHIM_EXEC_KILL:
		return shim_exec_kill(shim, m, err);
	case SHIM_EXEC_STATE:
		return shim_exec_state(shim, m, reply, err);
	default:
		(void)err_set(err, SKIFF_UNIMPLEMENTED,
			      "this shim does not know request %u", m->type);
		return err_reason(err, "unknown_request");
	}
}

bool
shim_control_is_open(const struct shim *shim, uint32_t serial)
{
	for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++)
		if (shim->connections[i].fd >= 0 &&
		    shim->connections[i].serial == serial)
			return true;
	return false;
}

void
shim_control_answer(struct shim *shim, uint32_t serial,
		    struct shim_message *reply, const struct skiff_error *err)
{
	for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++) {
		struct shim_connection *connection = &shim->connections[i];

		if (connection->fd < 0 || connection->serial != serial)
			continue;
		if (err)
			shim_error_to_message(err, reply->tag, reply);
		if (!send_message(shim, connection, reply))
			close_connection(shim, connection);
		return;
	}
}

static bool
is_io(uint16_t type)
{
	return type == SHIM_INPUT || type == SHIM_INPUT_CLOSE ||
	       type == SHIM_WINDOW;
}

/* Like answer_now(), with what only these can answer. */
static void
serve_io(struct shim *shim, struct shim_connection *connection,
	 const struct shim_message *m)
{
	struct shim_message reply = { .type = m->type | SHIM_REPLY,
				      .tag = m->tag };
	struct skiff_error err = ERROR_INIT;
	int passed = -1;

	if (shim_stdio_serve(shim, m, &passed, &err) < 0)
		shim_error_to_message(&err, m->tag, &reply);
	if (!send_with_fd(shim, connection, &reply, passed))
		close_connection(shim, connection);
}

static void
serve_packet(struct shim *shim, struct shim_connection *connection, size_t n)
{
	struct skiff_error err = ERROR_INIT;
	struct shim_message reply = { 0 };
	struct shim_message m = { 0 };
	int r = shim_decode(shim_scratch, n, &m, &err);

	if (r == 0 && is_io(m.type)) {
		serve_io(shim, connection, &m);
		return;
	}
	if (r == 0 && is_job(m.type)) {
		r = begin_job(shim, connection, &m, &err);
		if (r == 0)
			return;
	} else if (r == 0) {
		r = answer_now(shim, connection, &m, &reply, &err);
	}
	reply.type = m.type | SHIM_REPLY;
	reply.tag = m.tag;
	shim_control_answer(shim, connection->serial, &reply,
			    r < 0 ? &err : NULL);
}

void
shim_control_serve(struct shim *shim, struct shim_connection *connection)
{
	ssize_t n = recv(connection->fd, shim_scratch, SHIM_FRAME_MAX,
			 MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || n > SHIM_FRAME_MAX) {
		close_connection(shim, connection);
		return;
	}
	serve_packet(shim, connection, (size_t)n);
	if (connection->fd >= 0)
		shim_control_tell_all(shim, connection);
}
