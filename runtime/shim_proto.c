/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What skiffd and skiff-shim say to each other: frames, bodies, and the
 * text of the files that a shim leaves. docs/SHIM_PROTOCOL.md.
 *
 * A frame is version u16, type u16, tag u32, length u32, then length bytes
 * of body; numbers are little-endian, strings a u16 length and bytes. A
 * body shorter than its known fields is malformed, a longer one comes from
 * a newer peer.
 */
#include "config.h"

#include "runtime/shim_proto.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

struct writer {
	unsigned char *p;
	size_t left;
	bool is_short;
};

struct reader {
	const unsigned char *p;
	size_t left;
	bool is_short;
};

static void
put_uint(struct writer *w, uint64_t value, size_t size)
{
	if (w->left < size) {
		w->is_short = true;
		return;
	}
	for (size_t i = 0; i < size; i++)
		w->p[i] = (unsigned char)(value >> (8 * i));
	w->p += size;
	w->left -= size;
}

static void
put_bytes(struct writer *w, const void *data, size_t len)
{
	if (w->left < len) {
		w->is_short = true;
		return;
	}
	if (len > 0)
		memcpy(w->p, data, len);
	w->p += len;
	w->left -= len;
}

static void
put_string(struct writer *w, const char *text, uint16_t len)
{
	put_uint(w, len, 2);
	put_bytes(w, text, len);
}

static uint64_t
get_uint(struct reader *r, size_t size)
{
	uint64_t value = 0;

	if (r->left < size) {
		r->is_short = true;
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)r->p[i] << (8 * i);
	r->p += size;
	r->left -= size;
	return value;
}

static uint32_t
get_u32(struct reader *r)
{
	return (uint32_t)get_uint(r, 4);
}

static const void *
get_bytes(struct reader *r, size_t len)
{
	const void *data = r->p;

	if (r->left < len) {
		r->is_short = true;
		return NULL;
	}
	r->p += len;
	r->left -= len;
	return data;
}

static const char *
get_string(struct reader *r, uint16_t *ret_len)
{
	*ret_len = (uint16_t)get_uint(r, 2);
	return get_bytes(r, *ret_len);
}

static void
put_exit(struct writer *w, const struct shim_exit *e)
{
	put_uint(w, e->pid, 4);
	put_uint(w, e->status, 4);
	put_uint(w, (uint64_t)e->exited_ns, 8);
	put_uint(w, e->lost_bytes, 8);
	put_uint(w, e->was_started, 1);
	put_uint(w, e->was_oom, 1);
}

static void
get_exit(struct reader *r, struct shim_exit *e)
{
	e->pid = get_u32(r);
	e->status = get_u32(r);
	e->exited_ns = (int64_t)get_uint(r, 8);
	e->lost_bytes = get_uint(r, 8);
	e->was_started = get_uint(r, 1) != 0;
	e->was_oom = get_uint(r, 1) != 0;
}

static void
put_identity(struct writer *w, const struct shim_identity *who)
{
	put_uint(w, who->version, 4);
	put_uint(w, who->shim_pid, 4);
	put_uint(w, who->shim_start, 8);
	put_uint(w, who->init_pid, 4);
	put_uint(w, who->init_start, 8);
}

static void
get_identity(struct reader *r, struct shim_identity *who)
{
	who->version = get_u32(r);
	who->shim_pid = get_u32(r);
	who->shim_start = get_uint(r, 8);
	who->init_pid = get_u32(r);
	who->init_start = get_uint(r, 8);
}

static void
put_exec_stdio(struct writer *w, const struct shim_message *m)
{
	for (size_t i = 0; i < 3; i++)
		put_string(w, m->u.exec_start.paths[i],
			   m->u.exec_start.path_lens[i]);
	put_uint(w, m->u.exec_start.log_size, 8);
	put_uint(w, m->u.exec_start.log_files, 4);
}

