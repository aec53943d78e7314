/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies and connections that are moved by our own hands.
 *
 * The library neither sends a file of unknown length without copying it,
 * nor reads while it sends. So its connection is suspended, by us or by an
 * upgrade, and the socket is ours until the end, watched by our epoll
 * alone. The end of a body is told to the library as the handler's MHD_NO,
 * which closes the connection; the end of an upgrade by its own call.
 *
 * A piece is sent in stages: the chunk's size, memory, file, the chunk's
 * end. Nothing is kept but where it stopped.
 */
#include "config.h"

#include "http/relay.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>

#include "base/alloc.h"
#include "http/http_internal.h"
#include "http/response_internal.h"

/* What one relay moves before others of its loop have their turn. */
#define TURN_BYTES (1U << 20)
#define INPUT_BYTES 65536
#define TO_READ (EPOLLIN | EPOLLRDHUP)

enum stage { STAGE_NONE, STAGE_OPENING, STAGE_SIZE, STAGE_FILE, STAGE_TAIL };

struct relay {
	struct request *request;
	struct MHD_UpgradeResponseHandle *upgrade; /* or NULL */
	struct relay_piece piece;
	enum stage stage;
	bool is_chunked;
	bool is_running; /* the first turn has come */
	bool is_ending;	 /* output has no more */
	bool is_stopping;
	bool is_over;
	bool has_input_ended;
	struct strbuf opening; /* of the answer */
	char size[24];	       /* of the chunk; or its end */
	size_t size_len;
	size_t sent; /* of the stage's memory */
	char *early; /* came behind the request's head */
	size_t n_early;
	size_t early_at;
};

void
relay_free(struct relay *relay)
{
	if (!relay)
		return;
	strbuf_done(&relay->opening);
	free(relay->early);
	free(relay);
}

static const struct relay_ops *
ops_of(const struct relay *relay)
{
	return relay->request->response->relay;
}

static void *
arg_of(const struct relay *relay)
{
	return relay->request->response->arg;
}

/* The socket goes back to the library, which closes it. */
static void
let_go(struct relay *relay)
{
	struct request *request = relay->request;
	struct conn *conn = request->conn;

	relay->is_over = true;
	request->phase = PHASE_OVER;
	if (relay->upgrade)
		(void)MHD_upgrade_action(STEAL_PTR(relay->upgrade),
					 MHD_UPGRADE_ACTION_CLOSE);
	else if (conn)
		exchange_wake(request);
}

/* All is said: the client may still be sending. */
static void
finish(struct relay *relay)
{
	struct conn *conn = relay->request->conn;

	conn->wants_linger = !relay->has_input_ended;
	(void)shutdown(conn->fd, SHUT_WR);
	let_go(relay);
}

void
relay_cut(struct relay *relay)
{
	if (relay->is_over)
		return;
	relay->request->conn->is_gone = true;
	(void)shutdown(relay->request->conn->fd, SHUT_RDWR);
	let_go(relay);
}

/* 1 when all of both is sent, 0 later, -1; *sent counts over calls. */
static int
send_memory(const struct relay *relay, const struct iovec part[2], size_t *sent,
	    int flags)
{
	struct iovec rest[2];
	struct msghdr message = { .msg_iov = rest };
	size_t skip = *sent;
	size_t total = part[0].iov_len + part[1].iov_len;
	ssize_t n;

	for (size_t i = 0; i < 2; i++) {
		size_t used = skip < part[i].iov_len ? skip : part[i].iov_len;

		skip -= used;
		if (used == part[i].iov_len)
			continue;
		rest[message.msg_iovlen++] = (struct iovec){
			.iov_base = (char *)part[i].iov_base + used,
			.iov_len = part[i].iov_len - used,
		};
	}
	if (message.msg_iovlen == 0)
		return 1;
	n = sendmsg(relay->request->conn->fd, &message,
		    MSG_NOSIGNAL | MSG_DONTWAIT | flags);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	*sent += (size_t)n;
	return *sent == total;
}

