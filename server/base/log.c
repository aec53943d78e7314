/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one write(2) a record, so that lines of threads never mix.
 */
#include "config.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static enum log_level threshold = LOG_INFO;

bool
log_set_level(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (strcmp(level_names[i], name) == 0) {
			threshold = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool
log_is_on(enum log_level level)
{
	return level <= threshold;
}

static void
write_line(enum log_level level, const char *text)
{
	char line[4096 + 128];
	char when[RFC3339_SIZE];
	size_t n;

	n = (size_t)snprintf(line, sizeof(line), "%s %s ",
			     rfc3339_format(clock_realtime_ns(), when),
			     level_names[level]);
	for (; *text && n < sizeof(line) - 8; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c != 0x7f)
			line[n++] = (char)c;
		else
			n += (size_t)snprintf(line + n, 5, "\\x%02x", c);
	}
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, n);
}

void
log_write(enum log_level level, const char *format, ...)
{
	char text[4096];
	va_list ap;

	if (!log_is_on(level))
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	write_line(level, text);
}

void
log_failure(enum log_level level, const struct skiff_error *err,
	    const char *format, ...)
{
	char context[512];
	va_list ap;

	if (!log_is_on(level))
		return;
	va_start(ap, format);
	(void)vsnprintf(context, sizeof(context), format, ap);
	va_end(ap);
	log_write(level, "%s: %s [%s, %s:%d]", context, err->text,
		  err_code_name(err->code), err->file ? err->file : "-",
		  err->line);
}
