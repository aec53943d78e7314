/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits, in cgroup v1 and v2 (kernel: admin-guide/cgroup-v1/,
 * cgroup-v2.rst). Which one it is the files' names say, one controller at
 * a time: in hybrid mode both are there.
 */
#include "config.h"

#include "runtime/cgroup/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/cgroup/file.h"

#define V1_MEMORY "memory.limit_in_bytes"
#define V1_SWAP "memory.memsw.limit_in_bytes"
#define V1_SOFT "memory.soft_limit_in_bytes"
#define V1_QUOTA "cpu.cfs_quota_us"
#define V1_PERIOD "cpu.cfs_period_us"
#define V1_SHARES "cpu.shares"
#define V2_MEMORY "memory.max"
#define V2_SWAP "memory.swap.max"
#define V2_LOW "memory.low"
#define V2_CPU "cpu.max"
#define V2_WEIGHT "cpu.weight"
#define PIDS "pids.max"
#define SHARES_DEFAULT 1024
#define PERIOD_DEFAULT_US 100000

/* The first that there is; in the order of runc and crun. */
static const struct weight_file {
	const char *name;
	int64_t usual; /* what everyone has */
	bool is_scaled;
} weight_files[] = {
	{ "blkio.weight", 500, false },
	{ "blkio.bfq.weight", 100, false },
	{ "io.bfq.weight", 100, false },
	{ "io.weight", 100, true },
};

static bool
has_file(const struct cgroup_dirs *dirs, const char *name)
{
	cleanup_close int fd = cgroup_open(dirs, name, O_PATH);

	return fd >= 0;
}

static bool
is_less(int64_t a, int64_t b)
{
	if (a == CGROUP_UNLIMITED)
		return false;
	return b == CGROUP_UNLIMITED || a < b;
}

/* What runc and crun make of v1's shares in v2, and back. */
static int64_t
weight_of_shares(int64_t shares)
{
	return 1 + (shares - 2) * 9999 / 262142;
}

static int64_t
shares_of_weight(int64_t weight)
{
	return weight < 1 ? weight : 2 + ((weight - 1) * 262142 + 9998) / 9999;
}

/* The same of v1's weight of block devices, 10 to 1000. */
static int64_t
scale_weight(int64_t weight)
{
	return 1 + (weight - 10) * 9999 / 990;
}

static int64_t
unscale_weight(int64_t scaled)
{
	return 10 + ((scaled - 1) * 990 + 9998) / 9999;
}

static const struct weight_file *
find_weight_file(const struct cgroup_dirs *dirs)
{
	for (size_t i = 0; i < ARRAY_SIZE(weight_files); i++)
		if (has_file(dirs, weight_files[i].name))
			return &weight_files[i];
	return NULL;
}

/* --- reading -------------------------------------------------------------- */

static int64_t
read_number(const struct cgroup_dirs *dirs, const char *name)
{
	char text[64];

	if (!cgroup_read(dirs, name, text, sizeof(text)))
		return CGROUP_UNKNOWN;
	return strncmp(text, "-1", 2) == 0 ? CGROUP_UNLIMITED
					   : cgroup_number(text);
}

/* 0 is none in v2. */
static int64_t
read_reservation(const struct cgroup_dirs *dirs)
{
	int64_t soft = read_number(dirs, V1_SOFT);
	int64_t low;

	if (soft != CGROUP_UNKNOWN)
		return soft;
	low = read_number(dirs, V2_LOW);
	return low == 0 ? CGROUP_UNLIMITED : low;
}

/* "max 100000". */
static void
read_cpu_max(const struct cgroup_dirs *dirs, struct cgroup_limits *limits)
{
	char text[64];
	const char *period;

	if (!cgroup_read(dirs, V2_CPU, text, sizeof(text)))
		return;
	limits->cpu_quota_us = cgroup_number(text);
	period = strchr(text, ' ');
	limits->cpu_period_us =
	    period ? cgroup_number(period + 1) : CGROUP_UNKNOWN;
}

