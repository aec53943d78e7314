# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libstore.a
libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	$(ARCHIVE_CFLAGS) $(CURL_CFLAGS) $(YAJL_CFLAGS) $(ISAL_CFLAGS) \
	$(ZSTD_CFLAGS) $(CRYPTO_CFLAGS)
STORE_LIBS = libstore.a $(SQLITE_LIBS) $(ARCHIVE_LIBS) $(CURL_LIBS) \
	$(YAJL_LIBS) $(ISAL_LIBS) $(ZSTD_LIBS) $(BASE_LIBS)
libstore_a_SOURCES = \
	%D%/container_use.c %D%/container_use.h \
	%D%/db.c %D%/db.h %D%/db_internal.h \
	%D%/filter.c %D%/filter.h \
	%D%/half_made.c %D%/half_made.h \
	%D%/image.c %D%/image.h \
	%D%/image_config.c %D%/image_config.h \
	%D%/image_content.c %D%/image_content.h \
	%D%/kinds.c %D%/kinds.h \
	%D%/labels.c \
	%D%/migrate.c %D%/migrate.h \
	%D%/namespace.c %D%/namespace.h \
	%D%/page.c %D%/page.h \
	%D%/record.c %D%/record.h \
	%D%/reserve.c \
	%D%/host_ids.c %D%/host_ids.h \
	%D%/user_range.c %D%/user_range.h \
	%D%/writer.c
nodist_libstore_a_SOURCES = %D%/migrations.c

# One a line, in order; the number is the schema's.
MIGRATIONS = \
	%D%/migrations/0001_records_and_events.sql \
	%D%/migrations/0002_snapshots.sql \
	%D%/migrations/0003_container_snapshots.sql \
	%D%/migrations/0004_user_ranges.sql \
	%D%/migrations/0005_half_made.sql \
	%D%/migrations/0006_execs_name_their_task.sql
EMBED = build-aux/embed.sh
EXTRA_DIST += $(EMBED) $(MIGRATIONS)
CLEANFILES += %D%/migrations.c
%D%/migrations.c: %D%/local.mk $(EMBED) $(MIGRATIONS)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && cd $(srcdir) && \
	  $(SHELL) $(EMBED) $(MIGRATIONS) >$(abs_builddir)/$@.tmp && \
	  mv $(abs_builddir)/$@.tmp $(abs_builddir)/$@

include %D%/content/local.mk
include %D%/events/local.mk
include %D%/registry/local.mk
include %D%/snapshot/local.mk
include %D%/transfer/local.mk
include %D%/unpack/local.mk
