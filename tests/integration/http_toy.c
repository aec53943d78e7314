/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server with toy routes over the real transport: what the http_*.py
 * tests talk to.
 *
 *	http_toy unix:PATH [tcp] [key=value …]
 *
 * Prints "port N" and "ready" on stdout, ends on SIGTERM or when stdin
 * closes. Keys are time limits and maxima of struct http_options.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>

#include "base/alloc.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/parse.h"
#include "http/server.h"
#include "http/sse.h"

static atomic_int n_freed;   /* frees of streams and waits */
static atomic_int n_aborted; /* uploads */
static atomic_int n_open;    /* uploads */
static atomic_int n_canary;  /* what no smuggled request may reach */

/* A counter that streams and waits follow, like the event bus. */
struct follower {
	struct follower *next;
	struct waker *waker;
	int seen;
	bool is_stopping;
	bool has_said_bye;
};

static struct lock ticks_lock = LOCK_INIT(LOCK_RANK_BUS);
static struct follower *followers;
static int n_ticks;

static void
tick(void)
{
	LOCK_SCOPE(&ticks_lock);
	n_ticks++;
	for (struct follower *f = followers; f; f = f->next)
		waker_wake(f->waker);
}

static int
ticks(void)
{
	LOCK_SCOPE(&ticks_lock);
	return n_ticks;
}

static struct follower *
follower_new(struct request *request)
{
	struct follower *follower = xcalloc(1, sizeof(*follower));

	follower->waker = request_waker(request);
	lock_take(&ticks_lock);
	follower->seen = n_ticks;
	follower->next = followers;
	followers = follower;
	lock_release(&ticks_lock);
	return follower;
}

static void
follower_free(void *arg)
{
	struct follower *follower = arg;
	struct follower **at = &followers;

	lock_take(&ticks_lock);
	while (*at != follower)
		at = &(*at)->next;
	*at = follower->next;
	lock_release(&ticks_lock);
	waker_unref(follower->waker);
	free(follower);
	atomic_fetch_add(&n_freed, 1);
}

static ssize_t
take(struct strbuf *out, char *buf, size_t max)
{
	size_t n = out->len < max ? out->len : max;

	memcpy(buf, out->buf, n);
	strbuf_done(out);
	return (ssize_t)n;
}

static ssize_t
ticks_read(void *arg, char *buf, size_t max)
{
	struct follower *follower = arg;
	struct strbuf out = STRBUF_INIT;

	if (follower->seen < ticks()) {
		follower->seen++;
		sse_event(&out, (uint64_t)follower->seen, "tick", "{}", 2);
		return take(&out, buf, max);
	}
	if (!follower->is_stopping)
		return 0;
	if (follower->has_said_bye)
		return -1;
	follower->has_said_bye = true;
	sse_event(&out, 0, "shutdown", "{}", 2);
	return take(&out, buf, max);
}

static ssize_t
ticks_idle(void *arg, char *buf, size_t max)
{
	struct strbuf out = STRBUF_INIT;

	(void)arg;
	sse_heartbeat(&out);
	return take(&out, buf, max);
}

static void
ticks_stopping(void *arg)
{
	struct follower *follower = arg;

	follower->is_stopping = true;
}

static const struct stream_ops ticks_ops = {
	.read = ticks_read,
	.idle = ticks_idle,
	.stopping = ticks_stopping,
	.free = follower_free,
};

static ssize_t
silent_read(void *arg, char *buf, size_t max)
{
	(void)arg;
	(void)buf;
	(void)max;
	return 0;
}

static int
silent_follow(struct request *request, void *context, struct response **ret,
	      struct skiff_error *err)
{
	static const struct stream_ops ops = { .read = silent_read,
					       .idle = silent_read,
					       .free = follower_free };

	(void)context;
	(void)err;
	*ret = response_stream(200, "text/plain", &ops, follower_new(request));
	return 0;
}

