/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Wishes: what a client asks of a container, in plain fields (the body of
 * POST N/containers). Decoded strictly; every fault of a body is told, by
 * JSON pointer. The document keeps them as they were given.
 *
 *	CLEANUP(wishes_done) struct wishes wishes = { 0 };
 *	wishes_decode(body, &wishes, &faults);
 *	wishes_check_host(&wishes, host, &faults);
 *	if (json_faults_to_error(&faults, err) < 0) …
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/strv.h"

struct host;

#define MOUNTS_MAX 256
#define HOSTNAME_MAX 64
#define MEMORY_MIN (INT64_C(6) << 20) /* less, and runc cannot start it */
#define ARG_BYTES_MAX 131071	      /* execve(2): MAX_ARG_STRLEN, NUL */

struct wish_mount {
	char *type;   /* "bind", "tmpfs" */
	char *source; /* absolute; NULL for tmpfs */
	char *target; /* absolute, normal, in the container */
	struct strv options;
};

struct wish_device {
	char *path;	      /* on the host, below /dev */
	char *container_path; /* below /dev; NULL: the same */
	char *permissions;    /* of "rwm"; NULL: all */
	struct stat node;     /* st_mode 0 until wishes_check_host() */
};

struct wish_rlimit {
	char *type; /* "nofile" or "RLIMIT_NOFILE" */
	int64_t soft;
	int64_t hard; /* -1: no limit */
	int number;   /* RLIMIT_NOFILE */
};

/* 0: not asked for. */
struct wish_resources {
	int64_t memory;		    /* bytes */
	int64_t memory_swap;	    /* memory and swap together; -1: no limit */
	int64_t memory_reservation; /* kept while others want memory */
	int64_t memory_swappiness;  /* 0 to 100; see has_swappiness */
	bool has_swappiness;
	bool oom_kill_disable;
	double cpus; /* 1.5: one and a half processors' time */
	int64_t cpu_shares;
	int64_t pids; /* -1: no limit */
	char *cpuset_cpus;
	char *cpuset_mems;
	int64_t blkio_weight;
	json_t *hugetlb; /* {"2MB": bytes}, or NULL */
};

/* What /etc/resolv.conf shall say; see resolv_conf_text(). */
struct wish_dns {
	struct strv servers;
	struct strv search;
	struct strv options;
};

struct wishes {
	char *id;
	char *image;
	char *platform; /* "os/arch[/variant]"; NULL: the host's */
	json_t *labels;
	struct strv args;
	struct strv entrypoint;
	bool has_entrypoint; /* given, perhaps as [] */
	struct strv env;
	char *cwd;
	char *user;
	struct strv group_add; /* names and numbers, beside the user's own */
	char *hostname;
	bool terminal;
	bool init; /* SPEC_INIT is the first process */
	/*
	 * "private", "host", "container:ID" but of uts, and of ipc
	 * "shareable", too; or NULL, private
	 */
	char *pid, *ipc, *uts;
	char *userns;	/* "auto", "host", or NULL, the host's */
	json_t *mounts; /* as given; see mount_list */
	struct wish_mount *mount_list;
	size_t n_mounts;
	json_t *resources; /* as given; see limits */
	struct wish_resources limits;
	char *network; /* "none", "host", or NULL */
	json_t *ports; /* as given; none can be had yet */
	json_t *dns;   /* as given; see name_service */
	struct wish_dns name_service;
	bool read_only;
	bool privileged;
	bool allow_new_privileges;
	int64_t oom_score_adj; /* see has_oom_score_adj */
	bool has_oom_score_adj;
	json_t *capabilities; /* as given */
	struct strv cap_add, cap_drop;
	json_t *seccomp; /* "default", "unconfined", a profile, or NULL */
	json_t *rlimits; /* as given; see rlimit_list */
	struct wish_rlimit *rlimit_list;
	size_t n_rlimits;
	json_t *sysctls;     /* object of strings, or NULL */
	json_t *annotations; /* the same */
	json_t *devices;     /* as given; see device_list */
	struct wish_device *device_list;
	size_t n_devices;
	char *stop_signal;
	json_t *stop_timeout;	/* seconds or "1m30s"; wish_duration() */
	json_t *restart_policy; /* as given; runtime/spec/restart_policy.h */
	json_t *health;		/* as given; runtime/spec/health.h */
	json_t *stdio;		/* the same; runtime/task_stdio.h */
	char *snapshotter;
	char *snapshot_key; /* a snapshot that the client made */
	json_t *runtime;    /* as given; see runtime_name */
	char *runtime_name;
	struct strv runtime_args; /* options.args */
	json_t *spec_patch; /* merged into the spec at its end (RFC 7396) */
	json_t *spec;	    /* a whole OCI config.json, instead of the above */
	json_t *extensions;
};

/* *ret_wishes is zeroed by the caller, and filled as far as it goes. */
void wishes_decode(const json_t *body, struct wishes *ret_wishes,
		   struct json_faults *faults);
/* What this host cannot fulfil; looks up the wished devices. */
void wishes_check_host(struct wishes *wishes, const struct host *host,
		       struct json_faults *faults);
void wishes_done(struct wishes *wishes);

/* Whether a body may have a field of that name. */
bool wish_exists(const char *field);
/*
 * Whether a field of the body is one that the spec is made from, so that
 * there is no room for it beside a client's own spec.
 */
bool wish_shapes_spec(const char *field);

#define NAMESPACE_SHAREABLE "shareable" /* own, and others may join it */

/*
 * Of a wish for a namespace, or of the path that a spec has for it: whether
 * it is the host's; whose it is, borrowed, or NULL.
 */
bool namespace_is_host(const char *wish);
const char *namespace_container(const char *wish);

/* What is wrong with an absolute path in a container, or NULL. */
const char *path_fault(const char *path);
/* The same of a working directory: /proc has ways out (CVE-2024-21626). */
const char *cwd_fault(const char *path);
/* "/a//b/./c/" → "/a/b/c", in place; nothing else is changed. */
void path_normalise(char *path);
/* Whether a path is dir or lies below it; both normal. */
bool path_is_below(const char *path, const char *dir);
bool hostname_is_valid(const char *name);

/* SIGTERM, TERM, term, 15 → 15; RTMAX-3 → 61; -1 for what is no signal. */
int signal_number(const char *name);
/* Seconds as a number, or "1m30s"; false for what is neither. */
bool wish_duration(const json_t *value, int64_t *ret_ns);
/* The resolv.conf(5) of a container's "dns" object; the caller frees. */
char *resolv_conf_text(const json_t *dns);
