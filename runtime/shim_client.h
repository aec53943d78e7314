/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The daemon's side of a shim: starting one, finding one again, calling
 * it, hearing of the end, and cleaning up after one that died.
 *
 *	if (shim_spawn(&options, &client, err) < 0)
 *		return -1;	(nothing is left behind)
 *	if (shim_start(client, deadline_in_ms(10000), err) < 0)
 *	…
 *	monitor: poll shim_client_event_fd(), then shim_client_read_event()
 *
 * A client is immutable once made, and each call uses a connection of its
 * own: any thread may call at any time, no lock is held, and a call that
 * ran into its deadline leaves no late answer behind. The event descriptor
 * belongs to the one thread that reads it. Who keeps a client longer than
 * its task does (which gets another when it is restarted) holds a
 * reference.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strv.h"
#include "runtime/shim_proto.h"

struct shim_client;
struct spec_owner;
struct task_stdio;

/* One root filesystem mount, as a snapshotter gives it. */
struct shim_mount {
	const char *type;   /* "overlay", "bind", … */
	const char *source; /* "overlay" or a path */
	const char *const *options;
	size_t n_options;
};

/* A destination that must exist in the root filesystem. */
struct shim_mountpoint {
	const char *path; /* absolute, in the container */
	bool is_dir;	  /* else a file */
};

/*
 * Write SHIM_FILE_MOUNTS and SHIM_FILE_MOUNTPOINTS into a task's
 * directory, before shim_spawn().
 */
int shim_write_mounts(int task_fd, const struct shim_mount *mounts, size_t n,
		      struct skiff_error *err);
int shim_write_mountpoints(int task_fd, const struct shim_mountpoint *points,
			   size_t n, struct skiff_error *err);

/* Names a task for spawn, reconnect and cleanup. All paths absolute. */
struct shim_place {
	const char *task_dir; /* 0700; holds bundle/config.json */
	const char *socket;   /* at most 107 bytes */
	const char *id;	      /* the runtime's name of the container */
	const char *runtime;  /* executable */
	const struct strv *runtime_args; /* before its verb; or NULL */
	const char *runtime_root;	 /* its --root */
	const char *cgroups_path;	 /* linux.cgroupsPath, or NULL */
};

struct shim_options {
	struct shim_place place;
	const char *shim_path; /* the executable */
	const char *cgroup;    /* the shim's own, or NULL: the caller's */
	bool has_terminal;
	const struct task_stdio *stdio;
	int64_t log_max_size; /* unless stdio says; 0: the shim's own */
	int64_t log_max_files;
	/* From criu's files in SHIM_DIR_RESTORE, in place of a new init. */
	bool is_restore;
	uint32_t restore_flags; /* enum shim_dump */
	const char *criu_dir;	/* goes before PATH of the runtime */
	/* Of a user namespace, whom its root is on the host; or NULL. */
	const struct spec_owner *owner;
	struct deadline deadline;
};

/*
 * Starts a shim and waits until the container is created. The error has
 * the runtime's own words; reasons given on purpose: image_invalid_rootfs,
 * executable_not_found, runtime_create_failed, mount_failed,
 * shim_died. On failure no process, mount, cgroup or runtime state is left
 * (the task's directory stays the caller's).
 */
int shim_spawn(const struct shim_options *options,
	       struct shim_client **ret_client, struct skiff_error *err);

/*
 * Finds a living shim again after a restart of the daemon: pid and start
 * time from its state file, peer credentials from the socket.
 * SKIFF_NOT_FOUND, reason shim_gone: it is dead; see
 * shim_read_exit_record() and shim_force_cleanup().
 */
int shim_connect(const char *task_dir, const char *socket,
		 struct deadline deadline, struct shim_client **ret_client,
		 struct skiff_error *err);

/* Another holder of the same client; any thread. */
struct shim_client *shim_client_ref(struct shim_client *client);
/* The last holder's leaves the shim running. Accepts NULL. */
void shim_client_free(struct shim_client *client);
DEFINE_CLEANUP(struct shim_client *, shim_client_free)

pid_t shim_client_init_pid(const struct shim_client *client);
pid_t shim_client_shim_pid(const struct shim_client *client);

/*
 * Calls. Each gives SKIFF_DEADLINE_EXCEEDED when the shim does not answer
 * in time, SKIFF_UNAVAILABLE with reason shim_gone when it is dead, and the
 * shim's own typed error otherwise; a step that the state forbids is
 * SKIFF_FAILED_PRECONDITION with the state in err->state.
 */
struct shim_status {
	enum shim_phase phase;
	pid_t pid;
	struct shim_exit exit; /* when SHIM_STOPPED */
	uint64_t lost_bytes;
};

