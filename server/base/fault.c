/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failpoints: named places where a test makes a fault happen.
 */
#include "config.h"

#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

enum action {
	ACTION_NONE,
	ACTION_PRINT,
	ACTION_ERROR,
	ACTION_CRASH,
	ACTION_DELAY
};

struct point {
	const char *name;
	const char *scenario;
	enum action action;
	int argument; /* errno, or milliseconds */
	int only_hit; /* 0: every hit */
	atomic_int n_hits;
};

static struct point points[] = {
#define X(c_name, text, drives) { .name = (text), .scenario = (drives) },
	SKIFF_FAULT_POINTS(X)
#undef X
};

static const struct {
	const char *name;
	int number;
} errno_names[] = {
	{ "EIO", EIO },	      { "ENOSPC", ENOSPC }, { "ENOMEM", ENOMEM },
	{ "EMFILE", EMFILE }, { "EACCES", EACCES }, { "EROFS", EROFS },
};

bool fault_is_armed;

static int
bad(struct skiff_error *err, const char *term)
{
	return err_set(err, SKIFF_INVALID_ARGUMENT,
		       "SKIFF_FAILPOINTS: \"%.128s\" is not "
		       "name=[N*]error(ERRNO)|crash|delay(MS)|print",
		       term);
}

static int
parse_action(struct point *point, const char *text)
{
	char word[16];
	int n = 0;

	if (sscanf(text, "%d*%n", &point->only_hit, &n) == 1 && n > 0)
		text += n;
	if (strcmp(text, "crash") == 0) {
		point->action = ACTION_CRASH;
		return 0;
	}
	if (strcmp(text, "print") == 0) {
		point->action = ACTION_PRINT;
		return 0;
	}
	if (sscanf(text, "delay(%d)%n", &point->argument, &n) == 1 &&
	    text[n] == '\0') {
		point->action = ACTION_DELAY;
		return 0;
	}
	n = 0;
	if (sscanf(text, "error(%15[A-Z])%n", word, &n) != 1 || n == 0 ||
	    text[n] != '\0')
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(errno_names); i++) {
		if (strcmp(errno_names[i].name, word) == 0) {
			point->action = ACTION_ERROR;
			point->argument = errno_names[i].number;
			return 0;
		}
	}
	return -1;
}

static int
set_point(char *term, struct skiff_error *err)
{
	char *equals = strchr(term, '=');

	if (!equals)
		return bad(err, term);
	*equals = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		if (strcmp(points[i].name, term) != 0)
			continue;
		if (parse_action(&points[i], equals + 1) < 0)
			return bad(err, equals + 1);
		fault_is_armed = true;
		return 0;
	}
	return bad(err, term);
}

int
fault_setup(struct skiff_error *err)
{
	const char *text = getenv("SKIFF_FAILPOINTS");
	cleanup_free char *copy = NULL;
	char *rest;
	char *term;

	if (!text || !*text)
		return 0;
	copy = strdup(text);
	if (!copy)
		return err_errno(err, ENOMEM, "SKIFF_FAILPOINTS");
	rest = copy;
	while ((term = strsep(&rest, ";")) != NULL)
		if (*term && set_point(term, err) < 0)
			return -1;
	return 0;
}

void
fault_list(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(points); i++)
		(void)printf("%s\t%s\n", points[i].name, points[i].scenario);
}

/* One line a hit, appended whole: many processes share the file. */
static void
trace(const struct point *point)
{
	const char *path = getenv("SKIFF_FAILPOINTS_TRACE");
	cleanup_close int fd = -1;

	if (!path)
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)dprintf(fd, "%d %s\n", (int)getpid(), point->name);
}

int
fault_hit_slow(enum fault_point which, struct skiff_error *err)
{
	struct point *point = &points[which];
	struct timespec pause = {
		.tv_sec = point->argument / 1000,
		.tv_nsec = (long)(point->argument % 1000) * 1000000,
	};
	int hit = atomic_fetch_add(&point->n_hits, 1) + 1;

	if (point->action == ACTION_NONE ||
	    (point->only_hit && hit != point->only_hit))
		return 0;
	trace(point);
	switch (point->action) {
	case ACTION_NONE:
	case ACTION_PRINT:
		return 0;
	case ACTION_ERROR:
		return err_errno(err, point->argument, "failpoint %s",
				 point->name);
	case ACTION_CRASH:
		(void)kill(getpid(), SIGKILL);
		(void)pause;
		return 0;
	case ACTION_DELAY:
		(void)nanosleep(&pause, NULL);
		return 0;
	}
	return 0;
}
