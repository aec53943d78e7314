# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/apply.c %D%/apply.h \
	%D%/attributes.c %D%/attributes.h \
	%D%/compress.c %D%/compress.h \
	%D%/diff.c %D%/diff.h \
	%D%/header_scan.c %D%/header_scan.h \
	%D%/implied.c \
	%D%/refusal.c %D%/refusal.h \
	%D%/stream.c %D%/stream.h \
	%D%/tar.c %D%/tar.h \
	%D%/tree.c %D%/tree.h
