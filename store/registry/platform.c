/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platforms: their spelling, and which entry of an index suits one
 * (OCI image-spec v1.1, image-index.md, "platform").
 */
#include "config.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "store/registry/manifest.h"

#define LISTED_MAX 20

struct spelling {
	const char *name;
	const char *architecture;
	const char *variant;
};

/* Other names for an architecture, and the variant a bare one means. */
static const struct spelling spellings[] = {
	{ "x86_64", "amd64", NULL },
	{ "x86-64", "amd64", NULL },
	{ "i386", "386", NULL },
	{ "i686", "386", NULL },
	{ "aarch64", "arm64", "v8" },
	{ "arm64", "arm64", "v8" },
	{ "armhf", "arm", "v7" },
	{ "armv7l", "arm", "v7" },
	{ "armel", "arm", "v6" },
	{ "armv6l", "arm", "v6" },
	{ "arm", "arm", "v7" },
	{ "ppc64el", "ppc64le", NULL },
	{ "loongarch64", "loong64", NULL },
};

void
platform_done(struct platform *platform)
{
	free(platform->os);
	free(platform->architecture);
	free(platform->variant);
	*platform = (struct platform){ 0 };
}

static void
normalise(struct platform *platform)
{
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		const struct spelling *row = &spellings[i];

		if (strcmp(row->name, platform->architecture) != 0)
			continue;
		free(platform->architecture);
		platform->architecture = xstrdup(row->architecture);
		if (!platform->variant && row->variant)
			platform->variant = xstrdup(row->variant);
		return;
	}
}

static bool
is_part(const char *text, size_t len)
{
	return len > 0 && len <= 32 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") >= len;
}

int
platform_parse(const char *text, struct platform *ret_platform,
	       struct skiff_error *err)
{
	struct platform platform = { 0 };
	struct utsname host;
	const char *architecture;
	const char *variant;
	size_t len;

	if (!text || !*text) {
		(void)uname(&host);
		platform.os = xstrdup("linux");
		platform.architecture = xstrdup(host.machine);
		normalise(&platform);
		*ret_platform = platform;
		return 0;
	}
	architecture = strchr(text, '/');
	variant = architecture ? strchr(architecture + 1, '/') : NULL;
	len = architecture ? strcspn(architecture + 1, "/") : 0;
	if (!architecture || !is_part(text, (size_t)(architecture - text)) ||
	    !is_part(architecture + 1, len) ||
	    (variant && !is_part(variant + 1, strlen(variant + 1)))) {
		(void)err_set(err, SKIFF_INVALID_ARGUMENT,
			      "platform \"%.100s\" is not os/architecture or "
			      "os/architecture/variant, such as linux/arm64/v8",
			      text);
		return -1;
	}
	platform.os = xstrndup(text, (size_t)(architecture - text));
	platform.architecture = xstrndup(architecture + 1, len);
	if (variant)
		platform.variant = xstrdup(variant + 1);
	normalise(&platform);
	*ret_platform = platform;
	return 0;
}

/* 0: no use; the more the better. */
static int
suits(const struct platform *wish, const struct platform *offer)
{
	struct platform normal = { .os = xstrdup(offer->os),
				   .architecture =
				       xstrdup(offer->architecture) };
	int score = 0;

	if (offer->variant)
		normal.variant = xstrdup(offer->variant);
	normalise(&normal);
	if (strcmp(wish->os, normal.os) != 0 ||
	    strcmp(wish->architecture, normal.architecture) != 0)
		score = 0;
	else if (strcmp(wish->variant ? wish->variant : "",
			normal.variant ? normal.variant : "") == 0)
		score = 3;
	else if (!wish->variant && normal.variant) /* amd64/v2 for amd64 */
		score = strcmp(normal.variant, "v1") == 0 ? 2 : 0;
	else if (strcmp(wish->architecture, "arm") == 0 && normal.variant &&
		 strcmp(normal.variant, wish->variant) < 0) /* v6 on v7 */
		score = strcmp(normal.variant, "v6") == 0 ? 2 : 1;
	else if (!normal.variant)
		score = 1;
	platform_done(&normal);
	return score;
}

static void
add_platform(struct strbuf *out, const struct platform *platform)
{
	strbuf_addf(out, "%.32s/%.32s%s%.32s", platform->os,
		    platform->architecture, platform->variant ? "/" : "",
		    platform->variant ? platform->variant : "");
}

int
platform_check(const struct platform *wish, const struct platform *offer,
	       struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf has = STRBUF_INIT;
	CLEANUP(strbuf_done) struct strbuf wants = STRBUF_INIT;

	if (suits(wish, offer) > 0)
		return 0;
	add_platform(&has, offer);
	add_platform(&wants, wish);
	(void)err_set(err, SKIFF_NOT_FOUND, "the image is for %s, not for %s",
		      has.buf, wants.buf);
	return err_reason(err, "platform_not_found");
}

static int
not_offered(const struct manifest *index, const struct platform *platform,
	    struct skiff_error *err)
{
	CLEANUP(strbuf_done) struct strbuf offers = STRBUF_INIT;
	CLEANUP(strbuf_done) struct strbuf wish = STRBUF_INIT;
	int n = 0;

	for (size_t i = 0; i < index->n_items && n < LISTED_MAX; i++) {
		const struct descriptor *item = &index->items[i];

		if (!item->has_platform || item->is_attestation)
			continue;
		if (n++ > 0)
			strbuf_adds(&offers, ", ");
		add_platform(&offers, &item->platform);
	}
	add_platform(&wish, platform);
	(void)err_set(err, SKIFF_NOT_FOUND, "no image for platform %s; %s%s",
		      wish.buf, n > 0 ? "there is " : "the index names none",
		      offers.buf);
	return err_reason(err, "platform_not_found");
}

int
manifest_choose(const struct manifest *index, const struct platform *platform,
		const struct descriptor **ret_descriptor,
		struct skiff_error *err)
{
	const struct descriptor *best = NULL;
	const struct descriptor *bare = NULL;
	int best_score = 0;

	for (size_t i = 0; i < index->n_items; i++) {
		const struct descriptor *item = &index->items[i];
		enum media_kind kind = media_kind(item->media_type);
		int score;

		if (item->is_attestation ||
		    (kind != MEDIA_MANIFEST && kind != MEDIA_INDEX))
			continue;
		if (!item->has_platform) {
			bare = bare ? bare : item;
			continue;
		}
		score = suits(platform, &item->platform);
		if (score > best_score) {
			best_score = score;
			best = item;
		}
	}
	/* Without a platform it may be anything; its config will tell. */
	if (!best)
		best = bare;
	if (!best)
		return not_offered(index, platform, err);
	*ret_descriptor = best;
	return 0;
}
