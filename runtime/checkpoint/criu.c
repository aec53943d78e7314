/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking criu, and reading what it says.
 */
#include "config.h"

#include "runtime/checkpoint/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/lock.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "runtime/checkpoint/criu_trial.h"
#include "runtime/shim_proto.h"

#define CHECK_TIMEOUT_MS 20000
#define ANSWER_MAX ((size_t)64 * 1024)
/* What was wrong may have been mended. */
#define NO_IS_GOOD_FOR_MS 10000
#define WORDS_MAX 700

/* To a "criu check". */
struct answer {
	bool is_yes;
	char *reason; /* NULL until it said no */
	struct deadline ask_again;
};

struct criu {
	struct lock lock; /* held while one thread asks: others want to know */
	char *wish;	  /* the option, or NULL */
	char *trial_dir;
	/* guarded by lock: */
	char *path;
	char *dir;
	struct answer works;
	struct answer tracks; /* memory that is written */
	bool has_ended;	      /* a trial of it */
	bool no_breakpoints;
};

struct criu *
criu_new(const char *path, const char *trial_dir)
{
	struct criu *criu = xcalloc(1, sizeof(*criu));

	lock_init(&criu->lock, LOCK_RANK_CRIU);
	criu->trial_dir = xstrdup(trial_dir);
	if (path)
		criu->wish = xstrdup(path);
	return criu;
}

void
criu_free(struct criu *criu)
{
	if (!criu)
		return;
	lock_done(&criu->lock);
	free(criu->wish);
	free(criu->trial_dir);
	free(criu->path);
	free(criu->dir);
	free(criu->works.reason);
	free(criu->tracks.reason);
	free(criu);
}

/* --- its words -------------------------------------------------------- */

/*
 * The lines that are errors, without their clock, as one line; the last
 * ones when there are many.
 */
static char *
error_words(const char *log)
{
	CLEANUP(strbuf_done) struct strbuf words = STRBUF_INIT;

	for (const char *line = log; *line;) {
		size_t len = strcspn(line, "\n");
		const char *text = memmem(line, len, "Error (", 7);

		if (text) {
			size_t n = (size_t)(line + len - text);

			strbuf_adds(&words, words.len > 0 ? "; " : "");
			strbuf_add(&words, text, n);
		}
		line += len + (line[len] == '\n');
	}
	if (words.len > WORDS_MAX)
		return xasprintf("…%s", words.buf + words.len - WORDS_MAX);
	return strbuf_steal(&words);
}

int
criu_explain(const char *log, struct skiff_error *err)
{
	cleanup_free char *words = log ? error_words(log) : NULL;

	return words && *words ? err_append(err, ": %s", words) : -1;
}