static void
put_exec_body(struct writer *w, const struct shim_message *m)
{
	switch (m->type) {
	case SHIM_EXEC_START:
	case SHIM_EXEC_START_STDIO:
		put_string(w, m->u.exec_start.id, m->u.exec_start.id_len);
		put_uint(w, m->u.exec_start.terminal, 1);
		put_uint(w, m->u.exec_start.has_stdin, 1);
		put_uint(w, m->u.exec_start.no_log, 1);
		put_uint(w, m->u.exec_start.rows, 4);
		put_uint(w, m->u.exec_start.columns, 4);
		if (m->type == SHIM_EXEC_START_STDIO)
			put_exec_stdio(w, m);
		break;
	case SHIM_EXEC_KILL:
	case SHIM_EXEC_DELETE:
	case SHIM_EXEC_STATE:
		put_string(w, m->u.exec.id, m->u.exec.id_len);
		if (m->type == SHIM_EXEC_KILL)
			put_uint(w, m->u.exec.signal, 4);
		if (m->type == SHIM_EXEC_DELETE)
			put_uint(w, m->u.exec.force, 1);
		break;
	case SHIM_EXEC_START | SHIM_REPLY:
	case SHIM_EXEC_START_STDIO | SHIM_REPLY:
	case SHIM_EXEC_STATE | SHIM_REPLY:
		put_uint(w, m->u.exec_state.phase, 4);
		put_uint(w, m->u.exec_state.pid, 4);
		put_uint(w, m->u.exec_state.start, 8);
		put_exit(w, &m->u.exec_state.exit);
		break;
	case SHIM_EXEC_EXITED:
		put_string(w, m->u.exec_exited.id, m->u.exec_exited.id_len);
		put_exit(w, &m->u.exec_exited.exit);
		break;
	default:
		break;
	}
}

static void
put_body(struct writer *w, const struct shim_message *m)
{
	switch (m->type) {
	case SHIM_HELLO:
	case SHIM_HELLO | SHIM_REPLY:
		put_uint(w, m->u.hello.min_version, 4);
		put_uint(w, m->u.hello.max_version, 4);
		break;
	case SHIM_READY:
		put_identity(w, &m->u.ready);
		break;
	case SHIM_STATE | SHIM_REPLY:
		put_uint(w, m->u.state.phase, 4);
		put_identity(w, &m->u.state.who);
		put_exit(w, &m->u.state.exit);
		put_uint(w, m->u.state.lost_bytes, 8);
		break;
	case SHIM_KILL:
		put_uint(w, m->u.kill.signal, 4);
		put_uint(w, m->u.kill.all, 1);
		break;
	case SHIM_DELETE:
		put_uint(w, m->u.delete.force, 1);
		break;
	case SHIM_DELETE | SHIM_REPLY:
	case SHIM_EXEC_DELETE | SHIM_REPLY:
	case SHIM_EXITED:
		put_exit(w, &m->u.exit);
		break;
	case SHIM_RESIZE:
		put_uint(w, m->u.resize.rows, 4);
		put_uint(w, m->u.resize.columns, 4);
		break;
	case SHIM_CHECKPOINT:
		put_uint(w, m->u.checkpoint.flags, 4);
		put_string(w, m->u.checkpoint.criu_dir,
			   m->u.checkpoint.criu_dir_len);
		put_string(w, m->u.checkpoint.image_path,
			   m->u.checkpoint.image_path_len);
		break;
	case SHIM_CHECKPOINT_END:
		put_uint(w, m->u.checkpoint_end.kill, 1);
		break;
	case SHIM_STDIN:
		put_uint(w, m->u.stdin_data.len, 4);
		put_bytes(w, m->u.stdin_data.data, m->u.stdin_data.len);
		break;
	case SHIM_INPUT:
	case SHIM_INPUT_CLOSE:
		put_string(w, m->u.io.id, m->u.io.id_len);
		break;
	case SHIM_WINDOW:
		put_string(w, m->u.io.id, m->u.io.id_len);
		put_uint(w, m->u.io.rows, 4);
		put_uint(w, m->u.io.columns, 4);
		break;
	case SHIM_STDIN | SHIM_REPLY:
		put_uint(w, m->u.accepted, 4);
		break;
	case SHIM_ERROR:
		put_uint(w, m->u.error.sys_errno, 4);
		put_string(w, m->u.error.code, m->u.error.code_len);
		put_string(w, m->u.error.reason, m->u.error.reason_len);
		put_string(w, m->u.error.state, m->u.error.state_len);
		put_string(w, m->u.error.text, m->u.error.text_len);
		break;
	default:
		put_exec_body(w, m);
		break;
	}
}

static void
get_exec_stdio(struct reader *r, struct shim_message *m)
{
	for (size_t i = 0; i < 3; i++)
		m->u.exec_start.paths[i] =
		    get_string(r, &m->u.exec_start.path_lens[i]);
	m->u.exec_start.log_size = get_uint(r, 8);
	m->u.exec_start.log_files = get_u32(r);
}

