# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libruntime.a
libruntime_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	$(CRYPTO_CFLAGS)
RUNTIME_LIBS = libruntime.a $(STORE_LIBS)
libruntime_a_SOURCES = \
	%D%/bundle.c %D%/bundle.h \
	%D%/container.c %D%/container.h \
	%D%/container_id.c

include %D%/spec/local.mk
