/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication to a registry: a small state machine over 401 answers.
 * It begins anonymous; a challenge makes it Basic or gets it a token, and
 * each of that counts as a generation, so that of several threads which
 * got a 401 for the same state only the first acts.
 */
#include "config.h"

#include "store/registry/auth.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/lock.h"
#include "store/registry/address.h"
#include "store/registry/answer.h"
#include "store/registry/challenge.h"

#define TOKEN_ANSWER_MAX ((size_t)1024 * 1024)
#define TOKEN_MAX ((size_t)64 * 1024)
#define TOKEN_TIMEOUT_S 20
#define TOKEN_LIFE_DEFAULT_S 60
#define TOKEN_LIFE_MAX_S 86400
/* A 401 for a token that is younger is the registry's last word. */
#define TOKEN_YOUNG_NS (2 * NS_PER_SECOND)

struct auth {
	/* constant: */
	char *server;
	char *scope;
	char *username;
	char *password;
	struct lock lock;
	/* guarded by lock: */
	unsigned int generation;
	bool use_basic;
	char *token;
	int64_t token_made_ns;
	int64_t token_ends_ns;
};

static char *
copy_or_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

struct auth *
auth_new(const struct auth_options *options)
{
	struct auth *auth = xcalloc(1, sizeof(*auth));

	auth->server = xstrdup(options->server);
	auth->scope = xstrdup(options->scope);
	auth->username = copy_or_null(options->username);
	auth->password = copy_or_null(options->password);
	lock_init(&auth->lock, LOCK_RANK_LEAF);
	return auth;
}

