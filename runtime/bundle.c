/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a task's directory.
 */
#include "config.h"

#include "runtime/bundle_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "runtime/logs/reader.h"
#include "runtime/shim_client.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/user_namespace.h"
#include "runtime/spec/wishes.h"
#include "store/snapshot/snapshots.h"

#define HOST_FILE_MAX (1024 * 1024)
#define MKDIR_TRIES 8
#define LOCALHOST                                                              \
	"127.0.0.1\tlocalhost\n"                                               \
	"::1\tlocalhost ip6-localhost ip6-loopback\n"

static const json_t *
spec_of(const struct bundle_request *request)
{
	return json_object_get(request->container, "spec");
}

/* --- generated files -------------------------------------------------- */

static const json_t *
find_namespace(const json_t *spec, const char *type)
{
	const json_t *list =
	    json_object_get(json_object_get(spec, "linux"), "namespaces");
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (strcmp(json_get_text(item, "type"), type) == 0)
			return item;
	return NULL;
}

static bool
has_namespace(const json_t *spec, const char *type)
{
	return find_namespace(spec, type) != NULL;
}

/* A new one, not one that is somewhere already. */
static bool
has_own_namespace(const json_t *spec, const char *type)
{
	const json_t *item = find_namespace(spec, type);

	return item && !*json_get_text(item, "path");
}

static void
find_hostname(const json_t *spec, char name[HOSTNAME_MAX + 1])
{
	const char *own = json_get_text(spec, "hostname");

	if (has_namespace(spec, "uts") ||
	    gethostname(name, HOSTNAME_MAX + 1) < 0)
		(void)snprintf(name, HOSTNAME_MAX + 1, "%s", own);
}

/* A copy of the host's file, or fallback without one. */
static char *
host_file(const char *path, const char *fallback)
{
	struct skiff_error ignored = ERROR_INIT;
	char *text;
	size_t len;

	if (fs_read_file(AT_FDCWD, path, HOST_FILE_MAX, &text, &len,
			 &ignored) == 0)
		return text;
	return xstrdup(fallback);
}

static char *
generated_text(const struct bundle_request *request, const char *source)
{
	const json_t *dns = json_object_get(request->container, "dns");
	const json_t *spec = spec_of(request);
	bool is_own = has_namespace(spec, "network");
	char hostname[HOSTNAME_MAX + 1];

	find_hostname(spec, hostname);
	if (strcmp(source, SPEC_SOURCE_HOSTNAME) == 0)
		return xasprintf("%s\n", hostname);
	if (strcmp(source, SPEC_SOURCE_HOSTS) == 0)
		return is_own ? xasprintf(LOCALHOST "127.0.1.1\t%s\n", hostname)
			      : host_file("/etc/hosts", LOCALHOST);
	if (strcmp(source, SPEC_SOURCE_RESOLV_CONF) == 0 && dns)
		return resolv_conf_text(dns);
	if (strcmp(source, SPEC_SOURCE_RESOLV_CONF) == 0)
		return is_own ? xstrdup("# This container has no network.\n")
			      : host_file("/etc/resolv.conf", "");
	return NULL;
}

/* Followed by the runtime, to what is there by then. */
static int
link_init(int bundle_fd, const char *path, struct skiff_error *err)
{
	if (access(path, X_OK) < 0) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "the container wishes init, and there is no %s",
			      path);
		return err_reason(err, "init_not_found");
	}
	if (symlinkat(path, bundle_fd, SPEC_SOURCE_INIT) < 0 && errno != EEXIST)
		return err_errno(err, errno, "link " SPEC_SOURCE_INIT);
	return 0;
}

/* It is the container's root's to write, whoever that is. */
static int
give(int bundle_fd, const char *name, const struct bundle_request *request,
     struct skiff_error *err)
{
	struct spec_owner owner;

	if (spec_owner(spec_of(request), &owner) &&
	    fchownat(bundle_fd, name, owner.uid, owner.gid,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "chown");
	return 0;
}

static int
write_generated(int bundle_fd, const struct bundle_request *request,
		struct skiff_error *err)
{
	json_t *mount;
	size_t i;

	json_array_foreach (json_object_get(spec_of(request), "mounts"), i,
			    mount) {
		const char *source = json_get_text(mount, "source");
		cleanup_free char *text = generated_text(request, source);

		if (strcmp(source, SPEC_SOURCE_INIT) == 0 &&
		    link_init(bundle_fd, request->init_path, err) < 0)
			return -1;
		if (text && (fs_create_file(bundle_fd, source, text,
					    strlen(text), 0644, err) < 0 ||
			     give(bundle_fd, source, request, err) < 0))
			return err_wrap(err, "write %s", source);
	}
	return 0;
}

/* --- mount points ----------------------------------------------------- */

bool
bundle_is_bind(const json_t *mount)
{
	json_t *option;
	size_t i;

	json_array_foreach (json_object_get(mount, "options"), i, option) {
		const char *text = json_string_value(option);

		if (text &&
		    (strcmp(text, "bind") == 0 || strcmp(text, "rbind") == 0))
			return true;
	}
	return strcmp(json_get_text(mount, "type"), "bind") == 0;
}

/* Lies on an earlier mount, so the root filesystem never shows there. */
static bool
is_covered(const json_t *mounts, size_t i, const char *target)
{
	for (size_t k = 0; k < i; k++) {
		const char *other =
		    json_get_text(json_array_get(mounts, k), "destination");

		if (strcmp(other, target) != 0 && path_is_below(target, other))
			return true;
	}
	return false;
}

int
bundle_no_source(const char *source, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "mount source %s: not found", source);
	return err_reason(err, "mount_source_not_found");
}

