/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The log: one line a record on stderr, "time level text". Control bytes
 * are escaped, so outside text cannot forge a line. Any thread.
 */
#include <stdbool.h>

#include "base/error.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* False for an unknown name. Before threads start. */
bool log_set_level(const char *name);
bool log_is_on(enum log_level level);

void log_write(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_is_on(LOG_DEBUG))                                      \
			log_write(LOG_DEBUG, __VA_ARGS__);                     \
	} while (0)

/* "context: text [code, file:line]" of an error that ends here. */
void log_failure(enum log_level level, const struct skiff_error *err,
		 const char *format, ...) __attribute__((format(printf, 3, 4)));