static int
send_file(struct relay *relay, uint64_t *moved)
{
	struct relay_piece *piece = &relay->piece;

	while (piece->len > 0) {
		off_t offset = (off_t)piece->offset;
		size_t want =
		    piece->len < TURN_BYTES ? (size_t)piece->len : TURN_BYTES;
		ssize_t n = sendfile(relay->request->conn->fd, piece->fd,
				     &offset, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		if (n == 0)
			return -1; /* it was promised, and is gone */
		piece->offset += (uint64_t)n;
		piece->len -= (uint64_t)n;
		*moved += (uint64_t)n;
		if (*moved >= TURN_BYTES && piece->len > 0)
			return 0;
	}
	return 1;
}

static char line_end[] = { '\r', '\n' };

static int
send_stage(struct relay *relay, uint64_t *moved)
{
	struct iovec part[2] = { 0 };
	struct relay_piece *piece = &relay->piece;

	switch (relay->stage) {
	case STAGE_OPENING:
		part[0] =
		    (struct iovec){ relay->opening.buf, relay->opening.len };
		break;
	case STAGE_SIZE:
		part[0] = (struct iovec){ relay->size, relay->size_len };
		part[1] =
		    (struct iovec){ (void *)piece->data, piece->data_len };
		return send_memory(relay, part, &relay->sent,
				   piece->len > 0 ? MSG_MORE : 0);
	case STAGE_FILE:
		return send_file(relay, moved);
	case STAGE_TAIL:
		part[0] = (struct iovec){ line_end, sizeof(line_end) };
		break;
	case STAGE_NONE:
		return 1;
	}
	return send_memory(relay, part, &relay->sent, 0);
}

/* 1: nothing is left to be sent; 0: later; -1: the client is gone. */
static int
flush(struct relay *relay, uint64_t *moved)
{
	while (relay->stage != STAGE_NONE) {
		int r = send_stage(relay, moved);

		if (r <= 0)
			return r;
		relay->sent = 0;
		if (relay->stage == STAGE_OPENING)
			strbuf_done(&relay->opening);
		if (relay->stage == STAGE_SIZE)
			relay->stage = STAGE_FILE;
		else if (relay->stage == STAGE_FILE && relay->is_chunked &&
			 !relay->is_ending)
			relay->stage = STAGE_TAIL;
		else
			relay->stage = STAGE_NONE;
	}
	return 1;
}

static void
begin_piece(struct relay *relay)
{
	const struct relay_piece *piece = &relay->piece;

	assert(piece->data_len > 0 || piece->len > 0);
	relay->stage = STAGE_SIZE;
	relay->size_len = 0;
	if (relay->is_chunked)
		relay->size_len =
		    (size_t)snprintf(relay->size, sizeof(relay->size),
				     "%" PRIx64 "\r\n",
				     piece->data_len + piece->len);
}

static void
begin_end(struct relay *relay)
{
	relay->is_ending = true;
	if (!relay->is_chunked)
		return;
	relay->piece = (struct relay_piece){ .fd = -1 };
	relay->stage = STAGE_SIZE;
	relay->size_len = 5;
	memcpy(relay->size, "0\r\n\r\n", 5);
}

static int
next_piece(struct relay *relay)
{
	const struct relay_ops *ops = ops_of(relay);
	int r;

	if (relay->is_stopping && !ops->stopping)
		return -1;
	r = ops->output(arg_of(relay), &relay->piece);
	return r == 0 && relay->is_stopping ? -1 : r;
}

/* 1: it goes on, and waits; 0: others first; -1: it is over. */
static int
run_output(struct relay *relay)
{
	uint64_t moved = 0;

	while (moved < TURN_BYTES) {
		int r = flush(relay, &moved);

		if (r < 0) {
			relay_cut(relay);
			return -1;
		}
		if (r == 0)
			return moved < TURN_BYTES;
		if (relay->is_ending) {
			finish(relay);
			return -1;
		}
		r = next_piece(relay);
		if (r == -2) {
			relay_cut(relay);
			return -1;
		}
		if (r > 0)
			begin_piece(relay);
		else if (r < 0)
			begin_end(relay);
		else
			return 1;
	}
	return 0;
}

/* Bytes given on, 0 when none are wanted now, -1 at the relay's end. */
static ssize_t
give(struct relay *relay, const char *data, size_t len)
{
	ssize_t n = ops_of(relay)->input(arg_of(relay), data, len);

	assert(n <= (ssize_t)len);
	if (n < 0)
		finish(relay);
	return n;
}

static ssize_t
run_early(struct relay *relay)
{
	ssize_t n = give(relay, relay->early + relay->early_at,
			 relay->n_early - relay->early_at);

	if (n <= 0)
		return n;
	relay->early_at += (size_t)n;
	if (relay->early_at == relay->n_early) {
		free(STEAL_PTR(relay->early));
		relay->n_early = 0;
	}
	return n;
}

/*
 * Looks first and takes then, so that what is not wanted yet stays in the
 * socket and holds up the client.
 */
static ssize_t
run_socket(struct relay *relay)
{
	int fd = relay->request->conn->fd;
	char buf[INPUT_BYTES];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);
	ssize_t taken;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0) {
		relay_cut(relay);
		return -1;
	}
	if (n == 0) {
		relay->has_input_ended = true;
		return give(relay, "", 0);
	}
	taken = give(relay, buf, (size_t)n);
	if (taken > 0)
		(void)recv(fd, buf, (size_t)taken, MSG_DONTWAIT);
	return taken;
}

