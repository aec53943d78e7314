/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup statistics, limits and freezers, from files as kernels write them, and
 * as they do not.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cgroup/file.h"
#include "runtime/cgroup/freezer.h"
#include "runtime/cgroup/limits.h"
#include "runtime/cgroup/stats.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static char *root;

/* A directory below root, as one of a container's cgroups. */
static void
add_dir(struct cgroup_dirs *dirs, const char *name, bool is_v1)
{
	char *place = dirs->text + dirs->used;
	int n = snprintf(place, sizeof(dirs->text) - dirs->used, "%s/%s", root,
			 name);

	(void)mkdir(place, 0755);
	dirs->start[dirs->n] = (uint16_t)dirs->used;
	dirs->list[dirs->n] = (uint16_t)(dirs->used + (size_t)n - strlen(name));
	dirs->list_len[dirs->n++] = is_v1 ? (uint8_t)strlen(name) : 0;
	dirs->used += (size_t)n + 1;
}

static void
add_v1(struct cgroup_dirs *dirs, const char *controller)
{
	add_dir(dirs, controller, /* is_v1= */ true);
}

static void
add_v2(struct cgroup_dirs *dirs, const char *name)
{
	add_dir(dirs, name, /* is_v1= */ false);
}

static void
put(const char *path, const char *text)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *whole = xasprintf("%s/%s", root, path);

	CHECK(fs_replace_file(AT_FDCWD, whole, text, strlen(text), 0644,
			      /* durable= */ false, &err) == 0);
}

static void
a_file_is_looked_for_where_its_controller_is(void)
{
	struct cgroup_dirs dirs;

	cgroup_dirs_from_text("3:cpu,cpuacct:/a/memory\n"
			      "2:memory:/a/memory\n"
			      "1:name=systemd:/a/memory\n"
			      "0::/a/memory\n",
			      &dirs);
	CHECK(dirs.n == 4);
	CHECK(!cgroup_may_have(&dirs, 0, "memory.stat"));
	CHECK(cgroup_may_have(&dirs, 0, "cpu.stat"));
	CHECK(cgroup_may_have(&dirs, 0, "cpuacct.usage"));
	CHECK(!cgroup_may_have(&dirs, 0, "cpuset.cpus"));
	CHECK(cgroup_may_have(&dirs, 1, "memory.stat"));
	CHECK(cgroup_may_have(&dirs, 1, "../memory.stat"));
	CHECK(!cgroup_may_have(&dirs, 2, "memory.stat"));
	/* v2 has them all, as every hierarchy has cgroups' own. */
	CHECK(cgroup_may_have(&dirs, 3, "memory.stat"));
	for (size_t i = 0; i < dirs.n; i++) {
		CHECK(cgroup_may_have(&dirs, i, "cgroup.procs"));
		CHECK(cgroup_may_have(&dirs, i, "tasks"));
	}
}

