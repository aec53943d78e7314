# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libstore.a
libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	$(ARCHIVE_CFLAGS) $(CURL_CFLAGS) $(YAJL_CFLAGS) $(ISAL_CFLAGS) \
	$(ZSTD_CFLAGS) $(CRYPTO_CFLAGS)
STORE_LIBS = libstore.a $(SQLITE_LIBS) $(ARCHIVE_LIBS) $(CURL_LIBS) \
	$(YAJL_LIBS) $(ISAL_LIBS) $(ZSTD_LIBS) $(BASE_LIBS)
libstore_a_SOURCES = \
	%D%/db.h \
	%D%/image.h \
	%D%/image_config.h \
	%D%/image_content.h \
	%D%/namespace.h \
	%D%/record.h

include %D%/content/local.mk
include %D%/events/local.mk
include %D%/registry/local.mk
include %D%/snapshot/local.mk
include %D%/transfer/local.mk
include %D%/unpack/local.mk
