/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of one image: fetched and unpacked in one pass, two at once.
 *
 * Of a layer that is not here, one thread writes what curl gives it into
 * the content store (hashing it on the way) and into a ring; another one
 * decompresses, hashes and unpacks what comes out of the ring. Nothing is
 * read back from the disk. What was unpacked counts only when both digests
 * are right; until then it is a directory that nobody knows.
 */
#include "config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "store/content/content.h"
#include "store/registry/fetch.h"
#include "store/transfer/pull_internal.h"
#include "store/transfer/ring.h"

#define N_AT_ONCE 2
#define RING_SIZE ((size_t)1024 * 1024)
/* What unpacking leaves free, so that the database can go on. */
#define MIN_FREE_BYTES ((uint64_t)32 * 1024 * 1024)

/* The layers of one image and who works on them. */
struct crew {
	struct pull *pull;
	struct layer *layers;
	size_t n;
	struct lock lock;
	/* guarded by lock: */
	size_t next;
	bool has_failed;
	struct skiff_error err; /* the first failure's */
};

/* --- unpacking -------------------------------------------------------- */

struct unpacking {
	struct pull *pull;
	struct layer *layer;
	struct layer_source source;
	struct ring *ring; /* NULL: from a file */
	int r;
	struct skiff_error err;
};

static bool
is_cancelled(void *arg)
{
	return cancel_is_set(arg);
}

static int
unpack_into(struct unpacking *unpacking, int dirfd, struct skiff_error *err)
{
	struct layer *layer = unpacking->layer;
	struct layer_options options = {
		.media_type = layer->descriptor->media_type,
		.limits = { .min_free_bytes = MIN_FREE_BYTES },
		.diff_id = layer->diff_id,
		.is_cancelled = is_cancelled,
		.cancel_arg = &unpacking->pull->abort,
	};

	return layer_apply(dirfd, &unpacking->source, &options, &layer->result,
			   err);
}

static void *
unpack_main(void *arg)
{
	struct unpacking *unpacking = arg;
	struct layer *layer = unpacking->layer;
	struct skiff_error *err = &unpacking->err;

	unpacking->r = snapshot_dir_make(unpacking->pull->stores->snapshots,
					 &layer->dir, err);
	if (unpacking->r == 0)
		unpacking->r =
		    unpack_into(unpacking, snapshot_dir_fd(layer->dir), err);
	if (unpacking->ring)
		ring_close(unpacking->ring);
	if (unpacking->r < 0) {
		snapshot_dir_free(STEAL_PTR(layer->dir));
		(void)err_wrap(err, "unpack %s",
			       layer->descriptor->digest.text);
	}
	return NULL;
}

static ssize_t
read_file(void *arg, void *buf, size_t max, struct skiff_error *err)
{
	ssize_t n = read(*(int *)arg, buf, max);

	if (n < 0)
		return err_errno(err, errno, "read blob");
	return n;
}

/* A layer whose bytes are here, but which is not unpacked. */
static int
unpack_present(struct pull *pull, struct layer *layer, struct skiff_error *err)
{
	cleanup_close int fd = -1;
	struct unpacking unpacking = { .pull = pull, .layer = layer };
	int64_t size;

	if (content_open_blob(pull->stores->content, pull->ns,
			      &layer->descriptor->digest, &fd, &size, err) < 0)
		return -1;
	progress_state(pull->op, layer->item, "unpacking");
	unpacking.source =
	    (struct layer_source){ .read = read_file, .arg = &fd };
	(void)unpack_main(&unpacking);
	if (unpacking.r < 0)
		*err = unpacking.err;
	return unpacking.r;
}

/* --- one pass --------------------------------------------------------- */

struct download {
	struct pull *pull;
	struct layer *layer;
	struct ingest *ingest;
	struct ring *ring; /* NULL: only fetched */
};

