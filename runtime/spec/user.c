/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User strings, passwd(5) and group(5) of an image.
 *
 * A line that is not whole is passed over, as every libc does; what it
 * cannot do is to make a number fit or a number a name.
 */
#include "config.h"

#include "runtime/spec/user.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "runtime/spec/rootfs_view.h"

#define ID_LAST UINT64_C(4294967294)
#define FIELDS_MAX 7

/* The two halves of a user string; a half is a number or a name. */
struct half {
	const char *name; /* NULL: it is a number */
	uint32_t id;
};

static int
bad_user(const char *text, const char *what, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_INVALID_ARGUMENT, "user \"%.64s\": %s", text,
		      what);
	return err_field(err, "/user");
}

static bool
parse_id(const char *text, uint32_t *ret_id)
{
	struct skiff_error ignored = ERROR_INIT;
	uint64_t value;

	if (!*text || parse_u64(text, ID_LAST, &value, &ignored) < 0)
		return false;
	*ret_id = (uint32_t)value;
	return true;
}

static bool
is_name(const char *text)
{
	if (!isalpha((unsigned char)*text) && *text != '_')
		return false;
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.-", *c) &&
		    !(*c == '$' && !c[1]))
			return false;
	return true;
}

static int
parse_half(const char *text, struct half *ret_half)
{
	*ret_half = (struct half){ 0 };
	if (is_name(text)) {
		ret_half->name = text;
		return 0;
	}
	if (text[0] == '0' && text[1]) /* nobody writes 00 and means 0 */
		return -1;
	return parse_id(text, &ret_half->id) ? 0 : -1;
}

/* Splits the line at *at in place; *at moves to the next one. */
static bool
next_line(char **at, char *fields[FIELDS_MAX], size_t *ret_n)
{
	char *line = *at;
	char *end;

	if (!*line)
		return false;
	end = line + strcspn(line, "\n");
	*at = *end ? end + 1 : end;
	*end = '\0';
	*ret_n = 0;
	while (*ret_n < FIELDS_MAX) {
		fields[(*ret_n)++] = line;
		line = strchr(line, ':');
		if (!line)
			break;
		*line++ = '\0';
	}
	return true;
}

/* An absent file is an empty one. */
static int
read_table(struct rootfs_view *view, const char *path, char **ret_text,
	   struct skiff_error *err)
{
	size_t len;

	if (view && rootfs_view_read(view, path, USER_FILE_MAX, ret_text, &len,
				     err) == 0)
		return 0;
	if (view && err->code != SKIFF_NOT_FOUND)
		return -1;
	*err = (struct skiff_error)ERROR_INIT;
	*ret_text = xstrdup("");
	return 0;
}

struct passwd_row {
	char *name; /* NULL: there is none */
	uint32_t gid;
};

static void
find_passwd(char *text, const struct half *half, struct user *user,
	    struct passwd_row *ret_row)
{
	char *fields[FIELDS_MAX];
	uint32_t uid, gid;
	size_t n;

	while (next_line(&text, fields, &n)) {
		if (n < 4 || !parse_id(fields[2], &uid) ||
		    !parse_id(fields[3], &gid))
			continue;
		if (half->name ? strcmp(fields[0], half->name) != 0
			       : uid != half->id)
			continue;
		user->uid = uid;
		ret_row->name = fields[0];
		ret_row->gid = gid;
		if (n >= 6 && fields[5][0] == '/') {
			free(user->home);
			user->home = xstrdup(fields[5]);
		}
		return;
	}
}

static bool
is_member(char *members, const char *name)
{
	char *saved = NULL;

	for (char *one = strtok_r(members, ",", &saved); one;
	     one = strtok_r(NULL, ",", &saved))
		if (strcmp(one, name) == 0)
			return true;
	return false;
}

static int
add_group(struct user *user, uint32_t gid, struct skiff_error *err)
{
	for (size_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return 0;
	if (user->n_groups == USER_GROUPS_MAX) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "/etc/group in the image: user is in more than "
			      "%d groups",
			      USER_GROUPS_MAX);
		return err_reason(err, "image_invalid_rootfs");
	}
	user->groups[user->n_groups++] = gid;
	return 0;
}

