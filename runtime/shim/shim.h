/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The shim of one task: parent of what the runtime starts, owner of its
 * output, its log and its exit status. One process, one thread, one poll
 * loop, everything in the one struct below; nothing is allocated, so
 * nothing can run out while a container depends on it. Once the task is
 * made nothing waits either: what takes longer than a turn of the loop is
 * a job.
 *
 * main.c       arguments, order of the steps of create
 * loop.c       one turn: output, ends, jobs, requests
 * rootfs.c     mounts, rule set R, mount points
 * idmap.c      ids of files, for a container with a user namespace
 * shm.c        shared memory of another container
 * binds.c      sources of bind mounts below a bind root
 * spawn.c      starting a program without allocation
 * words.c      what the runtime said in its log
 * runtime.c    the runtime's command line; create and delete
 * job.c        the table of jobs: programs under way, answers by tag
 * steps.c      START and DELETE
 * process.c    the table of processes, their end and its record
 * exec.c       EXEC_START and its like
 * checkpoint.c CHECKPOINT and its end, what a restore is told
 * network.c    a restored container's, as a hook: a program of its own
 * init.c       what is init's alone: cgroups, namespaces, OOM counter
 * reap.c       children that ended
 * log.c        a log and its index
 * output.c     pipes or terminal to the log
 * sink.c       files and FIFOs of the host
 * feed.c       a terminal's input out of them
 * stdio.c      the other way: input and window size
 * files.c      small files without allocation
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

#define SHIM_MAX_CONNECTIONS 32 /* bits of shim_process.owed */
#define SHIM_MAX_JOBS 32
#define SHIM_MAX_PROCESSES 100 /* init and execs; 15 descriptors each */
#define SHIM_MAX_STRAYS 64
#define SHIM_SCRATCH_SIZE 262144
#define SHIM_DRAIN_MS 1000
#define SHIM_FEED_SIZE 256
/* "", or SHIM_EXECS_DIR "/" id "/" */
#define SHIM_DIR_SIZE (sizeof(SHIM_EXECS_DIR) + SHIM_EXEC_ID_MAX + 2)

#define SHIM_LOG_SIZE (64U << 20)
#define SHIM_LOG_SIZE_MIN 4096
#define SHIM_LOG_FILES 4

#define SHIM_EXIT_USAGE 64

/* Where the output of one process goes; fd -1: it is discarded. */
struct shim_log {
	int fd;
	int index_fd;
	uint32_t number;   /* of the file, from 1 */
	uint64_t base;	   /* offset of its first byte */
	uint64_t limit;	   /* bytes of both files; another is begun then */
	uint64_t max_size; /* limit of each file, 0: the task's */
	uint32_t max_files;
	uint64_t offset;
	uint64_t unlooked; /* bytes since the disk was looked at */
	uint64_t index_offset;
	uint64_t lost_bytes;
};

/* A FIFO that is fed out of a process's log. */
struct shim_sink {
	int fd; /* -1: there is none */
	uint8_t stream;
	bool is_full; /* until it can be written to again */
	/* Where it is in the log. */
	uint32_t number;
	uint64_t base;
	uint64_t record;
	uint32_t within;
	int data_fd;
	int index_fd;
	struct deadline look_again;
	int linger_ms; /* how long it waits before it looks whether all is read
			*/
};

/* What a path gives to a terminal. */
struct shim_feed {
	int fd; /* -1: nothing more comes */
	uint16_t begin;
	uint16_t end;
	char data[SHIM_FEED_SIZE]; /* from begin to end not taken yet */
};

struct shim_output {
	int fd; /* read end of a pipe, or the terminal; -1 at its end */
	uint8_t stream;
	uint64_t lost_bytes; /* not yet told in the index */
};

/* Init, which is the first of the table, or an exec. */
struct shim_process {
	enum shim_phase phase;	 /* 0: the place is free */
	char dir[SHIM_DIR_SIZE]; /* of its files, in the task's */
	uint32_t pid;		 /* 0 before the runtime has made it */
	uint64_t start;
	int pid_fd;
	bool has_terminal;
	bool has_stdin;
	bool has_log;
	int console_fd; /* the terminal's master, also outputs[0].fd */
	int stdin_fd;
	struct shim_output outputs[2];
	struct shim_log log;
	/* Of paths: its own, until it has them; -1: a pipe, or none. */
	int given[3];
	struct shim_sink sinks[2];
	struct shim_feed feed;
	int file_fd;	      /* that a terminal's output goes to, or -1 */
	struct shim_job *job; /* that changes its phase; others have to wait */

