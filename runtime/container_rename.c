/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another id for a container. Its snapshot keeps its key; its cgroup and,
 * unless it was wished, its hostname follow the id.
 */
#include "config.h"

#include "base/cleanup.h"
#include "runtime/container_internal.h"
#include "runtime/spec/spec.h"
#include "store/container_use.h"
#include "store/half_made.h"

struct renaming {
	const struct container_rename *rename;
	json_t *object;
};

static int
rename_task(struct tx *tx, const struct record_ref *ref,
	    const struct container_rename *rename, struct skiff_error *err)
{
	return rename->take_task
		   ? rename->take_task(tx, rename->arg, err)
		   : container_refuse_with_task(tx_conn(tx), ref, err);
}

/* Whoever starts it knows it by its id. */
static int
refuse_starting(struct conn *conn, const struct record_ref *ref,
		struct skiff_error *err)
{
	if (!half_made_has(conn, ref->ns, ref->key))
		return 0;
	(void)err_set(err, SKIFF_FAILED_PRECONDITION,
		      "container \"%s\" is being started", ref->key);
	(void)err_reason(err, "container_starting");
	return err_object(err, "container", ref->key);
}

static int
write_rename(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct renaming *renaming = arg;
	const struct record_ref *ref = &renaming->rename->ref;
	const char *new_id = renaming->rename->new_id;
	cleanup_json json_t *event =
	    json_pack("{s:s, s:s}", "id", new_id, "previous_id", ref->key);
	const struct change change = { .verb = "rename",
				       .event = event,
				       .if_match = renaming->rename->if_match };
	const char *key;

	json_decref(renaming->object);
	renaming->object = NULL;
	if (record_load(tx_conn(tx), ref, &renaming->object, err) < 0 ||
	    refuse_starting(tx_conn(tx), ref, err) < 0)
		return -1;
	json_set_text(renaming->object, "id", new_id);
	spec_rename(json_object_get(renaming->object, "spec"),
		    &(struct spec_names){
			.host = renaming->rename->context->host,
			.ns = ref->ns,
			.old_id = ref->key,
			.new_id = new_id,
			.keep_hostname =
			    container_has_own_spec(renaming->object) ||
			    json_object_get(renaming->object, "hostname") });
	if (record_rename(tx, ref, new_id, renaming->object, &change, err) <
		0 ||
	    rename_task(tx, ref, renaming->rename, err) < 0)
		return -1;
	key = json_get_text(renaming->object, "snapshot_key");
	if (!*key)
		return 0;
	return container_use_remove(tx, ref->ns, ref->key, key, err) < 0
		   ? -1
		   : container_use_add(tx, ref->ns, new_id, key, err);
}

int
container_rename(const struct container_rename *rename,
		 struct container_made *ret, struct skiff_error *err)
{
	struct renaming renaming = { .rename = rename };
	int r = db_write(rename->context->db, write_rename, &renaming, err);

	if (r == 0)
		r = container_give(rename->new_id, renaming.object, ret);
	json_decref(renaming.object);
	return r;
}
