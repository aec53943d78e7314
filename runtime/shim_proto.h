/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What skiffd and skiff-shim say to each other: frames and their bodies,
 * and the two small text files that a shim leaves for a daemon that was
 * away. Encoding only; no I/O, no allocation. docs/SHIM_PROTOCOL.md is the
 * specification; a shim outlives the daemon that started it, so a type or
 * a field never changes its meaning, and new fields go to the end.
 *
 *	struct shim_message m = { .type = SHIM_KILL, .tag = 1 };
 *	m.u.kill.signal = SIGTERM;
 *	n = shim_encode(&m, buf, sizeof(buf));
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SHIM_PROTO_VERSION 1
#define SHIM_FRAME_MAX 65536 /* one packet, header included */
#define SHIM_HEADER_SIZE 12
#define SHIM_STDIN_MAX 32768 /* data bytes of one SHIM_STDIN */

/*
 * In the task's directory: what is of no use after a reboot, by a link to
 * where it is lost with it.
 */
#define SHIM_DIR_RUN "run"
/* The OCI bundle, by the daemon. */
#define SHIM_DIR_BUNDLE SHIM_DIR_RUN "/bundle"
/* Files that the shim keeps. */
#define SHIM_FILE_STATE SHIM_DIR_RUN "/shim"
#define SHIM_FILE_CGROUP SHIM_DIR_RUN "/cgroup"
#define SHIM_FILE_RUNTIME_LOG SHIM_DIR_RUN "/runtime.log"
#define SHIM_FILE_EXIT "exit"
#define SHIM_FILE_PID "pid" /* init's in SHIM_DIR_RUN */
/* Files that the daemon puts there first. */
#define SHIM_FILE_MOUNTS SHIM_DIR_RUN "/mounts"
#define SHIM_FILE_MOUNTPOINTS SHIM_DIR_RUN "/mountpoints"
/* Path of a mount namespace, whose /dev/shm the shim mounts on that. */
#define SHIM_FILE_SHM SHIM_DIR_RUN "/shm"
#define SHIM_DIR_SHM SHIM_DIR_BUNDLE "/shm"
/* Sources that the shim opens by itself, and mounts on that, by number. */
#define SHIM_FILE_BINDS SHIM_DIR_RUN "/binds"
#define SHIM_DIR_BINDS SHIM_DIR_BUNDLE "/binds"
/* Of each exec, execs/ID/; in it are log, pid and exit like the task's. */
#define SHIM_EXECS_DIR "execs"
#define SHIM_EXEC_ID_MAX 76
#define SHIM_FILE_PROCESS "process.json" /* by the daemon */

enum shim_type {
	/* Requests; the answer to type T is T | SHIM_REPLY or SHIM_ERROR. */
	SHIM_HELLO = 1,
	SHIM_STATE = 2,
	SHIM_START = 3,
	SHIM_KILL = 4,
	SHIM_DELETE = 5,
	SHIM_RESIZE = 6,
	SHIM_STDIN = 7,
	SHIM_CLOSE_STDIN = 8,
	SHIM_SUBSCRIBE = 9,
	SHIM_EXEC_START = 10,
	SHIM_EXEC_KILL = 11,
	SHIM_EXEC_DELETE = 12,
	SHIM_EXEC_STATE = 13,
	SHIM_EXEC_START_STDIO = 14,
	SHIM_INPUT = 20,
	SHIM_INPUT_CLOSE = 21,
	SHIM_WINDOW = 22,
	SHIM_CHECKPOINT = 30,
	SHIM_CHECKPOINT_END = 31,
	/* Told by the shim, tag 0. */
	SHIM_READY = 0x4001,	   /* on the ready pipe, once */
	SHIM_EXITED = 0x4002,	   /* to subscribers, once each */
	SHIM_EXEC_EXITED = 0x400a, /* likewise */

	SHIM_REPLY = 0x8000,
	SHIM_ERROR = 0xffff,
};

/*
 * How criu dumps and restores: bits of SHIM_CHECKPOINT and of the shim's
 * option --restore.
 */
