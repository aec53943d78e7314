/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of a pull and the labels of its blobs.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json.h"
#include "store/content/content.h"
#include "store/record.h"
#include "store/registry/fetch.h"
#include "store/transfer/pull_internal.h"

#define SOURCE_LABEL "containerd.io/distribution.source."
#define DESCRIPTORS_MAX 4000

int
pull_count(struct pull *pull, size_t n, struct skiff_error *err)
{
	pull->n_descriptors += n;
	if (cancel_is_set(&pull->abort))
		return cancel_error(err);
	if (pull->n_descriptors <= DESCRIPTORS_MAX)
		return 0;
	(void)err_set(err, SKIFF_INVALID_ARGUMENT,
		      "more than %d manifests, configs and layers",
		      DESCRIPTORS_MAX);
	return err_reason(err, "image_invalid_manifest");
}

/* --- labels ----------------------------------------------------------- */

/* The label's value so far; owned, "" when there is none. */
static char *
label_of(struct pull *pull, const struct digest *digest, const char *key)
{
	struct record_ref ref = { .kind = RECORD_CONTENT,
				  .ns = pull->ns,
				  .key = digest->text };
	struct skiff_error ignored = ERROR_INIT;
	cleanup_free char *doc = NULL;
	cleanup_json json_t *object = NULL;
	int64_t revision;

	if (record_get(pull->stores->db, &ref, &doc, &revision, &ignored) < 0 ||
	    json_parse(doc, strlen(doc), &object, &ignored) < 0)
		return xstrdup("");
	return xstrdup(json_get_text(json_object_get(object, "labels"), key));
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds path to a sorted list without duplicates; owned. */
static char *
list_with(const char *list, const char *path)
{
	CLEANUP(strv_done) struct strv paths = STRV_INIT;
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	cleanup_free char *copy = xstrdup(list);
	char *rest = copy;
	char *one;

	while ((one = strsep(&rest, ",")) != NULL)
		if (*one && !strv_has(&paths, one))
			strv_add(&paths, one);
	if (!strv_has(&paths, path))
		strv_add(&paths, path);
	assert(paths.items);
	qsort(paths.items, paths.n, sizeof(char *), by_text);
	for (size_t i = 0; i < paths.n; i++)
		strbuf_addf(&out, "%s%s", i > 0 ? "," : "", paths.items[i]);
	return strbuf_steal(&out);
}

json_t *
pull_source_labels(struct pull *pull, const struct digest *digest)
{
	cleanup_free char *key =
	    xasprintf(SOURCE_LABEL "%s", pull->reference.host);
	cleanup_free char *before = label_of(pull, digest, key);
	cleanup_free char *after = list_with(before, pull->reference.path);
	struct skiff_error ignored = ERROR_INIT;
	json_t *labels = json_object();

	/* A list that has grown too long stays as it is. */
	if (label_check(key, after, &ignored) == 0)
		json_set_text(labels, key, after);
	return labels;
}

int
pull_label(struct pull *pull, const struct descriptor *descriptor,
	   const json_t *labels, struct skiff_error *err)
{
	return content_adopt(pull->stores->content, pull->ns,
			     &descriptor->digest, labels,
			     descriptor->media_type, err) < 0
		   ? -1
		   : 0;
}

/* --- documents -------------------------------------------------------- */

int
pull_commit_failed(struct pull *pull, struct skiff_error *err)
{
	if (err->code == SKIFF_FAILED_PRECONDITION && err->reason) {
		err->code = SKIFF_DATA_LOSS;
		(void)err_wrap(err, "registry %s sent wrong bytes",
			       remote_server(pull->remote));
	}
	return -1;
}

static int
store(struct pull *pull, const struct descriptor *descriptor, const char *text,
      const json_t *labels, struct skiff_error *err)
{
	CLEANUP(ingest_freep) struct ingest *ingest = NULL;

	if (ingest_begin(pull->stores->content, &descriptor->digest,
			 descriptor->size, &ingest, err) < 0 ||
	    ingest_write(ingest, text, (size_t)descriptor->size, err) < 0)
		return -1;
	if (ingest_commit(ingest, pull->ns, labels, descriptor->media_type,
			  NULL, err) < 0)
		return pull_commit_failed(pull, err);
	return 0;
}

/* 1 it is here and sound; 0 it has to be fetched. */
static int
read_present(struct pull *pull, const struct descriptor *descriptor,
	     const json_t *labels, char **ret_text, struct skiff_error *err)
{
	struct skiff_error read_err = ERROR_INIT;
	size_t len;
	int r =
	    content_adopt(pull->stores->content, pull->ns, &descriptor->digest,
			  labels, descriptor->media_type, err);

	if (r <= 0)
		return r;
	if (content_read_blob(pull->stores->content, pull->ns,
			      &descriptor->digest, IMAGE_CONFIG_MAX, ret_text,
			      &len, &read_err) < 0)
		return 0; /* fetching mends what rotted */
	if ((int64_t)len == descriptor->size)
		return 1;
	free(STEAL_PTR(*ret_text));
	(void)err_set(err, SKIFF_INVALID_ARGUMENT,
		      "%s has %zu bytes, not the %lld that its descriptor says",
		      descriptor->digest.text, len,
		      (long long)descriptor->size);
	return err_reason(err, "image_invalid_manifest");
}

static int
get_document(struct pull *pull, const struct document *document, size_t item,
	     char **ret_text, struct skiff_error *err)
{
	const struct descriptor *descriptor = document->descriptor;
	cleanup_json json_t *labels =
	    pull_source_labels(pull, &descriptor->digest);
	cleanup_free char *text = NULL;
	int r = read_present(pull, descriptor, labels, &text, err);

	if (r < 0)
		return -1;
	if (r == 0) {
		progress_state(pull->op, item, "downloading");
		if (document->preset)
			text = xmemdup(document->preset,
				       (size_t)descriptor->size + 1);
		else if (fetch_document(pull->remote, pull->http, descriptor,
					document->is_blob, &text, err) < 0)
			return -1;
		if (store(pull, descriptor, text, labels, err) < 0)
			return -1;
	}
	progress_state(pull->op, item, "done");
	*ret_text = STEAL_PTR(text);
	return 0;
}

int
pull_document(struct pull *pull, const struct document *document,
	      char **ret_text, struct skiff_error *err)
{
	const struct descriptor *descriptor = document->descriptor;
	size_t item;
	int r;

	if (pull_count(pull, 1, err) < 0)
		return -1;
	item = progress_add(pull->op, &descriptor->digest, document->kind,
			    descriptor->size);
	if (inflight_enter(pull->inflight, INFLIGHT_BLOB,
			   descriptor->digest.text, &pull->abort, err) < 0)
		return -1;
	r = get_document(pull, document, item, ret_text, err);
	inflight_leave(pull->inflight, INFLIGHT_BLOB, descriptor->digest.text);
	return r < 0 ? err_wrap(err, "%s", document->kind) : 0;
}
