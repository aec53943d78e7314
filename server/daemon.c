/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: every long-lived object, made in the order in which they
 * need each other, ended in reverse.
 */
#include "config.h"

#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/footprint.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/workpool.h"
#include "handlers/access.h"
#include "handlers/routes.h"
#include "handlers/services.h"
#include "http/server.h"
#include "options.h"
#include "runtime/container.h"
#include "runtime/container_start.h"
#include "runtime/spec/bind_root.h"
#include "runtime/spec/host.h"
#include "runtime/task.h"
#include "runtime/task_stdio.h"
#include "store/content/content.h"
#include "store/db.h"
#include "store/events/bus.h"
#include "store/events/log.h"
#include "store/snapshot/snapshots.h"
#include "store/transfer/operation.h"

#define SOCKET_GROUP "skiff"
#define STOP_GRACE_MS 5000
#define WORKERS 24
#define QUIET_MS 1000
#define LOCK_WAIT_MS 2000
#define LOCK_RETRY_MS 10

struct daemon {
	const struct options *options;
	int root_fd; /* its lock is the daemon's */
	struct host host;
	struct access *access;
	struct bus *bus;
	struct db *db;
	struct content *content;
	struct snapshots *snapshots;
	struct tasks *tasks;
	struct transfers *transfers;
	struct workpool *workers;
	struct http_server *server;
	struct strv host_names; /* what Host may be on TCP */
	struct services services;
};

/* --- directories and limits --------------------------------------------- */

/*
 * One daemon a root: the lock goes with the process, however it ends. It goes
 * a little later when that was killed while it started another: until what
 * it started has become that program, it has the lock, too.
 */
static int
lock_root(int root_fd, const char *path, struct skiff_error *err)
{
	struct deadline deadline = deadline_in_ms(LOCK_WAIT_MS);

	while (flock(root_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(err, errno, "lock %s", path);
		if (deadline_passed(deadline))
			return err_set(err, SKIFF_ALREADY_EXISTS,
				       "another skiffd serves %s", path);
		(void)poll(NULL, 0, LOCK_RETRY_MS);
	}
	return 0;
}

static int
open_private_dir(const char *path, mode_t mode, int *ret_fd,
		 struct skiff_error *err)
{
	if (fs_mkdir_all(AT_FDCWD, path, 0755, err) < 0 ||
	    fs_open_dir(AT_FDCWD, path, false, 0, ret_fd, err) < 0)
		return -1;
	if (fchown(*ret_fd, 0, 0) < 0 || fchmod(*ret_fd, mode) < 0)
		return err_errno(err, errno, "chmod %s", path);
	return 0;
}

static int
open_dirs(struct daemon *daemon, struct skiff_error *err)
{
	const struct options *options = daemon->options;
	cleanup_close int state_fd = -1;

	if (open_private_dir(options->root, 0700, &daemon->root_fd, err) < 0 ||
	    lock_root(daemon->root_fd, options->root, err) < 0)
		return -1;
	/* So that the socket's group can reach the socket, and nothing else. */
	return open_private_dir(options->state, 0711, &state_fd, err);
}

static void
raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("RLIMIT_NOFILE: %s, ignoring", strerrorname_np(errno));
}

/* --- the objects --------------------------------------------------------- */

static int
trim_events(struct daemon *daemon, struct skiff_error *err)
{
	uint64_t keep;

	if (parse_u64(daemon->options->events_kept, INT32_MAX, &keep, err) < 0)
		return err_wrap(err, "--events-kept");
	return event_trim(daemon->db, (int64_t)keep, err);
}

static int
open_store(struct daemon *daemon, struct skiff_error *err)
{
	const char *root = daemon->options->root;

	daemon->bus = bus_new();
	if (db_open(root, daemon->bus, &daemon->db, err) < 0 ||
	    trim_events(daemon, err) < 0 ||
	    content_open(daemon->db, daemon->root_fd, &daemon->content, err) <
		0 ||
	    snapshots_open(daemon->db, root, &daemon->snapshots, err) < 0)
		return err_wrap(err, "%s", root);
	return 0;
}

static int
take_user_ids(const char *text, struct user_pool *pool, struct skiff_error *err)
{
	const char *dash = text ? strchr(text, '-') : NULL;
	struct skiff_error ignored = ERROR_INIT;
	cleanup_free char *number = NULL;
	uint64_t first;
	uint64_t last;

	if (!text)
		return 0;
	number = dash ? xstrndup(text, (size_t)(dash - text)) : NULL;
	if (!number ||
	    parse_u64(number, USER_POOL_LAST, &first, &ignored) < 0 ||
	    parse_u64(dash + 1, USER_POOL_LAST, &last, &ignored) < 0 ||
	    first < USER_RANGE_SIZE || last < first + 2 * USER_RANGE_SIZE - 1)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "--user-ids %s: must be FIRST-LAST, from %d on, "
			       "and %d ids at least",
			       text, USER_RANGE_SIZE, 2 * USER_RANGE_SIZE);
	*pool = (struct user_pool){ (int64_t)first, (int64_t)last };
	return 0;
}