/* "100", or "default 100" with lines of single devices below. */
static int64_t
read_weight(const struct cgroup_dirs *dirs)
{
	const struct weight_file *file = find_weight_file(dirs);
	size_t word = strlen("default ");
	int64_t weight;
	char text[64];

	if (!file || !cgroup_read(dirs, file->name, text, sizeof(text)))
		return CGROUP_UNKNOWN;
	weight = cgroup_number(
	    strncmp(text, "default ", word) == 0 ? text + word : text);
	if (weight == file->usual)
		return CGROUP_UNLIMITED;
	return file->is_scaled && weight > 0 ? unscale_weight(weight) : weight;
}

static void
read_list(const struct cgroup_dirs *dirs, const char *name,
	  char list[CPUSET_MAX])
{
	if (!cgroup_read(dirs, name, list, CPUSET_MAX))
		*list = '\0';
	list[strcspn(list, "\n")] = '\0';
}

void
cgroup_limits_read(const struct cgroup_dirs *dirs,
		   struct cgroup_limits *ret_limits)
{
	struct cgroup_limits limits = CGROUP_LIMITS_INIT;
	int64_t swap = read_number(dirs, V2_SWAP);

	limits.memory = read_number(dirs, V1_MEMORY);
	limits.memory_swap = read_number(dirs, V1_SWAP);
	if (limits.memory == CGROUP_UNKNOWN) {
		limits.memory = read_number(dirs, V2_MEMORY);
		limits.memory_swap =
		    swap < 0 || limits.memory < 0 ? swap : swap + limits.memory;
	}
	limits.memory_reservation = read_reservation(dirs);
	limits.cpu_quota_us = read_number(dirs, V1_QUOTA);
	limits.cpu_period_us = read_number(dirs, V1_PERIOD);
	if (limits.cpu_quota_us == CGROUP_UNKNOWN)
		read_cpu_max(dirs, &limits);
	limits.cpu_shares = read_number(dirs, V1_SHARES);
	if (limits.cpu_shares == CGROUP_UNKNOWN)
		limits.cpu_shares =
		    shares_of_weight(read_number(dirs, V2_WEIGHT));
	limits.pids = read_number(dirs, PIDS);
	limits.blkio_weight = read_weight(dirs);
	read_list(dirs, "cpuset.cpus", limits.cpuset_cpus);
	read_list(dirs, "cpuset.mems", limits.cpuset_mems);
	*ret_limits = limits;
}

/* --- checking ------------------------------------------------------------- */

static int
below_use(const char *field, int64_t use, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "%" PRId64 " are in use already", use);
	(void)err_field(err, field);
	return err_reason(err, "limit_below_use");
}

static int
check_use(const struct cgroup_dirs *dirs, const struct cgroup_limits *limits,
	  struct skiff_error *err)
{
	struct cgroup_stats stats;
	int64_t memory;

	cgroup_stats_read(dirs, &stats);
	/* The kernel drops what it read from files. */
	memory = stats.memory_usage;
	if (memory > 0 && stats.memory_inactive_file > 0)
		memory -= stats.memory_inactive_file;
	if (limits->memory >= 0 && memory > limits->memory)
		return below_use("/resources/memory", memory, err);
	if (limits->pids >= 0 && stats.pids > limits->pids)
		return below_use("/resources/pids", stats.pids, err);
	return 0;
}

static int
not_applied(const char *field, const char *what, int64_t is, int64_t wanted,
	    struct skiff_error *err)
{
	if (is == CGROUP_UNKNOWN)
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "this host cannot limit %s", what);
	else if (is == CGROUP_UNLIMITED)
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "%s is not limited to %" PRId64, what, wanted);
	else
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "the limit of %s is %" PRId64 ", not %" PRId64,
			      what, is, wanted);
	(void)err_field(err, field);
	return err_reason(err, "limits_not_applied");
}

