# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/content.c %D%/content.h \
	%D%/content_internal.h \
	%D%/ingest.c \
	%D%/trash.c