/*
 * criu believes what a checkpoint says of a process's rights, so users, who
 * can upload one, and trust in any do not go together.
 */
static int
take_access(struct daemon *daemon, struct skiff_error *err)
{
	const struct options *options = daemon->options;
	const struct strv *roots = &options->bind_roots;

	if (take_user_ids(options->user_ids, &daemon->host.user_pool, err) <
		0 ||
	    access_new(&options->admins, &options->grants,
		       &daemon->host.user_pool, &daemon->access, err) < 0)
		return -1;
	if (access_knows_users(daemon->access) &&
	    strcmp(options->checkpoints, "any") == 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "--checkpoints any: not with --grant or "
			       "--admin");
	for (size_t i = 0; i < roots->n; i++)
		if (bind_root_add(&daemon->host, roots->items[i], err) < 0)
			return err_wrap(err, "--bind-root %s", roots->items[i]);
	return 0;
}

/* The runtime looks for "criu" in the directory that we name. */
static int
check_checkpoints(const struct options *options, struct skiff_error *err)
{
	const char *criu = options->criu;
	const char *name = criu ? strrchr(criu, '/') : NULL;

	if (criu && (*criu != '/' || strcmp(name, "/criu") != 0))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "--criu %s: must be an absolute path that ends "
			       "in /criu",
			       criu);
	if (strcmp(options->checkpoints, "own") != 0 &&
	    strcmp(options->checkpoints, "any") != 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "--checkpoints %s: must be own or any",
			       options->checkpoints);
	return 0;
}

static void
tell_runtimes(const struct host *host)
{
	if (!host_default_runtime(host))
		log_warn("neither runc nor crun is in PATH: containers cannot "
			 "be run");
	for (size_t i = 0; i < HOST_RUNTIMES; i++) {
		const struct oci_runtime *runtime = &host->runtimes[i];

		if (runtime->warning)
			log_warn("%s %s: %s", runtime->name, runtime->version,
				 runtime->warning);
	}
}

static int
take_log_limits(const struct options *options, struct tasks_options *tasks,
		struct skiff_error *err)
{
	uint64_t files;
	uint64_t size;

	if (parse_u64(options->output_size, LOG_SIZE_MAX, &size, err) < 0)
		return err_wrap(err, "--output-size");
	if (parse_u64(options->output_files, LOG_FILES_MAX, &files, err) < 0)
		return err_wrap(err, "--output-files");
	if (size < LOG_SIZE_MIN || files < 1)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "--output-size is at least %d, --output-files 1",
			       LOG_SIZE_MIN);
	tasks->log_max_size = (int64_t)size;
	tasks->log_max_files = (int64_t)files;
	return 0;
}

static int
open_tasks(struct daemon *daemon, struct skiff_error *err)
{
	struct tasks_options options = {
		.db = daemon->db,
		.bus = daemon->bus,
		.content = daemon->content,
		.snapshots = daemon->snapshots,
		.root = daemon->options->root,
		.state = daemon->options->state,
		.shim_path = daemon->options->shim,
		.host = &daemon->host,
		.cgroup_prefix = daemon->host.cgroup_prefix,
		.criu_path = daemon->options->criu,
		.trusts_checkpoints =
		    strcmp(daemon->options->checkpoints, "any") == 0,
	};
	struct container_context containers = {
		.db = daemon->db,
		.content = daemon->content,
		.snapshots = daemon->snapshots,
		.host = &daemon->host,
	};

	if (check_checkpoints(daemon->options, err) < 0 ||
	    take_log_limits(daemon->options, &options, err) < 0)
		return -1;
	tell_runtimes(&daemon->host);
	if (tasks_open(&options, &daemon->tasks, err) < 0)
		return -1;
	return containers_finish_starts(&containers, daemon->tasks, err);
}

static int
open_transfers(struct daemon *daemon, struct skiff_error *err)
{
	struct transfer_options options = {
		.db = daemon->db,
		.bus = daemon->bus,
		.content = daemon->content,
		.snapshots = daemon->snapshots,
		.ca_file = daemon->options->registry_ca,
	};

	return transfers_open(&options, &daemon->transfers, err);
}

/* --- the server ---------------------------------------------------------- */

static int
listen_unix(struct daemon *daemon, const char *path, struct skiff_error *err)
{
	const struct group *group = getgrnam(SOCKET_GROUP);
	gid_t gid = group ? group->gr_gid : (gid_t)-1;

	if (http_server_listen_unix(daemon->server, path, 0660, gid, err) < 0)
		return -1;
	log_info("listening on unix:%s", path);
	return 0;
}