static int
ticks_follow(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	(void)context;
	(void)err;
	*ret = response_stream(200, SSE_CONTENT_TYPE, &ticks_ops,
			       follower_new(request));
	return 0;
}

static int
tick_poll(void *arg, bool timed_out, struct response **ret,
	  struct skiff_error *err)
{
	struct follower *follower = arg;

	if (follower->seen < ticks())
		*ret = response_text(200, "ticked\n");
	else if (timed_out)
		return err_set(err, SKIFF_DEADLINE_EXCEEDED, "no tick");
	return 0;
}

static const struct wait_ops tick_ops = { .poll = tick_poll,
					  .free = follower_free };

static int
tick_wait(struct request *request, void *context, struct response **ret,
	  struct skiff_error *err)
{
	int64_t timeout_ns;

	(void)context;
	if (request_query_duration(request, "timeout", 0, &timeout_ns, err) < 0)
		return -1;
	*ret = response_wait(&tick_ops, follower_new(request),
			     timeout_ns ? deadline_in_ms(timeout_ns / NS_PER_MS)
					: DEADLINE_NEVER);
	return 0;
}

/* The same, with an answer that a worker makes: who it was. */
static int
named_poll(void *arg, bool timed_out, struct response **ret,
	   struct skiff_error *err)
{
	int r = tick_poll(arg, timed_out, ret, err);

	if (r < 0 || !*ret)
		return r;
	response_free(STEAL_PTR(*ret));
	return WAIT_FINISH;
}

static int
name_self(void *arg, struct response **ret, struct skiff_error *err)
{
	char name[16];

	(void)arg;
	if (pthread_getname_np(pthread_self(), name, sizeof(name)) != 0)
		return err_set(err, SKIFF_INTERNAL, "thread without a name");
	*ret = response_text(200, name);
	return 0;
}

static const struct wait_ops named_ops = { .poll = named_poll,
					   .finish = name_self,
					   .free = follower_free };

static int
named_wait(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	(void)context;
	(void)err;
	*ret = response_wait(&named_ops, follower_new(request), DEADLINE_NEVER);
	return 0;
}

static int
tick_post(struct request *request, void *context, struct response **ret,
	  struct skiff_error *err)
{
	uint64_t n;

	(void)context;
	if (request_query_u64(request, "n", 1000000, 1, &n, err) < 0)
		return -1;
	while (n-- > 0)
		tick();
	*ret = response_empty(204);
	return 0;
}

static int
version_get(struct request *request, void *context, struct response **ret,
	    struct skiff_error *err)
{
	json_t *json = json_object();

	(void)request;
	(void)context;
	(void)err;
	json_set_text(json, "version", "0.1.0");
	json_set_text(json, "api", "v1");
	*ret = response_json(200, json);
	json_decref(json);
	return 0;
}

static int
counts_get(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	json_t *json = json_object();

	(void)request;
	(void)context;
	(void)err;
	json_set_int(json, "freed", atomic_load(&n_freed));
	json_set_int(json, "aborted", atomic_load(&n_aborted));
	json_set_int(json, "open", atomic_load(&n_open));
	json_set_int(json, "canary", atomic_load(&n_canary));
	*ret = response_json(200, json);
	json_decref(json);
	return 0;
}

static int
canary(struct request *request, void *context, struct response **ret,
       struct skiff_error *err)
{
	(void)request;
	(void)context;
	(void)err;
	atomic_fetch_add(&n_canary, 1);
	*ret = response_text(200, "canary\n");
	return 0;
}

/* What the transport made of the request. */
static int
echo(struct request *request, void *context, struct response **ret,
     struct skiff_error *err)
{
	json_t *json = json_object();
	json_t *body = NULL;
	const struct peer *peer = request_peer(request);

