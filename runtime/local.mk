# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libruntime.a
libruntime_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	$(CRYPTO_CFLAGS)
RUNTIME_LIBS = libruntime.a $(STORE_LIBS)
libruntime_a_SOURCES = \
	%D%/bundle.c %D%/bundle.h %D%/bundle_internal.h \
	%D%/bundle_binds.c \
	%D%/bundle_way.c \
	%D%/cgroup/enter.c %D%/cgroup/enter.h \
	%D%/cgroup/file.c %D%/cgroup/file.h \
	%D%/cgroup/freezer.c %D%/cgroup/freezer.h \
	%D%/cgroup/limits.c %D%/cgroup/limits.h \
	%D%/cgroup/path.c %D%/cgroup/path.h \
	%D%/cgroup/stats.c %D%/cgroup/stats.h \
	%D%/checkpoint/checkpoint.c %D%/checkpoint/checkpoint.h \
	%D%/checkpoint/container.c %D%/checkpoint/container.h \
	%D%/checkpoint/criu.c %D%/checkpoint/criu.h \
	%D%/checkpoint/criu_trial.c %D%/checkpoint/criu_trial.h \
	%D%/checkpoint/dump_options.c %D%/checkpoint/dump_options.h \
	%D%/checkpoint/image.h %D%/checkpoint/image_internal.h \
	%D%/checkpoint/image_read.c \
	%D%/checkpoint/image_write.c \
	%D%/checkpoint/needs.c \
	%D%/checkpoint/restore.c %D%/checkpoint/restore.h \
	%D%/checkpoint/rights.c %D%/checkpoint/rights.h \
	%D%/checkpoint/seal.c %D%/checkpoint/seal.h \
	%D%/checkpoint/tracking.c %D%/checkpoint/tracking.h \
	%D%/container.c %D%/container.h \
	%D%/container_start.c %D%/container_start.h \
	%D%/container_id.c \
	%D%/container_ids.c %D%/container_ids.h \
	%D%/container_internal.h \
	%D%/container_make.c \
	%D%/container_remove.c \
	%D%/container_rename.c \
	%D%/container_update.c \
	%D%/idmap.c %D%/idmap.h \
	%D%/logs/reader.c %D%/logs/reader.h %D%/logs/reader_internal.h \
	%D%/logs/seek.c \
	%D%/logs/segment.c %D%/logs/segment.h \
	%D%/logs/watch.c %D%/logs/watch.h \
	%D%/metrics.c %D%/metrics.h %D%/metrics_internal.h \
	%D%/metrics_rounds.c \
	%D%/monitor.c %D%/monitor.h \
	%D%/shim_checkpoint.c %D%/shim_checkpoint.h \
	%D%/shim_client.c %D%/shim_client.h \
	%D%/shim_client_internal.h \
	%D%/shim_exec.c \
	%D%/health.c %D%/health.h \
	%D%/restart.c %D%/restart.h \
	%D%/restart_record.c \
	%D%/shim_cleanup.c \
	%D%/shim_files.c \
	%D%/shim_io.c \
	%D%/shim_proto.c %D%/shim_proto.h \
	%D%/task.c %D%/task.h %D%/task_internal.h \
	%D%/task_discard.c \
	%D%/task_plan.c \
	%D%/task_rename.c \
	%D%/task_exec.c %D%/task_exec.h %D%/task_exec_internal.h \
	%D%/task_exec_record.c \
	%D%/task_exec_settle.c \
	%D%/task_exec_table.c \
	%D%/task_io.c %D%/task_io.h \
	%D%/task_record.c \
	%D%/task_recover.c \
	%D%/task_limits.c \
	%D%/task_namespaces.c \
	%D%/task_oom.c \
	%D%/task_pause.c \
	%D%/task_places.c \
	%D%/task_processes.c \
	%D%/task_settle.c \
	%D%/task_stdio.c %D%/task_stdio.h \
	%D%/task_step.c \
	%D%/task_stop.c \
	%D%/task_table.c \
	%D%/timers.c %D%/timers.h

include %D%/spec/local.mk
include %D%/shim/local.mk
include %D%/init/local.mk
