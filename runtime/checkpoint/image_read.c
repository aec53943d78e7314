/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a checkpoint, which may come from anywhere.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "runtime/checkpoint/dump_options.h"
#include "runtime/checkpoint/image.h"
#include "runtime/checkpoint/image_internal.h"
#include "runtime/checkpoint/seal.h"
#include "store/content/content.h"
#include "store/image.h"
#include "store/unpack/apply.h"
#include "store/unpack/stream.h"
#include "store/unpack/tar.h"

#define CONFIG_MAX ((size_t)4 << 20)
#define STATE_BYTES_MAX (UINT64_C(256) << 30)
#define STATE_FILES_MAX 1000000
#define STATE_NAME_MAX 200

#define invalid(err, ...)                                                      \
	(err_set((err), SKIFF_FAILED_PRECONDITION, __VA_ARGS__),               \
	 err_reason((err), "checkpoint_invalid"))

char *
checkpoint_sealed_text(const json_t *manifest)
{
	CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
	const json_t *layers = json_object_get(manifest, "layers");

	strbuf_addf(&text, "skiff checkpoint 1\nconfig %s\n",
		    json_get_text(json_object_get(manifest, "config"),
				  "digest"));
	for (size_t i = 0; i < json_array_size(layers); i++) {
		const json_t *layer = json_array_get(layers, i);

		strbuf_addf(&text, "%s %s\n", json_get_text(layer, "mediaType"),
			    json_get_text(layer, "digest"));
	}
	return strbuf_steal(&text);
}

/* --- the documents ---------------------------------------------------- */

struct reading {
	const struct checkpoint_store *store;
	const char *ns;
	struct checkpoint_image *image;
	struct manifest *manifest;
};

/* A fault of a document is the image's, not the request's. */
static int
make_invalid(struct skiff_error *err)
{
	if (err->code == SKIFF_INVALID_ARGUMENT ||
	    err->code == SKIFF_TOO_LARGE) {
		err->code = SKIFF_FAILED_PRECONDITION;
		(void)err_field(err, "");
		(void)err_reason(err, "checkpoint_invalid");
	}
	return -1;
}

static int
not_a_checkpoint(const char *name, struct skiff_error *err)
{
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "image %s is no checkpoint", name);
	(void)err_object(err, "image", name);
	return err_reason(err, "not_a_checkpoint");
}

static int
read_blob(const struct reading *r, const struct digest *digest, size_t max,
	  char **ret_text, size_t *ret_len, struct skiff_error *err)
{
	if (content_read_blob(r->store->content, r->ns, digest, max, ret_text,
			      ret_len, err) == 0)
		return 0;
	if (err->code == SKIFF_NOT_FOUND)
		(void)err_object(err, "content", digest->text);
	return -1;
}

/* A state, the layer, and the states that the first one builds on. */
static int
take_layers(const struct reading *r, struct skiff_error *err)
{
	struct checkpoint_image *image = r->image;
	const struct manifest *manifest = r->manifest;

	if (manifest->n_items < 2 ||
	    manifest->n_items > CHECKPOINT_DEPTH_MAX + 1)
		return invalid(err, "it has %zu layers", manifest->n_items);
	image->states = xcalloc(manifest->n_items, sizeof(*image->states));
	for (size_t i = 0; i < manifest->n_items; i++) {
		const struct descriptor *item = &manifest->items[i];
		const char *expected =
		    i == 1 ? CHECKPOINT_LAYER : CHECKPOINT_STATE;

		if (strcmp(item->media_type, expected) != 0)
			return invalid(err, "layer %zu is \"%.100s\", not %s",
				       i, item->media_type, expected);
		if (i == 1)
			descriptor_copy(item, &image->layer);
		else
			descriptor_copy(item,
					&image->states[image->n_states++]);
	}
	return 0;
}

static int
take_seal(const struct reading *r, const char *text, size_t len,
	  struct skiff_error *err)
{
	cleanup_json json_t *manifest = NULL;
	cleanup_free char *sealed = NULL;
	const char *seal;

	if (json_parse(text, len, &manifest, err) < 0)
		return -1;
	sealed = checkpoint_sealed_text(manifest);
	seal = json_get_text(json_object_get(manifest, "annotations"),
			     CHECKPOINT_SEAL);
	r->image->is_sealed =
	    checkpoint_is_sealed(r->store->root, sealed, seal);
	return 0;
}

static int
read_manifest(struct reading *r, struct skiff_error *err)
{
	struct checkpoint_image *image = r->image;
	cleanup_json json_t *target = NULL;
	cleanup_free char *text = NULL;
	struct digest digest;
	size_t len;

	if (image_target(r->store->db, r->ns, image->name, &target, err) < 0)
		return -1;
	if (digest_parse(json_get_text(target, "digest"), &digest, err) < 0)
		return -1;
	if (strcmp(json_get_text(target, "media_type"), CHECKPOINT_MANIFEST) !=
	    0)
		return not_a_checkpoint(image->name, err);
	if (read_blob(r, &digest, MANIFEST_MAX, &text, &len, err) < 0)
		return -1;
	if (manifest_parse(text, len, CHECKPOINT_MANIFEST, &r->manifest, err) <
	    0)
		return make_invalid(err);
	if (r->manifest->is_index ||
	    strcmp(r->manifest->config.media_type, CHECKPOINT_CONFIG) != 0)
		return not_a_checkpoint(image->name, err);
	if (take_layers(r, err) < 0)
		return -1;
	return take_seal(r, text, len, err);
}

