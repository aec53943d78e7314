/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error type: setting, wrapping and naming of errors.
 */
#include "config.h"

#define ERROR_IS_DEFINED_HERE

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"

struct code_row {
	const char *name;
	const char *title;
	int status;
};

static const struct code_row code_rows[] = { [SKIFF_OK] = { "ok", "OK", 200 },
#define X(name, wire, status, title) [SKIFF_##name] = { wire, title, status },
					     SKIFF_ERROR_CODES(X)
#undef X
};

#define N_CODES (sizeof(code_rows) / sizeof(code_rows[0]))

static void
begin(struct skiff_error *err, enum skiff_code code, const char *file, int line)
{
	memset(err, 0, offsetof(struct skiff_error, text) + 1);
	err->code = code;
	err->file = file;
	err->line = line;
}

int
err_set_at(struct skiff_error *err, enum skiff_code code, const char *file,
	   int line, const char *format, ...)
{
	va_list ap;

	begin(err, code, file, line);
	va_start(ap, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	utf8_repair(err->text);
	return -1;
}

int
err_errno_at(struct skiff_error *err, int number, const char *file, int line,
	     const char *format, ...)
{
	char reason[128];
	va_list ap;
	size_t used;

	begin(err, err_code_from_errno(number), file, line);
	err->sys_errno = number;
	va_start(ap, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);

	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		       strerror_r(number, reason, sizeof(reason)));
	utf8_repair(err->text);
	return -1;
}

int
err_wrap(struct skiff_error *err, const char *format, ...)
{
	char inner[sizeof(err->text)];
	va_list ap;
	size_t used;

	memcpy(inner, err->text, sizeof(inner));
	va_start(ap, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);

	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		       inner);
	utf8_repair(err->text);
	return -1;
}

int
err_append(struct skiff_error *err, const char *format, ...)
{
	size_t used = strlen(err->text);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(err->text + used, sizeof(err->text) - used, format, ap);
	va_end(ap);
	utf8_repair(err->text);
	return -1;
}

int
err_reason(struct skiff_error *err, const char *static_reason)
{
	err->reason = static_reason;
	return -1;
}

int
err_object(struct skiff_error *err, const char *static_kind, const char *id)
{
	err->kind = static_kind;
	(void)snprintf(err->id, sizeof(err->id), "%s", id);
	utf8_repair(err->id);
	return -1;
}

int
err_field(struct skiff_error *err, const char *json_pointer)
{
	(void)snprintf(err->field, sizeof(err->field), "%s", json_pointer);
	utf8_repair(err->field);
	return -1;
}

int
err_state(struct skiff_error *err, const char *state)
{
	(void)snprintf(err->state, sizeof(err->state), "%s", state);
	return -1;
}

int
err_offset(struct skiff_error *err, uint64_t offset)
{
	err->has_offset = true;
	err->offset = offset;
	return -1;
}

int
err_not_found(struct skiff_error *err, const char *static_kind, const char *id)
{
	(void)err_set(err, SKIFF_NOT_FOUND, "%s \"%s\": not found", static_kind,
		      id);
	return err_object(err, static_kind, id);
}

enum skiff_code
err_code_from_errno(int number)
{
	switch (number) {
	case ENOENT:
	case ESRCH:
		return SKIFF_NOT_FOUND;
	case EEXIST:
		return SKIFF_ALREADY_EXISTS;
	case EINVAL:
	case ENAMETOOLONG:
	case ELOOP:
		return SKIFF_INVALID_ARGUMENT;
	case EACCES:
	case EPERM:
		return SKIFF_PERMISSION_DENIED;
	case ENOSPC:
	case EDQUOT:
		return SKIFF_INSUFFICIENT_STORAGE;
	case EMFILE:
	case ENFILE:
	case EAGAIN:
		return SKIFF_RESOURCE_EXHAUSTED;
	case ENOSYS:
	case EOPNOTSUPP:
		return SKIFF_UNIMPLEMENTED;
	case ETIMEDOUT:
		return SKIFF_DEADLINE_EXCEEDED;
	case ECANCELED:
		return SKIFF_CANCELLED;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
	case EROFS:
		return SKIFF_UNAVAILABLE;
	default:
		return SKIFF_INTERNAL;
	}
}

const char *
err_code_name(enum skiff_code code)
{
	return (size_t)code < N_CODES ? code_rows[code].name : "unknown";
}

const char *
err_code_title(enum skiff_code code)
{
	return (size_t)code < N_CODES ? code_rows[code].title : "Unknown error";
}

int
err_code_status(enum skiff_code code)
{
	return (size_t)code < N_CODES ? code_rows[code].status : 500;
}

enum skiff_code
err_code_from_name(const char *name)
{
	for (size_t i = 0; i < N_CODES; i++)
		if (strcmp(code_rows[i].name, name) == 0)
			return (enum skiff_code)i;
	return SKIFF_UNKNOWN;
}