int shim_state(struct shim_client *client, struct deadline deadline,
	       struct shim_status *ret_status, struct skiff_error *err);
int shim_start(struct shim_client *client, struct deadline deadline,
	       struct skiff_error *err);
int shim_kill(struct shim_client *client, int signal, bool all,
	      struct deadline deadline, struct skiff_error *err);
/*
 * Removes the container from the runtime, unmounts, and ends the shim;
 * returns when the shim's process is gone. Only when init has ended, or
 * with force, which kills first. The exit record is the last word.
 */
int shim_delete(struct shim_client *client, bool force,
		struct deadline deadline, struct shim_exit *ret_exit,
		struct skiff_error *err);
/* Window size of a terminal; before the start too. */
int shim_resize(struct shim_client *client, uint32_t rows, uint32_t columns,
		struct deadline deadline, struct skiff_error *err);
/*
 * Gives at most SHIM_STDIN_MAX bytes to the container's stdin; never
 * blocks on it: *ret_accepted may be less than len, or 0 while it is full.
 */
int shim_stdin(struct shim_client *client, const void *data, size_t len,
	       struct deadline deadline, size_t *ret_accepted,
	       struct skiff_error *err);
int shim_close_stdin(struct shim_client *client, struct deadline deadline,
		     struct skiff_error *err);

/*
 * Execs; TASK_DIR/execs/ID with SHIM_FILE_PROCESS in it is there. Reasons
 * of a start: executable_not_found, cwd_not_found, runtime_exec_failed. The
 * shim knows an exec no more (SKIFF_NOT_FOUND) once its end is on disk and
 * told. An older shim does not know execs, or knows none with paths or a
 * log of another size: SKIFF_UNIMPLEMENTED, reason unknown_request.
 */
struct shim_exec_options {
	const char *id;
	bool has_terminal;
	const struct task_stdio *stdio; /* NULL: the log, and no input */
	uint32_t rows;			/* of the terminal; 0: as it is made */
	uint32_t columns;
};

int shim_exec_start(struct shim_client *client,
		    const struct shim_exec_options *options,
		    struct deadline deadline, pid_t *ret_pid,
		    struct skiff_error *err);
int shim_exec_kill(struct shim_client *client, const char *id, int signal,
		   struct deadline deadline, struct skiff_error *err);
/* force kills it first, and waits for its end. */
int shim_exec_delete(struct shim_client *client, const char *id, bool force,
		     struct deadline deadline, struct shim_exit *ret_exit,
		     struct skiff_error *err);
/* SHIM_CREATED: it is being started. */
int shim_exec_state(struct shim_client *client, const char *id,
		    struct deadline deadline, struct shim_status *ret_status,
		    struct skiff_error *err);

/*
 * The same for init (exec_id "") or an exec. shim_input() gives the write
 * end itself, non-blocking and shared with the shim: what goes in does not
 * pass through it. An older shim knows none of the three: reason
 * unknown_request.
 */
struct shim_window {
	uint32_t rows;
	uint32_t columns;
};

int shim_input(struct shim_client *client, const char *exec_id,
	       struct deadline deadline, int *ret_fd, struct skiff_error *err);
int shim_input_close(struct shim_client *client, const char *exec_id,
		     struct deadline deadline, struct skiff_error *err);
int shim_window(struct shim_client *client, const char *exec_id,
		const struct shim_window *window, struct deadline deadline,
		struct skiff_error *err);

/*
 * The shim's own words: readable when something happened. A task that had
 * already ended when the client was made is told at once.
 */
enum shim_event_type {
	SHIM_EVENT_NONE,	/* nothing now */
	SHIM_EVENT_EXITED,	/* exit is filled; the record is on disk */
	SHIM_EVENT_GONE,	/* the shim died, or was deleted */
	SHIM_EVENT_EXEC_EXITED, /* the same as EXITED, of exec_id */
};

struct shim_event {
	enum shim_event_type type;
	struct shim_exit exit;
	char exec_id[SHIM_EXEC_ID_MAX + 1];
};

int shim_client_event_fd(const struct shim_client *client);
/* Never blocks. After SHIM_EVENT_GONE the descriptor says nothing more. */
void shim_client_read_event(struct shim_client *client,
			    struct shim_event *ret_event);

/*
 * The record of a task whose shim may be gone. SKIFF_NOT_FOUND when the
 * task did not end under its shim.
 */
int shim_read_exit_record(int task_fd, struct shim_exit *ret_exit,
			  struct skiff_error *err);

/*
 * Takes down whatever a shim left: the shim itself if it lives, every
 * process in the container's cgroups, the runtime's state, cgroups and
 * the socket. Idempotent. The task's directory stays.
 */
int shim_force_cleanup(const struct shim_place *place, struct deadline deadline,
		       struct skiff_error *err);
