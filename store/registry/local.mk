# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/address.c %D%/address.h \
	%D%/answer.c %D%/answer.h \
	%D%/auth.c %D%/auth.h \
	%D%/challenge.c %D%/challenge.h \
	%D%/document.c %D%/document.h \
	%D%/fetch.c %D%/fetch.h \
	%D%/http.c %D%/http.h \
	%D%/manifest.c %D%/manifest.h \
	%D%/platform.c \
	%D%/reference.c %D%/reference.h \
	%D%/remote.c %D%/remote.h \
	%D%/resolve.c %D%/resolve.h