/* As above. */
static int
run_input(struct relay *relay)
{
	size_t moved = 0;

	if (!ops_of(relay)->input)
		return 1;
	while (!relay->has_input_ended && moved < TURN_BYTES) {
		ssize_t n = relay->early ? run_early(relay) : run_socket(relay);

		if (n < 0)
			return -1;
		if (n == 0)
			return 1;
		moved += (size_t)n;
	}
	return relay->has_input_ended;
}

static void
run(struct relay *relay)
{
	struct waker *waker;
	int in;
	int out;

	if (relay->is_over || !relay->request->conn)
		return;
	relay->is_running = true;
	in = run_input(relay);
	if (in < 0)
		return;
	out = run_output(relay);
	if (out < 0 || (in > 0 && out > 0))
		return;
	waker = request_waker(relay->request);
	waker_wake(waker);
	waker_unref(waker);
}

void
relay_woken(struct relay *relay)
{
	const struct relay_ops *ops = ops_of(relay);

	if (relay->is_over)
		return;
	/* A first turn has not come before everything was set up. */
	if (!relay->is_running)
		conn_arm(relay->request->conn, TO_READ | EPOLLOUT);
	if (relay->stage != STAGE_NONE && ops->is_lost &&
	    ops->is_lost(arg_of(relay)))
		relay_cut(relay);
	else
		run(relay);
}

void
relay_event(struct relay *relay, uint32_t events)
{
	if (relay->is_over)
		return;
	if ((events & (EPOLLHUP | EPOLLERR)) ||
	    ((events & EPOLLRDHUP) && !ops_of(relay)->input))
		relay_cut(relay);
	else if (relay->is_running)
		run(relay);
}

void
relay_stop(struct relay *relay)
{
	const struct relay_ops *ops = ops_of(relay);

	if (relay->is_over)
		return;
	relay->is_stopping = true;
	if (ops->stopping)
		ops->stopping(arg_of(relay));
	run(relay);
}

/* --- beginnings -------------------------------------------------------- */

static struct relay *
relay_new(struct request *request)
{
	struct relay *relay = xcalloc(1, sizeof(*relay));

	relay->request = request;
	relay->opening = (struct strbuf)STRBUF_INIT;
	relay->piece.fd = -1;
	request->relay = relay;
	request->phase = PHASE_RELAY;
	request->conn->limit_ns = 0;
	return relay;
}

/* The first turn is not the library's, whose call we are in. */
static void
wake_later(struct request *request)
{
	struct waker *waker = request_waker(request);

	waker_wake(waker);
	waker_unref(waker);
}

static void
add_date(struct strbuf *out)
{
	time_t now = time(NULL);
	struct tm parts;
	char text[40];

	if (gmtime_r(&now, &parts) &&
	    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts))
		strbuf_addf(out, "Date: %s\r\n", text);
}

static void
write_opening(struct request *request, struct strbuf *out, bool is_chunked)
{
	const struct response *response = request->response;
	const char *p = response->headers.buf;
	const char *end = p + response->headers.len;

	strbuf_addf(out, "HTTP/1.1 %d OK\r\nConnection: close\r\n",
		    response->status);
	add_date(out);
	if (is_chunked)
		strbuf_adds(out, "Transfer-Encoding: chunked\r\n");
	else if (response->length != RELAY_TO_THE_END)
		strbuf_addf(out, "Content-Length: %" PRIu64 "\r\n",
			    response->length);
	if (response->content_type[0])
		strbuf_addf(out, "Content-Type: %s\r\n",
			    response->content_type);
	while (p < end) {
		const char *value = p + strlen(p) + 1;

		strbuf_addf(out, "%s: %s\r\n", p, value);
		p = value + strlen(value) + 1;
	}
	strbuf_addf(out, "Skiff-Request-Id: %s\r\n\r\n", request->id);
}

void
relay_begin(struct request *request)
{
	struct relay *relay = relay_new(request);

	relay->is_chunked = request->response->length == RELAY_TO_THE_END &&
			    !request->is_http_1_0;
	write_opening(request, &relay->opening, relay->is_chunked);
	relay->stage = STAGE_OPENING;
	exchange_sleep(request);
	wake_later(request);
}

void
relay_begin_upgraded(void *cls, struct MHD_Connection *mhd, void *context,
		     const char *early, size_t n_early, MHD_socket fd,
		     struct MHD_UpgradeResponseHandle *upgrade)
{
	struct request *request = context;
	struct relay *relay = relay_new(request);

	(void)cls;
	(void)mhd;
	(void)fd;
	relay->upgrade = upgrade;
	if (n_early > 0) {
		relay->early = xmemdup(early, n_early);
		relay->n_early = n_early;
	}
	wake_later(request);
}
