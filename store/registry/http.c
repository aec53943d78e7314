/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP over libcurl: one easy handle a thread.
 *
 * Redirects are followed here and not by curl, so that the rules on
 * schemes, hosts and credentials stand in one place and a refusal can say
 * its reason.
 */
#include "config.h"

#include "store/registry/http.h"

#include <assert.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/parse.h"
#include "store/registry/address.h"

#define CONNECT_TIMEOUT_S 10L
#define STALL_BYTES_PER_S 1024L
#define STALL_S 30L
#define REDIRECTS_MAX 5
#define HEADER_MAX 8192
#define CHALLENGES_MAX 8
#define ERROR_BODY_MAX ((size_t)64 * 1024)
#define RETRY_AFTER_MAX_MS (60 * 1000)
#define WAITS_MAX_MS (90 * 1000)
#define BUFFER_SIZE (512L * 1024)

struct http {
	CURL *curl;
	const struct http_policy *policy;
	bool address_was_refused; /* by the last open_socket() */
	char refused_address[ADDRESS_TEXT_SIZE];
	char curl_error[CURL_ERROR_SIZE];
};

/* What the callbacks of one hop share. */
struct hop {
	struct http *http;
	const struct http_call *call;
	struct http_response *response;
	struct skiff_error *body_err;
	bool body_failed;
};

/* --- small things ----------------------------------------------------- */

bool
cancel_is_set(const struct cancel *cancel)
{
	for (; cancel; cancel = cancel->parent)
		if (atomic_load(&cancel->is_set))
			return true;
	return false;
}

int
cancel_error(struct skiff_error *err)
{
	return err_set(err, SKIFF_CANCELLED, "cancelled");
}

void
http_response_done(struct http_response *response)
{
	free(response->content_type);
	free(response->digest);
	strv_done(&response->challenges);
	strbuf_done(&response->body);
	*response = (struct http_response)HTTP_RESPONSE_INIT;
}

bool
http_status_is_transient(int status)
{
	return status == 408 || status == 429 ||
	       (status >= 500 && status != 501 && status != 505);
}

/* --- addresses -------------------------------------------------------- */

static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http *http = arg;

	(void)purpose;
	if (!address_is_allowed(&address->addr, http->policy->is_loopback,
				http->refused_address)) {
		http->address_was_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC,
		      address->protocol);
}

/* --- callbacks of a transfer ------------------------------------------ */

static int
on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct http *http = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return cancel_is_set(http->policy->cancel);
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct hop *hop = arg;
	struct http_response *response = hop->response;
	long status = 0;
	size_t max;

	n *= size;
	(void)curl_easy_getinfo(hop->http->curl, CURLINFO_RESPONSE_CODE,
				&status);
	if (hop->call->body && (status == 200 || status == 206)) {
		hop->body_failed = hop->call->body(hop->call->body_arg, data, n,
						   hop->body_err) < 0;
		return hop->body_failed ? CURL_WRITEFUNC_ERROR : n;
	}
	if (status != 200) { /* an error's words */
		max = ERROR_BODY_MAX - response->body.len;
		strbuf_add(&response->body, data, n < max ? n : max);
		return n < max ? n : CURL_WRITEFUNC_ERROR;
	}
	max = hop->call->body_max;
	if (n > max - response->body.len) {
		(void)err_set(hop->body_err, SKIFF_TOO_LARGE,
			      "answer is larger than %zu bytes", max);
		hop->body_failed = true;
		return CURL_WRITEFUNC_ERROR;
	}
	strbuf_add(&response->body, data, n);
	return n;
}

/* The value when line is "name: value"; owned by the caller. */
static char *
header_value(const char *line, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len <= name_len || line[name_len] != ':' ||
	    strncasecmp(line, name, name_len) != 0)
		return NULL;
	line += name_len + 1;
	len -= name_len + 1;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		len--;
	return xstrndup(line, len);
}

static void
take_text(char **member, char *value)
{
	free(*member);
	*member = value;
}

static void
take_number(int64_t *member, const char *value)
{
	struct skiff_error ignored = ERROR_INIT;
	uint64_t number;

	if (parse_u64(value, INT64_MAX, &number, &ignored) == 0)
		*member = (int64_t)number;
}

