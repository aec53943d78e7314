/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host facts: one look at the kernel's files and one run of the runtime
 * with --version, which costs some milliseconds at start and none later.
 */
#include "config.h"

#include "runtime/spec/host.h"

#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/proc.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define VERSION_TEXT_MAX 4096
#define VERSION_TIMEOUT_MS 10000

/*
 * First patch of each minor version of runc with the fixes of November
 * 2025; a minor below the first row has none, one above the last has all.
 */
static const struct fixed_version {
	unsigned int minor;
	unsigned int patch;
} fixed_versions[] = { { 2, 8 }, { 3, 3 } };

#define RUNC_WARNING                                                           \
	"CVE-2025-31133, CVE-2025-52565, CVE-2025-52881 "                      \
	"(fixed in 1.2.8, 1.3.3, 1.4.0): a hostile image or a container "      \
	"that shares a volume may reach the host; update runc"

static bool
is_file_system(const char *path, long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}

static void
probe_cgroups(struct host *host)
{
	if (is_file_system(CGROUP_ROOT, CGROUP2_SUPER_MAGIC)) {
		host->cgroup_mode = CGROUP_V2;
		/* runc ignores the limit itself where there is no swap. */
		host->has_swap_accounting = true;
		return;
	}
	host->cgroup_mode =
	    is_file_system(CGROUP_ROOT "/unified", CGROUP2_SUPER_MAGIC)
		? CGROUP_HYBRID
		: CGROUP_V1;
	host->has_swap_accounting =
	    access(CGROUP_ROOT "/memory/memory.memsw.limit_in_bytes", F_OK) ==
	    0;
}

static void
probe_rights(struct host *host)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };
	cleanup_free char *score = NULL;
	struct skiff_error ignored = ERROR_INIT;
	size_t len;

	if (syscall(SYS_capget, &head, data) == 0)
		host->capabilities =
		    (uint64_t)data[1].permitted << 32 | data[0].permitted;
	host->may_raise_limits = host->capabilities & UINT64_C(1)
							  << CAP_SYS_RESOURCE;
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit = { 0 };

		(void)getrlimit((__rlimit_resource_t)i, &limit);
		host->rlimit_hard[i] = limit.rlim_max;
	}
	if (fs_read_file(AT_FDCWD, "/proc/self/oom_score_adj", 64, &score, &len,
			 &ignored) == 0)
		host->oom_score_adj = (int)strtol(score, NULL, 10);
	if (host->may_raise_limits || host->oom_score_adj < 0)
		host->oom_score_adj = 0;
}

static void
probe_thermal(struct host *host)
{
	glob_t found = { 0 };

	if (glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle", 0, NULL,
		 &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			strv_add(&host->thermal_paths, found.gl_pathv[i]);
	globfree(&found);
}

/* "runc version 1.1.5+ds1\n…": the word at the end of the first line. */
static void
take_version(struct host *host, const char *text)
{
	size_t len = strcspn(text, "\n");
	size_t start = len;

	while (start > 0 && text[start - 1] != ' ')
		start--;
	(void)snprintf(host->runtime_version, sizeof(host->runtime_version),
		       "%.*s", (int)(len - start), text + start);
	host->has_seccomp =
	    strstr(text, "\nlibseccomp:") || strstr(text, "+SECCOMP");
}

const char *
host_runtime_warning(const char *version)
{
	unsigned int major, minor, patch;
	size_t last = ARRAY_SIZE(fixed_versions) - 1;

	if (sscanf(version, "%u.%u.%u", &major, &minor, &patch) != 3)
		return "its version is not known";
	if (major != 1)
		return major < 1 ? RUNC_WARNING : NULL;
	for (size_t i = 0; i <= last; i++)
		if (minor == fixed_versions[i].minor)
			return patch < fixed_versions[i].patch ? RUNC_WARNING
							       : NULL;
	return minor < fixed_versions[0].minor ? RUNC_WARNING : NULL;
}

static int
run_version(const char *path, char **ret_text, struct skiff_error *err)
{
	char *argv[] = { (char *)path, (char *)"--version", NULL };
	cleanup_close int reader = -1;
	cleanup_close int writer = -1;
	cleanup_close int pidfd = -1;
	cleanup_free char *text = NULL;
	int pipes[2], status, r;
	size_t len;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	reader = pipes[0];
	writer = pipes[1];
	if (proc_spawn(&(struct proc_options){ .path = path,
					       .argv = argv,
					       .stdout_fd = writer },
		       &pid, &pidfd, err) < 0)
		return -1;
	(void)close(STEAL_FD(writer));
	r = fs_read_fd(reader, VERSION_TEXT_MAX, &text, &len, err);
	(void)close(STEAL_FD(reader));
	if (proc_wait(pidfd, deadline_in_ms(VERSION_TIMEOUT_MS), &status, err) <
		0 ||
	    r < 0)
		return -1;
	if (status != 0)
		return err_set(err, SKIFF_UNAVAILABLE, "exit status %d",
			       status);
	*ret_text = STEAL_PTR(text);
	return 0;
}

static void
probe_runtime(struct host *host)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *path = NULL;
	cleanup_free char *text = NULL;

	if (proc_find("runc", &path, &err) < 0 ||
	    run_version(path, &text, &err) < 0) {
		log_failure(LOG_WARN, &err, "runc --version");
		return;
	}
	take_version(host, text);
	host->runtime_path = STEAL_PTR(path);
	host->runtime_warning = host_runtime_warning(host->runtime_version);
}

void
host_keep_private(struct host *host, const char *dir)
{
	cleanup_free char *resolved = realpath(dir, NULL);

	strv_add(&host->private_dirs, resolved ? resolved : dir);
}

int
host_probe(const char *root_path, struct host *ret_host,
	   struct skiff_error *err)
{
	struct utsname names;
	struct digest digest;

	if (uname(&names) < 0)
		return err_errno(err, errno, "uname");
	*ret_host = (struct host){ 0 };
	(void)snprintf(ret_host->kernel, sizeof(ret_host->kernel), "%s",
		       names.release);
	digest_of(root_path, strlen(root_path), &digest);
	(void)snprintf(ret_host->cgroup_prefix, sizeof(ret_host->cgroup_prefix),
		       "/skiff-%.8s", digest_hex(&digest));
	host_keep_private(ret_host, root_path);
	probe_cgroups(ret_host);
	probe_rights(ret_host);
	probe_thermal(ret_host);
	probe_runtime(ret_host);
	return 0;
}

void
host_done(struct host *host)
{
	free(host->runtime_path);
	strv_done(&host->thermal_paths);
	strv_done(&host->private_dirs);
	*host = (struct host){ 0 };
}

bool
host_has_huge_pages(const char *size)
{
	static const char units[] = "KMG";
	const char *unit = size + strspn(size, "0123456789");
	struct skiff_error ignored = ERROR_INIT;
	cleanup_free char *digits = xstrndup(size, (size_t)(unit - size));
	cleanup_free char *path = NULL;
	const char *place;
	uint64_t number;

	place = *unit ? strchr(units, *unit) : NULL;
	if (!place || strcmp(unit + 1, "B") != 0 ||
	    parse_u64(digits, UINT32_MAX, &number, &ignored) < 0)
		return false;
	number <<= 10 * (place - units);
	path = xasprintf("/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB",
			 number);
	return access(path, F_OK) == 0;
}
