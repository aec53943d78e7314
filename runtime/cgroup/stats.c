/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup statistics (kernel: admin-guide/cgroup-v1/, cgroup-v2.rst).
 *
 * A file is looked for by name in every directory, v2's names first: in
 * hybrid mode a container is in both. What was found first stays.
 */
#include "config.h"

#include "runtime/cgroup/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "runtime/cgroup/file.h"

#define NS_PER_US 1000
/* v1 knows no "max": the largest multiple of a page is none. */
#define V1_UNLIMITED (INT64_MAX - (1 << 20))
#define TEXT_MAX 16384

/* A key of a flat-keyed file, and what its number is in. */
struct key {
	const char *name;
	int64_t unit;
	size_t offset; /* of the member of struct cgroup_stats */
};

#define KEY(key, unit, member)                                                 \
	{                                                                      \
		(key), (unit), offsetof(struct cgroup_stats, member)           \
	}

int64_t
cgroup_number(const char *text)
{
	char *end;
	long long value;

	if (strncmp(text, "max", 3) == 0)
		return CGROUP_UNLIMITED;
	if (*text < '0' || *text > '9')
		return CGROUP_UNKNOWN;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*end != '\0' && *end != '\n' && *end != ' ')
		return CGROUP_UNKNOWN;
	if (errno == ERANGE || value >= V1_UNLIMITED)
		return CGROUP_UNLIMITED;
	return value;
}

static int64_t *
member(struct cgroup_stats *stats, size_t offset)
{
	return (int64_t *)(void *)((char *)stats + offset);
}

static void
set_once(int64_t *place, int64_t value, int64_t unit)
{
	if (*place != CGROUP_UNKNOWN || value == CGROUP_UNKNOWN)
		return;
	if (value == CGROUP_UNLIMITED)
		*place = CGROUP_UNLIMITED;
	else
		*place = value > INT64_MAX / unit ? INT64_MAX : value * unit;
}

/* "key number" a line. */
static void
take_keys(char *text, const struct key *keys, size_t n,
	  struct cgroup_stats *stats)
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		const char *name = strsep(&line, " ");

		for (size_t i = 0; line && i < n; i++)
			if (strcmp(name, keys[i].name) == 0)
				set_once(member(stats, keys[i].offset),
					 cgroup_number(line), keys[i].unit);
	}
}

/* From every directory that has the file: in hybrid mode it is two. */
static void
read_keys(const struct cgroup_dirs *dirs, const char *file,
	  const struct key *keys, size_t n, struct cgroup_stats *stats)
{
	char text[TEXT_MAX];

	for (size_t i = 0; i < dirs->n; i++)
		if (cgroup_read_fd(cgroup_open_at(dirs, i, file, O_RDONLY),
				   text, sizeof(text)))
			take_keys(text, keys, n, stats);
}

static void
read_number(const struct cgroup_dirs *dirs, const char *file, int64_t *place)
{
	char text[64];

	if (*place == CGROUP_UNKNOWN &&
	    cgroup_read(dirs, file, text, sizeof(text)))
		*place = cgroup_number(text);
}

static void
read_cpu(const struct cgroup_dirs *dirs, struct cgroup_stats *stats)
{
	int64_t tick_ns = NS_PER_SECOND / sysconf(_SC_CLK_TCK);
	const struct key stat[] = {
		KEY("usage_usec", NS_PER_US, cpu_usage_ns),
		KEY("user_usec", NS_PER_US, cpu_user_ns),
		KEY("system_usec", NS_PER_US, cpu_system_ns),
		KEY("nr_periods", 1, cpu_periods),
		KEY("nr_throttled", 1, cpu_throttled_periods),
		KEY("throttled_usec", NS_PER_US, cpu_throttled_ns),
		KEY("throttled_time", 1, cpu_throttled_ns),
	};
	const struct key acct[] = {
		KEY("user", tick_ns, cpu_user_ns),
		KEY("system", tick_ns, cpu_system_ns),
	};

	/* v1 first: beside it v2 counts, too, but limits nothing. */
	read_number(dirs, "cpuacct.usage", &stats->cpu_usage_ns);
	read_keys(dirs, "cpuacct.stat", acct, ARRAY_SIZE(acct), stats);
	read_keys(dirs, "cpu.stat", stat, ARRAY_SIZE(stat), stats);
}

static void
read_oom_kills(const struct cgroup_dirs *dirs, struct cgroup_stats *stats)
{
	static const struct key kills[] = {
		KEY("oom_kill", 1, memory_oom_kills),
	};

	read_keys(dirs, "memory.events", kills, ARRAY_SIZE(kills), stats);
	read_keys(dirs, "memory.oom_control", kills, ARRAY_SIZE(kills), stats);
}

