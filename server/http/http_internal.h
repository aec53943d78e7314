/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Inside of the transport.
 *
 * server   listeners and loops; nothing moves after start
 * loop     a thread, an epoll, a libmicrohttpd daemon that only this
 *          thread touches, and an inbox by which others reach it
 * conn     one connection; belongs to its loop
 * request  one exchange; counted, since a worker may still hold it when
 *          the connection is gone
 *
 * Wake-up note. Other threads never call libmicrohttpd. They put a node
 * into the loop's inbox and write its eventfd; the loop takes the nodes,
 * resumes the connections and then runs the library. So a resume is never
 * left for later (0.9.75 looks for resumed connections only at the start
 * of MHD_run), and a wake-up that comes before the suspension still lies
 * in the inbox when the loop looks next.
 *
 * Suspension note. A connection is suspended only in the handler's first
 * or last call or in the content reader, and resumed only while is_asleep
 * says so: the library swallows the suspension after a needless resume.
 */
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/strbuf.h"
#include "http/gate.h"
#include "http/request.h"
#include "http/response.h"
#include "http/router.h"
#include "http/server.h"
#include "http/target.h"
#include "http/waker.h"

#define LOOPS_MAX 16
#define LISTENERS_MAX 8
#define REQUEST_ID_SIZE 132

struct http_loop;

/* What epoll's data.ptr leads to. */
enum source_kind {
	SOURCE_MHD,
	SOURCE_INBOX,
	SOURCE_LISTENER,
	SOURCE_CONN,
	SOURCE_FAREWELL,
};

struct source {
	enum source_kind kind;
};

enum node_kind {
	NODE_WAKE, /* a waker was woken */
	NODE_JOB,  /* a worker is done with a request */
	NODE_CONN, /* another loop accepted a connection for us */
};

struct inbox_node {
	struct inbox_node *next;
	enum node_kind kind;
};

struct listener {
	struct source source;
	struct http_server *server;
	int fd;
	bool is_unix;
	uint16_t port;
	char *path; /* unix: removed at the end */
};

struct conn {
	struct source source;
	struct inbox_node node;
	struct conn *next;
	struct conn **back; /* the pointer that leads here */
	struct http_loop *loop;
	const struct listener *listener;
	struct MHD_Connection *mhd;
	struct request *request; /* the exchange under way, or NULL */
	int fd;			 /* the library's */
	struct peer peer;
	bool has_served;     /* not the first request */
	bool peer_ended;     /* sent its FIN */
	bool is_gone;	     /* cut: whatever happens next must end it */
	bool wants_linger;   /* answered before all was read */
	uint32_t armed;	     /* epoll events asked for beside the library's */
	int64_t limit_ns;    /* end of the present wait for the client, or 0 */
	int64_t progress_ns; /* when the client last took some bytes */
	int unsent;	     /* bytes in the socket at the last look */
};

enum phase {
	PHASE_HEAD,    /* request line seen */
	PHASE_OPENING, /* an upload's open runs */
	PHASE_OPENED,  /* the body may come */
	PHASE_BODY,
	PHASE_RUNNING, /* on a worker */
	PHASE_READY,   /* response is there, to be queued */
	PHASE_WAITING, /* response_wait */
	PHASE_REPLY,   /* the library sends */
	PHASE_RELAY,   /* the socket is ours, see relay.c */
	PHASE_OVER,    /* nothing but the end may follow */
};

enum job_kind {
	JOB_HANDLER,
	JOB_OPEN,
	JOB_WRITE,
	JOB_FINISH,
	JOB_ABORT,
	JOB_WAITED, /* what was waited for is there */
};

struct upload {
	struct strbuf filling;	  /* loop's */
	struct strbuf writing;	  /* the worker's while a job runs */
	bool is_open;		  /* abort is due unless finish runs */
	bool is_full;		  /* asleep until filling has room */
	bool is_at_end;		  /* the whole body has come */
	struct response *problem; /* why the worker refused */
};

