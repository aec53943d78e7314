/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identifiers, names and labels: validation and random ids.
 */
#include "config.h"

#include "base/id.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "base/encode.h"

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool
is_identifier(const char *id)
{
	bool after_alnum = false;

	for (const char *p = id; *p; p++) {
		if (is_alnum(*p))
			after_alnum = true;
		else if (strchr("._-", *p) && after_alnum)
			after_alnum = false;
		else
			return false;
	}
	return after_alnum;
}

int
id_check(const char *static_kind, const char *id, struct skiff_error *err)
{
	if (*id == '\0')
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "%s identifier must not be empty", static_kind);
	if (strlen(id) > ID_MAX)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "%s identifier \"%.32s…\" greater than maximum "
			       "length (%d characters)",
			       static_kind, id, ID_MAX);
	if (!is_identifier(id))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "%s identifier \"%s\" must match "
			       "^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$",
			       static_kind, id);
	return 0;
}

int
name_check(const char *static_kind, const char *name, struct skiff_error *err)
{
	size_t len = strlen(name);

	if (len == 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "%s must not be empty", static_kind);
	if (len > NAME_MAX_BYTES)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "%s is longer than %d bytes", static_kind,
			       NAME_MAX_BYTES);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "%s holds a control character",
				       static_kind);
	if (!is_utf8(name, len))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "%s is not valid UTF-8", static_kind);
	return 0;
}

int
label_check(const char *key, const char *value, struct skiff_error *err)
{
	size_t len = strlen(key) + strlen(value);

	if (*key == '\0')
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "label key must not be empty");
	if (len > LABEL_MAX_BYTES)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "label key and value length (%zu bytes) greater "
			       "than maximum size (%d bytes), key: %.64s",
			       len, LABEL_MAX_BYTES, key);
	if (strncmp(key, "skiff.", 6) == 0 &&
	    strncmp(key, "skiff.default.", 14) != 0)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "label \"%.64s\": the prefix skiff. is reserved "
			       "for the daemon",
			       key);
	return 0;
}

const char *
random_id(char buf[RANDOM_ID_SIZE])
{
	unsigned char bytes[16];
	ssize_t n = getrandom(bytes, sizeof(bytes), 0);

	assert(n == (ssize_t)sizeof(bytes));
	hex_encode(bytes, sizeof(bytes), buf);
	return buf;
}
