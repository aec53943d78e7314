/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a spec together. A wish goes before the image's config, that
 * before the default.
 */
#include "config.h"

#include "runtime/spec/spec.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/caps.h"
#include "runtime/spec/host.h"
#include "runtime/spec/rootfs_view.h"
#include "runtime/spec/spec_internal.h"
#include "runtime/spec/user.h"
#include "runtime/spec/wishes.h"
#include "store/image_config.h"

#define OCI_VERSION "1.0.2"
#define UMASK_DEFAULT 0022
#define PATH_DEFAULT                                                           \
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int
image_fault(const char *what, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION, "%s", what);
	return err_reason(err, "image_invalid_config");
}

/* --- process ---------------------------------------------------------- */

static void
add_all(json_t *array, const struct strv *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		(void)json_array_append_new(array,
					    json_string(texts->items[i]));
}

/*
 * Entrypoint, then arguments. An entrypoint that is wished drops the
 * image's arguments, which were meant for the image's.
 */
static int
make_args(const struct spec_request *request, json_t **ret_args,
	  struct skiff_error *err)
{
	const struct wishes *wishes = request->wishes;
	cleanup_json json_t *args = json_array();
	size_t n_before;

	if (wishes->init) {
		(void)json_array_append_new(args, json_string(SPEC_INIT));
		(void)json_array_append_new(args, json_string("--"));
	}
	n_before = json_array_size(args);
	add_all(args, wishes->has_entrypoint ? &wishes->entrypoint
					     : &request->image->entrypoint);
	if (wishes->args.n)
		add_all(args, &wishes->args);
	else if (!wishes->has_entrypoint)
		add_all(args, &request->image->cmd);
	if (json_array_size(args) == n_before) {
		(void)err_set(err, SKIFF_INVALID_ARGUMENT,
			      "args: the image has no command of its own");
		return err_field(err, "/args");
	}
	*ret_args = STEAL_PTR(args);
	return 0;
}

static bool
is_same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return strncmp(a, b, len) == 0 && (b[len] == '=' || !b[len]);
}

void
spec_set_env(json_t *env, const char *entry)
{
	json_t *item;
	size_t i;

	json_array_foreach (env, i, item)
		if (is_same_name(entry, json_string_value(item))) {
			(void)json_array_set_new(env, i, json_string(entry));
			return;
		}
	(void)json_array_append_new(env, json_string(entry));
}

static bool
has_env(const struct spec_request *request, const char *name)
{
	const struct strv *lists[] = { &request->image->env,
				       &request->wishes->env };

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		for (size_t i = 0; i < lists[k]->n; i++)
			if (is_same_name(lists[k]->items[i], name))
				return true;
	return false;
}

static json_t *
make_env(const struct spec_request *request, const struct user *user)
{
	cleanup_free char *home = xasprintf("HOME=%s", user->home);
	json_t *env = json_array();

	spec_set_env(env, PATH_DEFAULT);
	if (request->wishes->terminal && !has_env(request, "TERM"))
		spec_set_env(env, "TERM=xterm");
	for (size_t i = 0; i < request->image->env.n; i++)
		spec_set_env(env, request->image->env.items[i]);
	for (size_t i = 0; i < request->wishes->env.n; i++)
		spec_set_env(env, request->wishes->env.items[i]);
	if (!has_env(request, "HOME"))
		spec_set_env(env, home);
	return env;
}

/* The image's directory is believed no more than a client's. */
static int
make_cwd(const struct spec_request *request, json_t **ret_cwd,
	 struct skiff_error *err)
{
	const char *cwd = request->wishes->cwd;
	cleanup_free char *of_image = NULL;

	if (!cwd && request->image->working_dir &&
	    *request->image->working_dir) {
		const char *given = request->image->working_dir;

		of_image = xasprintf("%s%s", *given == '/' ? "" : "/", given);
		if (cwd_fault(of_image))
			return image_fault("the image's working directory "
					   "cannot be used",
					   err);
		cwd = of_image;
	}
	*ret_cwd = json_string(cwd ? cwd : "/");
	return 0;
}

static int
find_user(const struct spec_request *request, struct user *ret_user,
	  struct skiff_error *err)
{
	const char *wish = request->wishes->user;
	const char *of_image = request->image->user;

	if (user_resolve(request->view,
			 wish	    ? wish
			 : of_image ? of_image
				    : "",
			 ret_user, err) == 0)
		return 0;
	/* The client cannot mend what it did not say. */
	if (!wish && err->code == SKIFF_INVALID_ARGUMENT) {
		err->code = SKIFF_FAILED_PRECONDITION;
		(void)err_field(err, "");
		(void)err_wrap(err, "the image's user");
		(void)err_reason(err, "image_invalid_config");
	}
	return -1;
}