static void
v1_is_read_controller_by_controller(void)
{
	struct cgroup_dirs dirs = { 0 };
	struct cgroup_stats stats;

	root = scratch_make();
	add_v1(&dirs, "pids");
	add_v1(&dirs, "blkio");
	add_v1(&dirs, "memory");
	add_v1(&dirs, "cpu");
	add_v1(&dirs, "cpuacct");
	add_v2(&dirs, "unified");
	put("pids/pids.current", "3\n");
	put("pids/pids.max", "max\n");
	put("cpuacct/cpuacct.usage", "123456789012\n");
	put("cpuacct/cpuacct.stat", "user 50\nsystem 25\n");
	put("cpu/cpu.stat", "nr_periods 10\nnr_throttled 2\n"
			    "throttled_time 3000\n");
	/* Hybrid: it is counted here again, and no limit is set here. */
	put("unified/cpu.stat", "usage_usec 7\nuser_usec 8\nsystem_usec 9\n"
				"nr_periods 0\nnr_throttled 0\n"
				"throttled_usec 0\n");
	put("memory/memory.usage_in_bytes", "4096000\n");
	put("memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/memory.max_usage_in_bytes", "8192000\n");
	put("memory/memory.stat", "cache 1\nrss 2\ninactive_file 3\n"
				  "total_cache 100\ntotal_rss 200\n"
				  "total_inactive_file 50\ntotal_swap 0\n");
	put("memory/memory.oom_control",
	    "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
	put("blkio/blkio.throttle.io_service_bytes_recursive",
	    "8:0 Read 1000\n8:0 Write 2000\n8:0 Total 3000\n"
	    "8:16 Read 1\n8:16 Write 2\nTotal 3003\n");
	put("blkio/blkio.throttle.io_serviced", "8:0 Read 5\n8:0 Write 6\n");

	cgroup_stats_read(&dirs, &stats);
	CHECK(stats.pids == 3 && stats.pids_limit == CGROUP_UNLIMITED);
	CHECK(stats.cpu_usage_ns == 123456789012);
	CHECK(stats.cpu_user_ns == 50 * (1000000000 / sysconf(_SC_CLK_TCK)));
	CHECK(stats.cpu_periods == 10 && stats.cpu_throttled_periods == 2 &&
	      stats.cpu_throttled_ns == 3000);
	CHECK(stats.memory_usage == 4096000 && stats.memory_peak == 8192000);
	CHECK(stats.memory_limit == CGROUP_UNLIMITED);
	CHECK(stats.memory_anon == 200 && stats.memory_file == 100);
	CHECK(stats.memory_inactive_file == 50 && stats.memory_swap == 0);
	CHECK(stats.memory_oom_kills == 4);
	CHECK(stats.io_read_bytes == 1001 && stats.io_write_bytes == 2002);
	CHECK(stats.io_reads == 5 && stats.io_writes == 6);
	CHECK(cgroup_exists(&dirs));
	scratch_remove(root);
	CHECK(!cgroup_exists(&dirs));
}

static void
v2_is_read_from_one_directory(void)
{
	struct cgroup_dirs dirs = { 0 };
	struct cgroup_stats stats;

	root = scratch_make();
	add_v2(&dirs, "c");
	put("c/cpu.stat", "usage_usec 2500\nuser_usec 2000\nsystem_usec 500\n"
			  "core_sched.force_idle_usec 0\nnr_periods 1\n"
			  "nr_throttled 1\nthrottled_usec 6\nnr_bursts 0\n");
	put("c/memory.current", "1048576\n");
	put("c/memory.max", "67108864\n");
	put("c/memory.peak", "2097152\n");
	put("c/memory.swap.current", "12\n");
	put("c/memory.stat", "anon 300\nfile 400\nkernel 5\n"
			     "inactive_anon 1\ninactive_file 100\n");
	put("c/memory.events",
	    "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n");
	put("c/pids.current", "7");
	put("c/pids.max", "4096\n");
	put("c/io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 "
			 "dios=0\n8:16 rbytes=5 wbytes=0 rios=1 wios=0 "
			 "dbytes=0 dios=0\n");
	cgroup_stats_read(&dirs, &stats);
	CHECK(stats.cpu_usage_ns == 2500000 && stats.cpu_user_ns == 2000000 &&
	      stats.cpu_system_ns == 500000);
	CHECK(stats.cpu_throttled_ns == 6000);
	CHECK(stats.memory_usage == 1048576 && stats.memory_limit == 67108864 &&
	      stats.memory_peak == 2097152);
	CHECK(stats.memory_swap == 12 && stats.memory_anon == 300 &&
	      stats.memory_file == 400 && stats.memory_inactive_file == 100);
	CHECK(stats.memory_oom_kills == 1);
	CHECK(stats.pids == 7 && stats.pids_limit == 4096);
	CHECK(stats.io_read_bytes == 15 && stats.io_write_bytes == 20 &&
	      stats.io_reads == 2 && stats.io_writes == 2);
	scratch_remove(root);
}

static void
what_is_missing_or_odd_is_unknown(void)
{
	struct cgroup_dirs dirs = { 0 };
	struct cgroup_stats stats;

	root = scratch_make();
	add_v2(&dirs, "c");
	cgroup_stats_read(&dirs, &stats);
	CHECK(stats.cpu_usage_ns == CGROUP_UNKNOWN);
	CHECK(stats.memory_limit == CGROUP_UNKNOWN);
	CHECK(stats.io_writes == CGROUP_UNKNOWN);

	put("c/cpu.stat", "usage_usec\nuser_usec x\n\nsystem_usec 1 2\n"
			  " nr_periods 3\nthrottled_usec 99999999999999999999");
	put("c/memory.current", "");
	put("c/memory.max", "-5\n");
	put("c/memory.stat", "anon -1\nfile 7z\n");
	put("c/pids.current", "many\n");
	put("c/pids.max", "99999999999999999999\n");
	/* A device that was never used has no line, or an empty one. */
	put("c/io.stat", "8:0\n\n8:16 rbytes= wbytes=x rios=3\nrbytes\n");
	cgroup_stats_read(&dirs, &stats);
	CHECK(stats.cpu_usage_ns == CGROUP_UNKNOWN);
	CHECK(stats.cpu_user_ns == CGROUP_UNKNOWN);
	CHECK(stats.cpu_system_ns == 1000);
	CHECK(stats.cpu_periods == CGROUP_UNKNOWN);
	CHECK(stats.memory_usage == CGROUP_UNKNOWN);
	CHECK(stats.memory_limit == CGROUP_UNKNOWN);
	CHECK(stats.memory_anon == CGROUP_UNKNOWN);
	CHECK(stats.memory_file == CGROUP_UNKNOWN);
	CHECK(stats.pids == CGROUP_UNKNOWN);
	CHECK(stats.pids_limit == CGROUP_UNLIMITED);
	CHECK(stats.io_read_bytes == 0 && stats.io_write_bytes == 0 &&
	      stats.io_reads == 3 && stats.io_writes == 0);
	scratch_remove(root);
}

static void
freezers_of_both_versions_are_understood(void)
{
	struct skiff_error err = ERROR_INIT;
	struct cgroup_dirs dirs = { 0 };
	char text[64];

	root = scratch_make();
	add_v2(&dirs, "v2");
	CHECK(cgroup_freezer_state(&dirs) == FREEZER_ABSENT);
	CHECK(cgroup_set_frozen(&dirs, true, &err) == -1 &&
	      err.code == SKIFF_UNIMPLEMENTED);
	put("v2/cgroup.freeze", "0\n");
	put("v2/cgroup.events", "populated 1\nfrozen 0\n");
	CHECK(cgroup_freezer_state(&dirs) == FREEZER_THAWED);
	CHECK(cgroup_set_frozen(&dirs, true, &err) == 0);
	CHECK(cgroup_read(&dirs, "cgroup.freeze", text, sizeof(text)));
	CHECK_STR(text, "1\n");
	CHECK(cgroup_freezer_state(&dirs) == FREEZER_FREEZING);
	put("v2/cgroup.events", "populated 1\nfrozen 1\n");
	CHECK(cgroup_freezer_state(&dirs) == FREEZER_FROZEN);

	/* In hybrid mode v1's is the one that the runtime uses. */
	add_v1(&dirs, "freezer");
	put("freezer/freezer.state", "FREEZING\n");
	CHECK(cgroup_freezer_state(&dirs) == FREEZER_FREEZING);
	put("freezer/freezer.state", "FROZEN\n");
	CHECK(cgroup_freezer_state(&dirs) == FREEZER_FROZEN);
	put("freezer/freezer.state", "------\n");
	CHECK(cgroup_set_frozen(&dirs, false, &err) == 0);
	CHECK(cgroup_read(&dirs, "freezer.state", text, sizeof(text)));
	CHECK_STR(text, "THAWED\n");
	CHECK(cgroup_freezer_state(&dirs) == FREEZER_THAWED);
	scratch_remove(root);
}

static void
expect(const char *path, const char *text)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *whole = xasprintf("%s/%s", root, path);
	cleanup_free char *found = NULL;

	CHECK(fs_read_file(AT_FDCWD, whole, 4096, &found, NULL, &err) == 0);
	CHECK_STR(found, text);
}