	bool has_ended;	  /* is reaped; its output may not be drained */
	bool is_recorded; /* SHIM_FILE_EXIT is on disk */
	bool is_over; /* an exec that is told; its FIFOs are yet to be read */
	struct deadline drain;
	struct deadline next_try; /* of writing the record */
	struct shim_exit exit;
	uint32_t owed; /* connections, by bit, that have yet to hear of it */
};

struct shim_connection {
	int fd;		 /* -1: free */
	uint32_t serial; /* no two connections have the same */
	bool is_subscribed;
};

struct shim;
struct shim_job;

/*
 * What a job does next. It is called in each turn of the loop in which no
 * program of the job runs, and never blocks: SHIM_JOB_DONE answers the
 * asker with job->reply, SHIM_JOB_WAITS comes again, -1 answers with err.
 */
typedef int (*shim_job_fn)(struct shim *shim, struct shim_job *job,
			   struct skiff_error *err);
enum { SHIM_JOB_WAITS = 0, SHIM_JOB_DONE = 1 };

/* What a program's environment has more than the others'. */
struct shim_environment {
	const char *path_first;	 /* before PATH, or NULL */
	bool no_breakpoints;	 /* enum shim_dump; criu heeds it */
	const char *criu_config; /* a file in the task's directory, or NULL */
	char oom_score[16];	 /* "": what ours was at first */
};

struct shim_job {
	shim_job_fn step; /* NULL: the place is free */
	uint32_t serial;  /* of the asker's connection, which may be gone */
	struct shim_message reply;
	struct shim_process *process;	     /* that it changes, or NULL */
	pid_t pid;			     /* its program under way, or 0 */
	int status;			     /* of its program that has ended */
	struct shim_environment environment; /* of its program */
	/* What ends the loop's sleep; the step looks for itself. */
	int fd; /* readable; -1 none; closed with the job */
	struct deadline deadline;
	/* Of the step's own. */
	struct deadline give_up;
	char exec_id[SHIM_EXEC_ID_MAX + 1];
	uint32_t rows;
	uint32_t columns;
};

/* A child that ended before anyone knew what it was. */
struct shim_stray {
	pid_t pid;
	uint32_t status;
	int64_t exited_ns;
};

/* A dump under way, or one whose asker has not said what comes now. */
struct shim_checkpoint {
	uint32_t serial; /* of the asker's connection; 0: there is none */
	bool is_held;	 /* it is dumped, and frozen until the asker's word */
	bool was_frozen; /* before: somebody paused it */
	uint32_t flags;
	char criu_dir[PATH_MAX];
	char image_path[PATH_MAX]; /* or "" */
};

#define SHIM_MAX_ARGS 32

struct shim {
	/* From the command line. */
	const char *task_dir;
	const char *runtime;
	const char *runtime_args[SHIM_MAX_ARGS]; /* before its verb */
	size_t n_runtime_args;
	const char *runtime_root;
	const char *id;
	const char *socket;
	const char *paths[3];	/* of init's streams, or NULL */
	bool is_restore;	/* init is made of a checkpoint */
	uint32_t restore_flags; /* enum shim_dump */
	const char *criu_dir;	/* goes before PATH, or NULL */
	/* The host's ids of root in the container's user namespace. */
	bool has_owner;
	uint32_t owner_uid;
	uint32_t owner_gid;
	uint64_t log_max_size; /* of one file with its index */
	uint32_t log_max_files;

	int task_fd;
	int rootfs_fd; /* only while the task is made */
	int ready_fd;
	int null_fd;
	int signal_fd;
	int listen_fd;
	int oom_fd;
	char oom_score[16]; /* of what it starts; "": as its own */

	struct shim_identity who;
	struct cgroup_dirs cgroups;
	bool has_own_pid_namespace;
	bool is_at_rest;    /* init has ended, and what it stood on is gone */
	bool is_deleted;    /* answered; time to go */
	bool must_reap;	    /* children were left, without a signal to come */
	uint32_t n_serials; /* connections there ever were */

	struct shim_connection connections[SHIM_MAX_CONNECTIONS];
	size_t n_strays;
	struct shim_stray strays[SHIM_MAX_STRAYS];
	/* One behind the last place in use: those behind are never touched. */
	size_t jobs_end;
	struct shim_job jobs[SHIM_MAX_JOBS];
	size_t processes_end;
	struct shim_process processes[SHIM_MAX_PROCESSES];
	struct shim_checkpoint checkpoint;
};