/* Groups that have the user as a member. */
static int
add_memberships(char *text, const char *name, struct user *user,
		struct skiff_error *err)
{
	char *fields[FIELDS_MAX];
	uint32_t gid;
	size_t n;

	while (next_line(&text, fields, &n))
		if (n >= 4 && parse_id(fields[2], &gid) &&
		    is_member(fields[3], name) && add_group(user, gid, err) < 0)
			return -1;
	return 0;
}

static bool
find_group(char *text, const char *name, uint32_t *ret_gid)
{
	char *fields[FIELDS_MAX];
	size_t n;

	while (next_line(&text, fields, &n))
		if (n >= 3 && strcmp(fields[0], name) == 0 &&
		    parse_id(fields[2], ret_gid))
			return true;
	return false;
}

static int
nobody(const char *text, const char *what, struct skiff_error *err)
{
	(void)bad_user(text, what, err);
	return err_reason(err, "user_not_found");
}

/* group NULL: none was given, so memberships count. */
static int
fill(struct rootfs_view *view, const char *text, const struct half *who,
     const struct half *group, struct user *user, struct skiff_error *err)
{
	cleanup_free char *passwd = NULL;
	cleanup_free char *groups = NULL;
	struct passwd_row row = { 0 };

	if (read_table(view, "/etc/passwd", &passwd, err) < 0 ||
	    read_table(view, "/etc/group", &groups, err) < 0)
		return -1;
	user->uid = who->id;
	find_passwd(passwd, who, user, &row);
	if (who->name && !row.name)
		return nobody(text, "no such user in the image", err);
	user->gid = group ? group->id : row.gid;
	if (group && group->name &&
	    !find_group(groups, group->name, &user->gid))
		return nobody(text, "no such group in the image", err);
	if (add_group(user, user->gid, err) < 0)
		return -1;
	return row.name && !group ? add_memberships(groups, row.name, user, err)
				  : 0;
}

int
user_resolve(struct rootfs_view *view, const char *text, struct user *ret_user,
	     struct skiff_error *err)
{
	CLEANUP(user_done) struct user user = { 0 };
	cleanup_free char *copy = NULL;
	struct half who, group;
	char *colon;

	if (strlen(text) >= USER_TEXT_MAX)
		return bad_user(text, "longer than 255 bytes", err);
	copy = xstrdup(*text ? text : "0");
	colon = strchr(copy, ':');
	if (colon)
		*colon++ = '\0';
	if (parse_half(copy, &who) < 0 ||
	    (colon && parse_half(colon, &group) < 0))
		return bad_user(text,
				"must be NAME or UID, each with :GROUP or "
				":GID; ids are at most 4294967294",
				err);
	user.home = xstrdup("/");
	user.groups = xcalloc(USER_GROUPS_MAX, sizeof(*user.groups));
	if (fill(view, text, &who, colon ? &group : NULL, &user, err) < 0)
		return -1;
	*ret_user = user;
	user = (struct user){ 0 };
	return 0;
}

static int
bad_group(size_t i, const char *name, const char *what, struct skiff_error *err)
{
	char field[32];

	(void)snprintf(field, sizeof(field), "/group_add/%zu", i);
	(void)err_set(err, SKIFF_INVALID_ARGUMENT, "group \"%.64s\": %s", name,
		      what);
	return err_field(err, field);
}

int
user_add_groups(struct rootfs_view *view, const struct strv *names,
		struct user *user, struct skiff_error *err)
{
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->items[i];
		cleanup_free char *groups = NULL;
		struct half group;

		if (strlen(name) >= USER_TEXT_MAX ||
		    parse_half(name, &group) < 0)
			return bad_group(i, name,
					 "must be a name, or a number of at "
					 "most 4294967294",
					 err);
		if (group.name &&
		    read_table(view, "/etc/group", &groups, err) < 0)
			return -1;
		if (group.name && !find_group(groups, name, &group.id)) {
			(void)bad_group(i, name, "no such group in the image",
					err);
			return err_reason(err, "group_not_found");
		}
		if (user->n_groups == USER_GROUPS_MAX)
			return bad_group(i, name, "is one group too many", err);
		if (add_group(user, group.id, err) < 0)
			return -1;
	}
	return 0;
}

void
user_done(struct user *user)
{
	free(user->groups);
	free(user->home);
	*user = (struct user){ 0 };
}
