/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "runtime/spec/oci_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/proc.h"
#include "runtime/spec/host.h"

#define VERSION_TEXT_MAX 4096
#define FEATURES_TEXT_MAX 262144
#define TIMEOUT_MS 10000

const char *const oci_runtime_names[HOST_RUNTIMES + 1] = { "runc", "crun",
							   NULL };

/*
 * First patch of each minor version of runc with the fixes of November
 * 2025; a minor below the first row has none, one above the last has all.
 */
static const struct fixed_version {
	unsigned int minor;
	unsigned int patch;
} fixed_versions[] = { { 2, 8 }, { 3, 3 } };

#define CRUN_WARNING                                                           \
	"CVE-2026-30892 (fixed in 1.27): a user given to exec by number may "  \
	"become root; update crun"

#define RUNC_WARNING                                                           \
	"CVE-2025-31133, CVE-2025-52565, CVE-2025-52881 "                      \
	"(fixed in 1.2.8, 1.3.3, 1.4.0): a hostile image or a container "      \
	"that shares a volume may reach the host; update runc"

static const char *
runc_warning(unsigned int major, unsigned int minor, unsigned int patch)
{

	size_t last = ARRAY_SIZE(fixed_versions) - 1;

	if (major != 1)
		return major < 1 ? RUNC_WARNING : NULL;
	for (size_t i = 0; i <= last; i++)
		if (minor == fixed_versions[i].minor)
			return patch < fixed_versions[i].patch ? RUNC_WARNING
							       : NULL;
	return minor < fixed_versions[0].minor ? RUNC_WARNING : NULL;
}

const char *
oci_runtime_warning(const char *name, const char *version)
{
	unsigned int major, minor, patch = 0;
	bool is_crun = strcmp(name, "crun") == 0;

	/* crun has versions of two numbers, too. */
	if (sscanf(version, "%u.%u.%u", &major, &minor, &patch) <
	    (is_crun ? 2 : 3))
		return "its version is not known";
	if (!is_crun)
		return runc_warning(major, minor, patch);
	return major == 1 && minor >= 19 && minor < 27 ? CRUN_WARNING : NULL;
}

/* "runc version 1.1.5+ds1\n…": the word at the end of the first line. */
static void
take_version(struct oci_runtime *runtime, const char *text)
{
	size_t len = strcspn(text, "\n");
	size_t start = len;

	while (start > 0 && text[start - 1] != ' ')
		start--;
	(void)snprintf(runtime->version, sizeof(runtime->version), "%.*s",
		       (int)(len - start), text + start);
	runtime->has_seccomp =
	    strstr(text, "\nlibseccomp:") || strstr(text, "+SECCOMP");
}

/* A program that was asked something, with one argument. */
struct oci_runtime_words {
	int reader;
	int pidfd;
};

static int
words_begin(const char *path, const char *question,
	    struct oci_runtime_words *ret, struct skiff_error *err)
{
	char *argv[] = { (char *)path, (char *)question, NULL };
	cleanup_close int reader = -1;
	cleanup_close int writer = -1;
	cleanup_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pipes[2];
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	reader = pipes[0];
	writer = pipes[1];
	if (proc_spawn(&(struct proc_options){ .path = path,
					       .argv = argv,
					       .stdout_fd = writer,
					       .stderr_fd = null_fd },
		       &pid, &ret->pidfd, err) < 0)
		return -1;
	ret->reader = STEAL_FD(reader);
	return 0;
}

static int
words_end(const struct oci_runtime_words *words, size_t max, char **ret_text,
	  struct skiff_error *err)
{
	cleanup_close int reader = words->reader;
	cleanup_close int pidfd = words->pidfd;
	cleanup_free char *text = NULL;
	size_t len;
	int status;
	int r = fs_read_fd(reader, max, &text, &len, err);

	/* One that says more than it should must not wait for us. */
	(void)close(STEAL_FD(reader));
	if (proc_wait(pidfd, deadline_in_ms(TIMEOUT_MS), &status, err) < 0 ||
	    r < 0)
		return -1;
	if (status != 0)
		return err_set(err, SKIFF_UNAVAILABLE, "exit status %d",
			       status);
	*ret_text = STEAL_PTR(text);
	return 0;
}

static void
take_fault(struct oci_runtime *runtime, const struct skiff_error *err)
{
	(void)snprintf(runtime->fault, sizeof(runtime->fault), "%.255s",
		       err->text);
	oci_runtime_done(runtime);
}

void
oci_runtime_probe_begin(const char *static_name, struct oci_runtime *ret)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free struct oci_runtime_words *words =
	    xcalloc(1, sizeof(*words));

	*ret = (struct oci_runtime){ .name = static_name };
	if (proc_find(static_name, &ret->path, &err) < 0 ||
	    words_begin(ret->path, "--version", words, &err) < 0)
		take_fault(ret, &err);
	else
		ret->words = STEAL_PTR(words);
}

void
oci_runtime_probe_end(struct oci_runtime *runtime)
{
	cleanup_free struct oci_runtime_words *words =
	    STEAL_PTR(runtime->words);
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *text = NULL;

	if (!words)
		return;
	if (words_end(words, VERSION_TEXT_MAX, &text, &err) < 0) {
		take_fault(runtime, &err);
		return;
	}
	take_version(runtime, text);
	runtime->warning = oci_runtime_warning(runtime->name, runtime->version);
}

void
oci_runtime_done(struct oci_runtime *runtime)
{
	free(runtime->path);
	runtime->path = NULL;
}

int
oci_runtime_features(const char *path, json_t **ret_features,
		     struct skiff_error *err)
{
	struct oci_runtime_words words;
	cleanup_free char *text = NULL;

	if (words_begin(path, "features", &words, err) < 0 ||
	    words_end(&words, FEATURES_TEXT_MAX, &text, err) < 0 ||
	    json_parse(text, strlen(text), ret_features, err) < 0)
		return err_wrap(err, "%s features", path);
	return 0;
}
