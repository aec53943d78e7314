# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libbase.a
libbase_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
BASE_LIBS = libbase.a $(JANSSON_LIBS) $(CRYPTO_LIBS)
libbase_a_SOURCES = \
	%D%/alloc.c %D%/alloc.h \
	%D%/banned.h \
	%D%/cleanup.h \
	%D%/clock.c %D%/clock.h \
	%D%/digest.c %D%/digest.h \
	%D%/encode.c %D%/encode.h \
	%D%/error.c %D%/error.h %D%/error_codes.h \
	%D%/fault.c %D%/fault.h %D%/fault_points.h \
	%D%/footprint.c %D%/footprint.h \
	%D%/fs.c %D%/fs.h %D%/fs_tree.c \
	%D%/id.c %D%/id.h \
	%D%/json.c %D%/json.h \
	%D%/lock.c %D%/lock.h %D%/lock_ranks.h \
	%D%/log.c %D%/log.h \
	%D%/parse.c %D%/parse.h \
	%D%/proc.c %D%/proc.h \
	%D%/sock.c %D%/sock.h \
	%D%/strbuf.c %D%/strbuf.h \
	%D%/strv.c %D%/strv.h \
	%D%/workpool.c %D%/workpool.h