static void
get_exec_body(struct reader *r, struct shim_message *m)
{
	switch (m->type) {
	case SHIM_EXEC_START:
	case SHIM_EXEC_START_STDIO:
		m->u.exec_start.id = get_string(r, &m->u.exec_start.id_len);
		m->u.exec_start.terminal = get_uint(r, 1) != 0;
		m->u.exec_start.has_stdin = get_uint(r, 1) != 0;
		m->u.exec_start.no_log = get_uint(r, 1) != 0;
		m->u.exec_start.rows = get_u32(r);
		m->u.exec_start.columns = get_u32(r);
		if (m->type == SHIM_EXEC_START_STDIO)
			get_exec_stdio(r, m);
		break;
	case SHIM_EXEC_KILL:
	case SHIM_EXEC_DELETE:
	case SHIM_EXEC_STATE:
		m->u.exec.id = get_string(r, &m->u.exec.id_len);
		if (m->type == SHIM_EXEC_KILL)
			m->u.exec.signal = get_u32(r);
		if (m->type == SHIM_EXEC_DELETE)
			m->u.exec.force = get_uint(r, 1) != 0;
		break;
	case SHIM_EXEC_START | SHIM_REPLY:
	case SHIM_EXEC_START_STDIO | SHIM_REPLY:
	case SHIM_EXEC_STATE | SHIM_REPLY:
		m->u.exec_state.phase = get_u32(r);
		m->u.exec_state.pid = get_u32(r);
		m->u.exec_state.start = get_uint(r, 8);
		get_exit(r, &m->u.exec_state.exit);
		break;
	case SHIM_EXEC_EXITED:
		m->u.exec_exited.id = get_string(r, &m->u.exec_exited.id_len);
		get_exit(r, &m->u.exec_exited.exit);
		break;
	default:
		break;
	}
}

static void
get_body(struct reader *r, struct shim_message *m)
{
	switch (m->type) {
	case SHIM_HELLO:
	case SHIM_HELLO | SHIM_REPLY:
		m->u.hello.min_version = get_u32(r);
		m->u.hello.max_version = get_u32(r);
		break;
	case SHIM_READY:
		get_identity(r, &m->u.ready);
		break;
	case SHIM_STATE | SHIM_REPLY:
		m->u.state.phase = get_u32(r);
		get_identity(r, &m->u.state.who);
		get_exit(r, &m->u.state.exit);
		m->u.state.lost_bytes = get_uint(r, 8);
		break;
	case SHIM_KILL:
		m->u.kill.signal = get_u32(r);
		m->u.kill.all = get_uint(r, 1) != 0;
		break;
	case SHIM_DELETE:
		m->u.delete.force = get_uint(r, 1) != 0;
		break;
	case SHIM_DELETE | SHIM_REPLY:
	case SHIM_EXEC_DELETE | SHIM_REPLY:
	case SHIM_EXITED:
		get_exit(r, &m->u.exit);
		break;
	case SHIM_RESIZE:
		m->u.resize.rows = get_u32(r);
		m->u.resize.columns = get_u32(r);
		break;
	case SHIM_CHECKPOINT:
		m->u.checkpoint.flags = get_u32(r);
		m->u.checkpoint.criu_dir =
		    get_string(r, &m->u.checkpoint.criu_dir_len);
		m->u.checkpoint.image_path =
		    get_string(r, &m->u.checkpoint.image_path_len);
		break;
	case SHIM_CHECKPOINT_END:
		m->u.checkpoint_end.kill = get_uint(r, 1) != 0;
		break;
	case SHIM_STDIN:
		m->u.stdin_data.len = get_u32(r);
		m->u.stdin_data.data = get_bytes(r, m->u.stdin_data.len);
		break;
	case SHIM_INPUT:
	case SHIM_INPUT_CLOSE:
		m->u.io.id = get_string(r, &m->u.io.id_len);
		break;
	case SHIM_WINDOW:
		m->u.io.id = get_string(r, &m->u.io.id_len);
		m->u.io.rows = get_u32(r);
		m->u.io.columns = get_u32(r);
		break;
	case SHIM_STDIN | SHIM_REPLY:
		m->u.accepted = get_u32(r);
		break;
	case SHIM_ERROR:
		m->u.error.sys_errno = get_u32(r);
		m->u.error.code = get_string(r, &m->u.error.code_len);
		m->u.error.reason = get_string(r, &m->u.error.reason_len);
		m->u.error.state = get_string(r, &m->u.error.state_len);
		m->u.error.text = get_string(r, &m->u.error.text_len);
		break;
	default:
		get_exec_body(r, m);
		break;
	}
}

