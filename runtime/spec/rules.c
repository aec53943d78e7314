/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "runtime/spec/rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/spec/host.h"
#include "runtime/spec/wishes.h"

#define SYSCTL_BYTES_MAX 128
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool
is_made_of(const char *text, const char *chars)
{
	return strspn(text, chars) == strlen(text);
}

static bool
begins_with_any(const char *text, const char *const *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* --- sysctls ---------------------------------------------------------- */

static const char *const ipc_sysctls[] = {
	"kernel.msgmax", "kernel.msgmnb",	   "kernel.msgmni",
	"kernel.sem",	 "kernel.shmall",	   "kernel.shmmax",
	"kernel.shmmni", "kernel.shm_rmid_forced",
};

static bool
is_ipc_sysctl(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(ipc_sysctls); i++)
		if (strcmp(name, ipc_sysctls[i]) == 0)
			return true;
	return strncmp(name, "fs.mqueue.", strlen("fs.mqueue.")) == 0;
}

const char *
sysctl_fault(const char *name, const char *value,
	     const struct own_namespaces *own)
{
	size_t len = strlen(value);

	if (strlen(name) > SYSCTL_BYTES_MAX ||
	    !is_made_of(name, LETTERS DIGITS "._-") || strstr(name, "..") ||
	    name[strcspn(name, ".")] == '\0')
		return "is no name of a sysctl";
	if (len == 0 || len > SYSCTL_BYTES_MAX ||
	    !is_made_of(value, LETTERS DIGITS " .,_-"))
		return "its value must be 1 to 128 letters, digits, spaces, "
		       "\".\", \",\", \"_\" or \"-\"";
	if (strncmp(name, "net.", strlen("net.")) == 0)
		return own->network ? NULL
				    : "would be the host's: the container "
				      "has no network of its own";
	if (is_ipc_sysctl(name))
		return own->ipc ? NULL
				: "would be another's: the container has no "
				  "IPC namespace of its own";
	return "is not a container's own; only net.*, fs.mqueue.* and "
	       "kernel.{msg*,sem,shm*} are";
}

/* --- mounts -------------------------------------------------------------- */

static const char *const whole_dirs[] = { "/", "/etc", "/proc" };

/* Who may write to one of them is root. */
static const char *const sockets[] = {
	"/run/docker.sock",
	"/run/containerd/containerd.sock",
	"/run/crio/crio.sock",
	"/run/podman/podman.sock",
};

static bool
is_one_of(const char *path, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(path, list[i]) == 0)
			return true;
	return false;
}

const char *
mount_source_fault(const char *source, const struct host *host)
{
	cleanup_free char *resolved = realpath(source, NULL);
	const char *path = resolved ? resolved : source;

	/* A link that leads nowhere yet. */
	if (path_is_below(path, "/var/run"))
		path += strlen("/var");
	if (is_one_of(path, whole_dirs, ARRAY_SIZE(whole_dirs)))
		return "cannot be given away as a whole";
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		if (path_is_below(sockets[i], path))
			return "holds the socket of a daemon that would do "
			       "anything for whoever has it";
	for (size_t i = 0; i < host->private_dirs.n; i++)
		if (path_is_below(path, host->private_dirs.items[i]) ||
		    path_is_below(host->private_dirs.items[i], path))
			return "holds files of the daemon itself";
	return NULL;
}

/* --- annotations ------------------------------------------------------- */

static const char *const annotations_refused[] = {
	"org.systemd.property.", /* any property of a transient unit */
	"run.oci.",		 /* crun: handlers, hooks, mounts */
	"io.kubernetes.cri-o.",
	"io.podman.",
	"module.wasm",
	"org.criu.", /* runc: a configuration file of criu */
};

static const char *const annotations_taken[] = {
	"org.opencontainers.image.",
	"user.",
};

const char *
annotation_fault(const char *name)
{
	if (!*name)
		return "its name must not be empty";
	if (begins_with_any(name, annotations_refused,
			    ARRAY_SIZE(annotations_refused)))
		return "is an order to the runtime, and not passed on";
	return NULL;
}

const char *
annotation_wish_fault(const char *name)
{
	const char *fault = annotation_fault(name);

	if (fault || begins_with_any(name, annotations_taken,
				     ARRAY_SIZE(annotations_taken)))
		return fault;
	return "only org.opencontainers.image.* and user.* are passed on; a "
	       "label may have any name";
}

/* --- limits of a process ----------------------------------------------- */

static const char *const rlimit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = "RLIMIT_CPU",
	[RLIMIT_FSIZE] = "RLIMIT_FSIZE",
	[RLIMIT_DATA] = "RLIMIT_DATA",
	[RLIMIT_STACK] = "RLIMIT_STACK",
	[RLIMIT_CORE] = "RLIMIT_CORE",
	[RLIMIT_RSS] = "RLIMIT_RSS",
	[RLIMIT_NPROC] = "RLIMIT_NPROC",
	[RLIMIT_NOFILE] = "RLIMIT_NOFILE",
	[RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
	[RLIMIT_AS] = "RLIMIT_AS",
	[RLIMIT_LOCKS] = "RLIMIT_LOCKS",
	[RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
	[RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
	[RLIMIT_NICE] = "RLIMIT_NICE",
	[RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
	[RLIMIT_RTTIME] = "RLIMIT_RTTIME",
};

int
rlimit_number(const char *name)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (strcmp(rlimit_names[i], name) == 0 ||
		    strcasecmp(rlimit_names[i] + strlen("RLIMIT_"), name) == 0)
			return i;
	return -1;
}

const char *
rlimit_name(int number)
{
	return rlimit_names[number];
}

bool
rlimit_is_possible(const struct host *host, int number, int64_t hard)
{
	return host->may_raise_limits ||
	       (uint64_t)hard <= host->rlimit_hard[number];
}

/* --- seccomp ------------------------------------------------------------ */

static void
check_rules(const json_t *rules, const char *pointer,
	    struct json_faults *faults)
{
	json_t *rule;
	size_t i;

	if (rules && !json_is_array(rules)) {
		json_fault(faults, pointer, "must be an array");
		return;
	}
	json_array_foreach (rules, i, rule) {
		cleanup_free char *at = xasprintf("%s/%zu", pointer, i);

		if (!json_array_size(json_object_get(rule, "names")))
			json_fault(faults, at, "must name system calls");
		if (strncmp(json_get_text(rule, "action"), "SCMP_ACT_",
			    strlen("SCMP_ACT_")) != 0)
			json_fault(faults, at, "must have an action");
	}
}

void
seccomp_profile_check(const json_t *profile, const char *pointer,
		      struct json_faults *faults)
{
	cleanup_free char *action = xasprintf("%s/defaultAction", pointer);
	cleanup_free char *calls = xasprintf("%s/syscalls", pointer);
	cleanup_free char *listener = xasprintf("%s/listenerPath", pointer);

	if (!json_is_object(profile)) {
		json_fault(faults, pointer, "must be an object");
		return;
	}
	if (strncmp(json_get_text(profile, "defaultAction"), "SCMP_ACT_",
		    strlen("SCMP_ACT_")) != 0)
		json_fault(faults, action, "must be a SCMP_ACT_ action");
	/* The runtime would connect to a socket of the host. */
	if (json_object_get(profile, "listenerPath"))
		json_fault(faults, listener, "listeners are not accepted");
	check_rules(json_object_get(profile, "syscalls"), calls, faults);
}
