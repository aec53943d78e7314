# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libruntime.a
libruntime_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	$(CRYPTO_CFLAGS)
RUNTIME_LIBS = libruntime.a $(STORE_LIBS)
libruntime_a_SOURCES = \
	%D%/bundle.h \
	%D%/container.h

include %D%/spec/local.mk