size_t
shim_encode(const struct shim_message *m, void *buf, size_t cap)
{
	struct writer header = { .p = buf, .left = SHIM_HEADER_SIZE };
	struct writer body;

	if (cap > SHIM_FRAME_MAX)
		cap = SHIM_FRAME_MAX;
	if (cap < SHIM_HEADER_SIZE)
		return 0;
	body = (struct writer){
		.p = (unsigned char *)buf + SHIM_HEADER_SIZE,
		.left = cap - SHIM_HEADER_SIZE,
	};
	put_body(&body, m);
	if (body.is_short)
		return 0;
	put_uint(&header, m->version ? m->version : SHIM_PROTO_VERSION, 2);
	put_uint(&header, m->type, 2);
	put_uint(&header, m->tag, 4);
	put_uint(&header, cap - SHIM_HEADER_SIZE - body.left, 4);
	return cap - body.left;
}

int
shim_decode(const void *buf, size_t len, struct shim_message *ret_message,
	    struct skiff_error *err)
{
	struct reader r = { .p = buf, .left = len };
	struct shim_message m = { 0 };
	uint32_t body_len;

	m.version = (uint16_t)get_uint(&r, 2);
	m.type = (uint16_t)get_uint(&r, 2);
	m.tag = get_u32(&r);
	body_len = get_u32(&r);
	if (r.is_short || body_len != r.left || m.version == 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "shim frame of %zu bytes is malformed", len);
	get_body(&r, &m);
	if (r.is_short)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "shim frame of type %u is truncated", m.type);
	*ret_message = m;
	return 0;
}

void
shim_error_to_message(const struct skiff_error *err, uint32_t tag,
		      struct shim_message *ret_message)
{
	struct shim_message m = { .type = SHIM_ERROR, .tag = tag };

	m.u.error.sys_errno = (uint32_t)err->sys_errno;
	m.u.error.code = err_code_name(err->code);
	m.u.error.reason = err->reason ? err->reason : "";
	m.u.error.state = err->state;
	m.u.error.text = err->text;
	m.u.error.code_len = (uint16_t)strlen(m.u.error.code);
	m.u.error.reason_len = (uint16_t)strlen(m.u.error.reason);
	m.u.error.state_len = (uint16_t)strlen(m.u.error.state);
	m.u.error.text_len = (uint16_t)strlen(m.u.error.text);
	*ret_message = m;
}

/*
 * Reasons are static texts (base/error.h), so those that a shim gives are
 * listed; one of a newer shim is dropped, its text stays.
 */
static const char *
known_reason(const char *reason, size_t len)
{
	static const char *const known[] = {
		"image_invalid_rootfs",
		"mount_failed",
		"namespace_unavailable",
		"executable_not_found",
		"runtime_create_failed",
		"runtime_start_failed",
		"runtime_delete_failed",
		"not_a_terminal",
		"stdin_closed",
		"unknown_request",
		"stdio_path",
		"runtime_exec_failed",
		"cwd_not_found",
		"checkpoint_failed",
		"checkpoint_running",
		"execs_running",
		"restore_failed",
		"no_freezer",
		"argument_list_too_long",
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i]) == len &&
		    memcmp(known[i], reason, len) == 0)
			return known[i];
	return NULL;
}

int
shim_error_from_message(const struct shim_message *m, struct skiff_error *err)
{
	char name[64];
	char state[sizeof(err->state)];

	(void)snprintf(name, sizeof(name), "%.*s", (int)m->u.error.code_len,
		       m->u.error.code);
	(void)snprintf(state, sizeof(state), "%.*s", (int)m->u.error.state_len,
		       m->u.error.state);
	(void)err_set(err, err_code_from_name(name), "%.*s",
		      (int)m->u.error.text_len, m->u.error.text);
	err->sys_errno = (int)m->u.error.sys_errno;
	err->reason = known_reason(m->u.error.reason, m->u.error.reason_len);
	return err_state(err, state);
}

size_t
shim_exit_format(const struct shim_exit *e, char text[SHIM_TEXT_MAX])
{
	return (size_t)snprintf(text, SHIM_TEXT_MAX,
				"skiff-exit 1\n"
				"pid %" PRIu32 "\n"
				"status %" PRIu32 "\n"
				"exited_ns %" PRId64 "\n"
				"lost_bytes %" PRIu64 "\n"
				"started %d\n"
				"oom %d\n"
				"end 1\n",
				e->pid, e->status, e->exited_ns, e->lost_bytes,
				e->was_started, e->was_oom);
}

