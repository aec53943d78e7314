/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules on addresses and URLs. A name like "127.1" or "0x7f000001" is not
 * literally loopback, but resolves to it: the check of the address catches
 * what the check of the name lets through.
 */
#include "config.h"

#include "store/registry/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "store/registry/reference.h"

static bool
in4_is_allowed(uint32_t address, bool is_loopback)
{
	if (address >> 24 == 127)
		return is_loopback;
	return !(address >> 24 == 0 ||	    /* this network, unspecified */
		 address >> 16 == 0xa9fe || /* 169.254/16, link-local */
		 address >> 28 >= 0xe);	    /* multicast, reserved */
}

static bool
in6_is_allowed(const struct in6_addr *in6, bool is_loopback)
{
	static const unsigned char nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	uint32_t in4;

	memcpy(&in4, &in6->s6_addr[12], sizeof(in4));
	if (IN6_IS_ADDR_LOOPBACK(in6))
		return is_loopback;
	if (IN6_IS_ADDR_V4MAPPED(in6) ||
	    memcmp(in6->s6_addr, nat64, sizeof(nat64)) == 0)
		return in4_is_allowed(ntohl(in4), is_loopback);
	return !(IN6_IS_ADDR_UNSPECIFIED(in6) || IN6_IS_ADDR_LINKLOCAL(in6) ||
		 IN6_IS_ADDR_MULTICAST(in6) || IN6_IS_ADDR_V4COMPAT(in6));
}

bool
address_is_allowed(const struct sockaddr *address, bool is_loopback,
		   char ret_text[ADDRESS_TEXT_SIZE])
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	ret_text[0] = '\0';
	if (address->sa_family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		(void)inet_ntop(AF_INET, &in4.sin_addr, ret_text,
				ADDRESS_TEXT_SIZE);
		return in4_is_allowed(ntohl(in4.sin_addr.s_addr), is_loopback);
	}
	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, ret_text,
				ADDRESS_TEXT_SIZE);
		return in6_is_allowed(&in6.sin6_addr, is_loopback);
	}
	return false;
}

int
url_check(const char *scheme, const char *host, bool is_loopback,
	  struct skiff_error *err)
{
	bool is_http = strcmp(scheme, "http") == 0;

	if (strcmp(scheme, "https") == 0)
		return 0;
	if (is_http && is_loopback && host_is_loopback(host))
		return 0;
	(void)err_set(err, SKIFF_PERMISSION_DENIED,
		      "%s://%s: only https is allowed%s", scheme, host,
		      is_http ? ", but for a registry named as localhost, "
				"127.0.0.0/8 or [::1]"
			      : "");
	return err_reason(err, "address_not_allowed");
}

static bool
take_part(CURLU *parts, CURLUPart what, char **ret)
{
	char *text;

	if (curl_url_get(parts, what, &text, 0) != CURLUE_OK)
		return false;
	*ret = xstrdup(text);
	curl_free(text);
	return true;
}

bool
url_parts(const char *url, char **ret_scheme, char **ret_host)
{
	cleanup_free char *scheme = NULL;
	cleanup_free char *host = NULL;
	cleanup_free char *port = NULL;
	CURLU *parts = curl_url();
	bool is_url;

	is_url = parts &&
		 curl_url_set(parts, CURLUPART_URL, url,
			      CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		 take_part(parts, CURLUPART_SCHEME, &scheme) &&
		 take_part(parts, CURLUPART_HOST, &host);
	if (is_url && take_part(parts, CURLUPART_PORT, &port))
		*ret_host = xasprintf("%s:%s", host, port);
	else if (is_url)
		*ret_host = STEAL_PTR(host);
	if (is_url)
		*ret_scheme = STEAL_PTR(scheme);
	curl_url_cleanup(parts);
	return is_url;
}

char *
url_for_people(const char *url)
{
	CURLU *parts = curl_url();
	char *text = NULL;

	if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) {
		(void)curl_url_set(parts, CURLUPART_QUERY, NULL, 0);
		(void)curl_url_set(parts, CURLUPART_USER, NULL, 0);
		(void)curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0);
		(void)take_part(parts, CURLUPART_URL, &text);
	}
	curl_url_cleanup(parts);
	return text ? text : xstrdup("(not a URL)");
}