static void
take_media_type(char **member, char *value)
{
	value[strcspn(value, "; \t")] = '\0';
	for (char *p = value; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	take_text(member, value);
}

/* Seconds, or a date (RFC 9110 §10.2.3). */
static void
take_retry_after(int *member, const char *value)
{
	time_t now = (time_t)(clock_realtime_ns() / NS_PER_SECOND);
	int64_t seconds = -1;
	time_t date;

	take_number(&seconds, value);
	if (seconds < 0) {
		date = curl_getdate(value, NULL);
		if (date == (time_t)-1)
			return;
		seconds = date > now ? date - now : 0;
	}
	*member = seconds > 86400 ? 86400 : (int)seconds;
}

/* "bytes 100-199/200" */
static void
take_content_range(int64_t *member, char *value)
{
	if (strncasecmp(value, "bytes ", 6) != 0)
		return;
	value += 6;
	value[strcspn(value, "-")] = '\0';
	take_number(member, value);
}

static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct http_response *response = ((struct hop *)arg)->response;
	char *value;

	n *= size;
	if (n > HEADER_MAX)
		return n;
	if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) /* after 1xx, too */
		http_response_done(response);
	else if ((value = header_value(line, n, "content-type")))
		take_media_type(&response->content_type, value);
	else if ((value = header_value(line, n, "docker-content-digest")))
		take_text(&response->digest, value);
	else if ((value = header_value(line, n, "www-authenticate"))) {
		if (response->challenges.n < CHALLENGES_MAX)
			strv_add(&response->challenges, value);
		free(value);
	} else if ((value = header_value(line, n, "content-length"))) {
		take_number(&response->length, value);
		free(value);
	} else if ((value = header_value(line, n, "content-range"))) {
		take_content_range(&response->range_start, value);
		free(value);
	} else if ((value = header_value(line, n, "retry-after"))) {
		take_retry_after(&response->retry_after_s, value);
		free(value);
	}
	return n;
}

/* --- the handle ------------------------------------------------------- */

static void
init_curl(void)
{
	CURLcode r = curl_global_init(CURL_GLOBAL_DEFAULT);

	assert(r == CURLE_OK);
	(void)r;
}

struct http *
http_new(const struct http_policy *policy)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http *http = xcalloc(1, sizeof(*http));

	(void)pthread_once(&once, init_curl);
	http->policy = policy;
	http->curl = curl_easy_init();
	assert(http->curl);
	return http;
}

void
http_free(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->curl);
	free(http);
}

bool
http_is_cancelled(const struct http *http)
{
	return cancel_is_set(http->policy->cancel);
}

/* What is the same for every call. */
static void
set_rules(struct http *http)
{
	CURL *curl = http->curl;

	curl_easy_reset(curl); /* connections stay */
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->curl_error);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_SSLVERSION,
			       (long)CURL_SSLVERSION_TLSv1_2);
	if (http->policy->ca_file)
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO,
				       http->policy->ca_file);
	if (http->policy->is_loopback)
		(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT,
			       STALL_BYTES_PER_S);
	(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_S);
	(void)curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
	(void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	(void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, http);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT,
			       PACKAGE_NAME "/" PACKAGE_VERSION);
}

static void
set_credentials(CURL *curl, const struct http_call *call)
{
	if (call->bearer) {
		(void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH,
				       (long)CURLAUTH_BEARER);
		(void)curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER,
				       call->bearer);
	} else if (call->username) {
		(void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH,
				       (long)CURLAUTH_BASIC);
		(void)curl_easy_setopt(curl, CURLOPT_USERNAME, call->username);
		(void)curl_easy_setopt(curl, CURLOPT_PASSWORD,
				       call->password ? call->password : "");
	}
}

static struct curl_slist *
set_call(struct http *http, const struct http_call *call, const char *url,
	 struct hop *hop)
{
	struct curl_slist *headers = NULL;
	CURL *curl = http->curl;
	char text[64];

	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_NOBODY, call->is_head ? 1L : 0L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)call->timeout_s);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, hop);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, hop);
	if (call->accept) {
		cleanup_free char *accept =
		    xasprintf("Accept: %s", call->accept);

		headers = curl_slist_append(headers, accept);
	}
	if (call->offset > 0) {
		(void)snprintf(text, sizeof(text), "%lld-",
			       (long long)call->offset);
		(void)curl_easy_setopt(curl, CURLOPT_RANGE, text);
	}
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	return headers;
}

/* --- errors of curl --------------------------------------------------- */

static bool
curl_code_is_final(CURLcode code)
{
	switch (code) {
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
		return true;
	default:
		return false;
	}
}

static int
curl_failure(const struct hop *hop, CURLcode code, const char *url,
	     struct skiff_error *err)
{
	struct http *http = hop->http;
	cleanup_free char *people_url = url_for_people(url);
	long number = 0;
	const char *words =
	    *http->curl_error ? http->curl_error : curl_easy_strerror(code);

	if (cancel_is_set(http->policy->cancel))
		return cancel_error(err);
	if (hop->body_failed) {
		*err = *hop->body_err;
		return -1;
	}
	if (http->address_was_refused) {
		(void)err_set(err, SKIFF_PERMISSION_DENIED,
			      "%s: address %s is not allowed for a registry",
			      people_url, http->refused_address);
		return err_reason(err, "address_not_allowed");
	}
	hop->response->is_transient = !curl_code_is_final(code);
	(void)curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &number);
	if (code == CURLE_COULDNT_CONNECT && number != 0)
		(void)err_errno(err, (int)number, "%s: %s", people_url, words);
	else
		(void)err_set(err, SKIFF_UNAVAILABLE, "%s: %s", people_url,
			      words);
	err->code = SKIFF_UNAVAILABLE;
	return err_reason(err, "registry_unreachable");
}

