/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session with a repository.
 */
#include "config.h"

#include "store/registry/remote.h"

#include <string.h>

#include "base/alloc.h"
#include "store/registry/answer.h"
#include "store/registry/auth.h"

#define AUTH_ROUNDS_MAX 2

struct remote {
	struct http_policy policy;
	struct auth *auth;
	char *server;
	char *base; /* "https://host/v2/path" */
	char *ca_file;
};

/* A registry on this machine speaks plain HTTP, but not on https's port. */
static const char *
scheme_for(const char *server)
{
	const char *port = strrchr(server, ':');

	if (!host_is_loopback(server) || (port && strcmp(port, ":443") == 0))
		return "https";
	return "http";
}

struct remote *
remote_new(const struct remote_options *options)
{
	const struct reference *reference = options->reference;
	const char *server = reference_server(reference);
	cleanup_free char *scope =
	    xasprintf("repository:%s:pull", reference->path);
	struct remote *remote = xcalloc(1, sizeof(*remote));
	struct auth_options auth = { .server = server,
				     .scope = scope,
				     .username = options->username,
				     .password = options->password };

	remote->server = xstrdup(server);
	remote->base = xasprintf("%s://%s/v2/%s", scheme_for(server), server,
				 reference->path);
	if (options->ca_file)
		remote->ca_file = xstrdup(options->ca_file);
	remote->policy =
	    (struct http_policy){ .is_loopback = host_is_loopback(server),
				  .ca_file = remote->ca_file,
				  .cancel = options->cancel };
	remote->auth = auth_new(&auth);
	return remote;
}

void
remote_free(struct remote *remote)
{
	if (!remote)
		return;
	auth_free(remote->auth);
	free(remote->server);
	free(remote->base);
	free(remote->ca_file);
	free(remote);
}

struct http *
remote_http(struct remote *remote)
{
	return http_new(&remote->policy);
}

const char *
remote_server(const struct remote *remote)
{
	return remote->server;
}

char *
remote_url(const struct remote *remote, const char *kind, const char *object)
{
	return xasprintf("%s/%s/%s", remote->base, kind, object);
}

/* The 401 could not be answered: the registry has its say. */
static int
refused(const struct http_response *response, struct skiff_error *err)
{
	struct skiff_error answer = ERROR_INIT;

	if (err->code != SKIFF_UNAUTHENTICATED || err->upstream_status != 0)
		return -1;
	err->upstream_status = response->status;
	if (response->body.len == 0)
		return -1;
	(void)answer_error(response, &answer);
	return err_wrap(err, "%s", answer.text);
}

int
remote_try(struct remote *remote, struct http *http, struct http_call *call,
	   struct http_response *response, struct skiff_error *err)
{
	for (int round = 0;; round++) {
		CLEANUP(auth_ticket_done) struct auth_ticket ticket = { 0 };

		auth_apply(remote->auth, call, &ticket);
		if (http_perform(http, call, response, err) < 0)
			return -1;
		if (response->status == 401 && round < AUTH_ROUNDS_MAX) {
			if (auth_answer(remote->auth, http, response, &ticket,
					err) < 0)
				return refused(response, err);
			continue;
		}
		if (response->status == 401 || response->status == 403)
			return answer_error(response, err);
		return 0;
	}
}

int
remote_call(struct remote *remote, struct http *http, struct http_call *call,
	    struct http_response *response, struct skiff_error *err)
{
	struct http_patience patience = { 0 };

	for (;;) {
		struct skiff_error last = ERROR_INIT;
		int r = remote_try(remote, http, call, response, &last);
		bool may_retry =
		    r < 0 ? response->is_transient
			  : http_status_is_transient(response->status);

		if (may_retry && http_back_off(http, &patience, response))
			continue;
		if (http_is_cancelled(http))
			return cancel_error(err);
		if (r < 0)
			*err = last;
		return r;
	}
}
