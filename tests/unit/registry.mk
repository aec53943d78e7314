# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/drive_pull
tests_unit_drive_pull_SOURCES = tests/unit/drive_pull.c
tests_unit_drive_pull_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) \
	$(SQLITE_CFLAGS)
tests_unit_drive_pull_LDADD = $(STORE_LIBS)
