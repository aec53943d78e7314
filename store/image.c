/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: names for descriptors, as records.
 */
#include "config.h"

#include "store/image.h"

#include <string.h>

#include "base/digest.h"
#include "base/id.h"
#include "base/json.h"
#include "store/record.h"

/* Last segments of routes below images/: no image may be called so. */
static const char *const reserved_names[] = { "pull",	"push",	  "unpack",
					      "import", "export", "commit" };

struct image_body {
	char *name;
	json_t *target;
	json_t *labels;
};

static const struct json_field image_fields[] = {
	JSON_TEXT(struct image_body, name, "name", JSON_REQUIRED),
	JSON_OBJECT(struct image_body, target, "target", JSON_REQUIRED),
	JSON_OBJECT(struct image_body, labels, "labels", 0),
};

struct target_body {
	char *media_type;
	char *digest;
	int64_t size;
	json_t *annotations;
};

static const struct json_field target_fields[] = {
	JSON_TEXT(struct target_body, media_type, "media_type",
		  JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_TEXT(struct target_body, digest, "digest", JSON_REQUIRED),
	JSON_INT(struct target_body, size, "size", 1, INT64_MAX, JSON_REQUIRED),
	JSON_MAP(struct target_body, annotations, "annotations", 0),
};

static void
check_target(const json_t *json, struct json_faults *faults)
{
	struct target_body target = { 0 };
	struct skiff_error err = ERROR_INIT;
	struct digest digest;

	json_decode(json, "/target", target_fields, ARRAY_SIZE(target_fields),
		    &target, faults);
	if (target.digest && digest_parse(target.digest, &digest, &err) < 0)
		json_fault(faults, "/target/digest", "%s", err.text);
	json_release(target_fields, ARRAY_SIZE(target_fields), &target);
}

int
image_check_name(const char *name, struct skiff_error *err)
{
	if (name_check("image name", name, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(reserved_names); i++)
		if (strcmp(name, reserved_names[i]) == 0)
			return err_set(err, SKIFF_INVALID_ARGUMENT,
				       "\"%s\" is reserved", name);
	return 0;
}

static void
check_name(const char *name, struct json_faults *faults)
{
	struct skiff_error err = ERROR_INIT;

	if (image_check_name(name, &err) < 0)
		json_fault(faults, "/name", "%s", err.text);
}

void
image_check(const json_t *image, struct json_faults *faults)
{
	struct image_body body = { 0 };

	json_decode(image, "", image_fields, ARRAY_SIZE(image_fields), &body,
		    faults);
	if (body.name)
		check_name(body.name, faults);
	if (body.target)
		check_target(body.target, faults);
	if (body.labels)
		labels_check(body.labels, "/labels", faults);
	json_release(image_fields, ARRAY_SIZE(image_fields), &body);
}

struct write {
	const char *ns;
	json_t *image;
	bool may_replace;
	char *doc;
	int64_t revision;
};

static int
write_image(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct write *write = arg;
	struct record_ref ref = { RECORD_IMAGE, write->ns,
				  json_get_text(write->image, "name") };
	bool replace = write->may_replace && record_exists(tx_conn(tx), &ref);
	int r = replace ? record_update(tx, &ref, write->image, NULL, err)
			: record_insert(tx, &ref, write->image, NULL, err);

	if (r < 0)
		return -1;
	write->doc = json_text(write->image);
	write->revision = json_get_int(write->image, "revision", 0);
	return 0;
}

static int
write_now(struct db *db, struct write *write, char **ret_doc,
	  int64_t *ret_revision, struct skiff_error *err)
{
	if (db_write(db, write_image, write, err) < 0) {
		free(write->doc);
		return -1;
	}
	*ret_doc = write->doc;
	*ret_revision = write->revision;
	return 0;
}

int
image_create(struct db *db, const char *ns, json_t *image, char **ret_doc,
	     int64_t *ret_revision, struct skiff_error *err)
{
	struct write write = { .ns = ns, .image = image };

	return write_now(db, &write, ret_doc, ret_revision, err);
}

int
image_put(struct db *db, const char *ns, json_t *image, char **ret_doc,
	  int64_t *ret_revision, struct skiff_error *err)
{
	struct write write = { .ns = ns, .image = image, .may_replace = true };

	return write_now(db, &write, ret_doc, ret_revision, err);
}

int
image_target(struct db *db, const char *ns, const char *name,
	     json_t **ret_target, struct skiff_error *err)
{
	CLEANUP(db_reader_putp) struct conn *conn = db_reader_get(db);
	struct record_ref ref = { RECORD_IMAGE, ns, name };
	cleanup_json json_t *image = NULL;

	if (record_load(conn, &ref, &image, err) < 0)
		return -1;
	*ret_target = json_incref(json_object_get(image, "target"));
	return 0;
}

struct removal {
	struct record_ref ref;
	struct change change;
};

static int
delete_image(struct tx *tx, void *arg, struct skiff_error *err)
{
	const struct removal *removal = arg;

	return record_delete(tx, &removal->ref, &removal->change, err);
}

int
image_delete(struct db *db, const char *ns, const char *name, int64_t if_match,
	     struct skiff_error *err)
{
	struct removal removal = { .ref = { RECORD_IMAGE, ns, name },
				   .change = { .if_match = if_match } };

	return db_write(db, delete_image, &removal, err);
}