/* Ours, so what it does not know is wrong. */
struct config {
	int64_t version;
	char *created_at;
	char *container;
	char *image;
	char *image_digest;
	char *runtime;
	char *architecture;
	char *snapshot_parent;
	bool terminal;
	bool has_stdin;
	json_t *options;
	json_t *spec;
	json_t *wishes;
};

static const struct json_field config_fields[] = {
	JSON_INT(struct config, version, "version", 1, 1, JSON_REQUIRED),
	JSON_TEXT(struct config, created_at, "created_at", JSON_REQUIRED),
	JSON_TEXT(struct config, container, "container", JSON_REQUIRED),
	JSON_TEXT(struct config, image, "image", 0),
	JSON_TEXT(struct config, image_digest, "image_digest", 0),
	JSON_TEXT(struct config, runtime, "runtime", JSON_REQUIRED),
	JSON_TEXT(struct config, architecture, "architecture", JSON_REQUIRED),
	JSON_TEXT(struct config, snapshot_parent, "snapshot_parent",
		  JSON_REQUIRED),
	JSON_BOOL(struct config, terminal, "terminal", JSON_REQUIRED),
	JSON_BOOL(struct config, has_stdin, "stdin", JSON_REQUIRED),
	JSON_OBJECT(struct config, options, "options", JSON_REQUIRED),
	JSON_OBJECT(struct config, spec, "spec", JSON_REQUIRED),
	JSON_OBJECT(struct config, wishes, "wishes", JSON_REQUIRED),
};

static int
check_config(const json_t *json, struct skiff_error *err)
{
	struct json_faults faults = JSON_FAULTS_INIT;
	struct config config = { 0 };
	int r;

	json_decode(json, "", config_fields, ARRAY_SIZE(config_fields), &config,
		    &faults);
	if (config.options)
		(void)dump_options_decode(config.options, "/options", &faults);
	r = json_faults_to_error(&faults, err);
	json_faults_done(&faults);
	json_release(config_fields, ARRAY_SIZE(config_fields), &config);
	return r;
}

static int
read_config(struct reading *r, struct skiff_error *err)
{
	cleanup_free char *text = NULL;
	size_t len;

	if (read_blob(r, &r->manifest->config.digest, CONFIG_MAX, &text, &len,
		      err) < 0)
		return -1;
	if (json_parse(text, len, &r->image->config, err) < 0 ||
	    check_config(r->image->config, err) < 0)
		return make_invalid(err);
	return 0;
}

int
checkpoint_image_load(const struct checkpoint_store *store, const char *ns,
		      const char *name, struct checkpoint_image **ret_image,
		      struct skiff_error *err)
{
	CLEANUP(checkpoint_image_freep)
	struct checkpoint_image *image = xcalloc(1, sizeof(*image));
	struct reading r = { .store = store, .ns = ns, .image = image };
	int result;

	image->name = xstrdup(name);
	result = read_manifest(&r, err);
	if (result == 0)
		result = read_config(&r, err);
	manifest_free(r.manifest);
	if (result < 0)
		return err_wrap(err, "checkpoint %s", name);
	*ret_image = STEAL_PTR(image);
	return 0;
}

int
checkpoint_check_origin(const struct checkpoint_image *image,
			bool trusts_others, struct skiff_error *err)
{
	if (image->is_sealed || trusts_others)
		return 0;
	(void)err_set(err, SKIFF_PERMISSION_DENIED,
		      "checkpoint %s was not made by this daemon: what its "
		      "processes may do is for its maker to say "
		      "(skiffd --checkpoints any)",
		      image->name);
	(void)err_object(err, "image", image->name);
	return err_reason(err, "checkpoint_foreign");
}

void
checkpoint_image_free(struct checkpoint_image *image)
{
	if (!image)
		return;
	for (size_t i = 0; i < image->n_states; i++)
		descriptor_done(&image->states[i]);
	free(image->states);
	descriptor_done(&image->layer);
	json_decref(image->config);
	free(image->name);
	free(image);
}

/* --- the tars --------------------------------------------------------- */

static ssize_t
read_fd(void *arg, void *buf, size_t max, struct skiff_error *err)
{
	const int *fd = arg;
	ssize_t n = read(*fd, buf, max);

	return n < 0 ? err_errno(err, errno, "read blob") : n;
}

/* A plain name of a plain file, as criu makes them. */
static bool
is_state_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= STATE_NAME_MAX && *name != '.' &&
	       *name != '-' && strspn(name, allowed) == len;
}

