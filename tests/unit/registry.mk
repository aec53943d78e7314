# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/test_reference tests/unit/test_manifest \
	tests/unit/test_registry tests/unit/drive_pull
tests_unit_test_reference_SOURCES = tests/unit/test_reference.c
tests_unit_test_reference_LDADD = $(STORE_LIBS)
tests_unit_test_manifest_SOURCES = tests/unit/test_manifest.c
tests_unit_test_manifest_LDADD = $(STORE_LIBS)
tests_unit_test_registry_SOURCES = tests/unit/test_registry.c
tests_unit_test_registry_LDADD = $(STORE_LIBS)
tests_unit_drive_pull_SOURCES = tests/unit/drive_pull.c
tests_unit_drive_pull_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) \
	$(SQLITE_CFLAGS)
tests_unit_drive_pull_LDADD = $(STORE_LIBS)
TESTS += tests/unit/test_reference tests/unit/test_manifest \
	tests/unit/test_registry

# Pulls without a daemon, from a real registry and from a faulty one.
dist_noinst_DATA += tests/integration/lib_pull.py
dist_noinst_SCRIPTS += tests/stubs/registry.py
pull_tests = tests/integration/pull_faults.py \
	tests/integration/pull_races.py tests/integration/pull_registry.py
dist_check_SCRIPTS += $(pull_tests)
TESTS += $(pull_tests)
FAST_TESTS += $(pull_tests)
