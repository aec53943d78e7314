/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns of the wishes: what a container's resolv.conf(5) says.
 */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "runtime/spec/wishes_internal.h"

/* What glibc takes into account; musl, too. */
#define SERVERS_MAX 3
#define SEARCH_MAX 6
#define OPTIONS_MAX 16
#define DOMAIN_BYTES_MAX 253

static const struct json_field dns_fields[] = {
	JSON_STRV(struct wish_dns, servers, "servers", 0),
	JSON_STRV(struct wish_dns, search, "search", 0),
	JSON_STRV(struct wish_dns, options, "options", 0),
};

static bool
is_address(const char *text)
{
	unsigned char buf[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, buf) == 1 ||
	       inet_pton(AF_INET6, text, buf) == 1;
}

static bool
is_made_of(const char *text, size_t max, const char *chars)
{
	size_t len = strlen(text);

	return len > 0 && len <= max && strspn(text, chars) == len;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static void
check_count(const struct strv *list, size_t max, const char *pointer,
	    struct json_faults *faults)
{
	if (list->n > max)
		json_fault(faults, pointer, "more than %zu", max);
}

void
wishes_decode_dns(struct wishes *wishes, struct json_faults *faults)
{
	struct wish_dns *dns = &wishes->name_service;

	json_decode(wishes->dns, "/dns", dns_fields, ARRAY_SIZE(dns_fields),
		    dns, faults);
	check_count(&dns->servers, SERVERS_MAX, "/dns/servers", faults);
	check_count(&dns->search, SEARCH_MAX, "/dns/search", faults);
	check_count(&dns->options, OPTIONS_MAX, "/dns/options", faults);
	for (size_t i = 0; i < dns->servers.n; i++)
		if (!is_address(dns->servers.items[i]))
			wish_fault_at(faults, "dns/servers", i,
				      "must be an address of IPv4 or IPv6");
	for (size_t i = 0; i < dns->search.n; i++)
		if (!is_made_of(dns->search.items[i], DOMAIN_BYTES_MAX,
				LETTERS DIGITS "-_."))
			wish_fault_at(faults, "dns/search", i,
				      "must be a domain");
	for (size_t i = 0; i < dns->options.n; i++)
		if (!is_made_of(dns->options.items[i], DOMAIN_BYTES_MAX,
				LETTERS DIGITS "-_:"))
			wish_fault_at(faults, "dns/options", i,
				      "must be an option such as ndots:2");
}

void
wishes_dns_done(struct wishes *wishes)
{
	json_release(dns_fields, ARRAY_SIZE(dns_fields), &wishes->name_service);
}

static void
add_line(struct strbuf *out, const char *word, const json_t *list)
{
	json_t *item;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	strbuf_adds(out, word);
	json_array_foreach (list, i, item)
		strbuf_addf(out, " %s", json_string_value(item));
	strbuf_addch(out, '\n');
}

char *
resolv_conf_text(const json_t *dns)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(dns, "servers"), i, item)
		strbuf_addf(&out, "nameserver %s\n", json_string_value(item));
	add_line(&out, "search", json_object_get(dns, "search"));
	add_line(&out, "options", json_object_get(dns, "options"));
	return strbuf_steal(&out);
}
