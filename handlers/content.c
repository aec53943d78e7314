/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/content: blobs by digest; the bytes, or with Accept: application/json
 * what is known of them.
 */
#include "config.h"

#include "handlers/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/parse.h"
#include "handlers/common.h"
#include "store/content/content.h"
#include "store/filter.h"

struct blob_ref {
	const char *ns;
	struct digest digest;
};

static int
take_blob(struct request *request, struct blob_ref *ret_ref,
	  struct skiff_error *err)
{
	if (take_namespace(request, &ret_ref->ns, err) < 0)
		return -1;
	return digest_parse(request_param(request, "digest"), &ret_ref->digest,
			    err);
}

static struct record_ref
record_of(const struct blob_ref *blob)
{
	return (struct record_ref){ RECORD_CONTENT, blob->ns,
				    blob->digest.text };
}

static const struct filter_field list_fields[] = {
	{ .name = "digest" },
	{ .name = "media_type" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

int
content_list(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	return answer_list(request, context,
			   &(struct wanted){ .kind = RECORD_CONTENT,
					     .ns = ns,
					     .fields = list_fields },
			   ret, err);
}

struct range {
	uint64_t offset;
	uint64_t length;
};

/*
 * "bytes=N-", "bytes=N-M" or "bytes=-N" (RFC 9110 §14.2). 1 a range, 0
 * none that we serve (the whole is answered then), -1 unsatisfiable.
 */
static int
parse_range(const char *text, uint64_t size, struct range *ret_range)
{
	struct skiff_error unused = ERROR_INIT;
	char copy[64];
	uint64_t first = 0;
	uint64_t last = size ? size - 1 : 0;
	char *dash;

	if (!text || strncmp(text, "bytes=", 6) != 0 ||
	    strlen(text) >= sizeof(copy))
		return 0;
	(void)snprintf(copy, sizeof(copy), "%s", text + 6);
	dash = strchr(copy, '-');
	if (!dash || strchr(copy, ','))
		return 0;
	*dash++ = '\0';
	if (*copy == '\0') {
		if (parse_u64(dash, UINT64_MAX, &last, &unused) < 0)
			return 0;
		first = last < size ? size - last : 0;
		last = size ? size - 1 : 0;
	} else if (parse_u64(copy, UINT64_MAX, &first, &unused) < 0 ||
		   (*dash && parse_u64(dash, UINT64_MAX, &last, &unused) < 0)) {
		return 0;
	}
	if (first >= size || last < first)
		return -1;
	if (last >= size)
		last = size - 1;
	*ret_range = (struct range){ first, last - first + 1 };
	return 1;
}

static int
answer_bytes(struct request *request, struct services *services,
	     const struct blob_ref *blob, struct response **ret,
	     struct skiff_error *err)
{
	struct range range = { 0 };
	cleanup_close int fd = -1;
	int64_t size;
	int r;

	if (content_open_blob(services->content, blob->ns, &blob->digest, &fd,
			      &size, err) < 0)
		return -1;
	r = parse_range(request_header(request, "Range"), (uint64_t)size,
			&range);
	if (r < 0)
		return err_set(err, SKIFF_OUT_OF_RANGE,
			       "the blob has %" PRId64 " bytes", size);
	if (r == 0)
		range.length = (uint64_t)size;
	*ret = response_file(r ? 206 : 200, "application/octet-stream",
			     STEAL_FD(fd), range.offset, range.length);
	if (r)
		response_headerf(*ret, "Content-Range",
				 "bytes %" PRIu64 "-%" PRIu64 "/%" PRId64,
				 range.offset, range.offset + range.length - 1,
				 size);
	response_header(*ret, "Accept-Ranges", "bytes");
	response_headerf(*ret, "ETag", "\"%s\"", blob->digest.text);
	response_header(*ret, "Docker-Content-Digest", blob->digest.text);
	response_header(*ret, "Cache-Control",
			"private, max-age=31536000, immutable");
	return 0;
}

int
content_get(struct request *request, void *context, struct response **ret,
	    struct skiff_error *err)
{
	struct record_ref ref;
	struct blob_ref blob;

	if (take_blob(request, &blob, err) < 0)
		return -1;
	if (!request_accepts(request, "application/json"))
		return answer_bytes(request, context, &blob, ret, err);
	ref = record_of(&blob);
	return answer_record(context, &ref, ret, err);
}

int
content_patch(struct request *request, void *context, struct response **ret,
	      struct skiff_error *err)
{
	struct record_ref ref;
	struct blob_ref blob;

	if (take_blob(request, &blob, err) < 0)
		return -1;
	ref = record_of(&blob);
	return answer_label_patch(request, context, &ref, ret, err);
}

int
content_remove(struct request *request, void *context, struct response **ret,
	       struct skiff_error *err)
{
	struct services *services = context;
	struct blob_ref blob;
	int64_t if_match;

	if (take_blob(request, &blob, err) < 0 ||
	    take_if_match(request, &if_match, err) < 0 ||
	    content_delete(services->content, blob.ns, &blob.digest, if_match,
			   err) < 0)
		return -1;
	*ret = response_empty(204);
	return 0;
}

/* --- PUT: one-shot upload ------------------------------------------- */

struct upload {
	struct blob_ref blob;
	char *ns;
	struct ingest *ingest;
};

static void
upload_free(struct upload *upload)
{
	ingest_free(upload->ingest);
	free(upload->ns);
	free(upload);
}
DEFINE_CLEANUP(struct upload *, upload_free)

static int
upload_open(struct request *request, void *context, struct skiff_error *err)
{
	CLEANUP(upload_freep)
	struct upload *upload = xcalloc(1, sizeof(*upload));
	struct services *services = context;

	if (take_blob(request, &upload->blob, err) < 0)
		return -1;
	upload->ns = xstrdup(upload->blob.ns);
	if (ingest_begin(services->content, &upload->blob.digest,
			 request_body_length(request), &upload->ingest,
			 err) < 0)
		return -1;
	request_set_state(request, STEAL_PTR(upload));
	return 0;
}

static int
upload_write(struct request *request, void *context, const char *data,
	     size_t len, struct skiff_error *err)
{
	struct upload *upload = request_state(request);

	(void)context;
	return ingest_write(upload->ingest, data, len, err);
}

static int
upload_finish(struct request *request, void *context, struct response **ret,
	      struct skiff_error *err)
{
	CLEANUP(upload_freep) struct upload *upload = request_state(request);
	struct services *services = context;
	struct record_ref ref;
	struct digest digest;
	int64_t revision;
	char *doc;
	int r;

	r = ingest_commit(upload->ingest, upload->ns, NULL, NULL, &digest, err);
	if (r < 0)
		return -1;
	ref = (struct record_ref){ RECORD_CONTENT, upload->ns, digest.text };
	if (record_get(services->db, &ref, &doc, &revision, err) < 0)
		return -1;
	*ret = document_response(r == 0 ? 201 : 200, doc, revision);
	response_header(*ret, "Location", request_path(request));
	return 0;
}

static void
upload_abort(struct request *request, void *context)
{
	(void)context;
	upload_free(request_state(request));
}

const struct upload_ops content_upload = {
	.open = upload_open,
	.write = upload_write,
	.finish = upload_finish,
	.abort = upload_abort,
};