	(void)context;
	(void)err;
	json_set_text(json, "name", request_param(request, "name"));
	json_set_text(json, "path", request_path(request));
	json_set_text(json, "q", request_query(request, "q"));
	json_set_bool(json, "is_unix", peer->is_unix);
	json_set_int(json, "uid", peer->uid);
	if (request_has_body(request)) {
		if (request_json(request, &body, err) < 0) {
			json_decref(json);
			return -1;
		}
		(void)json_object_set(json, "body", body);
	}
	*ret = response_json(200, json);
	json_decref(json);
	return 0;
}

static int
faulty(struct request *request, void *context, struct response **ret,
       struct skiff_error *err)
{
	(void)context;
	(void)ret;
	json_fault(request_faults(request), "/a", "must be a number");
	json_fault(request_faults(request), "/b", "is needed");
	request_object(request, "thing", "t1");
	err->retry_after_s = 3;
	(void)json_faults_to_error(request_faults(request), err);
	err->retry_after_s = 3;
	return -1;
}

static int
broken(struct request *request, void *context, struct response **ret,
       struct skiff_error *err)
{
	(void)request;
	(void)context;
	(void)ret;
	return err_set(err, SKIFF_INTERNAL, "broken on purpose");
}

static int
slow(struct request *request, void *context, struct response **ret,
     struct skiff_error *err)
{
	(void)context;
	(void)err;
	for (int i = 0; i < 20 && !request_is_cancelled(request); i++)
		(void)poll(NULL, 0, 50);
	*ret = response_text(200, "slow\n");
	return 0;
}

static int
big(struct request *request, void *context, struct response **ret,
    struct skiff_error *err)
{
	uint64_t n;
	char *data;

	(void)context;
	if (request_query_u64(request, "n", 1 << 28, 1 << 20, &n, err) < 0)
		return -1;
	data = xmalloc(n + 1);
	memset(data, 'x', n);
	*ret = response_data(200, "application/octet-stream", data, n);
	return 0;
}

static int
file_get(struct request *request, void *context, struct response **ret,
	 struct skiff_error *err)
{
	cleanup_free char *data = xmalloc(1 << 20);
	int fd = memfd_create("toy", MFD_CLOEXEC);

	(void)request;
	(void)context;
	for (int i = 0; i < 1 << 20; i++)
		data[i] = (char)('a' + i % 26);
	if (fd < 0 || write(fd, data, 1 << 20) != 1 << 20)
		return err_errno(err, errno, "memfd");
	*ret = response_file(206, "application/octet-stream", fd, 26, 1000000);
	response_header(*ret, "ETag", "\"7\"");
	return 0;
}

/* A finite stream that never sleeps: a list. */
struct list {
	int at;
	int n;
};

static ssize_t
list_read(void *arg, char *buf, size_t max)
{
	struct list *list = arg;

	if (list->at == list->n)
		return -1;
	return snprintf(buf, max, "%09d\n", list->at++);
}

static void
list_free(void *arg)
{
	free(arg);
	atomic_fetch_add(&n_freed, 1);
}

static int
list_get(struct request *request, void *context, struct response **ret,
	 struct skiff_error *err)
{
	static const struct stream_ops ops = { .read = list_read,
					       .free = list_free };
	struct list *list = xcalloc(1, sizeof(*list));

	(void)request;
	(void)context;
	(void)err;
	list->n = 10000;
	*ret = response_stream(200, "application/x-ndjson", &ops, list);
	return 0;
}

struct sum {
	uint64_t n;
	uint64_t hash;
	uint64_t fail_at;
};

static int
sum_open(struct request *request, void *context, struct skiff_error *err)
{
	struct sum *sum;

	(void)context;
	if (strcmp(request_param(request, "name"), "refused") == 0)
		return err_set(err, SKIFF_LOCKED, "another upload runs");
	sum = xcalloc(1, sizeof(*sum));
	if (request_query_u64(request, "fail_at", INT64_MAX, 0, &sum->fail_at,
			      err) < 0) {
		free(sum);
		return -1;
	}
	request_set_state(request, sum);
	atomic_fetch_add(&n_open, 1);
	return 0;
}

