# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/dirs.c \
	%D%/layers.c \
	%D%/overlay.c \
	%D%/replace.c \
	%D%/rows.c \
	%D%/snapshot_internal.h \
	%D%/snapshots.c %D%/snapshots.h
