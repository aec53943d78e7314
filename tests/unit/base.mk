# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c
tests_unit_test_base_LDADD = $(BASE_LIBS)
TESTS += tests/unit/test_base