/* The kernel keeps whole pages. */
static int64_t
whole_pages(int64_t bytes)
{
	return bytes < 0 ? bytes : bytes - bytes % sysconf(_SC_PAGESIZE);
}

static int
check_number(const char *field, const char *what, int64_t is, int64_t wanted,
	     struct skiff_error *err)
{
	if (wanted == CGROUP_UNKNOWN || is == wanted ||
	    (wanted == CGROUP_UNLIMITED && is == CGROUP_UNKNOWN))
		return 0;
	return not_applied(field, what, is, wanted, err);
}

int
cgroup_limits_check(const struct cgroup_dirs *dirs,
		    const struct cgroup_limits *limits, struct skiff_error *err)
{
	struct cgroup_limits is;

	cgroup_limits_read(dirs, &is);
	/* A quota says nothing without its period. */
	if (check_number("/resources/memory", "memory", is.memory,
			 whole_pages(limits->memory), err) < 0 ||
	    check_number("/resources/memory_swap", "memory and swap",
			 is.memory_swap, whole_pages(limits->memory_swap),
			 err) < 0 ||
	    check_number("/resources/memory_reservation", "reserved memory",
			 is.memory_reservation,
			 whole_pages(limits->memory_reservation), err) < 0 ||
	    check_number("/resources/cpus", "processor time", is.cpu_quota_us,
			 limits->cpu_quota_us, err) < 0 ||
	    check_number("/resources/cpus", "processor time's period",
			 is.cpu_period_us, limits->cpu_period_us, err) < 0 ||
	    check_number("/resources/pids", "processes", is.pids, limits->pids,
			 err) < 0)
		return -1;
	return 0;
}

/* --- setting -------------------------------------------------------------- */

static int
put(const struct cgroup_dirs *dirs, const char *name, int64_t value,
    struct skiff_error *err)
{
	/* v1 says -1 for none; both take "max" for pids. */
	bool is_v1 = strcmp(name, V1_MEMORY) == 0 ||
		     strcmp(name, V1_SWAP) == 0 || strcmp(name, V1_SOFT) == 0 ||
		     strcmp(name, V1_QUOTA) == 0;
	char text[32];

	if (value == CGROUP_UNLIMITED)
		(void)snprintf(text, sizeof(text), "%s", is_v1 ? "-1" : "max");
	else
		(void)snprintf(text, sizeof(text), "%" PRId64, value);
	if (cgroup_write(dirs, name, text, err) == 0)
		return 0;
	if (err->code == SKIFF_NOT_FOUND)
		return not_applied("", name, CGROUP_UNKNOWN, 0, err);
	if (err->sys_errno == EBUSY) {
		err->code = SKIFF_FAILED_PRECONDITION;
		(void)err_field(err, "/resources/memory");
		return err_reason(err, "limit_below_use");
	}
	return -1;
}

/* What memory and swap together shall be; CGROUP_UNKNOWN: not counted. */
static int64_t
swap_to_set(const struct cgroup_limits *now, const struct cgroup_limits *limits,
	    int64_t memory)
{
	if (limits->memory_swap != CGROUP_UNKNOWN)
		return limits->memory_swap;
	if (now->memory_swap == CGROUP_UNKNOWN)
		return CGROUP_UNKNOWN;
	if (now->memory_swap == now->memory ||
	    is_less(now->memory_swap, memory))
		return memory;
	return now->memory_swap;
}

