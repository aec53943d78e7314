/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The one error type.
 *
 * It belongs to the caller, has a fixed size and never allocates, so an
 * error path can neither leak nor fail. A fallible function returns 0, or
 * -1 with *err filled; success leaves *err alone; err is never NULL.
 *
 *	if (fd < 0)
 *		return err_errno(err, errno, "open %s", path);
 *	if (manifest_parse(text, len, &manifest, err) < 0)
 *		return err_wrap(err, "manifest %s", digest);
 *
 * The text reads outermost first, in lower case, without a full stop:
 * "pull alpine:3: fetch sha256:9a…: connect: timed out". Whatever goes into
 * it, and wherever it is cut, it is UTF-8, since it becomes JSON.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error_codes.h"

enum skiff_code {
	SKIFF_OK = 0,
#define X(name, wire, status, title) SKIFF_##name,
	SKIFF_ERROR_CODES(X)
#undef X
};

struct skiff_error {
	enum skiff_code code;
	int sys_errno;	     /* 0 when no system call is behind it */
	int upstream_status; /* HTTP status of a registry, or 0 */
	int retry_after_s;   /* 0: no Retry-After */
	const char *reason;  /* static text for programs, or NULL */
	const char *kind;    /* static: "image", "namespace", …, or NULL */
	const char *file;    /* origin, for the log */
	int line;
	char id[256];	 /* the object that kind speaks of */
	char field[256]; /* JSON pointer of the faulty field, or "" */
	char state[16];	 /* state that forbade a step, or "" */
	bool has_offset;
	uint64_t offset; /* that would have been right */
	char text[2048];
};

#define ERROR_INIT                                                             \
	{                                                                      \
		0                                                              \
	}

/* Each returns -1, so that a failure is one line. */
#define err_set(err, code, ...)                                                \
	err_set_at((err), (code), __FILE__, __LINE__, __VA_ARGS__)
#define err_errno(err, number, ...)                                            \
	err_errno_at((err), (number), __FILE__, __LINE__, __VA_ARGS__)

int err_set_at(struct skiff_error *err, enum skiff_code code, const char *file,
	       int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Class from errno; ": strerror" is appended to the text. */
int err_errno_at(struct skiff_error *err, int number, const char *file,
		 int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Puts "format: " before the text; the class stays. */
int err_wrap(struct skiff_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts what is known of the cause behind the text. */
int err_append(struct skiff_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Qualifiers of an error that is already set; each returns -1 too. */
int err_reason(struct skiff_error *err, const char *static_reason);
int err_object(struct skiff_error *err, const char *static_kind,
	       const char *id);
int err_field(struct skiff_error *err, const char *json_pointer);
int err_state(struct skiff_error *err, const char *state);
int err_offset(struct skiff_error *err, uint64_t offset);

/* SKIFF_NOT_FOUND with kind, id, and the text `kind "id": not found`. */
int err_not_found(struct skiff_error *err, const char *static_kind,
		  const char *id);

#if defined(__clang_analyzer__) && !defined(ERROR_IS_DEFINED_HERE)
/* It sees one file at a time, and so not that each of these gives -1. */
#define err_set_at(...) (err_set_at(__VA_ARGS__), -1)
#define err_errno_at(...) (err_errno_at(__VA_ARGS__), -1)
#define err_wrap(...) (err_wrap(__VA_ARGS__), -1)
#define err_append(...) (err_append(__VA_ARGS__), -1)
#define err_reason(...) (err_reason(__VA_ARGS__), -1)
#define err_object(...) (err_object(__VA_ARGS__), -1)
#define err_field(...) (err_field(__VA_ARGS__), -1)
#define err_state(...) (err_state(__VA_ARGS__), -1)
#define err_offset(...) (err_offset(__VA_ARGS__), -1)
#define err_not_found(...) (err_not_found(__VA_ARGS__), -1)
#endif

enum skiff_code err_code_from_errno(int number);
const char *err_code_name(enum skiff_code code); /* "not_found" */
const char *err_code_title(enum skiff_code code);
int err_code_status(enum skiff_code code);
/* SKIFF_UNKNOWN for a name that is not in the table. */
enum skiff_code err_code_from_name(const char *name);
