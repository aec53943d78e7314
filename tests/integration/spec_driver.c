/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a task's directory from wishes, as the daemon would, without the
 * daemon: spec_driver ROOTFS TASK_DIR BODY
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/strv.h"
#include "runtime/bundle.h"
#include "runtime/spec/host.h"
#include "runtime/spec/rootfs_view.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/wishes.h"
#include "store/image_config.h"

#if defined(__x86_64__)
#define ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "unknown"
#endif

static int
make(const char *rootfs, const char *task_dir, const char *text,
     struct skiff_error *err)
{
	CLEANUP(json_faults_done) struct json_faults faults = JSON_FAULTS_INIT;
	CLEANUP(rootfs_view_freep) struct rootfs_view *view = NULL;
	CLEANUP(wishes_done) struct wishes wishes = { 0 };
	CLEANUP(host_done) struct host host = { 0 };
	CLEANUP(strv_done) struct strv dirs = STRV_INIT;
	struct image_config image = { .architecture = (char *)ARCHITECTURE };
	cleanup_free char *run_dir = xasprintf("%s.run", task_dir);
	cleanup_json json_t *body = NULL;
	cleanup_json json_t *container = NULL;
	json_t *spec = NULL;

	strv_add(&dirs, rootfs);
	if (json_parse(text, strlen(text), &body, err) < 0)
		return -1;
	wishes_decode(body, &wishes, &faults);
	if (host_probe_begin(task_dir, &host, err) < 0)
		return -1;
	host_probe_end(&host);
	wishes_check_host(&wishes, &host, &faults);
	if (json_faults_to_error(&faults, err) < 0 ||
	    rootfs_view_open(&dirs, &view, err) < 0 ||
	    spec_build(
		&(struct spec_request){ .host = &host,
					.ns = "default",
					.id = wishes.id,
					.wishes = &wishes,
					.image = &image,
					.view = view,
					.has_seccomp =
					    host.runtimes[0].has_seccomp },
		&spec, err) < 0)
		return -1;
	container = json_pack("{s:o}", "spec", spec);
	return bundle_make(&(struct bundle_request){ .boot_id = "none",
						     .task_dir = task_dir,
						     .run_dir = run_dir,
						     .host = &host,
						     .container = container },
			   err);
}

int
main(int argc, char **argv)
{
	struct skiff_error err = ERROR_INIT;

	if (argc != 4) {
		(void)fprintf(stderr, "spec_driver ROOTFS TASK_DIR BODY\n");
		return 2;
	}
	if (make(argv[1], argv[2], argv[3], &err) == 0)
		return 0;
	(void)fprintf(stderr, "%s: %s\n", err_code_name(err.code), err.text);
	return 1;
}
