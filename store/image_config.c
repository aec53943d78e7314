/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image configurations.
 */
#include "config.h"

#include "store/image_config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "store/registry/document.h"

#define ARGS_MAX 4096

static const struct document_kind config_kind = {
	.name = "image config",
	.reason = "image_invalid_config",
	.bytes_max = IMAGE_CONFIG_MAX,
	.values_max = 65536,
	.depth_max = 32,
	.null_is_absent = true,
};

static int
take_text(const struct node *node, const char *key, char **ret,
	  struct skiff_error *err)
{
	const char *text;
	int r = node_text(node, key, false, &text, err);

	if (r == 1 && *text)
		*ret = xstrdup(text);
	return r < 0 ? -1 : 0;
}

/* The keys of an object whose values mean nothing ({"80/tcp": {}}). */
static int
take_keys(const struct node *node, const char *key, struct strv *ret,
	  struct skiff_error *err)
{
	struct node object;
	const char *name;
	json_t *value;
	int r = node_object(node, key, false, &object, err);

	if (r != 1)
		return r;
	if (json_object_size(object.json) > ARGS_MAX)
		return node_fault(node, key, err, "has more than %d members",
				  ARGS_MAX);
	json_object_foreach ((json_t *)(uintptr_t)object.json, name, value)
		strv_add(ret, name);
	return 0;
}

static int
check_env(const struct node *node, const struct strv *env,
	  struct skiff_error *err)
{
	for (size_t i = 0; i < env->n; i++)
		if (env->items[i][0] == '=')
			return node_fault(node, "Env", err,
					  "has a variable without a name");
	return 0;
}

static int
parse_defaults(const struct node *node, struct image_config *config,
	       struct skiff_error *err)
{
	const json_t *labels;
	struct node healthcheck;
	int r;

	if (node_strv(node, "Env", ARGS_MAX, &config->env, err) < 0 ||
	    node_strv(node, "Entrypoint", ARGS_MAX, &config->entrypoint, err) <
		0 ||
	    node_strv(node, "Cmd", ARGS_MAX, &config->cmd, err) < 0 ||
	    take_text(node, "WorkingDir", &config->working_dir, err) < 0 ||
	    take_text(node, "User", &config->user, err) < 0 ||
	    take_text(node, "StopSignal", &config->stop_signal, err) < 0 ||
	    take_keys(node, "Volumes", &config->volumes, err) < 0 ||
	    take_keys(node, "ExposedPorts", &config->exposed_ports, err) < 0 ||
	    check_env(node, &config->env, err) < 0)
		return -1;
	r = node_object(node, "Healthcheck", false, &healthcheck, err);
	if (r < 0)
		return -1;
	if (r == 1)
		config->healthcheck = json_deep_copy(healthcheck.json);
	r = node_map(node, "Labels", &labels, err);
	if (r == 1)
		config->labels = json_deep_copy(labels);
	return r < 0 ? -1 : 0;
}

static int
parse_rootfs(const struct node *root, struct image_config *config,
	     struct skiff_error *err)
{
	CLEANUP(strv_done) struct strv texts = STRV_INIT;
	struct node rootfs;
	const char *type;

	if (node_object(root, "rootfs", true, &rootfs, err) < 0 ||
	    node_text(&rootfs, "type", true, &type, err) != 1)
		return -1;
	if (strcmp(type, "layers") != 0)
		return node_fault(&rootfs, "type", err, "must be \"layers\"");
	/* The specification asks for it; Go writes null for no layers. */
	if (!json_object_get(rootfs.json, "diff_ids"))
		return node_fault(&rootfs, "diff_ids", err, "is missing");
	if (node_strv(&rootfs, "diff_ids", IMAGE_LAYERS_MAX, &texts, err) < 0)
		return -1;
	config->diff_ids = xcalloc(texts.n + 1, sizeof(*config->diff_ids));
	for (; config->n_diff_ids < texts.n; config->n_diff_ids++) {
		struct skiff_error digest_err = ERROR_INIT;

		if (digest_parse(texts.items[config->n_diff_ids],
				 &config->diff_ids[config->n_diff_ids],
				 &digest_err) < 0)
			return node_fault(&rootfs, "diff_ids", err, "%s",
					  digest_err.text);
	}
	return 0;
}

int
image_config_parse(const char *text, size_t len,
		   struct image_config **ret_config, struct skiff_error *err)
{
	CLEANUP(image_config_freep) struct image_config *config = NULL;
	cleanup_json json_t *json = NULL;
	struct node defaults;
	struct node root;
	int r;

	if (document_parse(&config_kind, text, len, &json, err) < 0)
		return -1;
	root = node_root(&config_kind, json);
	config = xcalloc(1, sizeof(*config));
	if (take_text(&root, "os", &config->os, err) < 0 ||
	    take_text(&root, "architecture", &config->architecture, err) < 0 ||
	    take_text(&root, "variant", &config->variant, err) < 0 ||
	    take_text(&root, "created", &config->created, err) < 0 ||
	    parse_rootfs(&root, config, err) < 0)
		return -1;
	if (!config->os || !config->architecture)
		return node_fault(&root, config->os ? "architecture" : "os",
				  err, "is missing");
	r = node_object(&root, "config", false, &defaults, err);
	if (r < 0 || (r == 1 && parse_defaults(&defaults, config, err) < 0))
		return -1;
	*ret_config = STEAL_PTR(config);
	return 0;
}

void
image_config_free(struct image_config *config)
{
	if (!config)
		return;
	free(config->os);
	free(config->architecture);
	free(config->variant);
	free(config->created);
	strv_done(&config->env);
	strv_done(&config->entrypoint);
	strv_done(&config->cmd);
	free(config->working_dir);
	free(config->user);
	free(config->stop_signal);
	json_decref(config->healthcheck);
	json_decref(config->labels);
	strv_done(&config->volumes);
	strv_done(&config->exposed_ports);
	free(config->diff_ids);
	free(config);
}

const char *
image_config_chain_id(const struct image_config *config, size_t n,
		      char buf[CHAIN_ID_SIZE])
{
	struct digest chain = config->diff_ids[0];

	for (size_t i = 1; i < n; i++) {
		cleanup_free char *text =
		    xasprintf("%s %s", chain.text, config->diff_ids[i].text);

		digest_of(text, strlen(text), &chain);
	}
	memcpy(buf, chain.text, sizeof(chain.text));
	return buf;
}
