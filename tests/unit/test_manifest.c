/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests, indexes and image configurations: every field in turn
 * removed, set to null and given a wrong type.
 */
#include "config.h"

#include "base/alloc.h"
#include "base/json.h"
#include "store/image_config.h"
#include "store/registry/manifest.h"
#include "tests/unit/tap.h"

#define D1                                                                     \
	"sha256:"                                                              \
	"1111111111111111111111111111111111111111111111111111111111111111"
#define D2                                                                     \
	"sha256:"                                                              \
	"2222222222222222222222222222222222222222222222222222222222222222"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar+gzip"

static const char manifest_text[] =
    "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MANIFEST "\","
    "\"config\":{\"mediaType\":\"" CONFIG_TYPE "\",\"digest\":\"" D1
    "\",\"size\":10},"
    "\"layers\":[{\"mediaType\":\"" LAYER_TYPE "\",\"digest\":\"" D2
    "\",\"size\":20}]}";

static const char index_text[] =
    "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":["
    "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" D1 "\",\"size\":10,"
    "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
    "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" D2 "\",\"size\":10,"
    "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\","
    "\"variant\":\"v8\"}},"
    "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" D2 "\",\"size\":10,"
    "\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"},"
    "\"annotations\":{\"vnd.docker.reference.type\":"
    "\"attestation-manifest\"}}]}";

static const char config_text[] =
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"x\","
    "\"config\":{\"User\":\"1\",\"Env\":[\"A=b\"],\"Cmd\":[\"sh\"],"
    "\"Entrypoint\":[\"/e\"],\"WorkingDir\":\"/w\",\"StopSignal\":\"TERM\","
    "\"Labels\":{\"a\":\"b\"},\"Volumes\":{\"/v\":{}},"
    "\"ExposedPorts\":{\"80/tcp\":{}}},"
    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\",\"" D2 "\"]}}";

static int
parse(const char *text, const char *type, struct skiff_error *err)
{
	CLEANUP(manifest_freep) struct manifest *manifest = NULL;

	*err = (struct skiff_error)ERROR_INIT;
	return manifest_parse(text, strlen(text), type, &manifest, err);
}

static void
a_manifest_and_an_index_are_read(void)
{
	CLEANUP(manifest_freep) struct manifest *manifest = NULL;
	CLEANUP(manifest_freep) struct manifest *index = NULL;
	struct skiff_error err = ERROR_INIT;

	CHECK(manifest_parse(manifest_text, strlen(manifest_text), OCI_MANIFEST,
			     &manifest, &err) == 0);
	CHECK(manifest && !manifest->is_index && manifest->n_items == 1 &&
	      manifest->config.size == 10 && manifest->items[0].size == 20);
	CHECK(manifest_parse(index_text, strlen(index_text), OCI_INDEX, &index,
			     &err) == 0);
	CHECK(index && index->is_index && index->n_items == 3 &&
	      index->items[2].is_attestation);
}

/* What one field may become; null and wrong types must always bounce. */
static json_t *
replacement(int how)
{
	switch (how) {
	case 0:
		return NULL; /* removed */
	case 1:
		return json_null();
	case 2:
		return json_integer(-1);
	case 3:
		return json_real(1.5);
	case 4:
		return json_string("sha256:../../x");
	case 5:
		return json_array();
	case 6:
		return json_object();
	default:
		return json_true();
	}
}
#define N_REPLACEMENTS 8

typedef int (*check_fn)(const char *text, struct skiff_error *err);

struct mutation {
	json_t *root;
	check_fn check;
	int n_tried;
	int n_taken;
};

static void
try_one(struct mutation *mutation, const char *what, int how)
{
	cleanup_free char *text = json_text(mutation->root);
	struct skiff_error err = ERROR_INIT;

	mutation->n_tried++;
	if (mutation->check(text, &err) == 0) {
		mutation->n_taken++;
		return;
	}
	if (err.code != SKIFF_INVALID_ARGUMENT || !err.reason) {
		(void)printf("# %s as %d: %s\n", what, how, err.text);
		CHECK(err.code == SKIFF_INVALID_ARGUMENT);
		CHECK(err.reason != NULL);
	}
}

static void
mutate(struct mutation *mutation, json_t *at)
{
	cleanup_json json_t *keys = json_array();
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach (at, key, value)
		(void)json_array_append_new(keys, json_string(key));
	json_array_foreach (keys, i, value) {
		const char *name = json_string_value(value);
		cleanup_json json_t *old =
		    json_incref(json_object_get(at, name));

		for (int how = 0; how < N_REPLACEMENTS; how++) {
			json_t *other = replacement(how);

			if (other)
				(void)json_object_set_new(at, name, other);
			else
				(void)json_object_del(at, name);
			try_one(mutation, name, how);
		}
		(void)json_object_set(at, name, old);
		if (json_is_object(old))
			mutate(mutation, old);
		else if (json_is_object(json_array_get(old, 0)))
			mutate(mutation, json_array_get(old, 0));
	}
}