/* Memory may never be more than memory and swap together. */
static int
set_memory_v1(const struct cgroup_dirs *dirs, const struct cgroup_limits *now,
	      const struct cgroup_limits *limits, struct skiff_error *err)
{
	int64_t memory =
	    limits->memory != CGROUP_UNKNOWN ? limits->memory : now->memory;
	int64_t swap = swap_to_set(now, limits, memory);
	bool is_raised = is_less(now->memory, memory);

	if (swap != CGROUP_UNKNOWN && is_raised &&
	    put(dirs, V1_SWAP, swap, err) < 0)
		return -1;
	if (put(dirs, V1_MEMORY, memory, err) < 0)
		return -1;
	if (swap != CGROUP_UNKNOWN && !is_raised)
		return put(dirs, V1_SWAP, swap, err);
	return 0;
}

/* Here swap is counted alone, and so stays what it is. */
static int
set_memory_v2(const struct cgroup_dirs *dirs, const struct cgroup_limits *now,
	      const struct cgroup_limits *limits, struct skiff_error *err)
{
	int64_t memory =
	    limits->memory != CGROUP_UNKNOWN ? limits->memory : now->memory;
	int64_t swap = limits->memory_swap;

	if (limits->memory != CGROUP_UNKNOWN &&
	    put(dirs, V2_MEMORY, memory, err) < 0)
		return -1;
	if (swap == CGROUP_UNKNOWN)
		return 0;
	return put(dirs, V2_SWAP,
		   swap >= 0 && memory >= 0 ? swap - memory : swap, err);
}

static int
set_memory(const struct cgroup_dirs *dirs, const struct cgroup_limits *now,
	   const struct cgroup_limits *limits, struct skiff_error *err)
{
	if (limits->memory == CGROUP_UNKNOWN &&
	    limits->memory_swap == CGROUP_UNKNOWN)
		return 0;
	if (has_file(dirs, V1_MEMORY))
		return set_memory_v1(dirs, now, limits, err);
	if (has_file(dirs, V2_MEMORY))
		return set_memory_v2(dirs, now, limits, err);
	return not_applied("/resources/memory", "memory", CGROUP_UNKNOWN, 0,
			   err);
}

static int
set_reservation(const struct cgroup_dirs *dirs,
		const struct cgroup_limits *limits, struct skiff_error *err)
{
	int64_t bytes = limits->memory_reservation;

	if (bytes == CGROUP_UNKNOWN)
		return 0;
	if (has_file(dirs, V1_SOFT))
		return put(dirs, V1_SOFT, bytes, err);
	if (has_file(dirs, V2_LOW))
		return put(dirs, V2_LOW, bytes == CGROUP_UNLIMITED ? 0 : bytes,
			   err);
	return not_applied("/resources/memory_reservation", "reserved memory",
			   CGROUP_UNKNOWN, 0, err);
}

static int
set_quota(const struct cgroup_dirs *dirs, const struct cgroup_limits *limits,
	  struct skiff_error *err)
{
	int64_t period = limits->cpu_period_us > 0 ? limits->cpu_period_us
						   : PERIOD_DEFAULT_US;
	char text[64];

	if (limits->cpu_quota_us == CGROUP_UNKNOWN)
		return 0;
	if (has_file(dirs, V1_QUOTA)) {
		/* Without a quota any period is right. */
		if (put(dirs, V1_QUOTA, CGROUP_UNLIMITED, err) < 0 ||
		    put(dirs, V1_PERIOD, period, err) < 0)
			return -1;
		return put(dirs, V1_QUOTA, limits->cpu_quota_us, err);
	}
	if (!has_file(dirs, V2_CPU))
		return not_applied("/resources/cpus", "processor time",
				   CGROUP_UNKNOWN, 0, err);
	if (limits->cpu_quota_us == CGROUP_UNLIMITED)
		(void)snprintf(text, sizeof(text), "max %" PRId64, period);
	else
		(void)snprintf(text, sizeof(text), "%" PRId64 " %" PRId64,
			       limits->cpu_quota_us, period);
	return cgroup_write(dirs, V2_CPU, text, err);
}

static int
set_shares(const struct cgroup_dirs *dirs, const struct cgroup_limits *limits,
	   struct skiff_error *err)
{
	int64_t shares = limits->cpu_shares == CGROUP_UNLIMITED
			     ? SHARES_DEFAULT
			     : limits->cpu_shares;

