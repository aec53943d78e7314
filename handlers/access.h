/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who may do what. Clients of the unix socket are known by the ids that the
 * kernel says they have (unix(7), SO_PEERCRED, SO_PEERGROUPS):
 *
 *	admin	all; root is one
 *	user	all in the namespaces granted to him, but for what reaches
 *		the host (runtime/spec/admin_wishes.h)
 *	others	what is public
 *
 * Where nothing is said of admins and grants, whoever may open the socket is
 * an admin. Nothing changes after access_new(): any thread may ask.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strv.h"
#include "http/request.h"

struct access;
struct db;
struct user_pool;

#define ACCESS_GRANTS_MAX 63

/*
 * admins: "NAME", "@GROUP", or their numbers; grants: "WHO=NAMESPACE", which
 * may be a pattern (fnmatch(3)). SKIFF_INVALID_ARGUMENT for what is neither,
 * for names that the host does not know, and for ids that containers get.
 */
int access_new(const struct strv *admins, const struct strv *grants,
	       const struct user_pool *pool, struct access **ret_access,
	       struct skiff_error *err);
void access_free(struct access *access);
DEFINE_CLEANUP(struct access *, access_free)

/*
 * SKIFF_FAILED_PRECONDITION: an id of theirs was given to containers by an
 * earlier daemon.
 */
int access_check_ids(const struct access *access, struct db *db,
		     struct skiff_error *err);

/* False: all who come are admins. */
bool access_knows_users(const struct access *access);

/* For struct http_options; the context is a struct services. */
uint64_t access_identify(const struct peer *peer, int fd, void *context);
int access_authorize(const struct request *request, void *context,
		     struct skiff_error *err);

bool request_is_admins(const struct request *request);
/* SKIFF_PERMISSION_DENIED, reason "not_granted". */
int access_check_namespace(const struct access *access,
			   const struct request *request, const char *ns,
			   struct skiff_error *err);
bool access_has_namespace(const struct access *access, uint64_t rights,
			  const char *ns);