/* "127.0.0.1:7480", "[::1]:7480"; port 0 takes a free one. */
static int
listen_tcp(struct daemon *daemon, const char *address, struct skiff_error *err)
{
	const char *colon = strrchr(address, ':');
	cleanup_free char *host = NULL;
	uint16_t bound;
	uint64_t port;

	if (!colon || colon == address ||
	    parse_u64(colon + 1, UINT16_MAX, &port, err) < 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "tcp:%s is not tcp:ADDRESS:PORT", address);
	host = *address == '[' && colon[-1] == ']'
		   ? xstrndup(address + 1, (size_t)(colon - address - 2))
		   : xstrndup(address, (size_t)(colon - address));
	if (http_server_listen_tcp(daemon->server, host, (uint16_t)port, &bound,
				   err) < 0)
		return -1;
	log_info("listening on tcp:%s:%d", host, (int)bound);
	return 0;
}

static int
listen_on(struct daemon *daemon, const char *where, struct skiff_error *err)
{
	if (strncmp(where, "unix:/", 6) == 0)
		return listen_unix(daemon, where + 5, err);
	if (strncmp(where, "tcp:", 4) == 0)
		return listen_tcp(daemon, where + 4, err);
	return err_set(err, SKIFF_INVALID_ARGUMENT,
		       "is neither unix:/PATH nor tcp:ADDRESS:PORT");
}

static void
name_hosts(struct daemon *daemon)
{
	for (const char *const *name = http_default_hosts; *name; name++)
		strv_add(&daemon->host_names, *name);
	for (size_t i = 0; i < daemon->options->hosts.n; i++)
		strv_add(&daemon->host_names, daemon->options->hosts.items[i]);
}

/* What requests needed of heap and libraries, waiting needs not. */
static void
give_back(void *arg)
{
	(void)arg;
	footprint_trim();
}

static int
serve(struct daemon *daemon, struct skiff_error *err)
{
	struct http_options options = HTTP_OPTIONS_INIT;
	const struct strv *listen = &daemon->options->listen;
	const struct route *routes;
	size_t n;

	name_hosts(daemon);
	options.hosts = (const char *const *)daemon->host_names.items;
	options.identify = access_identify;
	options.authorize = access_authorize;
	routes = routes_get(&n);
	daemon->workers = workpool_new("worker", WORKERS);
	workpool_when_quiet(daemon->workers, give_back, QUIET_MS);
	daemon->server = http_server_new(&options, routes, n, &daemon->services,
					 daemon->workers);
	daemon->services = (struct services){
		.access = daemon->access,
		.bus = daemon->bus,
		.db = daemon->db,
		.content = daemon->content,
		.snapshots = daemon->snapshots,
		.transfers = daemon->transfers,
		.host = &daemon->host,
		.tasks = daemon->tasks,
		.server = daemon->server,
	};
	for (size_t i = 0; i < listen->n; i++)
		if (listen_on(daemon, listen->items[i], err) < 0)
			return err_wrap(err, "--listen %s", listen->items[i]);
	return http_server_start(daemon->server, err);
}

int
daemon_start(const struct options *options, struct daemon **ret_daemon,
	     struct skiff_error *err)
{
	CLEANUP(daemon_stopp)
	struct daemon *daemon = xcalloc(1, sizeof(*daemon));

	daemon->options = options;
	daemon->root_fd = -1;
	raise_file_limit();
	if (open_dirs(daemon, err) < 0 ||
	    host_probe_begin(options->root, &daemon->host, err) < 0)
		return -1;
	host_keep_private(&daemon->host, options->state);
	if (take_access(daemon, err) < 0 || open_store(daemon, err) < 0 ||
	    access_check_ids(daemon->access, daemon->db, err) < 0)
		return -1;
	host_probe_end(&daemon->host);
	if (open_tasks(daemon, err) < 0 || open_transfers(daemon, err) < 0 ||
	    serve(daemon, err) < 0)
		return -1;
	*ret_daemon = STEAL_PTR(daemon);
	return 0;
}

void
daemon_tend(struct daemon *daemon)
{
	struct skiff_error err = ERROR_INIT;

	if (trim_events(daemon, &err) < 0)
		log_failure(LOG_WARN, &err, "trim the event log");
}

void
daemon_stop(struct daemon *daemon)
{
	if (!daemon)
		return;
	if (daemon->server)
		http_server_stop(daemon->server, STOP_GRACE_MS);
	http_server_free(daemon->server);
	workpool_free(daemon->workers);
	transfers_close(daemon->transfers);
	tasks_close(daemon->tasks);
	snapshots_close(daemon->snapshots);
	content_close(daemon->content);
	db_close(daemon->db);
	bus_free(daemon->bus);
	access_free(daemon->access);
	host_done(&daemon->host);
	strv_done(&daemon->host_names);
	if (daemon->root_fd >= 0)
		(void)close(daemon->root_fd);
	free(daemon);
}
