/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what. A client's rights are a set of bits, found out once a
 * connection: one for each grant that is his, and one for an admin.
 */
#include "config.h"

#include "handlers/access.h"

#include <errno.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/parse.h"
#include "handlers/services.h"
#include "http/route.h"
#include "store/db.h"
#include "store/user_range.h"

#define RIGHT_ADMIN (UINT64_C(1) << ACCESS_GRANTS_MAX)
#define GROUPS_FEW 64

/* Whom a flag names. */
struct who {
	bool is_group;
	id_t id;
};

struct grant {
	struct who who;
	char *namespaces; /* a pattern */
};

struct access {
	struct who *admins;
	size_t n_admins;
	struct grant *grants;
	size_t n_grants;
};

/* --- the flags ------------------------------------------------------------ */

/* A number is nobody's name, and needs no entry. */
static int
find_id(const char *name, bool is_group, id_t *ret_id, struct skiff_error *err)
{
	struct skiff_error no_number = ERROR_INIT;
	const struct group *group;
	const struct passwd *user;
	uint64_t number;

	if (*name && strspn(name, "0123456789") == strlen(name)) {
		if (parse_u64(name, UINT32_MAX - 1, &number, &no_number) < 0)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "%s is not an id", name);
		*ret_id = (id_t)number;
		return 0;
	}
	group = is_group ? getgrnam(name) : NULL;
	user = is_group ? NULL : getpwnam(name);
	if (!group && !user)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "there is no %s \"%s\" on this host",
			       is_group ? "group" : "user", name);
	*ret_id = group ? (id_t)group->gr_gid : (id_t)user->pw_uid;
	return 0;
}

static int
parse_who(const char *text, const struct user_pool *pool, struct who *ret_who,
	  struct skiff_error *err)
{
	ret_who->is_group = *text == '@';
	if (find_id(text + (ret_who->is_group ? 1 : 0), ret_who->is_group,
		    &ret_who->id, err) < 0)
		return -1;
	if (ret_who->id >= pool->first && ret_who->id <= pool->last)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "id %u is one of those that containers may get: "
			       "give them others by --user-ids",
			       ret_who->id);
	return 0;
}

static int
parse_grant(const char *text, const struct user_pool *pool,
	    struct grant *ret_grant, struct skiff_error *err)
{
	const char *equals = strchr(text, '=');
	cleanup_free char *who = NULL;

	if (!equals || !equals[1])
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "must be WHO=NAMESPACE");
	who = xstrndup(text, (size_t)(equals - text));
	if (parse_who(who, pool, &ret_grant->who, err) < 0)
		return -1;
	ret_grant->namespaces = xstrdup(equals + 1);
	return 0;
}

static int
parse_flags(struct access *access, const struct strv *admins,
	    const struct strv *grants, const struct user_pool *pool,
	    struct skiff_error *err)
{
	for (size_t i = 0; i < admins->n; i++, access->n_admins++)
		if (parse_who(admins->items[i], pool, &access->admins[i], err) <
		    0)
			return err_wrap(err, "--admin %s", admins->items[i]);
	if (grants->n > ACCESS_GRANTS_MAX)
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "--grant: more than %d; name groups",
			       ACCESS_GRANTS_MAX);
	for (size_t i = 0; i < grants->n; i++, access->n_grants++)
		if (parse_grant(grants->items[i], pool, &access->grants[i],
				err) < 0)
			return err_wrap(err, "--grant %s", grants->items[i]);
	return 0;
}

int
access_new(const struct strv *admins, const struct strv *grants,
	   const struct user_pool *pool, struct access **ret_access,
	   struct skiff_error *err)
{
	CLEANUP(access_freep)
	struct access *access = xcalloc(1, sizeof(*access));

	access->admins = xcalloc(admins->n + 1, sizeof(*access->admins));
	access->grants = xcalloc(grants->n + 1, sizeof(*access->grants));
	if (parse_flags(access, admins, grants, pool, err) < 0)
		return -1;
	*ret_access = STEAL_PTR(access);
	return 0;
}

void
access_free(struct access *access)
{
	if (!access)
		return;
	for (size_t i = 0; i < access->n_grants; i++)
		free(access->grants[i].namespaces);
	free(access->grants);
	free(access->admins);
	free(access);
}