static int
stat_source(int bundle_fd, const char *source, bool *ret_is_dir,
	    struct skiff_error *err)
{
	struct stat st;

	if (fstatat(bundle_fd, source, &st, 0) < 0)
		return errno == ENOENT || errno == ENOTDIR
			   ? bundle_no_source(source, err)
			   : err_errno(err, errno, "mount source %s", source);
	*ret_is_dir = S_ISDIR(st.st_mode);
	return 0;
}

static int
write_mountpoints(int task_fd, int bundle_fd, const json_t *spec,
		  struct skiff_error *err)
{
	const json_t *mounts = json_object_get(spec, "mounts");
	cleanup_free struct shim_mountpoint *points =
	    xcalloc(json_array_size(mounts) + 1, sizeof(*points));
	size_t i, n = 0;
	json_t *mount;

	json_array_foreach (mounts, i, mount) {
		const char *target = json_get_text(mount, "destination");
		bool is_dir = true;

		if (bundle_is_bind(mount) &&
		    stat_source(bundle_fd, json_get_text(mount, "source"),
				&is_dir, err) < 0)
			return -1;
		if (!is_covered(mounts, i, target))
			points[n++] =
			    (struct shim_mountpoint){ .path = target,
						      .is_dir = is_dir };
	}
	return shim_write_mountpoints(task_fd, points, n, err);
}

static int
write_mounts(int task_fd, const struct bundle_request *request,
	     struct skiff_error *err)
{
	cleanup_free struct shim_mount *mounts =
	    xcalloc(request->n_mounts + 1, sizeof(*mounts));

	for (size_t i = 0; i < request->n_mounts; i++) {
		const struct mount *mount = &request->mounts[i];

		mounts[i] = (struct shim_mount){
			.type = mount->type,
			.source = mount->source,
			.options = (const char *const *)mount->options.items,
			.n_options = mount->options.n,
		};
	}
	return shim_write_mounts(task_fd, mounts, request->n_mounts, err);
}

static int
write_shm(int task_fd, const char *namespace, struct skiff_error *err)
{
	if (!namespace)
		return 0;
	if (mkdirat(task_fd, SHIM_DIR_SHM, 0700) < 0)
		return err_errno(err, errno, "mkdir " SHIM_DIR_SHM);
	return fs_create_file(task_fd, SHIM_FILE_SHM, namespace,
			      strlen(namespace), 0600, err);
}

/* --- the directory ---------------------------------------------------- */

/* See runtime/shim/network.c. */
static json_t *
network_hook(const char *shim_path, const json_t *spec)
{
	const json_t *sysctls =
	    json_object_get(json_object_get(spec, "linux"), "sysctl");
	json_t *args = json_pack("[s, s]", "skiff-shim", "--network");
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)sysctls, key, value)
		if (strncmp(key, "net.", strlen("net.")) == 0) {
			cleanup_free char *setting =
			    xasprintf("%s=%s", key, json_string_value(value));

			(void)json_array_append_new(args, json_string(setting));
		}
	return json_pack("{s:[{s:s, s:o}]}", "createRuntime", "path", shim_path,
			 "args", args);
}

/* The runtime finds every root filesystem where the shim has mounted it. */
static char *
config_text(const struct bundle_request *request)
{
	const json_t *spec = spec_of(request);
	cleanup_json json_t *copy = json_copy((json_t *)spec);

	if (spec_own_root(spec)) {
		json_t *root = json_copy(json_object_get(spec, "root"));

		json_set_text(root, "path", SPEC_ROOT);
		(void)json_object_set_new(copy, "root", root);
	}
	if (request->network_hook && has_own_namespace(spec, "network"))
		(void)json_object_set_new(copy, "hooks",
					  network_hook(request->network_hook,
						       spec));
	return json_text(copy);
}

/* For checkpoints, which tell what the run was made from. */
static int
write_container(int task_fd, const json_t *container, struct skiff_error *err)
{
	cleanup_json json_t *copy = json_copy((json_t *)container);
	cleanup_free char *text = NULL;

	(void)json_object_del(copy, "spec");
	text = json_text(copy);
	return fs_create_file(task_fd, BUNDLE_CONTAINER_FILE, text,
			      strlen(text), 0600, err);
}

static int
write_bundle(int task_fd, int bundle_fd, const struct bundle_request *request,
	     struct skiff_error *err)
{
	cleanup_free char *config = config_text(request);
	struct spec_owner owner;