static inline struct shim_process *
shim_init(struct shim *shim)
{
	return &shim->processes[0];
}

/* A place for bytes on their way. */
extern unsigned char shim_scratch[SHIM_SCRATCH_SIZE];
/* main.c: gives back the pages of it, and of the stack, that were used. */
void shim_memory_release(void);

/* rootfs.c: fills the bundle's rootfs in a mount namespace of our own. */
int shim_rootfs_mount(struct shim *shim, struct skiff_error *err);
int shim_rootfs_check(struct shim *shim, struct skiff_error *err);
void shim_rootfs_unmount(struct shim *shim);

/* idmap.c */
/* Ids in the container, on the host, how many: "0:524288:65536,…". */
struct shim_id_maps {
	const char *uids;
	const char *gids;
};
/* Until it is uncovered the files in dir seem to be the host ids'. */
int shim_idmap_cover(const char *dir, const struct shim_id_maps *maps,
		     struct skiff_error *err);
void shim_idmap_uncover(const char *dir);
/* Between these, files are made and used as the container's root. */
int shim_idmap_enter(const struct shim *shim, struct skiff_error *err);
void shim_idmap_leave(const struct shim *shim);
/* In place of all the rest: whether the kernel can, or why it cannot. */
int shim_idmap_main(char **argv);

/*
 * spawn.c: *ret_pid is a child of ours, in the task's directory; fds NULL
 * is /dev/null. argv is not needed any longer.
 */
int shim_program_start(struct shim *shim, char *const argv[],
		       const struct shim_environment *environment,
		       const int fds[3], pid_t *ret_pid,
		       struct skiff_error *err);
/* Waits; only while the task is made. *ret_status as in struct shim_exit. */
int shim_program_wait(pid_t pid, int *ret_status, struct skiff_error *err);

/*
 * words.c: the error of a runtime that ended with a status other than 0,
 * out of its log (a name in the task's directory).
 */
int shim_runtime_error(struct shim *shim, const char *verb, int status,
		       const char *log, const char *reason,
		       struct skiff_error *err);

/* runtime.c */
#define SHIM_MAX_WORDS 64
/*
 * The whole command line, runtime --root R --log L --log-format json WORDS
 * ID, of which words (up to NULL) are given; log is a name in the task's
 * directory.
 */
struct shim_command {
	const char *argv[SHIM_MAX_WORDS];
	char log[PATH_MAX];
};
void shim_runtime_command(struct shim *shim, const char *log,
			  const char *const words[], struct shim_command *ret);
bool shim_runtime_is(const struct shim *shim, const char *name);
int shim_runtime_create(struct shim *shim, struct skiff_error *err);
/* What `runc delete` does, without it; false when that is not enough. */
bool shim_runtime_forget(struct shim *shim);
/* Waits; to undo a create. */
int shim_runtime_delete(struct shim *shim, struct skiff_error *err);

/* job.c */
/*
 * A job that answers message m of the connection once step has come to an
 * end, or SKIFF_RESOURCE_EXHAUSTED. The caller returns SHIM_JOB_WAITS to
 * control.c, which is then not answering itself.
 */
int shim_job_begin(struct shim *shim, struct shim_connection *connection,
		   const struct shim_message *m, shim_job_fn step,
		   struct shim_job **ret_job, struct skiff_error *err);
/*
 * Starts the runtime with these words (shim_runtime_command()); the step is
 * called again when it has ended.
 */
int shim_job_run(struct shim *shim, struct shim_job *job,
		 const char *const words[], const int fds[3],
		 struct skiff_error *err);
/* -1 with the runtime's words unless its end was a good one. */
int shim_job_verdict(struct shim *shim, struct shim_job *job, const char *verb,
		     const char *reason, struct skiff_error *err);
/* Steps each job that can go on. */
void shim_jobs_step(struct shim *shim);
/* False: it was no job's program. */
bool shim_job_program_ended(struct shim *shim, pid_t pid, int status);

/* steps.c: takes down what a container that has ended stood on. */
void shim_rest(struct shim *shim);
/* Begin the jobs of their requests. */
int shim_begin_start(struct shim *shim, struct shim_connection *connection,
		     const struct shim_message *m, struct skiff_error *err);
int shim_begin_delete(struct shim *shim, struct shim_connection *connection,
		      const struct shim_message *m, struct skiff_error *err);

/* process.c */
/*
 * Takes a free place, or that of one that is over, whose FIFOs end then;
 * NULL when there is none.
 */
