/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels of records: what may be said, and changing them alone.
 */
#include "config.h"

#include "base/id.h"
#include "base/json.h"
#include "store/record.h"

static void
check(const json_t *labels, const char *pointer, bool may_be_null,
      struct json_faults *faults)
{
	const char *key;
	json_t *value;

	if (!json_is_object(labels)) {
		json_fault(faults, pointer, "must be an object");
		return;
	}
	json_object_foreach ((json_t *)labels, key, value) {
		CLEANUP(strbuf_done) struct strbuf at = STRBUF_INIT;
		struct skiff_error err = ERROR_INIT;
		const char *text = json_string_value(value);

		strbuf_adds(&at, pointer);
		json_pointer_add(&at, key);
		if (!text && !(may_be_null && json_is_null(value)))
			json_fault(faults, at.buf, "must be a string%s",
				   may_be_null ? " or null" : "");
		else if (label_check(key, text ? text : "", &err) < 0)
			json_fault(faults, at.buf, "%s", err.text);
	}
}

void
labels_check(const json_t *labels, const char *pointer,
	     struct json_faults *faults)
{
	check(labels, pointer, /* may_be_null= */ false, faults);
}

void
label_patch_check(const json_t *labels, const char *pointer,
		  struct json_faults *faults)
{
	check(labels, pointer, /* may_be_null= */ true, faults);
}

void
labels_merge(json_t *labels, const json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)patch, key, value) {
		const char *text = json_string_value(value);

		if (text && *text)
			(void)json_object_set(labels, key, value);
		else
			(void)json_object_del(labels, key);
	}
}

struct patch {
	const struct record_ref *ref;
	const json_t *labels;
	const struct change *change;
	char *doc;
	int64_t revision;
};

static int
patch(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct patch *patch = arg;
	cleanup_json json_t *object = NULL;

	if (record_load(tx_conn(tx), patch->ref, &object, err) < 0)
		return -1;
	labels_merge(json_object_get(object, "labels"), patch->labels);
	if (record_update(tx, patch->ref, object, patch->change, err) < 0)
		return -1;
	patch->doc = json_text(object);
	patch->revision = json_get_int(object, "revision", 0);
	return 0;
}

int
record_patch_labels(struct db *db, const struct record_ref *ref,
		    const json_t *labels, const struct change *change,
		    char **ret_doc, int64_t *ret_revision,
		    struct skiff_error *err)
{
	CLEANUP(json_faults_done)
	struct json_faults faults = JSON_FAULTS_INIT;
	struct patch request = { .ref = ref,
				 .labels = labels,
				 .change = change };

	label_patch_check(labels, "/labels", &faults);
	if (json_faults_to_error(&faults, err) < 0)
		return -1;
	if (db_write(db, patch, &request, err) < 0) {
		free(request.doc);
		return -1;
	}
	*ret_doc = request.doc;
	*ret_revision = request.revision;
	return 0;
}