static int
sum_write(struct request *request, void *context, const char *data, size_t len,
	  struct skiff_error *err)
{
	struct sum *sum = request_state(request);

	(void)context;
	sum->n += len;
	for (size_t i = 0; i < len; i++)
		sum->hash = sum->hash * 31 + (unsigned char)data[i];
	if (sum->fail_at > 0 && sum->n >= sum->fail_at)
		return err_set(err, SKIFF_INSUFFICIENT_STORAGE, "disk full");
	return 0;
}

static void
sum_release(struct request *request)
{
	free(request_state(request));
	request_set_state(request, NULL);
	atomic_fetch_sub(&n_open, 1);
}

static int
sum_finish(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	struct sum *sum = request_state(request);
	json_t *json = json_object();

	(void)context;
	(void)err;
	json_set_int(json, "size", (int64_t)sum->n);
	json_set_int(json, "hash", (int64_t)(sum->hash & INT64_MAX));
	json_set_text(json, "type", request_header(request, "Content-Type"));
	*ret = response_json(201, json);
	json_decref(json);
	sum_release(request);
	return 0;
}

static void
sum_abort(struct request *request, void *context)
{
	(void)context;
	sum_release(request);
	atomic_fetch_add(&n_aborted, 1);
}

static const struct upload_ops sum_ops = {
	.open = sum_open,
	.write = sum_write,
	.finish = sum_finish,
	.abort = sum_abort,
};

static const struct route routes[] = {
	{ HTTP_GET, "/", "index", ROUTE_INLINE, ROUTE_PUBLIC, NULL, version_get,
	  NULL },
	{ HTTP_GET, "/v1/version", "version", ROUTE_INLINE, ROUTE_PUBLIC, NULL,
	  version_get, NULL },
	{ HTTP_GET, "/v1/worker", "worker", ROUTE_WORKER, ROUTE_PUBLIC, NULL,
	  version_get, NULL },
	{ HTTP_GET, "/counts", "counts", ROUTE_INLINE, ROUTE_PUBLIC, NULL,
	  counts_get, NULL },
	{ HTTP_GET, "/smug", "smug", ROUTE_INLINE, ROUTE_PUBLIC, NULL, canary,
	  NULL },
	{ HTTP_GET, "/echo/{name*}", "echo_get", ROUTE_INLINE, 0, "q filter*",
	  echo, NULL },
	{ HTTP_POST, "/echo/{name*}", "echo_post", ROUTE_WORKER, 0, "q", echo,
	  NULL },
	{ HTTP_POST, "/faulty", "faulty", ROUTE_INLINE, 0, NULL, faulty, NULL },
	{ HTTP_GET, "/broken", "broken", ROUTE_WORKER, 0, NULL, broken, NULL },
	{ HTTP_GET, "/slow", "slow", ROUTE_SLOW, 0, NULL, slow, NULL },
	{ HTTP_GET, "/big", "big", ROUTE_INLINE, 0, "n", big, NULL },
	{ HTTP_GET, "/file", "file", ROUTE_WORKER, 0, NULL, file_get, NULL },
	{ HTTP_GET, "/list", "list", ROUTE_INLINE, 0, NULL, list_get, NULL },
	{ HTTP_GET, "/ticks", "ticks", ROUTE_INLINE, 0, NULL, ticks_follow,
	  NULL },
	{ HTTP_GET, "/silent", "silent", ROUTE_INLINE, 0, NULL, silent_follow,
	  NULL },
	{ HTTP_GET, "/worker-ticks", "worker_ticks", ROUTE_WORKER, 0, NULL,
	  ticks_follow, NULL },
	{ HTTP_GET, "/wait", "wait", ROUTE_INLINE, 0, "timeout", tick_wait,
	  NULL },
	{ HTTP_GET, "/finished-wait", "finished_wait", ROUTE_WORKER, 0, "",
	  named_wait, NULL },
	{ HTTP_GET, "/worker-wait", "worker_wait", ROUTE_WORKER, 0, "timeout",
	  tick_wait, NULL },
	{ HTTP_POST, "/tick", "tick", ROUTE_WORKER, 0, "n", tick_post, NULL },
	{ HTTP_PUT, "/sum/{name}", "sum", ROUTE_SLOW, 0, "fail_at", NULL,
	  &sum_ops },
	{ HTTP_POST, "/stdin/{name}", "stdin", ROUTE_WORKER, ROUTE_LASTING_BODY,
	  "fail_at", NULL, &sum_ops },
};

