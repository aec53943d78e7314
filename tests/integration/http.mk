# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/integration/http_toy
tests_integration_http_toy_SOURCES = tests/integration/http_toy.c
tests_integration_http_toy_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_integration_http_toy_LDADD = $(HTTP_LIBS)
dist_noinst_DATA += tests/integration/lib_http.py
dist_check_SCRIPTS += tests/integration/http_gate.py \
	tests/integration/http_serving.py
TESTS += tests/integration/http_gate.py tests/integration/http_serving.py
FAST_TESTS += tests/integration/http_gate.py \
	tests/integration/http_serving.py