struct shim_process *shim_process_new(struct shim *shim, const char *dir);
/* Init, whose place is always the first. */
void shim_process_init(struct shim_process *process, const char *dir);
void shim_process_free(struct shim *shim, struct shim_process *process);
struct shim_process *shim_process_of_pid(struct shim *shim, uint32_t pid);
/* Where what only a run of it needs lies, relative to the task's directory. */
const char *shim_process_run_dir(struct shim *shim,
				 const struct shim_process *process);
/* Reads its pid file and takes hold of the process. */
int shim_process_adopt(struct shim *shim, struct shim_process *process,
		       struct skiff_error *err);
int shim_process_signal(const struct shim_process *process, int signal,
			struct skiff_error *err);
/* It was reaped. */
void shim_process_ended(struct shim_process *process, uint32_t status,
			int64_t exited_ns);
/* Records and tells the ends that are ready to be. */
void shim_processes_settle(struct shim *shim);
/* SKIFF_FAILED_PRECONDITION with the state. */
int shim_wrong_state(const struct shim_process *process, const char *verb,
		     struct skiff_error *err);

/* exec.c: begin jobs, or answer at once. */
int shim_begin_exec_start(struct shim *shim, struct shim_connection *connection,
			  const struct shim_message *m,
			  struct skiff_error *err);
int shim_begin_exec_delete(struct shim *shim,
			   struct shim_connection *connection,
			   const struct shim_message *m,
			   struct skiff_error *err);
/* One that runs, by a name from a message. */
struct shim_process *shim_exec_named(struct shim *shim, const char *name,
				     uint16_t len, struct skiff_error *err);
int shim_exec_kill(struct shim *shim, const struct shim_message *m,
		   struct skiff_error *err);
int shim_exec_state(struct shim *shim, const struct shim_message *m,
		    struct shim_message *reply, struct skiff_error *err);

/* checkpoint.c */
int shim_begin_checkpoint(struct shim *shim, struct shim_connection *connection,
			  const struct shim_message *m,
			  struct skiff_error *err);
int shim_checkpoint_end(struct shim *shim, struct shim_connection *connection,
			const struct shim_message *m, struct skiff_error *err);
/* -1 while the container is frozen for a checkpoint. */
int shim_checkpoint_refuses(const struct shim *shim, struct skiff_error *err);
/* The task is to die, and could not while it is frozen. */
void shim_checkpoint_break(struct shim *shim);
/* The connection is gone: what was frozen for it goes on. */
void shim_checkpoint_abandoned(struct shim *shim, uint32_t serial);
struct shim_restore_words {
	const char *words[SHIM_MAX_WORDS];
	char bundle[PATH_MAX];
	char pid_file[PATH_MAX];
	char image[PATH_MAX];
	char work[PATH_MAX];
};
void shim_restore_words(struct shim *shim, struct shim_restore_words *ret);
/* This file of the daemon's for criu, or NULL: there is none. */
const char *shim_criu_config(const struct shim *shim, const char *file);

/* init.c */
int shim_record_identity(struct shim *shim, struct skiff_error *err);
/* After create: pidfd, start time, cgroups, OOM counter. */
int shim_adopt_init(struct shim *shim, struct skiff_error *err);
bool shim_had_oom(struct shim *shim);
/* Nothing of a failed create survives. */
void shim_undo_create(struct shim *shim);

/* reap.c */
void shim_reap(struct shim *shim);
/* The end of a child that was adopted too late; false: it lives. */
bool shim_take_stray(struct shim *shim, pid_t pid, struct shim_stray *ret);

/* log.c */
/* Opens log and index in the process's directory, to go on behind them. */
int shim_log_open(struct shim *shim, const char *dir, struct shim_log *log,
		  struct skiff_error *err);
void shim_log_close(struct shim_log *log);
/*
 * How much may be added now, at most max; 0 while the disk has little room
 * left, which is for others. A full file gives way to a new one first.
 */
size_t shim_log_room(struct shim *shim, const char *dir, struct shim_log *log,
		     size_t max);
/* n bytes lie at log->offset by now: stored, or lost without a record. */
void shim_log_took(struct shim_log *log, struct shim_output *output, size_t n);
void shim_log_lose(struct shim_log *log, struct shim_output *output,
		   uint64_t n);
/* Tells what was lost; false while the index does not take it. */
bool shim_log_tell_gap(struct shim_log *log, struct shim_output *output);

/* output.c */
/* Makes stdin, stdout, stderr of a process; the caller closes them. */
int shim_output_open_pipes(struct shim *shim, struct shim_process *process,
			   int ret_child[3], struct skiff_error *err);