struct request {
	struct inbox_node node;
	int refs; /* loop's thread only: jobs give theirs back by the inbox */
	atomic_bool is_cancelled;
	enum phase phase;
	bool is_asleep;
	bool is_closing; /* answer with Connection: close */
	bool is_http_1_0;
	bool stream_ends;
	enum job_kind job;
	bool job_runs;
	struct http_loop *loop;
	struct conn *conn; /* NULL once the connection let go */
	struct MHD_Connection *mhd;
	struct response *response;
	struct waker *waker;
	struct upload *upload;
	struct relay *relay;
	const struct compiled_route *route;
	struct peer peer;
	enum http_method method;
	int64_t body_received;
	int64_t body_started_ns;
	int64_t asleep_since_ns;
	int64_t stream_spoke_ns;
	struct strbuf body;
	json_t *json;
	struct json_faults faults;
	char *log; /* beside a problem, or NULL */
	const char *object_kind;
	char *object_id;
	void *state;
	struct skiff_error *target_error; /* what was wrong with the target */
	char *headers_block;		  /* copies, once a worker may look */
	char id[REQUEST_ID_SIZE];
	/* The rest is set piece by piece, not cleared as a whole. */
	struct route_match match;
	struct head head;
	struct target target;
};

struct farewell {
	struct source source;
	struct farewell *next;
	int fd;
	int64_t until_ns;
	size_t left;
};

struct http_loop {
	struct http_server *server;
	int index;
	pthread_t thread;
	bool has_thread;
	int epoll_fd;
	int event_fd;
	int spare_fd; /* given up to accept and refuse when fds run out */
	struct source mhd_source;
	struct source inbox_source;
	struct MHD_Daemon *mhd;
	/* own thread only: */
	struct conn *conns;
	struct conn *entering; /* handed to MHD_add_connection right now */
	struct farewell *farewells;
	struct skiff_error error; /* scratch: clearing one costs */
	int64_t now_ns;
	int64_t timer_ns; /* next look at all connections, or 0 */
	uint64_t n_ids;
	char id_prefix[17];
	bool is_deaf;	  /* listeners are out of the epoll for a while */
	bool is_stopping; /* has seen the server's flag */
	bool is_cutting;
	atomic_int n_conns;
	struct lock lock;
	/* guarded by lock: */
	struct inbox_node *inbox;
	struct inbox_node **inbox_last;
};

struct http_server {
	struct http_options options;
	void *context;
	struct workpool *pool;
	struct router *router;
	bool has_known_layout; /* gate_check_layout() may be used */
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	struct http_loop loops[LOOPS_MAX];
	atomic_int n_unix;
	atomic_int n_tcp;
	atomic_bool is_stopping;
	_Atomic(int64_t) grace_until_ns;
	struct lock lock;
	pthread_cond_t jobs_done;
	int n_jobs; /* guarded by lock */
};

struct waker {
	struct inbox_node node;
	atomic_int refs;
	struct lock lock;
	/* guarded by lock: */
	struct request *request; /* NULL once the exchange is over */
	bool is_queued;
};

/* loop.c */
int loop_init(struct http_loop *loop, struct http_server *server, int index,
	      struct skiff_error *err);
void loop_done(struct http_loop *loop);
int loop_start(struct http_loop *loop, struct skiff_error *err);
/* Takes what lies in the inbox; also after the thread has ended. */
void loop_drain(struct http_loop *loop);
void loop_post(struct http_loop *loop, struct inbox_node *node);
/* Makes sure that the connections are looked at by then. */
void loop_look_at(struct http_loop *loop, int64_t at_ns);

/* accept.c */
void loop_accept(struct http_loop *loop, struct listener *listener);
void loop_adopt(struct http_loop *loop, struct conn *conn);
void loop_hear(struct http_loop *loop);
void loop_be_deaf(struct http_loop *loop);