/* --- redirects -------------------------------------------------------- */

static bool
is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 ||
	       status == 307 || status == 308;
}

/*
 * Goes from *url, which is replaced, to where the answer points. Another
 * origin than the call's own gets no credentials.
 */
static int
follow(struct http *http, struct http_call *call, char **url,
       struct skiff_error *err)
{
	cleanup_free char *old_scheme = NULL;
	cleanup_free char *old_host = NULL;
	cleanup_free char *scheme = NULL;
	cleanup_free char *host = NULL;
	char *location = NULL;

	(void)curl_easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &location);
	if (!location || !url_parts(location, &scheme, &host) ||
	    !url_parts(*url, &old_scheme, &old_host))
		return err_set(err, SKIFF_REGISTRY_ERROR,
			       "redirect without a usable Location");
	if (url_check(scheme, host, http->policy->is_loopback, err) < 0)
		return err_wrap(err, "redirect");
	if (strcmp(old_scheme, "https") == 0 && strcmp(scheme, "https") != 0)
		return err_set(err, SKIFF_PERMISSION_DENIED,
			       "redirect from https to %s://%s is not followed",
			       scheme, host);
	if (strcmp(scheme, old_scheme) != 0 || strcasecmp(host, old_host) != 0)
		call->username = call->password = call->bearer = NULL;
	free(*url);
	*url = xstrdup(location);
	return 0;
}

/* --- a call ----------------------------------------------------------- */

static int
perform_hop(struct http *http, const struct http_call *call, const char *url,
	    struct http_response *response, struct skiff_error *err)
{
	struct skiff_error body_err = ERROR_INIT;
	struct hop hop = { .http = http,
			   .call = call,
			   .response = response,
			   .body_err = &body_err };
	struct curl_slist *headers;
	CURLcode code;
	long status = 0;

	http_response_done(response);
	http->address_was_refused = false;
	*http->curl_error = '\0';
	set_rules(http);
	set_credentials(http->curl, call);
	headers = set_call(http, call, url, &hop);
	code = curl_easy_perform(http->curl);
	curl_slist_free_all(headers);
	(void)curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	response->status = (int)status;
	/* The rest of a long error page is of no interest. */
	if (code == CURLE_WRITE_ERROR && status != 200 && status != 206)
		code = CURLE_OK;
	if (code != CURLE_OK)
		return curl_failure(&hop, code, url, err);
	return 0;
}

int
http_perform(struct http *http, const struct http_call *call,
	     struct http_response *response, struct skiff_error *err)
{
	cleanup_free char *url = xstrdup(call->url);
	cleanup_free char *scheme = NULL;
	cleanup_free char *host = NULL;
	struct http_call hop_call = *call;

	if (!url_parts(url, &scheme, &host))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "\"%.200s\" is not a URL", url);
	if (url_check(scheme, host, http->policy->is_loopback, err) < 0)
		return -1;
	for (int i = 0; i <= REDIRECTS_MAX; i++) {
		if (cancel_is_set(http->policy->cancel))
			return cancel_error(err);
		if (perform_hop(http, &hop_call, url, response, err) < 0)
			return -1;
		if (!is_redirect(response->status) || call->no_redirects)
			return 0;
		if (follow(http, &hop_call, &url, err) < 0)
			return -1;
	}
	response->is_transient = false;
	return err_set(err, SKIFF_REGISTRY_ERROR, "more than %d redirects",
		       REDIRECTS_MAX);
}

/* --- patience --------------------------------------------------------- */

static int64_t
wait_ms_before(int attempt, const struct http_response *response)
{
	/* Who says "too many" is asked at most once a second. */
	int64_t base_ms = response->status == 429 ? 1000 : 200;
	uint32_t random = 0;

	if (response->retry_after_s >= 0)
		return (int64_t)response->retry_after_s * 1000 + 50;
	base_ms <<= attempt;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	return base_ms + random % (base_ms / 4);
}

bool
http_back_off(struct http *http, struct http_patience *patience,
	      const struct http_response *response)
{
	int64_t wait_ms = wait_ms_before(patience->n_failures, response);

	if (wait_ms > RETRY_AFTER_MAX_MS)
		wait_ms = RETRY_AFTER_MAX_MS;
	if (++patience->n_failures >= HTTP_ATTEMPTS ||
	    wait_ms + patience->waited_ms > WAITS_MAX_MS)
		return false;
	patience->waited_ms += wait_ms;
	while (wait_ms > 0 && !cancel_is_set(http->policy->cancel)) {
		int64_t slice_ms = wait_ms < 100 ? wait_ms : 100;
		struct timespec slice = { .tv_nsec = slice_ms * NS_PER_MS };

		(void)nanosleep(&slice, NULL);
		wait_ms -= slice_ms;
	}
	return !cancel_is_set(http->policy->cancel);
}
