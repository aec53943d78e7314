/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a container to its checkpoint's config, and back.
 */
#include "config.h"

#include "runtime/checkpoint/container.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/checkpoint/image.h"
#include "runtime/container_internal.h"
#include "runtime/spec/wishes.h"
#include "runtime/task_internal.h"

/* Of that one alone; its spec is in the config already. */
static const char *const own_fields[] = { "id", "snapshotter", "snapshot_key",
					  "spec" };

/* What no run is made from: looked up when it is needed. */
static const char *const present_fields[] = { "labels", "stop_signal",
					      "stop_timeout", "restart_policy",
					      "extensions" };

static bool
is_among(const char *key, const char *const *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i], key) == 0)
			return true;
	return false;
}

static bool
is_made_from(const char *key)
{
	return wish_exists(key) &&
	       !is_among(key, own_fields, ARRAY_SIZE(own_fields)) &&
	       !is_among(key, present_fields, ARRAY_SIZE(present_fields));
}

json_t *
checkpoint_wishes(const json_t *made_from, const json_t *container)
{
	json_t *wishes = json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)made_from, key, value)
		if (is_made_from(key))
			(void)json_object_set(wishes, key, value);
	for (size_t i = 0; i < ARRAY_SIZE(present_fields); i++)
		(void)json_object_set(wishes, present_fields[i],
				      json_object_get(container,
						      present_fields[i]));
	json_set_text(wishes, "spec_origin",
		      json_get_text(made_from, "spec_origin"));
	return wishes;
}

/* The cgroup belongs to the id. */
static void
take_spec(json_t *body, const json_t *config)
{
	json_t *spec = json_deep_copy(json_object_get(config, "spec"));

	(void)json_object_del(json_object_get(spec, "linux"), "cgroupsPath");
	(void)json_object_set_new(body, "spec", spec);
}

static json_t *
make_body(const json_t *config, const char *id)
{
	json_t *body = json_deep_copy(json_object_get(config, "wishes"));

	json_set_text(body, "id", id ? id : json_get_text(config, "container"));
	if (container_has_own_spec(body))
		take_spec(body, config);
	(void)json_object_del(body, "spec_origin");
	return body;
}

int
checkpoint_container_load(struct tasks *tasks, const char *ns,
			  const char *image, const char *id,
			  struct checkpoint_container *ret,
			  struct skiff_error *err)
{
	struct checkpoint_store store = tasks_checkpoint_store(tasks);
	CLEANUP(checkpoint_image_freep) struct checkpoint_image *found = NULL;

	if (checkpoint_image_load(&store, ns, image, &found, err) < 0 ||
	    checkpoint_check_origin(found, tasks->trusts_checkpoints, err) < 0)
		return -1;
	if (!*json_get_text(found->config, "image")) {
		(void)err_set(err, SKIFF_FAILED_PRECONDITION,
			      "checkpoint %s is of a container without an "
			      "image: make one that it fits first",
			      image);
		return err_reason(err, "checkpoint_without_image");
	}
	ret->body = make_body(found->config, id);
	ret->has_terminal = json_get_bool(found->config, "terminal");
	return 0;
}
