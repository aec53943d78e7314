/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolving: HEAD costs no rate limit at Docker Hub, but its answer has no
 * words, so every failure is asked for again with GET.
 */
#include "config.h"

#include "store/registry/resolve.h"

#include <string.h>

#include "base/alloc.h"
#include "store/registry/answer.h"

void
resolved_done(struct resolved *resolved)
{
	descriptor_done(&resolved->target);
	free(resolved->text);
	*resolved = (struct resolved){ 0 };
}

static int
mismatch(const struct remote *remote, const char *has, const char *wanted,
	 struct skiff_error *err)
{
	(void)err_set(err, SKIFF_DATA_LOSS,
		      "registry %s sent a manifest with digest %s, expected %s",
		      remote_server(remote), has, wanted);
	return err_reason(err, "digest_mismatch");
}

/* 1 when the HEAD answer says all there is to know. */
static int
take_head(const struct remote *remote, const struct http_response *response,
	  const struct reference *reference, struct resolved *resolved,
	  struct skiff_error *err)
{
	struct skiff_error ignored = ERROR_INIT;
	struct descriptor *target = &resolved->target;
	enum media_kind kind;

	if (response->status != 200 || !response->digest ||
	    !response->content_type || response->length <= 0 ||
	    digest_parse(response->digest, &target->digest, &ignored) < 0)
		return 0;
	kind = media_kind(response->content_type);
	if (kind != MEDIA_INDEX && kind != MEDIA_MANIFEST)
		return 0;
	/* Only the bytes can tell whether two algorithms mean the same. */
	if (reference->has_digest &&
	    reference->digest.algorithm != target->digest.algorithm)
		return 0;
	if (reference->has_digest &&
	    !digest_is_equal(&reference->digest, &target->digest))
		return mismatch(remote, target->digest.text,
				reference->digest.text, err);
	if (response->length > MANIFEST_MAX)
		return 0; /* GET says it well */
	target->media_type = xstrdup(response->content_type);
	target->size = response->length;
	return 1;
}

static int
take_get(const struct remote *remote, struct http_response *response,
	 const struct reference *reference, struct resolved *resolved,
	 struct skiff_error *err)
{
	CLEANUP(hash_freep) struct hash *hash = NULL;
	struct skiff_error digest_err = ERROR_INIT;
	struct descriptor *target = &resolved->target;
	struct digest claimed = { 0 };
	bool has_claim =
	    response->digest &&
	    digest_parse(response->digest, &claimed, &digest_err) == 0;

	if (response->status != 200)
		return answer_error(response, err);
	if (reference->has_digest) {
		claimed = reference->digest;
		has_claim = true;
	}
	hash = hash_new(has_claim ? claimed.algorithm : DIGEST_SHA256);
	hash_update(hash, response->body.buf, response->body.len);
	hash_final(hash, &target->digest);
	if (has_claim && !digest_is_equal(&claimed, &target->digest))
		return mismatch(remote, target->digest.text, claimed.text, err);
	target->media_type =
	    xstrdup(response->content_type ? response->content_type : "");
	target->size = (int64_t)response->body.len;
	resolved->len = response->body.len;
	resolved->text = strbuf_steal(&response->body);
	return 0;
}

/* An answer whose words a GET may bring. */
static bool
is_refusal(const struct skiff_error *err)
{
	return err->upstream_status == 401 || err->upstream_status == 403;
}

static int
resolve_at(struct remote *remote, struct http *http, const char *url,
	   const struct reference *reference, struct resolved *resolved,
	   struct skiff_error *err)
{
	CLEANUP(http_response_done)
	struct http_response response = HTTP_RESPONSE_INIT;
	struct http_call call = { .url = url,
				  .accept = media_accept,
				  .is_head = true };
	int r = remote_try(remote, http, &call, &response, err);

	if (r < 0 && !response.is_transient && !is_refusal(err))
		return -1;
	r = take_head(remote, &response, reference, resolved, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	call = (struct http_call){ .url = url,
				   .accept = media_accept,
				   .body_max = MANIFEST_MAX };
	if (remote_call(remote, http, &call, &response, err) < 0)
		return -1;
	return take_get(remote, &response, reference, resolved, err);
}

int
resolve(struct remote *remote, struct http *http,
	const struct reference *reference, struct resolved *ret_resolved,
	struct skiff_error *err)
{
	CLEANUP(resolved_done) struct resolved resolved = { 0 };
	cleanup_free char *url =
	    remote_url(remote, "manifests",
		       reference->has_digest ? reference->digest.text
					     : reference->tag);
	struct skiff_error last = ERROR_INIT;

	if (resolve_at(remote, http, url, reference, &resolved, &last) < 0) {
		*err = last;
		(void)err_wrap(err, "resolve %s at %s", reference->text,
			       remote_server(remote));
		if (err->code == SKIFF_NOT_FOUND)
			(void)err_object(err, "reference", reference->text);
		return -1;
	}
	*ret_resolved = resolved;
	resolved = (struct resolved){ 0 };
	return 0;
}
