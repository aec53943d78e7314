/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "store/host_ids.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/parse.h"

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

/* False: it is no number, or not there. */
static bool
take_number(const char *line, int field, int64_t *ret_number)
{
	struct skiff_error ignored = ERROR_INIT;
	cleanup_free char *text = NULL;
	uint64_t number;

	for (; field > 0 && *line; field--) {
		line = strchrnul(line, ':');
		line += *line == ':';
	}
	text = xstrndup(line, strcspn(line, ":"));
	if (parse_u64(text, UINT32_MAX, &number, &ignored) < 0)
		return false;
	*ret_number = (int64_t)number;
	return true;
}

static bool
names_one_of(const struct id_file *file, const char *line, int64_t first,
	     int64_t last, int64_t *ret_last)
{
	int64_t count = 1;
	int64_t id;

	if (!take_number(line, file->id, &id) ||
	    (file->count && !take_number(line, file->count, &count)) ||
	    id > last || id + count <= first)
		return false;
	*ret_last = id + count - 1;
	return true;
}

static bool
is_in_file(const struct id_file *file, int64_t first, int64_t last,
	   int64_t *ret_last)
{
	struct skiff_error absent = ERROR_INIT;
	cleanup_free char *text = NULL;
	char *rest;
	char *line;
	size_t len;

	if (fs_read_file(AT_FDCWD, file->path, FILE_MAX, &text, &len, &absent) <
	    0)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (names_one_of(file, line, first, last, ret_last))
			return true;
	return false;
}

bool
host_ids_are_taken(int64_t first, int64_t last, int64_t *ret_last)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (is_in_file(&files[i], first, last, ret_last))
			return true;
	return false;
}