static void
set_option(struct http_options *options, const char *text)
{
	static const struct {
		const char *name;
		size_t offset;
		bool is_int;
	} known[] = {
		{ "n_loops", offsetof(struct http_options, n_loops), true },
		{ "max_unix",
		  offsetof(struct http_options, max_unix_connections), true },
		{ "max_tcp", offsetof(struct http_options, max_tcp_connections),
		  true },
		{ "head_ms", offsetof(struct http_options, head_ms), false },
		{ "body_ms", offsetof(struct http_options, body_ms), false },
		{ "write_ms", offsetof(struct http_options, write_ms), false },
		{ "keep_alive_ms", offsetof(struct http_options, keep_alive_ms),
		  false },
		{ "heartbeat_ms", offsetof(struct http_options, heartbeat_ms),
		  false },
	};
	struct skiff_error err = ERROR_INIT;
	size_t len = strcspn(text, "=");
	uint64_t value = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		char *at = (char *)options + known[i].offset;

		if (strlen(known[i].name) != len ||
		    memcmp(known[i].name, text, len) != 0)
			continue;
		if (parse_u64(text + len + 1, INT32_MAX, &value, &err) < 0)
			break;
		if (known[i].is_int)
			*(int *)at = (int)value;
		else
			*(int64_t *)at = (int64_t)value;
		return;
	}
	(void)fprintf(stderr, "bad option %s\n", text);
	exit(2);
}

static void
wait_for_end(const sigset_t *signals)
{
	char buf[64];
	struct pollfd fds[] = {
		{ .fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[0].revents)
			break;
		if (fds[1].revents && read(STDIN_FILENO, buf, sizeof(buf)) <= 0)
			break;
	}
	(void)close(fds[0].fd);
}

int
main(int argc, char **argv)
{
	struct http_options options = HTTP_OPTIONS_INIT;
	struct skiff_error err = ERROR_INIT;
	struct http_server *server;
	struct workpool *pool;
	sigset_t signals;
	uint64_t grace_ms = 2000;
	uint16_t port = 0;

	assert(argc > 1 && strncmp(argv[1], "unix:", 5) == 0);
	for (int i = 2; i < argc; i++) {
		if (strncmp(argv[i], "grace_ms=", 9) == 0)
			assert(parse_u64(argv[i] + 9, INT32_MAX, &grace_ms,
					 &err) == 0);
		else if (strcmp(argv[i], "tcp") != 0)
			set_option(&options, argv[i]);
	}
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	pool = workpool_new("worker", 8);
	server =
	    http_server_new(&options, routes, ARRAY_SIZE(routes), NULL, pool);
	if (http_server_listen_unix(server, argv[1] + 5, 0660, (gid_t)-1,
				    &err) < 0 ||
	    (argc > 2 && strcmp(argv[2], "tcp") == 0 &&
	     http_server_listen_tcp(server, "127.0.0.1", 0, &port, &err) < 0) ||
	    http_server_start(server, &err) < 0) {
		log_failure(LOG_ERROR, &err, "start");
		return 1;
	}
	(void)printf("port %u\nready\n", port);
	(void)fflush(stdout);
	wait_for_end(&signals);
	http_server_stop(server, (int64_t)grace_ms);
	(void)printf("connections %d\n", http_server_connections(server));
	http_server_free(server);
	workpool_free(pool);
	(void)printf("freed %d open %d\n", atomic_load(&n_freed),
		     atomic_load(&n_open));
	return 0;
}
