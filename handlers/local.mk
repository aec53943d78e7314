# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libhandlers.a
libhandlers_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	-DSKIFF_REVISION='"$(SKIFF_REVISION)"'
libhandlers_a_SOURCES = \
	%D%/access.c %D%/access.h \
	%D%/attach.c \
	%D%/common.c %D%/common.h \
	%D%/containers.c \
	%D%/content.c \
	%D%/detach_keys.c %D%/detach_keys.h \
	%D%/events.c \
	%D%/exec_run.c %D%/exec_run.h \
	%D%/execs.c \
	%D%/exit_wait.c %D%/exit_wait.h \
	%D%/follow.c %D%/follow.h \
	%D%/handlers.h \
	%D%/images.c \
	%D%/logs.c \
	%D%/metrics.c \
	%D%/namespaces.c \
	%D%/checkpoints.c \
	%D%/operations.c %D%/operations.h \
	%D%/outbox.c %D%/outbox.h \
	%D%/plugins.c \
	%D%/processes.c \
	%D%/output.c \
	%D%/process.c %D%/process.h \
	%D%/routes.c %D%/routes.h \
	%D%/services.h \
	%D%/settling.c %D%/settling.h \
	%D%/snapshots.c \
	%D%/stdin.c \
	%D%/stop.c %D%/stop.h \
	%D%/restart.c \
	%D%/system.c \
	%D%/tasks.c \
	%D%/wait.c \
	%D%/watch.c %D%/watch.h
nodist_libhandlers_a_SOURCES = openapi/openapi_json.c