/* A write does not cut off what was longer: each begins empty. */
static void
empty_v2_files(void)
{
	static const char *const files[] = {
		"c/memory.max",	 "c/memory.swap.max", "c/memory.low",
		"c/cpu.max",	 "c/cpu.weight",      "c/pids.max",
		"c/cpuset.cpus",
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put(files[i], "");
}

static void
limits_of_v2_are_written_in_its_words(void)
{
	struct cgroup_limits limits = CGROUP_LIMITS_INIT;
	struct skiff_error err = ERROR_INIT;
	struct cgroup_dirs dirs = { 0 };

	root = scratch_make();
	add_v2(&dirs, "c");
	empty_v2_files();
	limits.memory = 64 << 20;
	limits.memory_swap = 96 << 20;
	limits.memory_reservation = 32 << 20;
	limits.cpu_quota_us = 50000;
	limits.cpu_period_us = 100000;
	limits.cpu_shares = 1024;
	limits.pids = 10;
	(void)snprintf(limits.cpuset_cpus, sizeof(limits.cpuset_cpus), "0-1");
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == 0);
	expect("c/memory.max", "67108864");
	expect("c/memory.swap.max", "33554432");
	expect("c/memory.low", "33554432");
	expect("c/cpu.max", "50000 100000");
	expect("c/cpu.weight", "39");
	expect("c/pids.max", "10");
	expect("c/cpuset.cpus", "0-1");

	empty_v2_files();
	limits.memory = limits.memory_swap = CGROUP_UNLIMITED;
	limits.memory_reservation = CGROUP_UNLIMITED;
	limits.cpu_quota_us = limits.pids = CGROUP_UNLIMITED;
	limits.cpu_shares = CGROUP_UNLIMITED;
	(void)snprintf(limits.cpuset_cpus, sizeof(limits.cpuset_cpus), "*");
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == 0);
	expect("c/memory.max", "max");
	expect("c/memory.swap.max", "max");
	expect("c/memory.low", "0");
	expect("c/cpu.max", "max 100000");
	expect("c/cpu.weight", "39");
	expect("c/pids.max", "max");
	expect("c/cpuset.cpus", "\n");

	/* Where the one above has none of its own, what it really has. */
	empty_v2_files();
	put("cpuset.cpus", "\n");
	put("cpuset.cpus.effective", "0-3\n");
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == 0);
	expect("c/cpuset.cpus", "0-3\n");
	scratch_remove(root);
}