	if (shares == CGROUP_UNKNOWN)
		return 0;
	if (has_file(dirs, V1_SHARES))
		return put(dirs, V1_SHARES, shares, err);
	if (has_file(dirs, V2_WEIGHT))
		return put(dirs, V2_WEIGHT, weight_of_shares(shares), err);
	return not_applied("/resources/cpu_shares", "shares", CGROUP_UNKNOWN, 0,
			   err);
}

static int
set_weight(const struct cgroup_dirs *dirs, const struct cgroup_limits *limits,
	   struct skiff_error *err)
{
	const struct weight_file *file = find_weight_file(dirs);
	int64_t weight = limits->blkio_weight;

	if (weight == CGROUP_UNKNOWN)
		return 0;
	if (!file)
		return not_applied("/resources/blkio_weight",
				   "the weight of block devices",
				   CGROUP_UNKNOWN, 0, err);
	if (weight == CGROUP_UNLIMITED)
		weight = file->usual;
	else if (file->is_scaled)
		weight = scale_weight(weight);
	return put(dirs, file->name, weight, err);
}

/*
 * All that the cgroup above has: v1 wants it said, and v2 takes no empty
 * list where processes are. In v2 that cgroup's own list may be empty.
 */
static void
all_of_parent(const struct cgroup_dirs *dirs, const char *name,
	      char list[CPUSET_MAX])
{
	static const char *const suffixes[] = { "", ".effective" };
	char above[64];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		(void)snprintf(above, sizeof(above), "../%s%s", name,
			       suffixes[i]);
		if (cgroup_read(dirs, above, list, CPUSET_MAX) && *list &&
		    *list != '\n')
			return;
	}
	(void)snprintf(list, CPUSET_MAX, "\n");
}

static int
set_list(const struct cgroup_dirs *dirs, const char *name, const char *wanted,
	 struct skiff_error *err)
{
	char list[CPUSET_MAX];

	if (!*wanted)
		return 0;
	(void)snprintf(list, sizeof(list), "%s", wanted);
	if (strcmp(wanted, "*") == 0)
		all_of_parent(dirs, name, list);
	if (cgroup_write(dirs, name, list, err) == 0)
		return 0;
	err->code = SKIFF_FAILED_PRECONDITION;
	return err_reason(err, "limits_not_applied");
}

static int
set_all(const struct cgroup_dirs *dirs, const struct cgroup_limits *now,
	const struct cgroup_limits *limits, struct skiff_error *err)
{
	if (set_memory(dirs, now, limits, err) < 0 ||
	    set_reservation(dirs, limits, err) < 0 ||
	    set_quota(dirs, limits, err) < 0 ||
	    set_shares(dirs, limits, err) < 0 ||
	    set_weight(dirs, limits, err) < 0 ||
	    set_list(dirs, "cpuset.cpus", limits->cpuset_cpus, err) < 0 ||
	    set_list(dirs, "cpuset.mems", limits->cpuset_mems, err) < 0)
		return -1;
	if (limits->pids == CGROUP_UNKNOWN)
		return 0;
	return put(dirs, PIDS, limits->pids, err);
}

int
cgroup_limits_set(const struct cgroup_dirs *dirs,
		  const struct cgroup_limits *limits, struct skiff_error *err)
{
	struct skiff_error ignored = ERROR_INIT;
	struct cgroup_limits before;
	struct cgroup_limits half;

	if (check_use(dirs, limits, err) < 0)
		return -1;
	cgroup_limits_read(dirs, &before);
	if (set_all(dirs, &before, limits, err) == 0 &&
	    cgroup_limits_check(dirs, limits, err) == 0)
		return 0;
	cgroup_limits_read(dirs, &half);
	(void)set_all(dirs, &half, &before, &ignored);
	return -1;
}
