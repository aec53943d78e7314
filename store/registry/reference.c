/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: the grammar of the distribution project's "reference"
 * documents, by hand-written scanners without backtracking.
 */
#include "config.h"

#include "store/registry/reference.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/parse.h"
#include "base/strbuf.h"

#define HOST_DEFAULT "docker.io"
#define PATH_MAX_BYTES 255
#define TAG_MAX 128
#define SHAPE                                                                  \
	"a reference looks like registry.example.com:5000/path/name:tag or "   \
	"…/name@sha256:<64 hex digits>"

static bool
is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_word(char c)
{
	return isascii((unsigned char)c) &&
	       (isalnum((unsigned char)c) || c == '_');
}

/* One of ".", "_", "__" or any number of "-"; its length, or 0. */
static size_t
separator_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] == '-')
		n++;
	if (n > 0 || len == 0)
		return n;
	if (text[0] == '.')
		return 1;
	if (text[0] == '_')
		return len > 1 && text[1] == '_' ? 2 : 1;
	return 0;
}

/* [a-z0-9]+ (separator [a-z0-9]+)* */
static bool
is_path_component(const char *text, size_t len)
{
	size_t i = 0;

	for (;;) {
		size_t start = i;
		size_t n;

		while (i < len && is_lower_or_digit(text[i]))
			i++;
		if (i == start)
			return false;
		if (i == len)
			return true;
		n = separator_len(text + i, len - i);
		if (n == 0)
			return false;
		i += n;
	}
}

static bool
is_path(const char *path)
{
	for (;;) {
		const char *slash = strchrnul(path, '/');

		if (!is_path_component(path, (size_t)(slash - path)))
			return false;
		if (!*slash)
			return true;
		path = slash + 1;
	}
}

/* Labels of letters, digits and inner hyphens, between dots. */
static bool
is_domain_name(const char *text, size_t len)
{
	size_t start = 0;

	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '.') {
			if (!is_word(text[i]) && text[i] != '-')
				return false;
			if (text[i] == '_')
				return false;
			continue;
		}
		if (i == start || i - start > 63 || text[start] == '-' ||
		    text[i - 1] == '-')
			return false;
		start = i + 1;
	}
	return true;
}

static bool
is_ipv6_literal(const char *text, size_t len)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	if (len < 4 || len - 2 >= sizeof(address) || text[0] != '[' ||
	    text[len - 1] != ']')
		return false;
	memcpy(address, text + 1, len - 2);
	address[len - 2] = '\0';
	return inet_pton(AF_INET6, address, &in6) == 1;
}

/* Where the port's colon stands, or the end. */
static const char *
port_of(const char *host)
{
	const char *bracket = strchr(host, ']');

	return strchrnul(bracket ? bracket : host, ':');
}

static bool
is_host(const char *host)
{
	const char *colon = port_of(host);
	size_t len = (size_t)(colon - host);
	struct skiff_error ignored = ERROR_INIT;
	uint64_t port;

	if (*colon &&
	    (strlen(colon + 1) > 5 ||
	     parse_u64(colon + 1, 65535, &port, &ignored) < 0 || port == 0))
		return false;
	return host[0] == '[' ? is_ipv6_literal(host, len)
			      : is_domain_name(host, len);
}