json_t *
spec_user(const struct user *user)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < user->n_groups; i++)
		(void)json_array_append_new(groups,
					    json_integer(user->groups[i]));
	return json_pack("{s:I, s:I, s:i, s:o}", "uid", (json_int_t)user->uid,
			 "gid", (json_int_t)user->gid, "umask", UMASK_DEFAULT,
			 "additionalGids", groups);
}

json_t *
spec_capabilities(uint64_t caps)
{
	json_t *names = json_array();
	json_t *sets;

	for (unsigned int i = 0; cap_name(i); i++)
		if (caps_have(caps, i))
			(void)json_array_append_new(names,
						    json_string(cap_name(i)));
	/* Inheritable and ambient stay empty: CVE-2022-24769. */
	sets = json_pack("{s:O, s:O, s:O, s:[], s:[]}", "bounding", names,
			 "effective", names, "permitted", names, "inheritable",
			 "ambient");
	json_decref(names);
	return sets;
}

static int
make_process(const struct spec_request *request, uint64_t caps,
	     json_t **ret_process, struct skiff_error *err)
{
	CLEANUP(user_done) struct user user = { 0 };
	const struct wishes *wishes = request->wishes;
	cleanup_json json_t *args = NULL;
	json_t *cwd = NULL;

	if (make_args(request, &args, err) < 0 ||
	    find_user(request, &user, err) < 0 ||
	    user_add_groups(request->view, &wishes->group_add, &user, err) <
		0 ||
	    make_cwd(request, &cwd, err) < 0)
		return -1;
	*ret_process =
	    json_pack("{s:b, s:o, s:O, s:o, s:o, s:o, s:o, s:b, s:i}",
		      "terminal", wishes->terminal, "user", spec_user(&user),
		      "args", args, "env", make_env(request, &user), "cwd", cwd,
		      "capabilities", spec_capabilities(caps), "rlimits",
		      spec_rlimits(request->host, wishes), "noNewPrivileges",
		      !wishes->privileged && !wishes->allow_new_privileges,
		      "oomScoreAdj",
		      wishes->has_oom_score_adj ? (int)wishes->oom_score_adj
						: request->host->oom_score_adj);
	return 0;
}

/* --- the rest --------------------------------------------------------- */

static char *
cgroups_path(const struct host *host, const char *ns, const char *id)
{
	return xasprintf("%s/%s/%s", host->cgroup_prefix, ns, id);
}

static json_t *
make_seccomp(const struct spec_request *request, uint64_t caps)
{
	const struct wishes *wishes = request->wishes;
	const json_t *wish = wishes->seccomp;

	if (json_is_object(wish))
		return json_deep_copy(wish);
	if (!request->has_seccomp ||
	    (wish && strcmp(json_string_value(wish), "unconfined") == 0) ||
	    (!wish && wishes->privileged))
		return NULL;
	return spec_seccomp(caps, request->image->architecture);
}

static void
set_unless_null(json_t *object, const char *key, json_t *value)
{
	if (value)
		(void)json_object_set_new(object, key, value);
}

static json_t *
make_linux(const struct spec_request *request, uint64_t caps)
{
	const struct host *host = request->host;
	const struct wishes *wishes = request->wishes;
	cleanup_free char *path = cgroups_path(host, request->ns, request->id);
	json_t *linux_part =
	    json_pack("{s:s, s:o, s:o, s:s}", "cgroupsPath", path, "namespaces",
		      spec_namespaces(wishes), "resources",
		      spec_resources(host, wishes), "rootfsPropagation",
		      "rprivate");

	if (!wishes->privileged) {
		(void)json_object_set_new(linux_part, "maskedPaths",
					  spec_masked_paths(host));
		(void)json_object_set_new(linux_part, "readonlyPaths",
					  spec_readonly_paths(host, wishes));
	}
	set_unless_null(linux_part, "devices", spec_devices(wishes));
	set_unless_null(linux_part, "sysctl", spec_sysctl(wishes));
	set_unless_null(linux_part, "seccomp", make_seccomp(request, caps));
	return linux_part;
}

/* The id is the name, as far as a hostname may be long. */
static void
default_hostname(const char *id, char name[HOSTNAME_MAX + 1])
{
	size_t len = strnlen(id, HOSTNAME_MAX);

	memcpy(name, id, len);
	while (len > 0 && !isalnum((unsigned char)name[len - 1]))
		len--;
	name[len] = '\0';
}

/* NULL: it is the host's. */
static const char *
make_hostname(const struct spec_request *request, char name[HOSTNAME_MAX + 1])
{
	if (namespace_is_host(request->wishes->uts))
		return NULL;
	default_hostname(request->id, name);
	return request->wishes->hostname ? request->wishes->hostname : name;
}