static int
write_file(struct tar *tar, const struct tar_entry *entry, int dirfd,
	   struct skiff_error *err)
{
	cleanup_close int fd =
	    openat(dirfd, entry->path,
		   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const void *data;
	int64_t offset;
	size_t len;
	int r;

	if (fd < 0)
		return err_errno(err, errno, "create %s", entry->path);
	while ((r = tar_data(tar, &data, &len, &offset, err)) > 0)
		while (len > 0) {
			ssize_t n = pwrite(fd, data, len, offset);

			if (n < 0)
				return err_errno(err, errno, "write %s",
						 entry->path);
			data = (const char *)data + n;
			offset += n;
			len -= (size_t)n;
		}
	if (r == 0 && ftruncate(fd, entry->size) < 0)
		return err_errno(err, errno, "write %s", entry->path);
	return r;
}

static int
unpack_entries(struct tar *tar, int dirfd, struct skiff_error *err)
{
	struct tar_entry entry;
	size_t n = 0;
	int r;

	while ((r = tar_next(tar, &entry, err)) > 0) {
		if (++n > STATE_FILES_MAX)
			return invalid(err, "more than %d files",
				       STATE_FILES_MAX);
		/* The directory itself. */
		if (entry.type == TAR_DIRECTORY &&
		    strcmp(entry.path, "./") == 0)
			continue;
		if (entry.type != TAR_FILE || !is_state_name(entry.path))
			return invalid(err, "it holds what is no file of criu");
		if (write_file(tar, &entry, dirfd, err) < 0)
			return -1;
	}
	return r;
}

static int
unpack_state(int blob_fd, int dirfd, struct skiff_error *err)
{
	const struct layer_stream_options options = { .encoding = LAYER_PLAIN,
						      .read = read_fd,
						      .arg = &blob_fd };
	const struct tar_limits limits = { .max_bytes = STATE_BYTES_MAX };
	CLEANUP(layer_stream_freep) struct layer_stream *stream = NULL;
	CLEANUP(tar_freep) struct tar *tar = NULL;

	if (layer_stream_open(&options, &stream, err) < 0 ||
	    tar_open(stream, &limits, &tar, err) < 0 ||
	    unpack_entries(tar, dirfd, err) < 0)
		return make_invalid(err);
	return 0;
}

static int
open_blob(const struct checkpoint_store *store, const char *ns,
	  const struct digest *digest, int *ret_fd, struct skiff_error *err)
{
	int64_t size;

	if (content_open_blob(store->content, ns, digest, ret_fd, &size, err) ==
	    0)
		return 0;
	if (err->code == SKIFF_NOT_FOUND)
		(void)err_object(err, "content", digest->text);
	return -1;
}

static int
unpack_nth(const struct checkpoint_store *store, const char *ns,
	   const struct descriptor *state, size_t number, int dirfd,
	   struct skiff_error *err)
{
	cleanup_free char *name = xasprintf("%zu", number);
	cleanup_close int state_fd = -1;
	cleanup_close int blob_fd = -1;

	if (open_blob(store, ns, &state->digest, &blob_fd, err) < 0)
		return -1;
	if (mkdirat(dirfd, name, 0700) < 0)
		return err_errno(err, errno, "mkdir");
	if (fs_open_dir(dirfd, name, false, 0, &state_fd, err) < 0 ||
	    unpack_state(blob_fd, state_fd, err) < 0)
		return -1;
	return 0;
}

static int
link_parent(size_t number, int dirfd, struct skiff_error *err)
{
	cleanup_free char *name = xasprintf("%zu/parent", number);
	cleanup_free char *parent = xasprintf("../%zu", number + 1);

	if (symlinkat(parent, dirfd, name) < 0)
		return err_errno(err, errno, "link %s", name);
	return 0;
}

int
checkpoint_unpack_states(const struct checkpoint_store *store, const char *ns,
			 const struct checkpoint_image *image, size_t first,
			 int dirfd, struct skiff_error *err)
{
	for (size_t i = 0; i < image->n_states; i++)
		if (unpack_nth(store, ns, &image->states[i], first + i, dirfd,
			       err) < 0 ||
		    (i + 1 < image->n_states &&
		     link_parent(first + i, dirfd, err) < 0))
			return err_wrap(err, "checkpoint %s: process state",
					image->name);
	return 0;
}

int
checkpoint_unpack_layer(const struct checkpoint_store *store, const char *ns,
			const struct checkpoint_image *image, int fd,
			struct layer_result *ret_result,
			struct skiff_error *err)
{
	cleanup_close int blob_fd = -1;
	const struct layer_source source = { .read = read_fd, .arg = &blob_fd };
	const struct layer_options options = { .media_type = CHECKPOINT_LAYER };

	if (open_blob(store, ns, &image->layer.digest, &blob_fd, err) < 0)
		return -1;
	if (layer_apply(fd, &source, &options, ret_result, err) < 0) {
		(void)make_invalid(err);
		return err_wrap(err, "checkpoint %s: writable layer",
				image->name);
	}
	return 0;
}
