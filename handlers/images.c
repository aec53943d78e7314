/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N/images: names for descriptors. Pulling is in handlers/pull.c.
 */
#include "config.h"

#include "handlers/handlers.h"

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/id.h"
#include "base/json.h"
#include "handlers/common.h"
#include "store/image.h"
#include "store/filter.h"

/* The image of the path. */
static int
take_image(struct request *request, struct record_ref *ret_ref,
	   struct skiff_error *err)
{
	ret_ref->kind = RECORD_IMAGE;
	ret_ref->key = request_param(request, "name");
	if (take_namespace(request, &ret_ref->ns, err) < 0)
		return -1;
	return name_check("image name", ret_ref->key, err);
}

static const struct filter_field list_fields[] = {
	{ .name = "name" },
	{ .name = "target.digest", .object = "target", .key = "digest" },
	{ .name = "target.media_type",
	  .object = "target",
	  .key = "media_type" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

int
images_list(struct request *request, void *context, struct response **ret,
	    struct skiff_error *err)
{
	const char *ns;

	if (take_namespace(request, &ns, err) < 0)
		return -1;
	return answer_list(request, context,
			   &(struct wanted){ .kind = RECORD_IMAGE,
					     .ns = ns,
					     .fields = list_fields },
			   ret, err);
}

int
images_create(struct request *request, void *context, struct response **ret,
	      struct skiff_error *err)
{
	struct services *services = context;
	cleanup_free char *name = NULL;
	int64_t revision;
	const char *ns;
	json_t *image;
	char *doc;

	if (take_namespace(request, &ns, err) < 0 ||
	    request_json(request, &image, err) < 0)
		return -1;
	image_check(image, request_faults(request));
	if (check_faults(request, err) < 0)
		return -1;
	name = xstrdup(json_get_text(image, "name"));
	if (image_create(services->db, ns, image, &doc, &revision, err) < 0)
		return -1;
	*ret = created_response(request, doc, revision, name);
	return 0;
}

int
images_get(struct request *request, void *context, struct response **ret,
	   struct skiff_error *err)
{
	struct record_ref ref;

	if (take_image(request, &ref, err) < 0)
		return -1;
	return answer_record(context, &ref, ret, err);
}

int
images_patch(struct request *request, void *context, struct response **ret,
	     struct skiff_error *err)
{
	struct record_ref ref;

	if (take_image(request, &ref, err) < 0)
		return -1;
	return answer_label_patch(request, context, &ref, ret, err);
}

int
images_delete(struct request *request, void *context, struct response **ret,
	      struct skiff_error *err)
{
	struct services *services = context;
	struct record_ref ref;
	int64_t if_match;

	if (take_image(request, &ref, err) < 0 ||
	    take_if_match(request, &if_match, err) < 0 ||
	    image_delete(services->db, ref.ns, ref.key, if_match, err) < 0)
		return -1;
	*ret = response_empty(204);
	return 0;
}