/* conn.c */
/* MHD_OPTION_NOTIFY_CONNECTION */
void conn_notify(void *cls, struct MHD_Connection *mhd, void **context,
		 enum MHD_ConnectionNotificationCode code);
void conn_free(struct conn *conn);
struct conn *conn_of(struct MHD_Connection *mhd);
/* Ends it now, whatever it does. */
void conn_cut(struct conn *conn);
/* Watches for the peer's end, and for room to write if asked. */
void conn_arm(struct conn *conn, uint32_t events);
void conn_event(struct conn *conn, uint32_t events);
/* Time limits; called for each connection when the timer rings. */
void conn_look(struct conn *conn);
void conn_begin_stop(struct conn *conn);
void farewell_event(struct farewell *farewell);
void farewell_look(struct http_loop *loop, bool all);

/* exchange.c */
/* MHD_OPTION_URI_LOG_CALLBACK, the handler, MHD_OPTION_NOTIFY_COMPLETED */
void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd,
				const char *url, const char *method,
				const char *version, const char *data,
				size_t *data_len, void **context);
void exchange_end(void *cls, struct MHD_Connection *mhd, void **context,
		  enum MHD_RequestTerminationCode code);
void exchange_sleep(struct request *request);
void exchange_wake(struct request *request);
/* A waker was woken, or a wait's deadline passed. */
void exchange_poll(struct request *request, bool timed_out);
/* Answers with this problem when the handler's turn comes. */
void exchange_fail(struct request *request, const struct skiff_error *err);
/* A response is there; asleep or not. */
void exchange_ready(struct request *request);
/* What the body still to come is worth: read on, or end here? */
bool exchange_has_long_rest(const struct request *request);
/* A worker is done. Takes the reference that the job held. */
void exchange_job_done(struct request *request);
void exchange_start_job(struct request *request, enum job_kind kind);
struct request *request_ref(struct request *request);
void request_unref(struct request *request);

/* upload.c, all in the loop's thread */
void upload_begin(struct request *request);
enum MHD_Result upload_data(struct request *request, const char *data,
			    size_t *data_len);
void upload_at_end(struct request *request);
void upload_job_done(struct request *request);
/* The connection let go. */
void upload_detached(struct request *request);
/* The waker was woken: a route that takes by itself may have room. */
void upload_woken(struct request *request);
/* On a worker. */
void upload_run(struct request *request);
void upload_free(struct upload *upload);

/* head.c: what the head of a request leads to */
/*
 * Sets route and match, or a response (OPTIONS). On -1 *ret_must_close
 * says that nothing behind the head can be believed.
 */
int head_read(struct request *request, const char *method, const char *version,
	      bool *ret_must_close, struct skiff_error *err);
/* Copies the headers out of the library's memory. */
void head_own(struct request *request);

/* problem.c */
struct response *problem_response(struct request *request,
				  const struct skiff_error *err);

/* reply.c */
/* Gives request->response to the library. */
enum MHD_Result reply_queue(struct request *request);
/*
 * Writes it to the socket, where the library takes no response: in the
 * middle of a body. The connection ends after it.
 */
void reply_at_once(struct request *request);

/* relay.c */
/* request->response becomes a body that we send. Suspends. */
void relay_begin(struct request *request);
/* MHD_UpgradeHandler */
void relay_begin_upgraded(void *cls, struct MHD_Connection *mhd, void *context,
			  const char *early, size_t n_early, MHD_socket fd,
			  struct MHD_UpgradeResponseHandle *upgrade);
/* The waker was woken; the socket has news; the server stops. */
void relay_woken(struct relay *relay);
void relay_event(struct relay *relay, uint32_t events);
void relay_stop(struct relay *relay);
/* The client is gone, or has to go. */
void relay_cut(struct relay *relay);
void relay_free(struct relay *relay);

/* waker.c */
struct waker *waker_new(struct request *request);
void waker_detach(struct waker *waker);
/* In the loop: a node of kind NODE_WAKE. Takes the inbox's reference. */
void waker_arrived(struct waker *waker);
