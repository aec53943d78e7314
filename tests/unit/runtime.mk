# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/test_spec tests/unit/test_user \
	tests/unit/test_wishes
tests_unit_test_spec_SOURCES = tests/unit/test_spec.c tests/unit/json_at.h \
	tests/unit/spec_help.h
tests_unit_test_spec_LDADD = $(RUNTIME_LIBS)
tests_unit_test_user_SOURCES = tests/unit/test_user.c
tests_unit_test_user_LDADD = $(RUNTIME_LIBS)
tests_unit_test_wishes_SOURCES = tests/unit/test_wishes.c tests/unit/json_at.h \
	tests/unit/spec_help.h
tests_unit_test_wishes_LDADD = $(RUNTIME_LIBS)
TESTS += tests/unit/test_spec tests/unit/test_user tests/unit/test_wishes

check_PROGRAMS += tests/unit/test_user_namespace
tests_unit_test_user_namespace_SOURCES = tests/unit/test_user_namespace.c \
	tests/unit/spec_help.h
tests_unit_test_user_namespace_LDADD = $(RUNTIME_LIBS)
TESTS += tests/unit/test_user_namespace

check_PROGRAMS += tests/unit/test_shim_proto tests/unit/test_log_reader
tests_unit_test_shim_proto_SOURCES = tests/unit/test_shim_proto.c
tests_unit_test_shim_proto_LDADD = libruntime.a libbase.a
tests_unit_test_log_reader_SOURCES = tests/unit/test_log_reader.c
tests_unit_test_log_reader_LDADD = libruntime.a libbase.a
TESTS += tests/unit/test_shim_proto tests/unit/test_log_reader
check_PROGRAMS += tests/unit/test_cgroup_files tests/unit/test_timers
tests_unit_test_cgroup_files_SOURCES = tests/unit/test_cgroup_files.c
tests_unit_test_cgroup_files_LDADD = libruntime.a libbase.a
tests_unit_test_timers_SOURCES = tests/unit/test_timers.c
tests_unit_test_timers_LDADD = libruntime.a libbase.a
TESTS += tests/unit/test_cgroup_files tests/unit/test_timers

check_PROGRAMS += tests/unit/test_container tests/unit/test_container_update
tests_unit_test_container_SOURCES = tests/unit/test_container.c \
	tests/unit/container_help.h tests/unit/json_at.h
tests_unit_test_container_LDADD = $(RUNTIME_LIBS)
tests_unit_test_container_update_SOURCES = tests/unit/test_container_update.c \
	tests/unit/container_help.h tests/unit/json_at.h
tests_unit_test_container_update_LDADD = $(RUNTIME_LIBS)
TESTS += tests/unit/test_container tests/unit/test_container_update

check_PROGRAMS += tests/unit/test_checkpoint
tests_unit_test_checkpoint_SOURCES = tests/unit/test_checkpoint.c \
	tests/unit/scratch.h
tests_unit_test_checkpoint_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_checkpoint_LDADD = $(RUNTIME_LIBS)
TESTS += tests/unit/test_checkpoint