/*
 * What no client decides, whatever stands there: its cgroup, in which all are
 * killed at its end, and sets of capabilities by which a program of the image
 * would gain some (CVE-2022-24769).
 */
static void
set_own(json_t *spec, const struct host *host, const char *ns, const char *id)
{
	static const char *const sets[] = { "inheritable", "ambient" };
	cleanup_free char *cgroup = cgroups_path(host, ns, id);
	json_t *caps =
	    json_object_get(json_object_get(spec, "process"), "capabilities");

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (json_object_get(caps, sets[i]))
			(void)json_object_set_new(caps, sets[i], json_array());
	json_set_text(json_object_get(spec, "linux"), "cgroupsPath", cgroup);
}

/* The last word is the client's, as far as it leaves a spec to accept. */
static int
patch_spec(const struct spec_request *request, json_t *spec,
	   struct skiff_error *err)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	const json_t *patch = request->wishes->spec_patch;

	if (!patch)
		return 0;
	json_merge_patch(spec, patch);
	spec_check(spec, "/spec_patch", request->host, &faults);
	if (json_faults_to_error(&faults, err) < 0)
		return -1;
	set_own(spec, request->host, request->ns, request->id);
	return 0;
}

int
spec_build(const struct spec_request *request, json_t **ret_spec,
	   struct skiff_error *err)
{
	const struct wishes *wishes = request->wishes;
	uint64_t caps =
	    caps_apply(&wishes->cap_add, &wishes->cap_drop, wishes->privileged,
		       request->host->capabilities);
	cleanup_json json_t *process = NULL;
	cleanup_json json_t *spec = NULL;
	cleanup_free char *text = NULL;
	char hostname[HOSTNAME_MAX + 1];

	if (make_process(request, caps, &process, err) < 0)
		return -1;
	spec =
	    json_pack("{s:s, s:O, s:{s:s, s:b}, s:s*, s:o, s:o}", "ociVersion",
		      OCI_VERSION, "process", process, "root", "path",
		      SPEC_ROOT, "readonly", wishes->read_only, "hostname",
		      make_hostname(request, hostname), "mounts",
		      spec_mounts(wishes), "linux", make_linux(request, caps));
	if (!spec)
		return image_fault("the image's config holds text that is "
				   "not UTF-8",
				   err);
	if (wishes->annotations)
		(void)json_object_set(spec, "annotations", wishes->annotations);
	if (patch_spec(request, spec, err) < 0)
		return -1;
	text = json_text(spec);
	if (strlen(text) > SPEC_MAX_BYTES)
		return err_set(err, SKIFF_TOO_LARGE,
			       "the spec would be larger than %d bytes",
			       SPEC_MAX_BYTES);
	*ret_spec = STEAL_PTR(spec);
	return 0;
}

json_t *
spec_adopt(const json_t *spec, const struct host *host, const char *ns,
	   const char *id)
{
	json_t *copy = json_deep_copy(spec);
	json_t *part;

	part = json_object_get(copy, "root");
	if (!part) {
		part = json_object();
		(void)json_object_set_new(copy, "root", part);
	}
	/* A directory of the client's own stays where it is. */
	if (*json_get_text(part, "path") != '/')
		json_set_text(part, "path", SPEC_ROOT);
	if (!json_object_get(copy, "linux"))
		(void)json_object_set_new(copy, "linux", json_object());
	set_own(copy, host, ns, id);
	return copy;
}

void
spec_rename(json_t *spec, const struct spec_names *names)
{
	cleanup_free char *old_path =
	    cgroups_path(names->host, names->ns, names->old_id);
	cleanup_free char *new_path =
	    cgroups_path(names->host, names->ns, names->new_id);
	const char *path = spec_cgroups_path(spec);
	char old_name[HOSTNAME_MAX + 1];
	char new_name[HOSTNAME_MAX + 1];

	if (path && strcmp(path, old_path) == 0)
		json_set_text(json_object_get(spec, "linux"), "cgroupsPath",
			      new_path);
	default_hostname(names->old_id, old_name);
	default_hostname(names->new_id, new_name);
	if (!names->keep_hostname &&
	    strcmp(json_get_text(spec, "hostname"), old_name) == 0)
		json_set_text(spec, "hostname", new_name);
}

const char *
spec_own_root(const json_t *spec)
{
	const char *path = json_get_text(json_object_get(spec, "root"), "path");

	return *path == '/' ? path : NULL;
}

const char *
spec_cgroups_path(const json_t *spec)
{
	return json_string_value(
	    json_object_get(json_object_get(spec, "linux"), "cgroupsPath"));
}
