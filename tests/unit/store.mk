# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/layer_apply_tool
tests_unit_layer_apply_tool_SOURCES = %D%/layer_apply_tool.c
tests_unit_layer_apply_tool_LDADD = $(STORE_LIBS)

dist_noinst_DATA += %D%/store_help.h

check_PROGRAMS += tests/unit/test_record
tests_unit_test_record_SOURCES = tests/unit/test_record.c
tests_unit_test_record_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_record_LDADD = $(STORE_LIBS)
TESTS += tests/unit/test_record

check_PROGRAMS += tests/unit/test_filter
tests_unit_test_filter_SOURCES = tests/unit/test_filter.c
tests_unit_test_filter_LDADD = $(STORE_LIBS)
TESTS += tests/unit/test_filter

check_PROGRAMS += tests/unit/test_events
tests_unit_test_events_SOURCES = tests/unit/test_events.c
tests_unit_test_events_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_events_LDADD = $(STORE_LIBS)
TESTS += tests/unit/test_events

check_PROGRAMS += tests/unit/test_namespace
tests_unit_test_namespace_SOURCES = tests/unit/test_namespace.c
tests_unit_test_namespace_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_namespace_LDADD = $(STORE_LIBS)
TESTS += tests/unit/test_namespace

check_PROGRAMS += tests/unit/test_user_range
tests_unit_test_user_range_SOURCES = tests/unit/test_user_range.c
tests_unit_test_user_range_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_user_range_LDADD = $(STORE_LIBS)
TESTS += tests/unit/test_user_range

check_PROGRAMS += tests/unit/test_db
tests_unit_test_db_SOURCES = tests/unit/test_db.c
tests_unit_test_db_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_db_LDADD = $(STORE_LIBS)
TESTS += tests/unit/test_db