static int
on_bytes(void *arg, const void *data, size_t len, struct skiff_error *err)
{
	struct download *download = arg;

	if (ingest_write(download->ingest, data, len, err) < 0)
		return -1;
	/* An unpacker that gave up does not end the download: whether the
	 * bytes are the right ones decides whose fault it was. */
	if (download->ring)
		(void)ring_write(download->ring, data, len);
	progress_offset(download->pull->op, download->layer->item,
			ingest_offset(download->ingest));
	return 0;
}

static int
download_bytes(struct download *download, struct http *http,
	       struct skiff_error *err)
{
	struct pull *pull = download->pull;
	const struct descriptor *descriptor = download->layer->descriptor;

	progress_state(pull->op, download->layer->item, "downloading");
	return fetch_blob(pull->remote, http, descriptor, on_bytes, download,
			  err);
}

static int
commit_bytes(struct download *download, struct skiff_error *err)
{
	struct pull *pull = download->pull;
	const struct descriptor *descriptor = download->layer->descriptor;
	cleanup_json json_t *labels =
	    pull_source_labels(pull, &descriptor->digest);

	if (ingest_commit(download->ingest, pull->ns, labels,
			  descriptor->media_type, NULL, err) < 0)
		return pull_commit_failed(pull, err);
	return 0;
}

static ssize_t
read_ring(void *arg, void *buf, size_t max, struct skiff_error *err)
{
	return ring_read(arg, buf, max, err);
}

/* Fetches while another thread unpacks; both must succeed. */
static int
download_and_unpack(struct download *download, struct http *http,
		    struct skiff_error *err)
{
	CLEANUP(ring_freep) struct ring *ring = ring_new(RING_SIZE);
	struct layer_source source = { .read = read_ring, .arg = ring };
	struct unpacking unpacking = { .pull = download->pull,
				       .layer = download->layer,
				       .source = source,
				       .ring = ring };
	pthread_t thread;
	int r;

	r = pthread_create(&thread, NULL, unpack_main, &unpacking);
	if (r != 0)
		return err_errno(err, r, "start a thread to unpack");
	download->ring = ring;
	r = download_bytes(download, http, err);
	ring_end(ring, /* is_whole= */ r == 0);
	if (r == 0) {
		progress_state(download->pull->op, download->layer->item,
			       "unpacking");
		r = commit_bytes(download, err);
	}
	PTOK(pthread_join(thread, NULL));
	if (r < 0) {
		snapshot_dir_free(STEAL_PTR(download->layer->dir));
		return -1;
	}
	if (unpacking.r < 0)
		*err = unpacking.err;
	return unpacking.r;
}

static int
get_absent(struct pull *pull, struct layer *layer, struct http *http,
	   struct skiff_error *err)
{
	const struct descriptor *descriptor = layer->descriptor;
	CLEANUP(ingest_freep) struct ingest *ingest = NULL;
	struct download download = { .pull = pull, .layer = layer };

	if (ingest_begin(pull->stores->content, &descriptor->digest,
			 descriptor->size, &ingest, err) < 0)
		return -1;
	download.ingest = ingest;
	if (layer->diff_id)
		return download_and_unpack(&download, http, err);
	if (download_bytes(&download, http, err) < 0)
		return -1;
	return commit_bytes(&download, err);
}

/* --- a layer ---------------------------------------------------------- */

/* Whether it is not the image's fault that a present layer fails. */
static bool
has_rotted(struct pull *pull, const struct layer *layer)
{
	struct skiff_error why = ERROR_INIT;

	return content_check_blob(pull->stores->content, pull->ns,
				  &layer->descriptor->digest, &why) < 0 &&
	       why.code == SKIFF_DATA_LOSS;
}

static int
get_entered(struct pull *pull, struct layer *layer, struct http *http,
	    struct skiff_error *err)
{
	cleanup_json json_t *labels =
	    pull_source_labels(pull, &layer->descriptor->digest);
	int r = content_adopt(pull->stores->content, pull->ns,
			      &layer->descriptor->digest, labels,
			      layer->descriptor->media_type, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return get_absent(pull, layer, http, err);
	progress_offset(pull->op, layer->item, layer->descriptor->size);
	if (!layer->diff_id || unpack_present(pull, layer, err) == 0)
		return 0;
	if (cancel_is_set(&pull->abort) || !has_rotted(pull, layer))
		return -1;
	log_failure(LOG_WARN, err, "%s rotted on the disk, fetching it again",
		    layer->descriptor->digest.text);
	*err = (struct skiff_error)ERROR_INIT;
	return get_absent(pull, layer, http, err);
}

static int
get_layer(struct pull *pull, struct layer *layer, struct http *http,
	  struct skiff_error *err)
{
	const struct digest *digest = &layer->descriptor->digest;
	cleanup_json json_t *labels = NULL;
	int r;