static int
check_manifest(const char *text, struct skiff_error *err)
{
	return parse(text, OCI_MANIFEST, err);
}

static int
check_index(const char *text, struct skiff_error *err)
{
	return parse(text, OCI_INDEX, err);
}

static int
check_config(const char *text, struct skiff_error *err)
{
	CLEANUP(image_config_freep) struct image_config *config = NULL;

	return image_config_parse(text, strlen(text), &config, err);
}

static struct mutation
mutate_all(const char *text, check_fn check)
{
	struct skiff_error err = ERROR_INIT;
	struct mutation mutation = { .check = check };

	CHECK(json_parse(text, strlen(text), &mutation.root, &err) == 0);
	mutate(&mutation, mutation.root);
	json_decref(mutation.root);
	return mutation;
}

static void
every_field_of_a_manifest_has_its_type(void)
{
	struct mutation mutation = mutate_all(manifest_text, check_manifest);

	CHECK(mutation.n_tried == 10 * N_REPLACEMENTS);
	/* mediaType absent, layers []; media types of any text: 4. */
	CHECK(mutation.n_taken == 4);
}

static void
every_field_of_an_index_has_its_type(void)
{
	struct mutation mutation = mutate_all(index_text, check_index);

	CHECK(mutation.n_tried == 9 * N_REPLACEMENTS);
	/* mediaType absent; manifests []; an entry's mediaType, os and
	 * architecture of any text; platform absent. */
	CHECK(mutation.n_taken == 6);
}

static void
every_field_of_a_config_has_its_type(void)
{
	struct mutation mutation = mutate_all(config_text, check_config);

	CHECK(mutation.n_tried > 14 * N_REPLACEMENTS);
	CHECK(mutation.n_taken < mutation.n_tried / 2);
}

static void
a_document_that_could_be_both_is_refused(void)
{
	static const char both[] =
	    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" CONFIG_TYPE
	    "\",\"digest\":\"" D1 "\",\"size\":1},\"layers\":[],"
	    "\"manifests\":[]}";
	struct skiff_error err;

	CHECK(parse(both, OCI_MANIFEST, &err) < 0);
	CHECK(parse(both, OCI_INDEX, &err) < 0);
	CHECK_STR(err.reason, "image_invalid_manifest");
	CHECK(parse(manifest_text, DOCKER_MANIFEST, &err) < 0);
	CHECK(strstr(err.text, "but it came as") != NULL);
	CHECK(parse(manifest_text, OCI_INDEX, &err) < 0);
	CHECK(parse("{\"schemaVersion\":2,\"manifests\":[]}", OCI_MANIFEST,
		    &err) < 0);
}

static void
schema_1_is_refused_by_name(void)
{
	struct skiff_error err;

	CHECK(parse("{\"schemaVersion\":1,\"fsLayers\":[],\"history\":[]}",
		    "application/vnd.docker.distribution.manifest.v1+prettyjws",
		    &err) < 0);
	CHECK(strstr(err.text, "schema 1") != NULL);
	CHECK(parse("{\"schemaVersion\":1}", DOCKER_MANIFEST, &err) < 0);
	CHECK(strstr(err.text, "schema 1") != NULL);
}

static void
limits_hold(void)
{
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	struct skiff_error err;

	strbuf_adds(&out, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\""
			  "x\",\"digest\":\"" D1 "\",\"size\":1},\"layers\":[");
	for (int i = 0; i <= MANIFEST_LAYERS_MAX; i++)
		strbuf_addf(&out,
			    "%s{\"mediaType\":\"x\",\"digest\":\"" D2
			    "\",\"size\":1}",
			    i ? "," : "");
	strbuf_adds(&out, "]}");
	CHECK(parse(out.buf, OCI_MANIFEST, &err) < 0);
	CHECK(strstr(err.text, "more than 512") != NULL);
	strbuf_reset(&out);
	strbuf_addch(&out, '[');
	for (int i = 0; i < 100000; i++)
		strbuf_adds(&out, i ? ",{}" : "{}");
	strbuf_addch(&out, ']');
	CHECK(parse(out.buf, OCI_MANIFEST, &err) < 0);
	CHECK(strstr(err.text, "too many values") != NULL);
	strbuf_reset(&out);
	for (int i = 0; i < 1000; i++)
		strbuf_adds(&out, "{\"a\":");
	CHECK(parse(out.buf, OCI_MANIFEST, &err) < 0);
	CHECK(strstr(err.text, "too deeply") != NULL);
	CHECK(parse("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\","
		    "\"digest\":\"" D1 "\",\"size\":1},\"layers\":["
		    "{\"mediaType\":\"x\",\"digest\":\"" D2
		    "\",\"size\":1000000000000000000}]}",
		    OCI_MANIFEST, &err) < 0);
	CHECK_STR(err.field, "/layers/0/size");
}