static void
read_memory(const struct cgroup_dirs *dirs, struct cgroup_stats *stats)
{
	/* v1's own are of the cgroup without those below it. */
	static const struct key v1[] = {
		KEY("total_rss", 1, memory_anon),
		KEY("total_cache", 1, memory_file),
		KEY("total_inactive_file", 1, memory_inactive_file),
		KEY("total_swap", 1, memory_swap),
	};
	static const struct key v2[] = {
		KEY("anon", 1, memory_anon),
		KEY("file", 1, memory_file),
		KEY("inactive_file", 1, memory_inactive_file),
	};

	read_number(dirs, "memory.current", &stats->memory_usage);
	read_number(dirs, "memory.usage_in_bytes", &stats->memory_usage);
	read_number(dirs, "memory.max", &stats->memory_limit);
	read_number(dirs, "memory.limit_in_bytes", &stats->memory_limit);
	read_number(dirs, "memory.peak", &stats->memory_peak);
	read_number(dirs, "memory.max_usage_in_bytes", &stats->memory_peak);
	read_number(dirs, "memory.swap.current", &stats->memory_swap);
	read_keys(dirs, "memory.stat", v1, ARRAY_SIZE(v1), stats);
	read_keys(dirs, "memory.stat", v2, ARRAY_SIZE(v2), stats);
	read_oom_kills(dirs, stats);
}

static void
add(int64_t *sum, int64_t value)
{
	if (value < 0)
		return;
	if (*sum == CGROUP_UNKNOWN)
		*sum = 0;
	*sum = value > INT64_MAX - *sum ? INT64_MAX : *sum + value;
}

/* "8:0 Read 4096" a line, and a last one without device: "Total 4096". */
static bool
read_v1_io(const struct cgroup_dirs *dirs, const char *file, int64_t *reads,
	   int64_t *writes)
{
	char text[TEXT_MAX];
	char *rest = text;
	char *line;

	if (!cgroup_read(dirs, file, text, sizeof(text)))
		return false;
	add(reads, 0);
	add(writes, 0);
	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *device = strsep(&line, " ");
		const char *verb = line ? strsep(&line, " ") : NULL;

		if (!line || !strchr(device, ':'))
			continue;
		if (strcmp(verb, "Read") == 0)
			add(reads, cgroup_number(line));
		else if (strcmp(verb, "Write") == 0)
			add(writes, cgroup_number(line));
	}
	return true;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …" a line. */
static bool
read_v2_io(const struct cgroup_dirs *dirs, struct cgroup_stats *stats)
{
	static const struct key keys[] = {
		KEY("rbytes", 1, io_read_bytes),
		KEY("wbytes", 1, io_write_bytes),
		KEY("rios", 1, io_reads),
		KEY("wios", 1, io_writes),
	};
	char text[TEXT_MAX];
	char *rest = text;
	char *word;

	if (!cgroup_read(dirs, "io.stat", text, sizeof(text)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		add(member(stats, keys[i].offset), 0);
	while ((word = strsep(&rest, " \n")) != NULL) {
		const char *name = strsep(&word, "=");

		for (size_t i = 0; word && i < ARRAY_SIZE(keys); i++)
			if (strcmp(name, keys[i].name) == 0)
				add(member(stats, keys[i].offset),
				    cgroup_number(word));
	}
	return true;
}

static void
read_io(const struct cgroup_dirs *dirs, struct cgroup_stats *stats)
{
	if (read_v2_io(dirs, stats))
		return;
	if (!read_v1_io(dirs, "blkio.throttle.io_service_bytes_recursive",
			&stats->io_read_bytes, &stats->io_write_bytes))
		(void)read_v1_io(dirs, "blkio.throttle.io_service_bytes",
				 &stats->io_read_bytes, &stats->io_write_bytes);
	if (!read_v1_io(dirs, "blkio.throttle.io_serviced_recursive",
			&stats->io_reads, &stats->io_writes))
		(void)read_v1_io(dirs, "blkio.throttle.io_serviced",
				 &stats->io_reads, &stats->io_writes);
}

void
cgroup_stats_read(const struct cgroup_dirs *dirs,
		  struct cgroup_stats *ret_stats)
{
	for (size_t i = 0; i < sizeof(*ret_stats) / sizeof(int64_t); i++)
		*member(ret_stats, i * sizeof(int64_t)) = CGROUP_UNKNOWN;
	read_cpu(dirs, ret_stats);
	read_memory(dirs, ret_stats);
	read_number(dirs, "pids.current", &ret_stats->pids);
	read_number(dirs, "pids.max", &ret_stats->pids_limit);
	read_io(dirs, ret_stats);
}

int64_t
cgroup_oom_kills(const struct cgroup_dirs *dirs)
{
	struct cgroup_stats stats = { .memory_oom_kills = CGROUP_UNKNOWN };

	read_oom_kills(dirs, &stats);
	return stats.memory_oom_kills;
}
