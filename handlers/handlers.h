/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Every handler, by the resource that it serves. Each has the type
 * handler_fn (http/route.h) with struct services as its context; what it
 * answers is in openapi/ under its operation id.
 */
#include "handlers/services.h"
#include "http/route.h"

#define HANDLER(name)                                                          \
	int name(struct request *request, void *context,                       \
		 struct response **ret, struct skiff_error *err)

/* system.c */
HANDLER(system_healthz);
HANDLER(system_readyz);
HANDLER(system_version);
HANDLER(system_openapi);
HANDLER(system_index);
HANDLER(system_namespace_missing);

/* plugins.c */
HANDLER(plugins_list);
HANDLER(plugins_get);

/* namespaces.c */
HANDLER(namespaces_list);
HANDLER(namespaces_create);
HANDLER(namespaces_get);
HANDLER(namespaces_patch);
HANDLER(namespaces_delete);

/* images.c */
HANDLER(images_list);
HANDLER(images_create);
HANDLER(images_get);
HANDLER(images_patch);
HANDLER(images_delete);

/* content.c */
HANDLER(content_list);
HANDLER(content_get);
HANDLER(content_patch);
HANDLER(content_remove);
extern const struct upload_ops content_upload;

/* snapshots.c */
HANDLER(snapshots_list);
HANDLER(snapshots_create);
HANDLER(snapshots_get);
HANDLER(snapshots_patch);
HANDLER(snapshots_delete);
HANDLER(snapshots_mounts);
HANDLER(snapshots_usage);
HANDLER(snapshots_commit);

/* containers.c */
HANDLER(containers_list);
HANDLER(containers_create);
HANDLER(containers_get);
HANDLER(containers_patch);
HANDLER(containers_put);
HANDLER(containers_rename);
HANDLER(containers_delete);

/* tasks.c, stop.c, restart.c, wait.c, logs.c */
HANDLER(tasks_list);
HANDLER(tasks_create);
HANDLER(tasks_get);
HANDLER(tasks_patch);
HANDLER(tasks_start);
HANDLER(tasks_pause);
HANDLER(tasks_resume);
HANDLER(tasks_kill);
HANDLER(tasks_stop);
HANDLER(tasks_restart);
HANDLER(tasks_wait);
HANDLER(tasks_pids);
HANDLER(tasks_processes);
HANDLER(tasks_delete);
HANDLER(tasks_logs);

/* metrics.c */
HANDLER(tasks_metrics);
HANDLER(metrics_list);
/* execs.c, wait.c, stop.c */
HANDLER(execs_list);
HANDLER(execs_create);
HANDLER(execs_get);
HANDLER(execs_delete);
HANDLER(execs_start);
HANDLER(execs_kill);
HANDLER(execs_wait);

/* checkpoints.c */
HANDLER(tasks_checkpoint);

/* output.c, attach.c, stdin.c */
HANDLER(tasks_output);
HANDLER(tasks_attach);
HANDLER(tasks_close_stdin);
HANDLER(tasks_resize);
extern const struct upload_ops tasks_stdin_upload;
HANDLER(execs_logs);
HANDLER(execs_output);
HANDLER(execs_attach);
HANDLER(execs_close_stdin);
HANDLER(execs_resize);
extern const struct upload_ops execs_stdin_upload;

/* events.c */
HANDLER(events_all);
HANDLER(events_of_namespace);

/* operations.c */
HANDLER(images_pull);
HANDLER(operations_list);
HANDLER(operations_get);
HANDLER(operations_delete);
