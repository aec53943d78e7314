/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host facts: one look at the kernel's files and one run of each runtime
 * with --version, which costs some milliseconds at start, beside what else
 * is to do there, and none later.
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
#include <sys/stat.h>
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

static bool
is_file_system(const char *path, long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}

/* Links are second names of what is mounted together. */
static void
probe_cgroup_paths(struct host *host)
{
	glob_t found = { 0 };
	struct stat st;

	if (glob(CGROUP_ROOT "/*", 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			if (lstat(found.gl_pathv[i], &st) == 0 &&
			    S_ISDIR(st.st_mode))
				strv_add(&host->cgroup_paths,
					 found.gl_pathv[i]);
	globfree(&found);
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
	probe_cgroup_paths(host);
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

void
host_keep_private(struct host *host, const char *dir)
{
	cleanup_free char *resolved = realpath(dir, NULL);

	strv_add(&host->private_dirs, resolved ? resolved : dir);
}

int
host_probe_begin(const char *root_path, struct host *ret_host,
		 struct skiff_error *err)
{
	struct utsname names;
	struct digest digest;

	if (uname(&names) < 0)
		return err_errno(err, errno, "uname");
	*ret_host = (struct host){ .user_pool = USER_POOL_INIT };
	(void)snprintf(ret_host->kernel, sizeof(ret_host->kernel), "%s",
		       names.release);
	digest_of(root_path, strlen(root_path), &digest);
	(void)snprintf(ret_host->cgroup_prefix, sizeof(ret_host->cgroup_prefix),
		       "/skiff-%.8s", digest_hex(&digest));
	host_keep_private(ret_host, root_path);
	probe_cgroups(ret_host);
	probe_rights(ret_host);
	probe_thermal(ret_host);
	for (size_t i = 0; i < HOST_RUNTIMES; i++)
		oci_runtime_probe_begin(oci_runtime_names[i],
					&ret_host->runtimes[i]);
	return 0;
}

void
host_probe_end(struct host *host)
{
	for (size_t i = 0; i < HOST_RUNTIMES; i++)
		oci_runtime_probe_end(&host->runtimes[i]);
}

void
host_done(struct host *host)
{
	host_probe_end(host);
	for (size_t i = 0; i < HOST_RUNTIMES; i++)
		oci_runtime_done(&host->runtimes[i]);
	strv_done(&host->thermal_paths);
	strv_done(&host->cgroup_paths);
	strv_done(&host->private_dirs);
	strv_done(&host->bind_roots);
	*host = (struct host){ 0 };
}

int
host_oom_score_min(const struct host *host)
{
	return host->may_raise_limits ? -OOM_SCORE_MAX : host->oom_score_adj;
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

const struct oci_runtime *
host_runtime(const struct host *host, const char *name)
{
	for (size_t i = 0; i < HOST_RUNTIMES; i++) {
		const struct oci_runtime *runtime = &host->runtimes[i];

		if (runtime->name &&
		    (strcmp(runtime->name, name) == 0 ||
		     (runtime->path && strcmp(runtime->path, name) == 0)))
			return runtime;
	}
	return NULL;
}

const struct oci_runtime *
host_default_runtime(const struct host *host)
{
	for (size_t i = 0; i < HOST_RUNTIMES; i++)
		if (host->runtimes[i].path)
			return &host->runtimes[i];
	return NULL;
}

bool
host_runtime_has_seccomp(const struct host *host, const char *name)
{
	const struct oci_runtime *runtime = host_runtime(host, name);

	return !runtime || runtime->has_seccomp;
}
