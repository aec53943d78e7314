# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/inflight.c %D%/inflight.h \
	%D%/operation.c %D%/operation.h %D%/operation_internal.h \
	%D%/problem.c %D%/problem.h \
	%D%/progress.c \
	%D%/pull.c %D%/pull.h %D%/pull_internal.h \
	%D%/pull_blobs.c \
	%D%/pull_commit.c \
	%D%/pull_layers.c \
	%D%/recover.c \
	%D%/ring.c %D%/ring.h \
	%D%/transfers_internal.h
