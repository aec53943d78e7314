/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A private store with an image that is made up, whose one layer is a
 * snapshot, and calls that take JSON with ' for ".
 */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "runtime/container.h"
#include "runtime/spec/host.h"
#include "store/image_content.h"
#include "store/record.h"
#include "store/snapshot/snapshots.h"
#include "tests/unit/json_at.h"
#include "tests/unit/tap.h"

#define LAYER                                                                  \
	"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b" \
	"855"

static char top[64];
static struct host host = { .cgroup_prefix = "/skiff-01234567",
			    .capabilities = UINT64_MAX,
			    .rlimit_hard = { [RLIMIT_NOFILE] = 1024 } };
static struct container_context context;

/* Stands in for the content store: every name is this image. */
int
image_content_load(struct db *db, struct content *content, const char *ns,
		   const char *name, const char *platform,
		   struct image_content **ret_image, struct skiff_error *err)
{
	struct image_content *image;

	(void)db;
	(void)content;
	(void)ns;
	(void)platform;
	if (strcmp(name, "absent") == 0)
		return err_not_found(err, "image", name);
	image = xcalloc(1, sizeof(*image));
	image->config = xcalloc(1, sizeof(*image->config));
	image->config->architecture = xstrdup("amd64");
	strv_add(&image->config->cmd, "sh");
	image->config->stop_signal = xstrdup("SIGQUIT");
	image->config->n_diff_ids = 1;
	image->config->diff_ids = xcalloc(1, sizeof(struct digest));
	CHECK(digest_parse(LAYER, &image->config->diff_ids[0], err) == 0);
	CHECK(digest_parse(LAYER, &image->target, err) == 0);
	*ret_image = image;
	return 0;
}

void
image_content_free(struct image_content *image)
{
	if (!image)
		return;
	free(image->config->architecture);
	free(image->config->stop_signal);
	free(image->config->diff_ids);
	strv_done(&image->config->cmd);
	free(image->config);
	free(image);
}

static inline __attribute__((unused)) void
open_all(void)
{
	struct skiff_error err = ERROR_INIT;

	(void)snprintf(top, sizeof(top), "/tmp/skiff-container.XXXXXX");
	CHECK(mkdtemp(top) != NULL);
	context = (struct container_context){ .host = &host };
	CHECK(db_open(top, NULL, &context.db, &err) == 0);
	CHECK(snapshots_open(context.db, top, &context.snapshots, &err) == 0);
}

static inline __attribute__((unused)) void
close_all(void)
{
	struct skiff_error err = ERROR_INIT;

	snapshots_close(context.snapshots);
	db_close(context.db);
	CHECK(fs_remove_tree(AT_FDCWD, top, &err) == 0);
}

static inline __attribute__((unused)) void
unpack(void)
{
	CLEANUP(snapshot_dir_freep) struct snapshot_dir *dir = NULL;
	struct skiff_error err = ERROR_INIT;

	CHECK(snapshot_dir_make(context.snapshots, &dir, &err) == 0);
	CHECK(layer_commit(dir,
			   &(struct layer_request){ .ns = "ns",
						    .chain_id = LAYER },
			   &err) == 0);
}

/* ' stands for ". */
static inline __attribute__((unused)) json_t *
parse(const char *text)
{
	cleanup_free char *copy = xstrdup(text);
	struct skiff_error err = ERROR_INIT;
	json_t *json = NULL;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	CHECK(json_parse(copy, strlen(copy), &json, &err) == 0);
	return json;
}

/* The document, or NULL with *err. */
static inline __attribute__((unused)) json_t *
create(const char *text, struct skiff_error *err)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	cleanup_json json_t *body = parse(text);
	const struct container_request request = { .ns = "ns",
						   .body = body,
						   .is_by_admin = true };
	struct container_made made;
	json_t *object;

	*err = (struct skiff_error)ERROR_INIT;
	if (container_create(&context, &request, &faults, &made, err) < 0)
		return NULL;
	object = parse(made.doc);
	free(made.doc);
	CHECK(made.revision > 0 &&
	      json_get_int(object, "revision", 0) == made.revision);
	CHECK_STR(json_get_text(object, "id"), made.id);
	return object;
}

static inline __attribute__((unused)) json_t *
take_made(struct container_made *made)
{
	json_t *object = parse(made->doc);

	free(made->doc);
	return object;
}

/*
 * The document of "a" after an update, or NULL with *err. mask: by comma,
 * NULL for a merge patch, "*" for a replacement.
 */
static inline __attribute__((unused)) json_t *
update(const char *text, const char *mask, struct skiff_error *err)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	CLEANUP(strv_done) struct strv names = STRV_INIT;
	cleanup_json json_t *body = parse(text);
	struct container_update request = { .is_by_admin = true,
					    .ns = "ns",
					    .id = "a",
					    .body = body,
					    .mask = &names };
	struct container_made made;

	if (mask && strcmp(mask, "*") == 0)
		request.kind = UPDATE_REPLACE;
	else if (mask) {
		cleanup_free char *copy = xstrdup(mask);
		char *rest = copy;
		char *name;

		request.kind = UPDATE_MASK;
		while ((name = strsep(&rest, ",")) != NULL)
			strv_add(&names, name);
	}
	*err = (struct skiff_error)ERROR_INIT;
	if (container_update(&context, &request, &faults, &made, err) < 0)
		return NULL;
	return take_made(&made);
}

#define CHECK_REFUSED(text, mask, pointer)                                     \
	do {                                                                   \
		struct skiff_error err_ = ERROR_INIT;                          \
		CHECK(!update(text, mask, &err_));                             \
		CHECK(err_.code == SKIFF_INVALID_ARGUMENT);                    \
		CHECK_STR(err_.field, pointer);                                \
	} while (0)

static inline __attribute__((unused)) int
count_snapshot_dirs(void)
{
	cleanup_free char *path = xasprintf("%s/snapshots/overlay", top);
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir)) != NULL)
		n += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	if (dir)
		(void)closedir(dir);
	return n;
}