	if ((spec_owner(spec_of(request), &owner) &&
	     bundle_open_way(request->run_dir, task_fd, &owner, err) < 0) ||
	    fs_mkdir_all(bundle_fd, "rootfs", 0755, err) < 0 ||
	    fs_mkdir_all(bundle_fd, "etc", 0755, err) < 0 ||
	    write_generated(bundle_fd, request, err) < 0 ||
	    write_shm(task_fd, request->shm_namespace, err) < 0 ||
	    write_mountpoints(task_fd, bundle_fd, spec_of(request), err) < 0 ||
	    write_mounts(task_fd, request, err) < 0 ||
	    fs_create_file(task_fd, BUNDLE_BOOT, request->boot_id,
			   strlen(request->boot_id), 0600, err) < 0 ||
	    write_container(task_fd, request->container, err) < 0 ||
	    fault_hit(FAULT_BUNDLE_CONFIG, err) < 0)
		return -1;
	return fs_create_file(bundle_fd, "config.json", config, strlen(config),
			      0600, err);
}

static int
fill(int task_fd, const struct bundle_request *request, struct skiff_error *err)
{
	struct bundle_request held = *request;
	cleanup_json json_t *container = NULL;
	cleanup_close int bundle_fd = -1;

	if (fs_open_dir(task_fd, SHIM_DIR_BUNDLE, /* create= */ true, 0700,
			&bundle_fd, err) < 0 ||
	    bundle_hold_binds(request, task_fd, bundle_fd, &container, err) < 0)
		return -1;
	held.container = container;
	return write_bundle(task_fd, bundle_fd, &held, err);
}

/*
 * The last task of a namespace may be taking the namespace's directory
 * away just now: then once more.
 */
static int
make_dir(const char *path, struct skiff_error *err)
{
	for (int i = 0;; i++) {
		struct skiff_error fault = ERROR_INIT;

		if (fs_mkdir_all(AT_FDCWD, path, 0700, &fault) == 0)
			return 0;
		if (fault.code != SKIFF_NOT_FOUND || i == MKDIR_TRIES) {
			*err = fault;
			return -1;
		}
	}
}

static bool
is_of_the_log(const char *name)
{
	return strncmp(name, SHIM_FILE_LOG, strlen(SHIM_FILE_LOG)) == 0 ||
	       strcmp(name, LOG_FILE_AGAIN) == 0;
}

/* All but the log, in whatever number of files it lies. */
static int
clear_run(const char *task_dir, struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv names = STRV_INIT;
	cleanup_close int fd = -1;

	if (fs_list(AT_FDCWD, task_dir, &names, err) < 0 ||
	    fs_open_dir(AT_FDCWD, task_dir, /* create= */ true, 0700, &fd,
			err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (!is_of_the_log(names.items[i]) &&
		    fs_remove_tree(fd, names.items[i], err) < 0)
			return err_wrap(err, "clear the run before");
	return 0;
}

/* The task's first: the other is found, and removed, by way of it. */
static int
make_dirs(const struct bundle_request *request, int *ret_task_fd,
	  struct skiff_error *err)
{
	cleanup_close int task_fd = -1;

	if (fs_remove_tree(AT_FDCWD, request->run_dir, err) < 0 ||
	    (request->is_renewal
		 ? clear_run(request->task_dir, err)
		 : fs_remove_tree(AT_FDCWD, request->task_dir, err)) < 0 ||
	    make_dir(request->task_dir, err) < 0 ||
	    make_dir(request->run_dir, err) < 0 ||
	    fs_open_dir(AT_FDCWD, request->task_dir, /* create= */ false, 0,
			&task_fd, err) < 0)
		return err_wrap(err, "task directory");
	if (symlinkat(request->run_dir, task_fd, SHIM_DIR_RUN) < 0)
		return err_errno(err, errno, "link to %s", request->run_dir);
	*ret_task_fd = STEAL_FD(task_fd);
	return 0;
}

int
bundle_make(const struct bundle_request *request, struct skiff_error *err)
{
	cleanup_close int task_fd = -1;
	struct skiff_error ignored = ERROR_INIT;

	if (make_dirs(request, &task_fd, err) == 0 &&
	    fill(task_fd, request, err) == 0)
		return 0;
	if (!request->is_renewal)
		(void)bundle_remove(request->task_dir, request->run_dir,
				    &ignored);
	return -1;
}

int
bundle_forget_shim(const char *task_dir, struct skiff_error *err)
{
	cleanup_free char *path = xasprintf("%s/" SHIM_FILE_STATE, task_dir);

	if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_errno(err, errno, "unlink %s", path);
	return 0;
}

int
bundle_remove_dir(const char *dir, struct skiff_error *err)
{
	cleanup_free char *parent = xstrdup(dir);
	char *slash = strrchr(parent, '/');

	if (fs_remove_tree(AT_FDCWD, dir, err) < 0)
		return err_wrap(err, "task directory");
	/* Refused, rightly, while the namespace has other tasks. */
	if (slash) {
		*slash = '\0';
		(void)rmdir(parent);
	}
	return 0;
}

int
bundle_remove(const char *task_dir, const char *run_dir,
	      struct skiff_error *err)
{
	if (bundle_remove_dir(run_dir, err) < 0)
		return -1;
	return bundle_remove_dir(task_dir, err);
}