void shim_output_close_child(struct shim *shim, int child[3]);
#define SHIM_CONSOLE_SIZE (SHIM_DIR_SIZE + 8)
/* The socket on which the runtime hands over the terminal, and its name. */
int shim_output_listen_console(struct shim *shim, struct shim_process *process,
			       char name[SHIM_CONSOLE_SIZE], int *ret_fd,
			       struct skiff_error *err);
int shim_output_take_console(struct shim *shim, struct shim_process *process,
			     int listen_fd, struct skiff_error *err);
/* Moves what is there now, one chunk. */
void shim_output_pump(struct shim *shim, struct shim_process *process,
		      struct shim_output *output);
/* Tells the last gaps and closes all, stdin and log too. */
void shim_output_close(struct shim_process *process);

/* sink.c */
/*
 * Opens the path of one of its streams (0 to 2): a FIFO of one that has a
 * log, else a file. SKIFF_INVALID_ARGUMENT, reason stdio_path.
 */
int shim_sink_open(struct shim_process *process, size_t stream,
		   const char *path, struct skiff_error *err);
/* The FIFOs go on from here in its log, which is open. */
int shim_sink_begin(struct shim_process *process, struct skiff_error *err);
/* Moves what there is room for. */
void shim_sinks_feed(struct shim *shim);
/* Whether FIFOs have not had everything yet. */
bool shim_sink_is_open(const struct shim_process *process);
void shim_sink_close(struct shim_process *process);

/* feed.c */
/* Descriptor and event that it waits for now; -1: none. */
int shim_feed_wants(const struct shim_process *process, short *ret_events);
/* Moves what there is now, one piece. */
void shim_feed_pump(struct shim_process *process);
void shim_feed_close(struct shim_process *process);

/* stdio.c */
int shim_stdio_resize(struct shim_process *process, uint32_t rows,
		      uint32_t columns, struct skiff_error *err);
int shim_stdio_write(struct shim_process *process, const void *data, size_t len,
		     uint32_t *ret_accepted, struct skiff_error *err);
int shim_stdio_close(struct shim_process *process, struct skiff_error *err);
/*
 * SHIM_INPUT, _INPUT_CLOSE and SHIM_WINDOW. *ret_passed: the descriptor
 * that goes with the answer; it stays ours.
 */
int shim_stdio_serve(struct shim *shim, const struct shim_message *m,
		     int *ret_passed, struct skiff_error *err);

/* shm.c: where the daemon asks for it, in a mount namespace of our own. */
int shim_shm_take(struct shim *shim, struct skiff_error *err);
void shim_shm_drop(struct shim *shim);

/* binds.c: likewise. */
int shim_binds_mount(struct shim *shim, struct skiff_error *err);
void shim_binds_drop(struct shim *shim);

/* network.c: as a hook of the runtime, in place of all the rest. */
int shim_network_main(char **settings);

/* files.c */
/* fs_replace_file() without its allocation; names in the task's directory. */
int shim_replace_file(struct shim *shim, const char *dir, const char *name,
		      const char *text, size_t len, struct skiff_error *err);
/* A small file of proc or of ours, as a string. */
int shim_read_small(int dirfd, const char *path, char *buf, size_t cap,
		    struct skiff_error *err);
/* A list of words that the daemon wrote, into shim_scratch. */
int shim_read_list(struct shim *shim, const char *name, const char **ret_end,
		   struct skiff_error *err);
/* The next of them, each ended by NUL, at *p; NULL at the end. */
const char *shim_next_word(const char **p, const char *end);
/* proc_start_time() without its allocation. */
int shim_start_time(pid_t pid, uint64_t *ret_ticks, struct skiff_error *err);

/* control.c */
int shim_control_listen(struct shim *shim, struct skiff_error *err);
void shim_control_accept(struct shim *shim);
void shim_control_serve(struct shim *shim, struct shim_connection *connection);
/* Answers whoever asked, if still there; err NULL: with reply. */
void shim_control_answer(struct shim *shim, uint32_t serial,
			 struct shim_message *reply,
			 const struct skiff_error *err);
/* Tells subscribers of the ends that they have not heard of. */
void shim_control_tell(struct shim *shim, struct shim_process *process);
/* The same for one connection, whose socket takes more. */
void shim_control_tell_all(struct shim *shim,
			   struct shim_connection *connection);
bool shim_control_is_open(const struct shim *shim, uint32_t serial);
bool shim_control_owes(const struct shim *shim,
		       const struct shim_connection *connection);

/* loop.c */
void shim_turn(struct shim *shim);