int
access_check_ids(const struct access *access, struct db *db,
		 struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(db);

	for (size_t i = 0; i < access->n_admins + access->n_grants; i++) {
		const struct who *who =
		    i < access->n_admins
			? &access->admins[i]
			: &access->grants[i - access->n_admins].who;

		/* Of no namespace, so that each is another. */
		if (user_range_check(conn, "", who->id, who->id, err) < 0)
			return err_wrap(err, "--admin, --grant");
	}
	return 0;
}

bool
access_knows_users(const struct access *access)
{
	return access->n_admins > 0 || access->n_grants > 0;
}

/* --- who comes -------------------------------------------------------------
 */

/* All groups of a peer, as they were when it connected. */
struct groups {
	gid_t few[GROUPS_FEW];
	gid_t *ids;
	size_t n;
};

static void
groups_done(struct groups *groups)
{
	if (groups->ids != groups->few)
		free(groups->ids);
}

/* One that cannot be asked has its own group alone. */
static void
groups_read(int fd, struct groups *ret_groups)
{
	socklen_t len = sizeof(ret_groups->few);
	int r;

	ret_groups->ids = ret_groups->few;
	ret_groups->n = 0;
	r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret_groups->ids, &len);
	if (r < 0 && errno == ERANGE) {
		ret_groups->ids = xmalloc(len);
		r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret_groups->ids,
			       &len);
	}
	if (r == 0)
		ret_groups->n = len / sizeof(gid_t);
}

static bool
is_who(const struct who *who, const struct peer *peer,
       const struct groups *groups)
{
	if (!who->is_group)
		return peer->uid == who->id;
	if (peer->gid == who->id)
		return true;
	for (size_t i = 0; i < groups->n; i++)
		if (groups->ids[i] == who->id)
			return true;
	return false;
}

static bool
is_admin(const struct access *access, const struct peer *peer,
	 const struct groups *groups)
{
	if (peer->uid == 0 || !access_knows_users(access))
		return true;
	for (size_t i = 0; i < access->n_admins; i++)
		if (is_who(&access->admins[i], peer, groups))
			return true;
	return false;
}

uint64_t
access_identify(const struct peer *peer, int fd, void *context)
{
	const struct services *services = context;
	const struct access *access = services->access;
	CLEANUP(groups_done) struct groups groups;
	uint64_t rights = 0;

	groups_read(fd, &groups);
	if (is_admin(access, peer, &groups))
		rights |= RIGHT_ADMIN;
	for (size_t i = 0; i < access->n_grants; i++)
		if (is_who(&access->grants[i].who, peer, &groups))
			rights |= UINT64_C(1) << i;
	return rights;
}

/* --- what he may ------------------------------------------------------------
 */

bool
access_has_namespace(const struct access *access, uint64_t rights,
		     const char *ns)
{
	if (rights & RIGHT_ADMIN)
		return true;
	for (size_t i = 0; i < access->n_grants; i++)
		if ((rights >> i & 1) &&
		    fnmatch(access->grants[i].namespaces, ns, 0) == 0)
			return true;
	return false;
}

int
access_check_namespace(const struct access *access,
		       const struct request *request, const char *ns,
		       struct skiff_error *err)
{
	const struct peer *peer = request_peer(request);

	if (access_has_namespace(access, peer->rights, ns))
		return 0;
	(void)err_set(err, SKIFF_PERMISSION_DENIED,
		      "namespace \"%.128s\" is not granted to uid %u", ns,
		      (unsigned int)peer->uid);
	return err_reason(err, "not_granted");
}

bool
request_is_admins(const struct request *request)
{
	return (request_peer(request)->rights & RIGHT_ADMIN) != 0;
}

int
access_authorize(const struct request *request, void *context,
		 struct skiff_error *err)
{
	const struct services *services = context;
	unsigned int flags = request_route_flags(request);
	const char *ns = request_find_param(request, "ns");
	uint64_t rights = request_peer(request)->rights;

	if ((flags & ROUTE_PUBLIC) || (rights & RIGHT_ADMIN))
		return 0;
	if (ns)
		return access_check_namespace(services->access, request, ns,
					      err);
	if ((flags & ROUTE_COMMON) && rights)
		return 0;
	(void)err_set(err, SKIFF_PERMISSION_DENIED, "%s is for admins",
		      request_path(request));
	return err_reason(err, "admin_only");
}
