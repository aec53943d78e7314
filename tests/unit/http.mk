# SPDX-License-Identifier: Apache-2.0
http_unit_tests = tests/unit/test_http_gate tests/unit/test_http_router \
	tests/unit/test_sock
check_PROGRAMS += $(http_unit_tests)
tests_unit_test_http_gate_SOURCES = tests/unit/test_http_gate.c
tests_unit_test_http_gate_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_http_gate_LDADD = $(HTTP_LIBS)
tests_unit_test_http_router_SOURCES = tests/unit/test_http_router.c
tests_unit_test_http_router_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_http_router_LDADD = $(HTTP_LIBS)
tests_unit_test_sock_SOURCES = tests/unit/test_sock.c
tests_unit_test_sock_LDADD = $(BASE_LIBS)
TESTS += $(http_unit_tests)