static bool
is_tag(const char *tag)
{
	size_t len = strlen(tag);

	if (len == 0 || len > TAG_MAX || !is_word(tag[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_word(tag[i]) && tag[i] != '.' && tag[i] != '-')
			return false;
	return true;
}

/* Docker's rule for telling a host from the first part of a path. */
static bool
first_part_is_host(const char *text, size_t len)
{
	if (memchr(text, '.', len) || memchr(text, ':', len) || text[0] == '[')
		return true;
	if (len == strlen("localhost") &&
	    strncasecmp(text, "localhost", len) == 0)
		return true;
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			return true;
	return false;
}

static int
shape_error(struct skiff_error *err, const char *text, const char *fault)
{
	(void)err_set(err, SKIFF_INVALID_ARGUMENT,
		      "reference \"%.200s\": %s; " SHAPE, text, fault);
	return err_reason(err, "invalid_reference");
}

/* Cuts "@digest" and ":tag" off rest, which is owned and changed. */
static int
split_object(const char *text, char *rest, struct reference *reference,
	     struct skiff_error *err)
{
	char *at = strchr(rest, '@');
	char *colon;

	if (at) {
		*at = '\0';
		if (digest_parse(at + 1, &reference->digest, err) < 0) {
			(void)err_wrap(err, "reference \"%.200s\"", text);
			return err_reason(err, "invalid_reference");
		}
		reference->has_digest = true;
	}
	/* A colon in front of a slash belongs to the host's port. */
	colon = strrchr(rest, ':');
	if (colon && !strchr(colon, '/')) {
		*colon = '\0';
		if (!is_tag(colon + 1))
			return shape_error(err, text,
					   "the tag must be 1 to 128 letters, "
					   "digits, '_', '.' or '-'");
		reference->tag = xstrdup(colon + 1);
	} else if (!at) {
		reference->tag = xstrdup("latest");
	}
	return 0;
}

/* Splits host from path in what stands before tag and digest. */
static int
split_name(const char *text, const char *name, struct reference *reference,
	   struct skiff_error *err)
{
	const char *slash = strchr(name, '/');

	if (slash && slash != name &&
	    first_part_is_host(name, (size_t)(slash - name))) {
		reference->host = xstrndup(name, (size_t)(slash - name));
		reference->path = xstrdup(slash + 1);
		if (!is_host(reference->host))
			return shape_error(err, text,
					   "the registry must be a host name "
					   "or address, with a port or "
					   "without");
	} else {
		reference->host = xstrdup(HOST_DEFAULT);
		reference->path = xstrdup(name);
	}
	if (strcmp(reference->host, "index.docker.io") == 0) {
		free(reference->host);
		reference->host = xstrdup(HOST_DEFAULT);
	}
	if (!is_path(reference->path))
		return shape_error(err, text,
				   "the path must be lower-case letters and "
				   "digits, separated by '/', '.', '_' or '-'");
	if (strcmp(reference->host, HOST_DEFAULT) == 0 &&
	    !strchr(reference->path, '/')) {
		char *path = xasprintf("library/%s", reference->path);

		free(reference->path);
		reference->path = path;
	}
	if (strlen(reference->path) > PATH_MAX_BYTES)
		return shape_error(err, text, "the path is longer than 255");
	return 0;
}

static char *
render(const struct reference *reference)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

	strbuf_addf(&out, "%s/%s", reference->host, reference->path);
	if (reference->tag)
		strbuf_addf(&out, ":%s", reference->tag);
	if (reference->has_digest)
		strbuf_addf(&out, "@%s", reference->digest.text);
	return strbuf_steal(&out);
}

int
reference_parse(const char *text, struct reference *ret_reference,
		struct skiff_error *err)
{
	CLEANUP(reference_done) struct reference reference = { 0 };
	cleanup_free char *rest = NULL;

	if (!*text)
		return shape_error(err, text, "it is empty");
	if (strlen(text) > REFERENCE_MAX)
		return shape_error(err, text, "it is longer than 1024 bytes");
	if (strstr(text, "://"))
		return shape_error(err, text, "it is not a URL");
	rest = xstrdup(text);
	if (split_object(text, rest, &reference, err) < 0 ||
	    split_name(text, rest, &reference, err) < 0)
		return -1;
	reference.text = render(&reference);
	*ret_reference = reference;
	reference = (struct reference){ 0 };
	return 0;
}

void
reference_done(struct reference *reference)
{
	free(reference->host);
	free(reference->path);
	free(reference->tag);
	free(reference->text);
	*reference = (struct reference){ 0 };
}

const char *
reference_server(const struct reference *reference)
{
	return strcmp(reference->host, HOST_DEFAULT) == 0
		   ? "registry-1.docker.io"
		   : reference->host;
}

bool
host_is_loopback(const char *host)
{
	size_t len = (size_t)(port_of(host) - host);
	cleanup_free char *name = xstrndup(host, len);
	struct in_addr in4;

	if (strcasecmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, name, &in4) == 1 &&
	       ntohl(in4.s_addr) >> 24 == 127;
}