static void
free_secret(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void
auth_free(struct auth *auth)
{
	if (!auth)
		return;
	free(auth->server);
	free(auth->scope);
	free(auth->username);
	free_secret(auth->password);
	free_secret(auth->token);
	lock_done(&auth->lock);
	free(auth);
}

void
auth_ticket_done(struct auth_ticket *ticket)
{
	free_secret(ticket->token);
	*ticket = (struct auth_ticket){ 0 };
}

void
auth_apply(struct auth *auth, struct http_call *call,
	   struct auth_ticket *ret_ticket)
{
	LOCK_SCOPE(&auth->lock);

	if (auth->token && clock_monotonic_ns() >= auth->token_ends_ns) {
		free_secret(STEAL_PTR(auth->token));
		auth->generation++;
	}
	*ret_ticket = (struct auth_ticket){ .generation = auth->generation };
	call->username = call->password = call->bearer = NULL;
	if (auth->token) {
		ret_ticket->token = xstrdup(auth->token);
		call->bearer = ret_ticket->token;
	} else if (auth->use_basic) {
		call->username = auth->username;
		call->password = auth->password;
	}
}

/* --- parties ---------------------------------------------------------- */

static size_t
host_len(const char *host)
{
	return host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
}

/*
 * The registered domain's length at the end of a host, by rule of thumb:
 * two labels, or three where the second is short, as in "co.uk". 0 for
 * addresses and names without a dot.
 */
static size_t
domain_len(const char *host, size_t len)
{
	size_t label_len = 0;
	int n_dots = 0;

	if (host[0] == '[' || strspn(host, "0123456789.") >= len)
		return 0;
	for (size_t n = 1; n <= len; n++) {
		bool is_dot = host[len - n] == '.';
		int wanted;

		if (!is_dot && n < len) {
			label_len++;
			continue;
		}
		wanted = label_len <= 3 && n_dots == 1 ? 3 : 2;
		if (n_dots + 1 >= wanted && n_dots >= 1)
			return is_dot ? n - 1 : n;
		n_dots++;
		label_len = 0;
	}
	return 0;
}

bool
auth_is_same_party(const char *server, const char *realm_host)
{
	size_t server_len = host_len(server);
	size_t realm_len = host_len(realm_host);
	size_t len = domain_len(server, server_len);

	if (server_len == realm_len &&
	    strncasecmp(server, realm_host, server_len) == 0)
		return true;
	return len > 0 && len == domain_len(realm_host, realm_len) &&
	       strncasecmp(server + server_len - len,
			   realm_host + realm_len - len, len) == 0;
}

/* --- tokens ----------------------------------------------------------- */

static bool
is_token_text(const char *token)
{
	size_t len = strlen(token);

	if (len == 0 || len > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (token[i] <= ' ' || token[i] > '~')
			return false;
	return true;
}

static char *
token_url(const struct auth *auth, const struct challenge *challenge)
{
	CLEANUP(strbuf_done) struct strbuf url = STRBUF_INIT;

	strbuf_adds(&url, challenge->realm);
	strbuf_addch(&url, strchr(challenge->realm, '?') ? '&' : '?');
	if (challenge->service) {
		strbuf_adds(&url, "service=");
		percent_encode(challenge->service, &url);
		strbuf_addch(&url, '&');
	}
	strbuf_adds(&url, "scope=");
	percent_encode(challenge->scope ? challenge->scope : auth->scope, &url);
	return strbuf_steal(&url);
}

/* What a token server answered: 0 with the token and its life. */
static int
read_token(const char *host, const struct strbuf *body, char **ret_token,
	   int64_t *ret_life_s, struct skiff_error *err)
{
	struct skiff_error json_err = ERROR_INIT;
	cleanup_json json_t *json = NULL;
	const char *token;
	int64_t life_s;

	if (json_parse(body->buf, body->len, &json, &json_err) < 0)
		return err_set(err, SKIFF_REGISTRY_ERROR,
			       "token server %s did not answer with JSON",
			       host);
	token = json_get_text(json, "token");
	if (!*token)
		token = json_get_text(json, "access_token");
	if (!is_token_text(token))
		return err_set(err, SKIFF_REGISTRY_ERROR,
			       "token server %s gave no usable token", host);
	life_s = json_get_int(json, "expires_in", TOKEN_LIFE_DEFAULT_S);
	if (life_s < TOKEN_LIFE_DEFAULT_S)
		life_s = TOKEN_LIFE_DEFAULT_S;
	*ret_life_s = life_s > TOKEN_LIFE_MAX_S ? TOKEN_LIFE_MAX_S : life_s;
	*ret_token = xstrdup(token);
	return 0;
}

static int
fetch_token(const struct auth *auth, struct http *http,
	    const struct challenge *challenge, char **ret_token,
	    int64_t *ret_life_s, struct skiff_error *err)
{
	CLEANUP(http_response_done)
	struct http_response response = HTTP_RESPONSE_INIT;
	cleanup_free char *url = token_url(auth, challenge);
	cleanup_free char *scheme = NULL;
	cleanup_free char *host = NULL;
	struct http_call call = { .url = url,
				  .accept = "application/json",
				  .no_redirects = true,
				  .timeout_s = TOKEN_TIMEOUT_S,
				  .body_max = TOKEN_ANSWER_MAX };

	if (!url_parts(challenge->realm, &scheme, &host))
		return err_set(err, SKIFF_REGISTRY_ERROR,
			       "registry %s names a token server that is not "
			       "a URL",
			       auth->server);
	if (auth->username && auth_is_same_party(auth->server, host)) {
		call.username = auth->username;
		call.password = auth->password;
	}
	if (http_perform(http, &call, &response, err) < 0)
		return err_wrap(err, "token server %s", host);
	if (response.status != 200) {
		(void)answer_error(&response, err);
		return err_wrap(err, "token server %s", host);
	}
	return read_token(host, &response.body, ret_token, ret_life_s, err);
}

static void
keep_token(struct auth *auth, char *token, int64_t life_s)
{
	LOCK_SCOPE(&auth->lock);

	free_secret(auth->token);
	auth->token = token;
	auth->token_made_ns = clock_monotonic_ns();
	auth->token_ends_ns = auth->token_made_ns + life_s * NS_PER_SECOND;
	auth->generation++;
}

/* --- challenges ------------------------------------------------------- */

static bool
best_challenge(const struct http_response *response, struct challenge *ret)
{
	for (size_t i = 0; i < response->challenges.n; i++) {
		struct challenge next = { 0 };

		if (!challenge_parse(response->challenges.items[i], &next))
			continue;
		if (next.scheme <= ret->scheme) {
			challenge_done(&next);
			continue;
		}
		challenge_done(ret);
		*ret = next;
	}
	return ret->scheme != CHALLENGE_NONE;
}

/* 1: another thread acted meanwhile; 0: this one has to; -1: no use. */
static int
check_generation(struct auth *auth, const struct auth_ticket *ticket,
		 const struct challenge *challenge)
{
	LOCK_SCOPE(&auth->lock);

	if (auth->generation != ticket->generation)
		return 1;
	if (challenge->scheme == CHALLENGE_BASIC) {
		if (auth->use_basic || !auth->username)
			return -1;
		auth->use_basic = true;
		auth->generation++;
		return 1;
	}
	if (auth->token &&
	    clock_monotonic_ns() - auth->token_made_ns < TOKEN_YOUNG_NS)
		return -1;
	return 0;
}

int
auth_answer(struct auth *auth, struct http *http,
	    const struct http_response *response,
	    const struct auth_ticket *ticket, struct skiff_error *err)
{
	CLEANUP(challenge_done) struct challenge challenge = { 0 };
	int64_t life_s;
	char *token;
	int r;

	if (!best_challenge(response, &challenge))
		return err_set(err, SKIFF_UNAUTHENTICATED,
			       "registry %s says 401 without a challenge that "
			       "can be met",
			       auth->server);
	r = check_generation(auth, ticket, &challenge);
	if (r < 0)
		return err_set(err, SKIFF_UNAUTHENTICATED, "registry %s %s",
			       auth->server,
			       auth->username ? "refuses these credentials"
					      : "asks for credentials");
	if (r > 0)
		return 0;
	if (fetch_token(auth, http, &challenge, &token, &life_s, err) < 0)
		return -1;
	keep_token(auth, token, life_s);
	return 0;
}
