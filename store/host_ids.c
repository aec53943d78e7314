/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "store/host_ids.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define FILE_MAX (16 << 20)

/* Lines of fields, by colons. */
struct id_file {
	const char *path;
	int id;	   /* the field with an id */
	int count; /* that with how many there are; 0: one */
};

static const struct id_file files[] = {
	{ "/etc/passwd", 2, 0 }, { "/etc/passwd", 3, 0 },
	{ "/etc/group", 2, 0 },	 { "/etc/subuid", 1, 2 },
	{ "/etc/subgid", 1, 2 },
};

/* Digits, and as much as an id may be; false: there are none. */
static bool
take_number(const char *line, int field, int64_t *ret_number)
{
	int64_t number = 0;
	size_t n;

	for (; field > 0 && *line; field--) {
		line = strchrnul(line, ':');
		line += *line == ':';
	}
	line += strspn(line, " \t");
	n = strspn(line, "0123456789");
	for (size_t i = 0; i < n; i++)
		if (number <= UINT32_MAX)
			number = number * 10 + (line[i] - '0');
	*ret_number = number <= UINT32_MAX ? number : UINT32_MAX;
	return n > 0;
}

static void
take_line(const struct id_file *file, const char *line, struct host_ids *ids)
{
	int64_t count = 1;
	int64_t id;

	if (!take_number(line, file->id, &id) ||
	    (file->count && !take_number(line, file->count, &count)) ||
	    count == 0)
		return;
	if (ids->n == ids->cap) {
		ids->cap = ids->cap ? 2 * ids->cap : 64;
		ids->ranges =
		    xrealloc(ids->ranges, ids->cap, sizeof(*ids->ranges));
	}
	ids->ranges[ids->n++] = (struct host_id_range){ id, id + count - 1 };
}

static int
load_file(const struct id_file *file, struct host_ids *ids,
	  struct skiff_error *err)
{
	struct skiff_error fault = ERROR_INIT;
	cleanup_free char *text = NULL;
	char *rest;
	char *line;
	size_t len;

	if (fs_read_file(AT_FDCWD, file->path, FILE_MAX, &text, &len, &fault) <
	    0) {
		if (fault.code == SKIFF_NOT_FOUND)
			return 0;
		*err = fault;
		return err_wrap(err, "whose ids are whose");
	}
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		take_line(file, line, ids);
	return 0;
}

int
host_ids_load(struct host_ids *ret_ids, struct skiff_error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (load_file(&files[i], ret_ids, err) < 0)
			return -1;
	return 0;
}

bool
host_ids_are_taken(const struct host_ids *ids, int64_t first, int64_t last,
		   int64_t *ret_last)
{
	for (size_t i = 0; i < ids->n; i++)
		if (ids->ranges[i].first <= last &&
		    ids->ranges[i].last >= first) {
			*ret_last = ids->ranges[i].last;
			return true;
		}
	return false;
}

void
host_ids_done(struct host_ids *ids)
{
	free(ids->ranges);
	*ids = (struct host_ids){ 0 };
}