/* Which file, and what 300 and nothing in particular are there. */
static void
check_weight(const char *name, bool is_v1, const char *of_300,
	     const char *usual)
{
	cleanup_free char *file =
	    xasprintf("%s/%s", is_v1 ? "blkio" : "c", name);
	struct cgroup_limits limits = CGROUP_LIMITS_INIT;
	struct cgroup_limits before = CGROUP_LIMITS_INIT;
	struct skiff_error err = ERROR_INIT;
	struct cgroup_dirs dirs = { 0 };

	root = scratch_make();
	add_dir(&dirs, is_v1 ? "blkio" : "c", is_v1);
	limits.blkio_weight = 300;
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == -1);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.field, "/resources/blkio_weight");
	put(file, "");
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == 0);
	expect(file, of_300);
	cgroup_limits_read(&dirs, &before);
	CHECK(before.blkio_weight == 300);
	put(file, "");
	limits.blkio_weight = CGROUP_UNLIMITED;
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == 0);
	expect(file, usual);
	cgroup_limits_read(&dirs, &before);
	CHECK(before.blkio_weight == CGROUP_UNLIMITED);
	put(file, "default 200\n8:0 300\n");
	cgroup_limits_read(&dirs, &before);
	CHECK((before.blkio_weight == 200) != (strcmp(name, "io.weight") == 0));
	scratch_remove(root);
}

static void
a_weight_of_block_devices_goes_where_there_is_one(void)
{
	check_weight("blkio.weight", true, "300", "500");
	check_weight("blkio.bfq.weight", true, "300", "100");
	check_weight("io.bfq.weight", false, "300", "100");
	check_weight("io.weight", false, "2930", "100");
}

static void
limits_below_use_or_unknown_to_the_kernel_are_refused(void)
{
	struct cgroup_limits limits = CGROUP_LIMITS_INIT;
	struct skiff_error err = ERROR_INIT;
	struct cgroup_dirs dirs = { 0 };

	root = scratch_make();
	add_v2(&dirs, "c");
	put("c/memory.max", "");
	put("c/memory.current", "50000000\n");
	put("c/memory.stat", "anon 1\ninactive_file 20000000\n");
	put("c/pids.current", "5\n");
	limits.memory = 29999999;
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == -1);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.reason, "limit_below_use");
	CHECK_STR(err.field, "/resources/memory");
	expect("c/memory.max", "");
	limits.memory = 32 << 20;
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == 0);
	limits.memory = CGROUP_UNKNOWN;
	limits.pids = 4;
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == -1);
	CHECK_STR(err.field, "/resources/pids");
	limits.pids = 5;
	CHECK(cgroup_limits_set(&dirs, &limits, &err) == -1);
	CHECK(err.code == SKIFF_FAILED_PRECONDITION);
	CHECK_STR(err.reason, "limits_not_applied");
	scratch_remove(root);
}

TESTS(TEST(a_file_is_looked_for_where_its_controller_is),
      TEST(v1_is_read_controller_by_controller),
      TEST(v2_is_read_from_one_directory),
      TEST(what_is_missing_or_odd_is_unknown),
      TEST(limits_of_v2_are_written_in_its_words),
      TEST(a_weight_of_block_devices_goes_where_there_is_one),
      TEST(limits_below_use_or_unknown_to_the_kernel_are_refused),
      TEST(freezers_of_both_versions_are_understood))
