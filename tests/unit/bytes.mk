# SPDX-License-Identifier: Apache-2.0
# Blobs and snapshots: the rooms store/content and store/snapshot.
check_PROGRAMS += tests/unit/test_content tests/unit/test_layers \
	tests/unit/test_snapshots
tests_unit_test_content_SOURCES = tests/unit/test_content.c \
	tests/unit/scratch.h
tests_unit_test_content_LDADD = $(STORE_LIBS)
tests_unit_test_layers_SOURCES = tests/unit/test_layers.c \
	tests/unit/scratch.h tests/unit/snapshot_store.h
tests_unit_test_layers_LDADD = $(STORE_LIBS)
tests_unit_test_snapshots_SOURCES = tests/unit/test_snapshots.c \
	tests/unit/scratch.h tests/unit/snapshot_store.h
tests_unit_test_snapshots_LDADD = $(STORE_LIBS)
TESTS += tests/unit/test_content tests/unit/test_layers \
	tests/unit/test_snapshots

check_PROGRAMS += tests/unit/test_diff
tests_unit_test_diff_SOURCES = tests/unit/test_diff.c tests/unit/scratch.h
tests_unit_test_diff_LDADD = $(STORE_LIBS)
TESTS += tests/unit/test_diff