size_t
shim_identity_format(const struct shim_identity *who, char text[SHIM_TEXT_MAX])
{
	return (size_t)snprintf(text, SHIM_TEXT_MAX,
				"skiff-shim 1\n"
				"version %" PRIu32 "\n"
				"shim_pid %" PRIu32 "\n"
				"shim_start %" PRIu64 "\n"
				"init_pid %" PRIu32 "\n"
				"init_start %" PRIu64 "\n"
				"end 1\n",
				who->version, who->shim_pid, who->shim_start,
				who->init_pid, who->init_start);
}

/* The number after "\nname " in text; false when it is not there. */
static bool
find_number(const char *text, const char *name, uint64_t max, uint64_t *ret)
{
	char key[32];
	uint64_t value;
	const char *p;
	int n = 0;

	(void)snprintf(key, sizeof(key), "\n%s ", name);
	p = strstr(text, key);
	if (!p)
		return false;
	p += strlen(key);
	if (*p < '0' || *p > '9' ||
	    sscanf(p, "%20" SCNu64 "%n", &value, &n) < 1)
		return false;
	if (p[n] != '\n' || value > max)
		return false;
	*ret = value;
	return true;
}

int
shim_exit_parse(const char *text, struct shim_exit *ret_exit,
		struct skiff_error *err)
{
	uint64_t pid, status, exited_ns, lost, started, oom, end;

	if (strncmp(text, "skiff-exit 1\n", 13) != 0 ||
	    !find_number(text, "pid", UINT32_MAX, &pid) ||
	    !find_number(text, "status", 255, &status) ||
	    !find_number(text, "exited_ns", INT64_MAX, &exited_ns) ||
	    !find_number(text, "lost_bytes", UINT64_MAX, &lost) ||
	    !find_number(text, "started", 1, &started) ||
	    !find_number(text, "oom", 1, &oom) ||
	    !find_number(text, "end", 1, &end))
		return err_set(err, SKIFF_DATA_LOSS,
			       "the exit record is not whole");
	*ret_exit = (struct shim_exit){
		.pid = (uint32_t)pid,
		.status = (uint32_t)status,
		.exited_ns = (int64_t)exited_ns,
		.lost_bytes = lost,
		.was_started = started != 0,
		.was_oom = oom != 0,
	};
	return 0;
}

int
shim_identity_parse(const char *text, struct shim_identity *ret_who,
		    struct skiff_error *err)
{
	uint64_t version, shim_pid, shim_start, init_pid, init_start, end;

	if (strncmp(text, "skiff-shim 1\n", 13) != 0 ||
	    !find_number(text, "version", UINT16_MAX, &version) ||
	    !find_number(text, "shim_pid", INT32_MAX, &shim_pid) ||
	    !find_number(text, "shim_start", UINT64_MAX, &shim_start) ||
	    !find_number(text, "init_pid", INT32_MAX, &init_pid) ||
	    !find_number(text, "init_start", UINT64_MAX, &init_start) ||
	    !find_number(text, "end", 1, &end))
		return err_set(err, SKIFF_DATA_LOSS,
			       "the shim's state file is not whole");
	*ret_who = (struct shim_identity){
		.version = (uint32_t)version,
		.shim_pid = (uint32_t)shim_pid,
		.shim_start = shim_start,
		.init_pid = (uint32_t)init_pid,
		.init_start = init_start,
	};
	return 0;
}

void
shim_log_record_encode(const struct shim_log_record *record,
		       unsigned char buf[SHIM_LOG_RECORD_SIZE])
{
	struct writer w = { .p = buf, .left = SHIM_LOG_RECORD_SIZE };

	put_uint(&w, record->offset, 8);
	put_uint(&w, (uint64_t)record->time_ns, 8);
	put_uint(&w, record->length, 4);
	put_uint(&w, record->stream, 1);
	put_uint(&w, record->flags, 1);
	put_uint(&w, 0, 2);
}

void
shim_log_record_decode(const unsigned char buf[SHIM_LOG_RECORD_SIZE],
		       struct shim_log_record *ret_record)
{
	struct reader r = { .p = buf, .left = SHIM_LOG_RECORD_SIZE };

	ret_record->offset = get_uint(&r, 8);
	ret_record->time_ns = (int64_t)get_uint(&r, 8);
	ret_record->length = get_u32(&r);
	ret_record->stream = (uint8_t)get_uint(&r, 1);
	ret_record->flags = (uint8_t)get_uint(&r, 1);
}

void
shim_log_name(uint32_t number, char data[SHIM_LOG_NAME_SIZE],
	      char index[SHIM_LOG_NAME_SIZE])
{
	(void)snprintf(data, SHIM_LOG_NAME_SIZE, "log.%u", number);
	(void)snprintf(index, SHIM_LOG_NAME_SIZE, "log.%u.idx", number);
}