enum shim_dump {
	SHIM_DUMP_TCP_ESTABLISHED = 1 << 0,
	SHIM_DUMP_EXTERNAL_UNIX = 1 << 1,
	SHIM_DUMP_SHELL_JOB = 1 << 2,
	SHIM_DUMP_FILE_LOCKS = 1 << 3,
	SHIM_DUMP_EMPTY_NETWORK = 1 << 4,
	SHIM_DUMP_HAS_PARENT = 1 << 5,	   /* it lies in ../1 */
	SHIM_DUMP_NO_BREAKPOINTS = 1 << 6, /* they never trap */
};
/* What criu wants to have in its environment for SHIM_DUMP_NO_BREAKPOINTS. */
#define CRIU_NO_BREAKPOINTS "CRIU_FAULT=130"
/* Above them, three bits: the runtime's --manage-cgroups-mode. */
#define SHIM_DUMP_CGROUPS_SHIFT 8
#define SHIM_DUMP_KNOWN 0x77f
enum shim_cgroups_mode {
	SHIM_CGROUPS_DEFAULT,
	SHIM_CGROUPS_SOFT,
	SHIM_CGROUPS_FULL,
	SHIM_CGROUPS_STRICT,
	SHIM_CGROUPS_IGNORE,
};

/* PATH of the programs that the shim runs. */
#define SHIM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Where criu's files lie in the task's directory: the newest state in 0. */
#define SHIM_DIR_CHECKPOINT "checkpoint"
#define SHIM_DIR_RESTORE "restore"
#define SHIM_DIR_CRIU_STATE "0"
#define SHIM_DIR_CRIU_WORK "work"
/* By the daemon: options of criu that the runtime does not give. */
#define SHIM_FILE_DUMP_CONFIG SHIM_DIR_CHECKPOINT "/criu.conf"
#define SHIM_FILE_RESTORE_CONFIG SHIM_DIR_RESTORE "/criu.conf"

enum shim_phase {
	SHIM_CREATED = 1,
	SHIM_RUNNING = 2,
	SHIM_STOPPED = 3,
};

/* The end of a task, as recorded on disk and told on the wire. */
struct shim_exit {
	uint32_t pid;
	uint32_t status;     /* 0–255, or 128 + N for signal N */
	int64_t exited_ns;   /* wall clock */
	uint64_t lost_bytes; /* output that could not be logged */
	bool was_started;
	bool was_oom; /* the kernel killed in the cgroup for memory */
};

/* Who serves a task: told when ready, and kept in SHIM_FILE_STATE. */
struct shim_identity {
	uint32_t version; /* SHIM_PROTO_VERSION of the shim */
	uint32_t shim_pid;
	uint64_t shim_start; /* clock ticks since boot, proc(5) */
	uint32_t init_pid;   /* 0 before the runtime has made it */
	uint64_t init_start;
};

struct shim_message {
	uint16_t version; /* filled by shim_decode(); 0 encodes as ours */
	uint16_t type;
	uint32_t tag; /* chosen by the asker, repeated in the answer */
	union {
		/* SHIM_HELLO: versions spoken; reply: the one chosen. */
		struct {
			uint32_t min_version;
			uint32_t max_version;
		} hello;
		struct shim_identity ready; /* SHIM_READY */
		struct {		    /* reply to SHIM_STATE */
			uint32_t phase;	    /* enum shim_phase */
			struct shim_identity who;
			struct shim_exit exit; /* when SHIM_STOPPED */
			uint64_t lost_bytes;
		} state;
		struct { /* SHIM_KILL */
			uint32_t signal;
			bool all; /* every process of the container */
		} kill;
		struct { /* SHIM_DELETE */
			bool force;
		} delete;
		struct shim_exit exit; /* SHIM_EXITED, reply to SHIM_DELETE */
		struct {	       /* SHIM_RESIZE */
			uint32_t rows;
			uint32_t columns;
		} resize;
		struct { /* SHIM_CHECKPOINT; not NUL-terminated */
			uint32_t flags;		/* enum shim_dump */
			const char *criu_dir;	/* goes before PATH */
			const char *image_path; /* or "" */
			uint16_t criu_dir_len, image_path_len;
		} checkpoint;
		struct { /* SHIM_CHECKPOINT_END */
			bool kill;
		} checkpoint_end;
		struct { /* SHIM_STDIN; data points into the packet */
			const void *data;
			uint32_t len;
		} stdin_data;
		uint32_t accepted; /* reply to SHIM_STDIN: bytes taken */
		struct { /* SHIM_EXEC_START; texts point into the packet */
			const char *id;
			uint16_t id_len;
			bool terminal;
			bool has_stdin;
			bool no_log;
			uint32_t rows; /* of the terminal; 0: as it is made */
			uint32_t columns;
			/*
			 * SHIM_EXEC_START_STDIO: of stdin, stdout, stderr, or
			 * ""; limits of its log, 0: the task's.
			 */
			const char *paths[3];
			uint16_t path_lens[3];
			uint64_t log_size;
			uint32_t log_files;
		} exec_start;
		struct { /* SHIM_EXEC_KILL, _DELETE, _STATE */
			const char *id;
			uint16_t id_len;
			uint32_t signal; /* KILL */
			bool force;	 /* DELETE: kills first */
		} exec;
		struct { /* reply to SHIM_EXEC_START, _START_STDIO, _STATE */
			uint32_t phase;
			uint32_t pid;
			uint64_t start;
			struct shim_exit exit; /* when SHIM_STOPPED */
		} exec_state;
		struct { /* SHIM_EXEC_EXITED; reply to DELETE is exit above */
			const char *id;
			uint16_t id_len;
			struct shim_exit exit;
		} exec_exited;
		/*
		 * SHIM_INPUT, _INPUT_CLOSE, SHIM_WINDOW; id points into the
		 * packet, "" is init. The reply to SHIM_INPUT carries a
		 * descriptor (SCM_RIGHTS).
		 */
		struct {
			const char *id;
			uint16_t id_len;
			uint32_t rows;
			uint32_t columns;
		} io;
		struct { /* SHIM_ERROR; not NUL-terminated */
			uint32_t sys_errno;
			const char *code; /* err_code_name() */
			const char *reason;
			const char *state;
			const char *text;
			uint16_t code_len, reason_len, state_len, text_len;
		} error;
	} u;
};