char *
criu_log_tail(int dirfd, const char *name, size_t max)
{
	cleanup_close int fd =
	    openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char *text;
	off_t size;
	ssize_t n;

	if (fd < 0)
		return NULL;
	size = lseek(fd, 0, SEEK_END);
	text = xmalloc(max + 1);
	n = pread(fd, text, max, size > (off_t)max ? size - (off_t)max : 0);
	if (n <= 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

/* --- asking ----------------------------------------------------------- */

static int
run_check(const char *path, const char *feature, int out,
	  struct skiff_error *err)
{
	const char *const argv[] = { "criu", "check",
				     feature ? "--feature" : NULL, feature,
				     NULL };
	const struct proc_options options = {
		.path = path,
		.argv = (char *const *)argv,
		.stdout_fd = out,
		.stderr_fd = out,
	};
	cleanup_close int pidfd = -1;
	int status = 0;
	pid_t pid;

	if (proc_spawn(&options, &pid, &pidfd, err) < 0)
		return -1;
	if (proc_wait(pidfd, deadline_in_ms(CHECK_TIMEOUT_MS), &status, err) <
	    0) {
		struct skiff_error ignored = ERROR_INIT;

		(void)proc_signal(pidfd, SIGKILL, &ignored);
		(void)proc_wait(pidfd, DEADLINE_NEVER, &status, &ignored);
		return err_wrap(err, "criu check");
	}
	return status;
}

/* Its errors, or, where it has none, the last thing it said. */
static char *
last_words(char *text)
{
	cleanup_free char *words = error_words(text);
	char *line;
	size_t len = strlen(text);

	if (*words)
		return STEAL_PTR(words);
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	line = strrchr(text, '\n');
	return xstrdup(line ? line + 1 : text);
}

/* NULL when it says yes. */
static char *
ask(const char *path, const char *feature)
{
	cleanup_close int out = memfd_create("criu", MFD_CLOEXEC);
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *text = NULL;
	cleanup_free char *words = NULL;
	int r;

	if (out < 0)
		return xstrdup("memfd_create failed");
	r = run_check(path, feature, out, &err);
	if (r == 0)
		return NULL;
	if (r < 0)
		return xstrdup(err.text);
	if (lseek(out, 0, SEEK_SET) == 0 &&
	    fs_read_fd(out, ANSWER_MAX, &text, NULL, &err) == 0)
		words = last_words(text);
	if (words && *words)
		return xasprintf("criu check: %s", words);
	return xasprintf("criu check%s%s ended with status %d",
			 feature ? " --feature " : "", feature ? feature : "",
			 r);
}

/* NULL, and path and dir are set; or why there is none. */
static char *
find_locked(struct criu *criu)
{
	struct skiff_error err = ERROR_INIT;
	char *slash;

	assert(lock_is_held(&criu->lock));
	if (criu->path)
		return NULL;
	if (criu->wish && access(criu->wish, X_OK) < 0)
		return xasprintf("%s: %s", criu->wish, strerrordesc_np(errno));
	if (criu->wish)
		criu->path = xstrdup(criu->wish);
	else if (proc_find("criu", &criu->path, &err) < 0)
		return xstrdup("criu is not installed");
	slash = strrchr(criu->path, '/');
	criu->dir = xstrndup(criu->path, (size_t)(slash - criu->path));
	return NULL;
}

/* What it said, or says now; NULL: yes. */
static char *
answer_locked(struct criu *criu, struct answer *answer, const char *feature)
{
	char *why;

	assert(lock_is_held(&criu->lock));
	if (answer->is_yes)
		return NULL;
	if (answer->reason && !deadline_passed(answer->ask_again))
		return xstrdup(answer->reason);
	why = find_locked(criu);
	if (!why)
		why = ask(criu->path, feature);
	free(answer->reason);
	answer->reason = why;
	answer->is_yes = !why;
	answer->ask_again = deadline_in_ms(NO_IS_GOOD_FOR_MS);
	return why ? xstrdup(why) : NULL;
}

char *
criu_reason(struct criu *criu)
{
	LOCK_SCOPE(&criu->lock);

	return answer_locked(criu, &criu->works, NULL);
}

static char *
tracking_reason(struct criu *criu)
{
	LOCK_SCOPE(&criu->lock);

	return answer_locked(criu, &criu->tracks, "mem_dirty_track");
}

static int
unavailable(const char *why, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_UNIMPLEMENTED,
		      "checkpoints are not possible here: %s", why);
	return err_reason(err, "criu_unavailable");
}

/* Asks by doing, once it has ended. */
static bool
ends(struct criu *criu)
{
	LOCK_SCOPE(&criu->lock);
	enum criu_trial trial;

	if (criu->has_ended)
		return true;
	trial = criu_try(criu->path, criu->trial_dir);
	criu->has_ended = trial != CRIU_HANGS;
	criu->no_breakpoints = trial == CRIU_ENDS_WITHOUT_BREAKPOINTS;
	return criu->has_ended;
}

int
criu_need(struct criu *criu, struct skiff_error *err)
{
	cleanup_free char *why = criu_reason(criu);

	if (why)
		return unavailable(why, err);
	if (!ends(criu))
		return unavailable("criu does not end when it dumps a process "
				   "that sleeps",
				   err);
	return 0;
}

int
criu_need_tracking(struct criu *criu, struct skiff_error *err)
{
	cleanup_free char *why = NULL;

	if (criu_need(criu, err) < 0)
		return -1;
	why = tracking_reason(criu);
	return why ? unavailable(why, err) : 0;
}

uint32_t
criu_flags(struct criu *criu)
{
	LOCK_SCOPE(&criu->lock);

	return criu->no_breakpoints ? SHIM_DUMP_NO_BREAKPOINTS : 0;
}

const char *
criu_dir(struct criu *criu)
{
	LOCK_SCOPE(&criu->lock);

	return criu->dir;
}