	if (inflight_enter(pull->inflight, INFLIGHT_BLOB, digest->text,
			   &pull->abort, err) < 0)
		return -1;
	r = get_entered(pull, layer, http, err);
	inflight_leave(pull->inflight, INFLIGHT_BLOB, digest->text);
	if (r < 0)
		return -1;
	if (layer->diff_id) {
		labels = json_object();
		json_set_text(labels, "containerd.io/uncompressed",
			      layer->diff_id->text);
		if (pull_label(pull, layer->descriptor, labels, err) < 0)
			return -1;
	}
	progress_state(pull->op, layer->item, "done");
	return 0;
}

/* --- the crew --------------------------------------------------------- */

static struct layer *
next_layer(struct crew *crew)
{
	LOCK_SCOPE(&crew->lock);

	if (crew->has_failed || crew->next == crew->n)
		return NULL;
	return &crew->layers[crew->next++];
}

static void
fail(struct crew *crew, const struct skiff_error *err)
{
	LOCK_SCOPE(&crew->lock);

	if (!crew->has_failed)
		crew->err = *err;
	crew->has_failed = true;
	atomic_store(&crew->pull->abort.is_set, true);
}

static void
work(struct crew *crew, struct http *http)
{
	struct layer *layer;

	while ((layer = next_layer(crew)) != NULL) {
		struct skiff_error err = ERROR_INIT;

		if (get_layer(crew->pull, layer, http, &err) < 0)
			fail(crew, &err);
	}
}

static void *
crew_main(void *arg)
{
	struct crew *crew = arg;
	CLEANUP(http_freep)
	struct http *http = remote_http(crew->pull->remote);

	work(crew, http);
	return NULL;
}

static int
get_layers(struct pull *pull, struct layer *layers, size_t n,
	   struct skiff_error *err)
{
	struct crew crew = { .pull = pull, .layers = layers, .n = n };
	pthread_t threads[N_AT_ONCE - 1];
	size_t n_threads = 0;

	lock_init(&crew.lock, LOCK_RANK_LEAF);
	/* Should no thread be had, this one does it alone. */
	while (n_threads + 1 < n && n_threads < ARRAY_SIZE(threads) &&
	       pthread_create(&threads[n_threads], NULL, crew_main, &crew) == 0)
		n_threads++;
	work(&crew, pull->http);
	while (n_threads > 0)
		PTOK(pthread_join(threads[--n_threads], NULL));
	lock_done(&crew.lock);
	if (crew.has_failed)
		*err = crew.err;
	return crew.has_failed ? -1 : 0;
}

int
pull_layers(struct pull *pull, const struct manifest *manifest,
	    const struct image_config *config, struct skiff_error *err)
{
	size_t n = manifest->n_items;
	cleanup_free struct layer *layers = xcalloc(n + 1, sizeof(*layers));
	int r = 0;

	if (pull_count(pull, n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		layers[i].descriptor = &manifest->items[i];
		layers[i].item =
		    progress_add(pull->op, &manifest->items[i].digest, "layer",
				 manifest->items[i].size);
		if (!config)
			continue;
		layers[i].diff_id = &config->diff_ids[i];
		(void)image_config_chain_id(config, i + 1, layers[i].chain_id);
	}
	if (config)
		r = layers_claim(pull, layers, n, err);
	if (r == 0)
		r = get_layers(pull, layers, n, err);
	if (r == 0 && config)
		r = layers_commit(pull, layers, n, err);
	layers_release(pull, layers, n);
	return r;
}
