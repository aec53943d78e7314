/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of kinds. The payloads have containerd's fields.
 */
#include "config.h"

#include "store/kinds.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"

struct kind_info {
	const char *noun;		/* "image" */
	const char *topic_prefix;	/* "/images/" */
	const char *type_prefix;	/* "Image" */
	const char *payload_key;	/* field that holds the record's key */
	const char *payload[N_CHANGES]; /* more fields, by space */
	const char *delete_verb;	/* at the end of the topic */
};

static const struct kind_info kinds[] = {
	[RECORD_NAMESPACE] = { "namespace",
			       "/namespaces/",
			       "Namespace",
			       "name",
			       { "labels", "labels", "" },
			       "delete" },
	[RECORD_IMAGE] = { "image",
			   "/images/",
			   "Image",
			   "name",
			   { "labels", "labels", "" },
			   "delete" },
	[RECORD_CONTENT] = { "content",
			     "/content/",
			     "Content",
			     "digest",
			     { "size media_type", "labels", "" },
			     "delete" },
	[RECORD_SNAPSHOT] = { "snapshot",
			      "/snapshots/",
			      "Snapshot",
			      "key",
			      { "parent snapshotter", "labels snapshotter",
				"snapshotter" },
			      "remove" },
	[RECORD_CONTAINER] = { "container",
			       "/containers/",
			       "Container",
			       "id",
			       { "image runtime", "image labels snapshot_key",
				 "" },
			       "delete" },
	[RECORD_TASK] = { "task",
			  "/tasks/",
			  "Task",
			  "container_id",
			  { "pid", "labels", "pid exit_status exited_at" },
			  "delete" },
	[RECORD_EXEC] = { "exec",
			  "/tasks/",
			  "Task",
			  "exec_id",
			  { "pid", "labels", "pid exit_status exited_at" },
			  "delete" },
	[RECORD_OPERATION] = { "operation",
			       "/operations/",
			       "Operation",
			       "id",
			       { "kind state", "kind state", "kind state" },
			       "delete" },
};

static const struct kind_info *
kind_info(enum record_kind kind)
{
	assert(kind > 0 && (size_t)kind < ARRAY_SIZE(kinds));
	return &kinds[kind];
}

const char *
record_kind_name(enum record_kind kind)
{
	return kind_info(kind)->noun;
}

const char *
kind_verb(enum record_kind kind, enum change_type type)
{
	static const char *const verbs[N_CHANGES] = { "create", "update" };

	return type == CHANGE_DELETE ? kind_info(kind)->delete_verb
				     : verbs[type];
}

const char *
kind_label_of_key(enum record_kind kind, const char *key)
{
	const char *slash = strchr(key, '/');

	return (kind == RECORD_SNAPSHOT || kind == RECORD_EXEC) && slash
		   ? slash + 1
		   : key;
}

json_t *
kind_payload(const struct record_ref *ref, enum change_type type,
	     const json_t *object)
{
	const struct kind_info *info = kind_info(ref->kind);
	cleanup_free char *fields = xstrdup(info->payload[type]);
	json_t *payload = json_object();
	char *rest = fields;
	char *name;

	json_set_text(payload, info->payload_key,
		      kind_label_of_key(ref->kind, ref->key));
	while ((name = strsep(&rest, " ")) != NULL) {
		json_t *value = json_object_get(object, name);

		if (value)
			(void)json_object_set(payload, name, value);
	}
	return payload;
}

char *
kind_topic(enum record_kind kind, const char *verb)
{
	return xasprintf("%s%s", kind_info(kind)->topic_prefix, verb);
}

char *
kind_type(enum record_kind kind, const char *verb)
{
	CLEANUP(strbuf_done) struct strbuf type = STRBUF_INIT;
	bool starts_word = true;

	strbuf_adds(&type, kind_info(kind)->type_prefix);
	for (; *verb; verb++) {
		if (*verb == '-') {
			starts_word = true;
			continue;
		}
		strbuf_addch(&type, starts_word ? (char)toupper(*verb) : *verb);
		starts_word = false;
	}
	return strbuf_steal(&type);
}