static void
what_is_not_json_is_refused(void)
{
	static const char *const rows[] = { "",
					    "{",
					    "null",
					    "[]",
					    "1",
					    "\"x\"",
					    "{\"a\":1,\"a\":2}",
					    "<html></html>",
					    "{\"a\":\"\\u0000\"}",
					    "{}",
					    "{} {}" };
	struct skiff_error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK(parse(rows[i], OCI_MANIFEST, &err) < 0);
		CHECK(err.code == SKIFF_INVALID_ARGUMENT);
		CHECK_STR(err.reason, "image_invalid_manifest");
	}
}

static const char *
chosen(const char *wish)
{
	CLEANUP(manifest_freep) struct manifest *index = NULL;
	CLEANUP(platform_done) struct platform platform = { 0 };
	static char text[64];
	const struct descriptor *item = NULL;
	struct skiff_error err = ERROR_INIT;

	if (manifest_parse(index_text, strlen(index_text), OCI_INDEX, &index,
			   &err) < 0 ||
	    platform_parse(wish, &platform, &err) < 0 ||
	    manifest_choose(index, &platform, &item, &err) < 0)
		return err.reason ? err.reason : "invalid";
	(void)snprintf(text, sizeof(text), "%s/%s", item->platform.os,
		       item->platform.architecture);
	return text;
}

static void
the_platform_that_suits_is_chosen(void)
{
	CHECK_STR(chosen("linux/amd64"), "linux/amd64");
	CHECK_STR(chosen("linux/x86_64"), "linux/amd64");
	CHECK_STR(chosen("linux/arm64"), "linux/arm64");
	CHECK_STR(chosen("linux/arm64/v8"), "linux/arm64");
	CHECK_STR(chosen("linux/aarch64"), "linux/arm64");
	CHECK_STR(chosen("linux/amd64/v3"), "linux/amd64");
	CHECK_STR(chosen("linux/riscv64"), "platform_not_found");
	CHECK_STR(chosen("unknown/unknown"), "platform_not_found");
	CHECK_STR(chosen("windows/amd64"), "platform_not_found");
	CHECK_STR(chosen("linux"), "invalid");
	CHECK_STR(chosen("linux/"), "invalid");
	CHECK_STR(chosen("linux/a/b/c"), "invalid");
}

static void
a_config_gives_its_defaults(void)
{
	CLEANUP(image_config_freep) struct image_config *config = NULL;
	struct skiff_error err = ERROR_INIT;
	char chain[CHAIN_ID_SIZE];

	CHECK(image_config_parse(config_text, strlen(config_text), &config,
				 &err) == 0);
	if (!config)
		return;
	CHECK_STR(config->user, "1");
	CHECK_STR(config->working_dir, "/w");
	CHECK_STR(config->env.items[0], "A=b");
	CHECK_STR(config->entrypoint.items[0], "/e");
	CHECK_STR(config->exposed_ports.items[0], "80/tcp");
	CHECK_STR(json_get_text(config->labels, "a"), "b");
	CHECK(config->n_diff_ids == 2);
	CHECK_STR(image_config_chain_id(config, 1, chain), D1);
	/* printf 'D1 D2' | sha256sum */
	CHECK_STR(
	    image_config_chain_id(config, 2, chain),
	    "sha256:"
	    "9932074217c35353d2e03a3f5a86549f7c67bfeb0ba53e23d69f4d4c8f7958f5");
}

static void
go_writes_null_for_empty_and_that_is_absent(void)
{
	struct skiff_error err = ERROR_INIT;

	CHECK(check_config("{\"architecture\":\"amd64\",\"os\":\"linux\","
			   "\"config\":{\"Env\":null,\"Cmd\":null,"
			   "\"Labels\":null,\"Volumes\":null},"
			   "\"rootfs\":{\"type\":\"layers\","
			   "\"diff_ids\":[]}}",
			   &err) == 0);
}

TESTS(TEST(a_manifest_and_an_index_are_read),
      TEST(every_field_of_a_manifest_has_its_type),
      TEST(every_field_of_an_index_has_its_type),
      TEST(every_field_of_a_config_has_its_type),
      TEST(a_document_that_could_be_both_is_refused),
      TEST(schema_1_is_refused_by_name), TEST(limits_hold),
      TEST(what_is_not_json_is_refused),
      TEST(the_platform_that_suits_is_chosen),
      TEST(a_config_gives_its_defaults),
      TEST(go_writes_null_for_empty_and_that_is_absent))
