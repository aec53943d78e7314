/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The shim of one task: parent of what the runtime starts, owner of its
 * output, its log and its exit status. One process, one thread, one poll
 * loop, everything in the one struct below; nothing is allocated, so
 * nothing can run out while a container depends on it.
 *
 * main.c       arguments, order of the steps of create, the loop
 * rootfs.c     mounts, rule set R, mount points
 * runtime.c    running runc: create, start, delete, and its words
 * output.c     pipes or terminal to the log and its index
 * supervise.c  reaping, the end of init, records on disk
 * control.c    the socket: requests of docs/SHIM_PROTOCOL.md
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/cgroup/path.h"
#include "runtime/shim_proto.h"

#define SHIM_MAX_CONNECTIONS 16
#define SHIM_SCRATCH_SIZE 262144
#define SHIM_DRAIN_MS 1000

struct shim_output {
	int fd; /* read end of a pipe, or the terminal; -1 at its end */
	uint8_t stream;
	uint64_t lost_bytes; /* not yet told in the index */
};

struct shim_connection {
	int fd; /* -1: free */
	bool is_subscribed;
	bool owes_exit; /* to be told as soon as the socket takes it */
	bool is_told;
};

struct shim {
	/* From the command line. */
	const char *task_dir;
	const char *runtime;
	const char *runtime_root;
	const char *id;
	const char *socket;
	bool has_terminal;
	bool has_stdin;
	bool has_log;

	int task_fd;
	int rootfs_fd; /* only while the task is made */
	int ready_fd;
	int null_fd;
	int signal_fd;
	int listen_fd;
	int console_fd; /* the terminal's master, also outputs[0].fd */
	int stdin_fd;
	int init_fd; /* pidfd */
	int oom_fd;

	int log_fd;
	int index_fd;
	uint64_t log_offset;
	uint64_t index_offset;
	uint64_t lost_bytes;
	struct shim_output outputs[2];

	enum shim_phase phase;
	struct shim_identity who;
	struct cgroup_dirs cgroups;
	bool has_own_pid_namespace;
	bool has_ended;	  /* init is reaped; its output may not be drained */
	bool is_recorded; /* SHIM_FILE_EXIT is on disk */
	bool is_deleted;  /* answered; time to go */
	struct deadline drain;
	struct deadline next_try; /* of writing the exit record */
	struct shim_exit exit;

	struct shim_connection connections[SHIM_MAX_CONNECTIONS];
};

/* A place for bytes on their way; its pages go back after create. */
extern unsigned char shim_scratch[SHIM_SCRATCH_SIZE];

/* rootfs.c: fills bundle/rootfs in a mount namespace of our own. */
int shim_rootfs_mount(struct shim *shim, struct skiff_error *err);
int shim_rootfs_check(struct shim *shim, struct skiff_error *err);
void shim_rootfs_unmount(struct shim *shim);

/* runtime.c */
int shim_runtime_create(struct shim *shim, struct skiff_error *err);
int shim_runtime_start(struct shim *shim, struct skiff_error *err);
int shim_runtime_delete(struct shim *shim, struct skiff_error *err);

/* output.c */
int shim_output_open_log(struct shim *shim, struct skiff_error *err);
/* Makes stdin, stdout, stderr of the container; the caller closes them. */
int shim_output_open_pipes(struct shim *shim, int ret_child[3],
			   struct skiff_error *err);
/* The socket on which the runtime hands over the terminal. */
int shim_output_listen_console(struct shim *shim, int *ret_fd,
			       struct skiff_error *err);
int shim_output_take_console(struct shim *shim, int listen_fd,
			     struct skiff_error *err);
/* Moves what is there now, one chunk. */
void shim_output_pump(struct shim *shim, struct shim_output *output);
/* Tells the last gaps and closes both. */
void shim_output_close(struct shim *shim);

/* supervise.c */
int shim_record_identity(struct shim *shim, struct skiff_error *err);
/* After create: pidfd, start time, cgroups, OOM counter. */
int shim_adopt_init(struct shim *shim, struct skiff_error *err);
void shim_reap(struct shim *shim);
/* Records the end and tells it, once the output is drained. */
void shim_settle(struct shim *shim);
/* Nothing of a failed create survives. */
void shim_undo_create(struct shim *shim);

/* control.c */
int shim_control_listen(struct shim *shim, struct skiff_error *err);
void shim_control_accept(struct shim *shim);
void shim_control_serve(struct shim *shim, struct shim_connection *connection);
void shim_control_tell_exit(struct shim *shim,
			    struct shim_connection *connection);
void shim_control_close(struct shim_connection *connection);

/* main.c: one turn of the loop; without control only output and ends. */
void shim_turn(struct shim *shim, bool with_control);