/* Bytes written, or 0 when the frame does not fit. */
size_t shim_encode(const struct shim_message *m, void *buf, size_t cap);

/*
 * Reads one whole packet. Strings and data point into buf. A type that is
 * not known decodes with an empty body, so that it can be answered;
 * SKIFF_INVALID_ARGUMENT for a malformed or truncated frame. Bytes behind
 * the known fields are ignored.
 */
int shim_decode(const void *buf, size_t len, struct shim_message *ret_message,
		struct skiff_error *err);

/* The SHIM_ERROR that answers a request with err; texts are borrowed. */
void shim_error_to_message(const struct skiff_error *err, uint32_t tag,
			   struct shim_message *ret_message);
/* Fills err from a SHIM_ERROR; always returns -1. */
int shim_error_from_message(const struct shim_message *m,
			    struct skiff_error *err);

#define SHIM_TEXT_MAX 512
/*
 * The text of SHIM_FILE_EXIT and SHIM_FILE_STATE: "name value" lines,
 * unknown names ignored. Formatting returns the length, at most
 * SHIM_TEXT_MAX; parsing gives SKIFF_DATA_LOSS for what is not whole.
 */
size_t shim_exit_format(const struct shim_exit *e, char text[SHIM_TEXT_MAX]);
int shim_exit_parse(const char *text, struct shim_exit *ret_exit,
		    struct skiff_error *err);
size_t shim_identity_format(const struct shim_identity *who,
			    char text[SHIM_TEXT_MAX]);
int shim_identity_parse(const char *text, struct shim_identity *ret_who,
			struct skiff_error *err);

/*
 * Output index (log.idx beside log): one record a chunk, little-endian,
 * SHIM_LOG_RECORD_SIZE bytes each, written after its data.
 */
#define SHIM_FILE_LOG "log"
#define SHIM_FILE_LOG_INDEX "log.idx"
#define SHIM_LOG_RECORD_SIZE 24
#define SHIM_LOG_GAP 0x01 /* flag: length bytes were lost, none stored */
/*
 * First record of a log that is not the task's first: offset is that of
 * the file's first byte, length the number of the file; stream is 0.
 */
#define SHIM_LOG_BEGIN 0x02
/* Names of a file that is full: "log.N" and "log.N.idx". */
#define SHIM_LOG_NAME_SIZE 24
void shim_log_name(uint32_t number, char data[SHIM_LOG_NAME_SIZE],
		   char index[SHIM_LOG_NAME_SIZE]);

enum shim_stream { SHIM_STDOUT = 1, SHIM_STDERR = 2 };

struct shim_log_record {
	uint64_t offset; /* of all that was written, from the start */
	int64_t time_ns;
	uint32_t length;
	uint8_t stream; /* enum shim_stream */
	uint8_t flags;
};

void shim_log_record_encode(const struct shim_log_record *record,
			    unsigned char buf[SHIM_LOG_RECORD_SIZE]);
void shim_log_record_decode(const unsigned char buf[SHIM_LOG_RECORD_SIZE],
			    struct shim_log_record *ret_record);
