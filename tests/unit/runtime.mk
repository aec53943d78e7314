# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/test_spec tests/unit/test_user
tests_unit_test_spec_SOURCES = tests/unit/test_spec.c
tests_unit_test_spec_LDADD = $(RUNTIME_LIBS)
tests_unit_test_user_SOURCES = tests/unit/test_user.c
tests_unit_test_user_LDADD = $(RUNTIME_LIBS)
TESTS += tests/unit/test_spec tests/unit/test_user
