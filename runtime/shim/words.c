/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's own words when it fails: its log is one flat JSON object a
 * line.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define WORDS_SIZE 1536
#define LOG_TAIL 16384

static size_t
put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)(c < 0x20 ? ' ' : c);
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Four hex digits; SIZE_MAX-like 0xffffffff when they are none. */
static uint32_t
hex4(const char *p)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return UINT32_MAX;
	}
	return value;
}

/* One \u escape, or a pair of them, at p ("uXXXX…"); gives what it took. */
static size_t
unescape_unicode(const char *p, uint32_t *ret_c)
{
	uint32_t high = hex4(p + 1);
	uint32_t low;

	*ret_c = 0xfffd;
	if (high == UINT32_MAX)
		return 1;
	if (high >= 0xd800 && high < 0xdc00 && p[5] == '\\' && p[6] == 'u') {
		low = hex4(p + 7);
		if (low >= 0xdc00 && low < 0xe000) {
			*ret_c =
			    0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
			return 11;
		}
	}
	if (high < 0xd800 || high >= 0xe000)
		*ret_c = high;
	return 5;
}

/* A JSON string's content, from behind its opening quote. */
static void
unescape(const char *p, char *out, size_t cap)
{
	size_t n = 0;

	while (*p && *p != '"' && *p != '\n' && n + 5 < cap) {
		uint32_t c;

		if (*p != '\\') {
			out[n++] = (unsigned char)*p < 0x20 ? ' ' : *p;
			p++;
			continue;
		}
		p++;
		if (*p == 'u') {
			p += unescape_unicode(p, &c);
			n += put_utf8(out + n, c);
		} else if (*p && *p != '\n') {
			out[n++] = strchr("nrtbf", *p) ? ' ' : *p;
			p++;
		}
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

/*
 * The "msg" of the last line of the runtime's log that is an error: the
 * runtime writes one flat JSON object a line.
 */
static bool
find_words(char *text, char words[WORDS_SIZE])
{
	bool is_found = false;

	for (char *line = text; line; line = strchr(line, '\n')) {
		char *end;
		char *level;
		char *msg;

		line += *line == '\n';
		end = strchr(line, '\n');
		if (end)
			*end = '\0';
		level = strstr(line, "\"level\":\"error\"");
		msg = strstr(line, "\"msg\":\"");
		if (level && msg) {
			unescape(msg + strlen("\"msg\":\""), words, WORDS_SIZE);
			is_found = true;
		}
		if (!end)
			break;
		*end = '\n';
		line = end;
	}
	return is_found;
}

static bool
read_words(struct shim *shim, const char *log, char words[WORDS_SIZE])
{
	cleanup_close int fd = -1;
	char *text = (char *)shim_scratch;
	off_t size;
	ssize_t n;

	fd = openat(shim->task_fd, log, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = lseek(fd, 0, SEEK_END);
	n = pread(fd, text, LOG_TAIL, size > LOG_TAIL ? size - LOG_TAIL : 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return find_words(text, words);
}

/* What a person did wrong, told apart by the words of runc 1.x and crun. */
static const char *
reason_of(const char *words, const char *otherwise)
{
	/* crun puts the name between the words. */
	if (strstr(words, "executable file not found") ||
	    strstr(words, "open executable") ||
	    (strstr(words, "executable file `") &&
	     strstr(words, "not found")) ||
	    (strstr(words, "exec: \"") &&
	     (strstr(words, "no such file or directory") ||
	      strstr(words, "permission denied") ||
	      strstr(words, "not a directory") ||
	      strstr(words, "too many levels of symbolic links") ||
	      strstr(words, "is a directory"))))
		return "executable_not_found";
	if (strcasestr(words, "argument list too long"))
		return "argument_list_too_long";
	if (strstr(words, "chdir to cwd") || strstr(words, "chdir `"))
		return "cwd_not_found";
	return otherwise;
}

int
shim_runtime_error(struct shim *shim, const char *verb, int status,
		   const char *log, const char *reason, struct skiff_error *err)
{
	char words[WORDS_SIZE];

	if (!read_words(shim, log, words)) {
		(void)err_set(err, SKIFF_INTERNAL,
			      "%s %s: ended with status %d without a word",
			      shim->runtime, verb, status);
		return err_reason(err, reason);
	}
	(void)err_set(err, SKIFF_FAILED_PRECONDITION, "runtime %s: %s", verb,
		      words);
	return err_reason(err, reason_of(words, reason));
}
