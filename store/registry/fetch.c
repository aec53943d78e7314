/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching, with patience: five attempts without progress, where a
 * megabyte counts as progress.
 */
#include "config.h"

#include "store/registry/fetch.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "store/registry/answer.h"

#define PROGRESS_BYTES (INT64_C(1024) * 1024)

static int
size_mismatch(const struct remote *remote, int64_t expected, const char *how,
	      struct skiff_error *err)
{
	(void)err_set(err, SKIFF_DATA_LOSS,
		      "registry %s sent %s than the %" PRId64
		      " bytes that its descriptor says",
		      remote_server(remote), how, expected);
	return err_reason(err, "size_mismatch");
}

/* --- documents -------------------------------------------------------- */

static int
verify(const struct remote *remote, const struct descriptor *descriptor,
       const struct strbuf *body, struct skiff_error *err)
{
	CLEANUP(hash_freep)
	struct hash *hash = hash_new(descriptor->digest.algorithm);
	struct digest digest;

	if ((int64_t)body->len != descriptor->size)
		return size_mismatch(remote, descriptor->size,
				     (int64_t)body->len < descriptor->size
					 ? "fewer"
					 : "more",
				     err);
	hash_update(hash, body->buf, body->len);
	hash_final(hash, &digest);
	if (digest_is_equal(&digest, &descriptor->digest))
		return 0;
	(void)err_set(err, SKIFF_DATA_LOSS,
		      "registry %s sent bytes with digest %s",
		      remote_server(remote), digest.text);
	return err_reason(err, "digest_mismatch");
}

int
fetch_document(struct remote *remote, struct http *http,
	       const struct descriptor *descriptor, bool is_blob,
	       char **ret_text, struct skiff_error *err)
{
	CLEANUP(http_response_done)
	struct http_response response = HTTP_RESPONSE_INIT;
	cleanup_free char *url =
	    remote_url(remote, is_blob ? "blobs" : "manifests",
		       descriptor->digest.text);
	struct http_call call = { .url = url,
				  .accept = is_blob ? NULL : media_accept,
				  .body_max = (size_t)descriptor->size };
	int r = remote_call(remote, http, &call, &response, err);

	if (r == 0 && response.status != 200)
		r = answer_error(&response, err);
	if (r == 0)
		r = verify(remote, descriptor, &response.body, err);
	if (r < 0 && err->code == SKIFF_TOO_LARGE)
		r = size_mismatch(remote, descriptor->size, "more", err);
	if (r < 0)
		return err_wrap(err, "fetch %s from %s",
				descriptor->digest.text, remote_server(remote));
	*ret_text = strbuf_steal(&response.body);
	return 0;
}

/* --- blobs ------------------------------------------------------------ */

struct blob {
	struct remote *remote;
	struct http *http;
	const struct descriptor *descriptor;
	http_body_fn body;
	void *arg;
	int64_t done;	 /* bytes passed on */
	int64_t skip;	 /* of this answer, seen before */
	bool is_checked; /* this answer's position is known */
	struct http_response response;
	bool receiver_failed;
	bool is_misplaced; /* the answer began somewhere else */
};

/* Where in the blob this answer begins. */
static int
check_position(struct blob *blob, struct skiff_error *err)
{
	int64_t start = 0;

	blob->is_checked = true;
	if (blob->response.status == 206 || blob->response.range_start >= 0)
		start = blob->response.range_start;
	blob->is_misplaced = start < 0 || start > blob->done;
	if (blob->is_misplaced)
		return err_set(err, SKIFF_REGISTRY_ERROR,
			       "asked for bytes from %" PRId64
			       " on, got others",
			       blob->done);
	blob->skip = blob->done - start;
	return 0;
}

static int
on_bytes(void *arg, const void *data, size_t len, struct skiff_error *err)
{
	struct blob *blob = arg;
	const char *bytes = data;
	size_t n_skipped;

	if (!blob->is_checked && check_position(blob, err) < 0)
		return -1;
	n_skipped = blob->skip < (int64_t)len ? (size_t)blob->skip : len;
	blob->skip -= (int64_t)n_skipped;
	bytes += n_skipped;
	len -= n_skipped;
	if ((int64_t)len > blob->descriptor->size - blob->done) {
		blob->receiver_failed = true;
		return size_mismatch(blob->remote, blob->descriptor->size,
				     "more", err);
	}
	if (len > 0 && blob->body(blob->arg, bytes, len, err) < 0) {
		blob->receiver_failed = true;
		return -1;
	}
	blob->done += (int64_t)len;
	return 0;
}

/* 0: all is here; 1: try again; -1: final. */
static int
attempt(struct blob *blob, struct http_call *call, struct skiff_error *err)
{
	struct http_response *response = &blob->response;

	blob->is_checked = blob->is_misplaced = false;
	call->offset = blob->done;
	if (remote_try(blob->remote, blob->http, call, response, err) < 0) {
		if (blob->receiver_failed)
			return -1;
		if (response->is_transient &&
		    blob->done == blob->descriptor->size)
			return 0; /* cut behind the last byte that counts */
		return response->is_transient || blob->is_misplaced ? 1 : -1;
	}
	if (response->status != 200 && response->status != 206) {
		(void)answer_error(response, err);
		return http_status_is_transient(response->status) ? 1 : -1;
	}
	if (blob->done == blob->descriptor->size)
		return 0;
	/* The connection ended where the server said it would, too early. */
	(void)size_mismatch(blob->remote, blob->descriptor->size, "fewer", err);
	return 1;
}

static int
fetch(struct blob *blob, const char *url, struct skiff_error *err)
{
	struct http_patience patience = { 0 };
	struct http_call call = { .url = url,
				  .body = on_bytes,
				  .body_arg = blob };

	for (;;) {
		struct skiff_error last = ERROR_INIT;
		int64_t before = blob->done;
		int r = attempt(blob, &call, &last);

		if (r == 0)
			return 0;
		if (blob->done - before >= PROGRESS_BYTES)
			patience = (struct http_patience){ 0 };
		if (r == 1 &&
		    http_back_off(blob->http, &patience, &blob->response))
			continue;
		*err = last;
		return http_is_cancelled(blob->http) ? cancel_error(err) : -1;
	}
}

int
fetch_blob(struct remote *remote, struct http *http,
	   const struct descriptor *descriptor, http_body_fn body, void *arg,
	   struct skiff_error *err)
{
	cleanup_free char *url =
	    remote_url(remote, "blobs", descriptor->digest.text);
	struct blob blob = { .remote = remote,
			     .http = http,
			     .descriptor = descriptor,
			     .body = body,
			     .arg = arg,
			     .response = HTTP_RESPONSE_INIT };
	int r = fetch(&blob, url, err);

	http_response_done(&blob.response);
	if (r < 0)
		return err_wrap(err, "fetch %s from %s",
				descriptor->digest.text, remote_server(remote));
	return 0;
}
